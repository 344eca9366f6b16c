"""Files of pyarrow's that kilter does not read, for the tests of what is said of them: `python make.py`, with pyarrow 26."""

import decimal
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
HALVES = pa.table({"n": pa.array([1, 2]), "half": pa.array([1.5, None], pa.float16())})
LONG = pa.table({"amount": pa.array([decimal.Decimal("1.23")], pa.decimal256(50, 2))})
TWICE = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])


def arrow(name, table, writer):
    with pa.OSFile(str(HERE / name), "wb") as sink, writer(sink, table.schema) as out:
        out.write_table(table)


pq.write_table(HALVES, HERE / "half.parquet")
arrow("half.arrow", HALVES, pa.ipc.new_file)
pq.write_table(LONG, HERE / "long_decimal.parquet")
pq.write_table(TWICE, HERE / "twice.parquet")
arrow("stream.arrow", HALVES.select(["n"]), pa.ipc.new_stream)
