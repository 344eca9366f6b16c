"""What batches cost: the share of a training's time in which its thread waits for one.

    python benches/loading.py PATH_TO_KILTER [--rounds 5]

Rows are gathered by a thread of their own, ahead of their use; the worker measures how long the training waited for it. The first
batch of an epoch is always waited for. Needs no PyTorch.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from train_python import CASES, environment, linear, prepare

# Rows as wide as they come: 12 kB each, of a network that does little with them.
WIDE = ([3072], "f32", [linear(3072, 32), "relu", linear(32, 10)], 5120, 6)


def waited(worker, job):
    process = subprocess.Popen([worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
    # The end of its input would end the job.
    process.stdin.write(f"{job}\n")
    process.stdin.flush()
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "failed":
            sys.exit(f"kilter: {event['message']}")
        if event["event"] == "done":
            break
    process.stdin.close()
    process.wait()
    return event["values"]["data_wait"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kilter")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    worker = str(Path(options.kilter).with_name("kilter-torch"))
    for name, case in {**CASES, "wide rows": WIDE}.items():
        parts = []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                parts.append(100 * waited(worker, prepare(Path(folder), case)))
        median = statistics.median(parts)
        told = f"{min(parts):.2f} / {median:.2f} / {max(parts):.2f} %"
        print(f"{name}: batches are waited for {told} of the time (minimum, median, maximum of {options.rounds})", flush=True)


if __name__ == "__main__":
    main()
