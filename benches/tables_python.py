"""TPC-H and work on 3,000,000 flights by kilter, polars (of two generations), DuckDB and pandas, in turn: `python benches/tables_python.py KILTER FOLDER PART PYTHON`.

PART is `speed` (every engine, scale factor 1) or `memory` (kilter's TPC-H stages one by one at scale factor 10, none of which may hold more
than 2 GiB of its own). PYTHON has a polars with the engine that kilter has; the newest one is that of the Python that runs this. Seconds
are those of the work, without starting Python or kilter; a result is on disk at the end of it, kilter's with its digests. Memory is the most that the process held, with what it mapped of files; its own is that without these.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import tables_engines

ROUNDS = 5
HERE = Path(__file__).resolve().parent
ENGINES = ["polars", "same engine", "duckdb", "pandas"]
GIB = 1 << 30


def watch(process, seen):
    """Looks at the memory that is the process's own until it has ended."""
    while True:
        try:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
        except OSError:
            return
        seen.extend(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))
        time.sleep(0.01)


def run(command, folder, environment=None):
    """Runs a command to its end: the JSON objects that it printed, the most memory that it held, and that was its own."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=told, env={**os.environ, **(environment or {})})
        own = [0]
        watcher = threading.Thread(target=watch, args=(process.pid, own))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        watcher.join()
        said.seek(0)
        told.seek(0)
        if status:
            sys.exit(f"{command} ended badly ({status})\n{told.read().decode()[-3000:]}")
        return [json.loads(line) for line in said.read().decode().splitlines()], usage.ru_maxrss * 1024, max(own)


def kilter_run(kilter, folder, manifest, arguments):
    """One stage at a time, each with two threads, as the others do it."""
    threads = {"POLARS_MAX_THREADS": "2", "RAYON_NUM_THREADS": "2"}
    lines, *peaks = run([kilter, "run", manifest, "--json", "--jobs", "1", *arguments], folder, threads)
    done = [line for line in lines if line["event"] == "stage_done" and not line["cached"]]
    return {line["stage"]: line["seconds"] for line in done}, *peaks


def engine_run(engine, manifest, tables, folder):
    out = folder / f"by-{engine}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    python, engine = (sys.argv[4], "polars") if engine == "same engine" else (sys.executable, engine)
    lines, *peaks = run([python, HERE / "tables_engines.py", engine, manifest, tables, out], folder)
    return {line["name"]: line["seconds"] for line in lines}, *peaks


def spread(values, digits=2):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{low:.{digits}f} / {middle:.{digits}f} / {high:.{digits}f}"


def kept(manifest):
    return [name for name, _, _, keep in tables_engines.queries(manifest) if keep]


def compare(title, kilter, folder, manifest, tables, arguments):
    """Measures one manifest's kept queries by every engine, in turn."""
    stages = kept(folder / manifest)
    kilter_run(kilter, folder, manifest, arguments)
    found = {engine: [] for engine in ["kilter", *ENGINES]}
    for _ in range(ROUNDS):
        found["kilter"].append(kilter_run(kilter, folder, manifest, [*stages, "--force", *arguments]))
        for engine in ENGINES:
            found[engine].append(engine_run(engine, folder / manifest, folder / tables, folder))
    print(f"\n  {title}, {ROUNDS} rounds in turn: seconds, min / median / max, and the most memory")
    for engine, rounds in found.items():
        mine = [name for name in stages if name in rounds[0][0]]
        peak, own = (max(peaks) / 1e6 for peaks in zip(*(peaks for _, *peaks in rounds)))
        part = "" if len(mine) == len(stages) else f"   {len(mine)} of {len(stages)} queries"
        print(f"  {engine:<11} {spread([sum(times[name] for name in mine) for times, *_ in rounds]):>24} {peak:6,.0f} MB, its own {own:6,.0f} MB{part}")
    for engine in ENGINES:
        mine = [name for name in stages if name in found[engine][0][0]]
        pairs = zip(found["kilter"], found[engine])
        ratios = [sum(ours[name] for name in mine) / sum(theirs[name] for name in mine) for (ours, *_), (theirs, *_) in pairs]
        print(f"  kilter / {engine}, round by round: {spread(ratios)}")
    print("  medians of each stage, kilter, polars and the polars of the same engine, in ms; kilter's in times of both")
    for name in stages:
        ours, newest, same = (statistics.median(times[name] for times, *_ in found[engine]) * 1000 for engine in ("kilter", *ENGINES[:2]))
        print(f"    {name:<24} {ours:8.1f} {newest:8.1f} {same:8.1f} {ours / newest:6.2f} {ours / same:6.2f}")


def within_memory(kilter, folder):
    """TPC-H at scale factor 10, a process for each query."""
    arguments = ["--set", "scale=10"]
    kilter_run(kilter, folder, "tpch.toml", ["data", *arguments])
    bytes_of = sum(path.stat().st_size for path in (folder / "out/tpch/data").iterdir())
    print(f"  TPC-H, scale factor 10: {bytes_of / 1e9:.1f} GB of parquet")
    worst = 0
    for name in kept(folder / "tpch.toml"):
        times, peak, own = kilter_run(kilter, folder, "tpch.toml", [name, "--force", *arguments])
        worst = max(worst, own)
        print(f"    {name:<24} {times[name]:6.1f} s {peak / 1e6:7,.0f} MB, its own {own / 1e6:7,.0f} MB", flush=True)
    print(f"  the most memory of its own that a process held: {worst / GIB:.2f} GiB (goal: under 2)")
    if worst >= 2 * GIB:
        sys.exit("a query held 2 GiB or more")


def main():
    kilter, folder, part = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    (folder / "kilter.toml").touch()
    shutil.copy(HERE.parent / "pipelines/tpch.toml", folder)
    if part == "memory":
        return within_memory(kilter, folder)
    shutil.copy(HERE / "tables_flights.toml", folder)
    compare("flights", kilter, folder, "tables_flights.toml", "out/tables_flights/raw", [])
    compare("TPC-H, scale factor 1", kilter, folder, "tpch.toml", "out/tpch/data", ["--set", "scale=1"])


if __name__ == "__main__":
    main()
