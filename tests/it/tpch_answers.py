"""Compares kilter's answers to TPC-H with DuckDB's: `python tpch_answers.py MANIFEST OUT`, OUT being the folder of the pipeline's results.

Whole numbers, decimals, dates and texts must be equal, floats within 1e-9 of each other; rows and columns in the same order.
"""

import sys
import tomllib
from pathlib import Path

import duckdb


def close(ours, theirs):
    if isinstance(theirs, float) or isinstance(ours, float):
        return abs(float(ours) - float(theirs)) <= 1e-9 * abs(float(theirs))
    return ours == theirs


def main(manifest, out):
    stages = tomllib.loads(Path(manifest).read_text())["stage"]
    database = duckdb.connect()
    for path in Path(out, "data").glob("*.parquet"):
        database.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")
    compared = 0
    for name, stage in stages.items():
        if stage["kind"] != "sql":
            continue
        theirs = database.execute(stage["query"])
        their_columns, their_rows = [column[0] for column in theirs.description], theirs.fetchall()
        ours = database.execute(f"SELECT * FROM '{out}/{name}/table.parquet'")
        our_columns, our_rows = [column[0] for column in ours.description], ours.fetchall()
        assert our_columns == their_columns, f"{name}: {our_columns} {their_columns}"
        assert len(our_rows) == len(their_rows), f"{name}: {len(our_rows)} rows, DuckDB {len(their_rows)}"
        for ours, theirs in zip(our_rows, their_rows):
            assert all(map(close, ours, theirs)), f"{name}: {ours} {theirs}"
        compared += 1
    print(compared)


main(*sys.argv[1:])
