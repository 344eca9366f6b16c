"""Files of pyarrow's, for the tests of what is read of other programs and what is said of the rest: `python make.py`, with pyarrow 26."""

import decimal
import pathlib

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
HALVES = pa.table({"n": pa.array([1, 2]), "half": pa.array([1.5, None], pa.float16())})
LONG = pa.table({"amount": pa.array([decimal.Decimal("1.23")], pa.decimal256(50, 2))})
TWICE = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])


# Batches with dictionaries of their own, and one whose dictionary is the last one's and a word more.
def categories(*parts):
    arrays = [pa.DictionaryArray.from_arrays(indices, words) for indices, words in parts]
    return pa.table({"word": pa.chunked_array(arrays)})


REPLACED = categories(([0, 1, None], ["a", "b"]), ([1, 0, 0], ["c", "b"]))
GROWN = categories(([0, 1, None], ["a", "b"]), ([2, 0, 0], ["a", "b", "c"]))


def arrow(name, table, writer, **options):
    options = pa.ipc.IpcWriteOptions(**options)
    with pa.OSFile(str(HERE / name), "wb") as sink, writer(sink, table.schema, options=options) as out:
        out.write_table(table)


pq.write_table(HALVES, HERE / "half.parquet")
arrow("half.arrow", HALVES, pa.ipc.new_file)
pq.write_table(LONG, HERE / "long_decimal.parquet")
pq.write_table(TWICE, HERE / "twice.parquet")
arrow("stream.arrow", HALVES.select(["n"]), pa.ipc.new_stream)
arrow("replaced.arrow", REPLACED, pa.ipc.new_stream)
arrow("grown.arrow", GROWN, pa.ipc.new_stream, emit_dictionary_deltas=True)
arrow("legacy.arrow", HALVES.select(["n"]), pa.ipc.new_stream, use_legacy_format=True)
arrow("twice.arrow", TWICE, pa.ipc.new_file)
arrow("twice_stream.arrow", TWICE, pa.ipc.new_stream)
pa.feather.write_feather(HALVES.select(["n"]), str(HERE / "one.feather"), version=1)
