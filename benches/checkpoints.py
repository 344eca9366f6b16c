"""What checkpoints cost: kilter's worker with and without them, in turn.

    python benches/checkpoints.py PATH_TO_KILTER [--rounds 5] [--every 1] [--only NAME]

The same job runs without checkpoints and with one every so many seconds, round after round, each in a process of its own; the
first epoch warms up and does not count. The cost is the share of the rows per second that is lost, within a round; a
checkpoint a minute, which is the default, costs a sixtieth of one a second. Needs no PyTorch.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from train_python import CASES, linear, prepare, run_kilter

# Beside the networks of the throughput measurement one of 10 million weights, whose state has 120 MB.
LARGE = ([64], "f32", [linear(64, 3072), "relu", linear(3072, 3072), "relu", linear(3072, 10)], 2560, 6)
NETWORKS = {
    "fashion (small_vgg)": (*CASES["fashion (small_vgg)"][:4], 9),
    "64-256-10 MLP": (*CASES["64-256-10 MLP"][:4], 401),
    "10 million weights": LARGE,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kilter")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=float, default=1.0)
    parser.add_argument("--only")
    options = parser.parse_args()
    worker = str(Path(options.kilter).with_name("kilter-torch"))
    for name, case in NETWORKS.items():
        if options.only and options.only not in name:
            continue
        lost = []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                plain = prepare(folder, case)
                text = json.loads(plain.read_text())
                place = folder / "checkpoints"
                text["job"]["checkpoints"] = {"folder": str(place), "readable": [], "every": options.every}
                kept = folder / "kept.json"
                kept.write_text(json.dumps(text))
                without = run_kilter(worker, plain, *case[3:])
                # Each run begins anew.
                with_them = run_kilter(worker, kept, *case[3:])
                lost.append(1 - with_them / without)
        median = statistics.median(lost)
        print(
            f"{name}: one every {options.every:g} s costs {100 * min(lost):.2f} / {100 * median:.2f} / {100 * max(lost):.2f} %"
            f" (minimum, median, maximum of {options.rounds}); one a minute {100 * median * options.every / 60:.3f} %",
            flush=True,
        )


if __name__ == "__main__":
    main()
