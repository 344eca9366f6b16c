"""The work of `tables_flights.toml` and `pipelines/tpch.toml` by polars, DuckDB or pandas: `python tables_engines.py ENGINE MANIFEST FOLDER OUT`.

FOLDER holds the parquet files of the tables. Polars and DuckDB run the text of the manifest's queries; pandas has the same work written
out, of TPC-H a part. Every result is written to OUT as parquet with zstandard. Prints one JSON object a line: what was done, and its seconds.
"""

import json
import sys
import time
import tomllib
from pathlib import Path


def queries(manifest):
    """The manifest's queries in order: name, names of the inputs, text, whether the result is kept."""
    stages = tomllib.loads(Path(manifest).read_text())["stage"]
    for name, stage in stages.items():
        if stage["kind"] == "sql":
            yield name, stage["inputs"], stage["query"], stage.get("keep", True)


def tables(folder):
    return {path.stem.split("-")[0]: str(path) for path in sorted(Path(folder).glob("*.parquet"))}


def told(name, begin):
    print(json.dumps({"name": name, "seconds": time.perf_counter() - begin}), flush=True)


def by_polars(manifest, folder, out):
    import polars as pl

    frames = {name: pl.scan_parquet(path) for name, path in tables(folder).items()}
    for name, inputs, query, keep in queries(manifest):
        begin = time.perf_counter()
        context = pl.SQLContext({called: frames[stage] for called, stage in inputs.items()})
        frame = context.execute(query)
        if keep:
            result = f"{out}/{name}.parquet"
            frame.collect().write_parquet(result, compression="zstd", compression_level=1)
            frame = pl.scan_parquet(result)
            told(name, begin)
        frames[name] = frame


def by_duckdb(manifest, folder, out):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    for name, path in tables(folder).items():
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{path}'")
    for name, _, query, keep in queries(manifest):
        begin = time.perf_counter()
        if not keep:
            connection.execute(f"CREATE VIEW {name} AS {query}")
            continue
        result = f"{out}/{name}.parquet"
        connection.execute(f"COPY ({query}) TO '{result}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{result}'")
        told(name, begin)


def by_pandas(manifest, folder, out):
    import pandas_tables

    places = tables(folder)
    names = [name for name, _, _, keep in queries(manifest) if keep]
    for name in names:
        work = getattr(pandas_tables, name, None)
        if work is None:
            continue
        begin = time.perf_counter()
        result = work(places, out)
        result.to_parquet(f"{out}/{name}.parquet", compression="zstd", compression_level=1, index=False)
        told(name, begin)


if __name__ == "__main__":
    engine, manifest, folder, out = sys.argv[1:]
    {"polars": by_polars, "duckdb": by_duckdb, "pandas": by_pandas}[engine](manifest, folder, out)
