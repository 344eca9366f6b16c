"""What checkpoints cost: kilter's worker with and without them, in turn.

    python benches/checkpoints.py PATH_TO_KILTER [--rounds 5] [--every 1] [--long 2] [--only NAME]

The same job runs without checkpoints and with one every so many seconds, round after round, each in a process of its own; the
first epoch warms up and does not count. The cost is the share of the rows per second that is lost, within a round; a
checkpoint a minute costs a sixtieth of one a second. Last, "by default": as often as where nothing was asked for, over more than
two minutes a run, so that there are two. Needs no PyTorch.
"""

import argparse
import json
import math
import statistics
import tempfile
from pathlib import Path

from train_python import CASES, changed, linear, prepare, run_kilter

# Beside the networks of the throughput measurement one of 10 million weights, whose state has 120 MB.
LARGE = ([64], "f32", [linear(64, 3072), "relu", linear(3072, 3072), "relu", linear(3072, 10)], 2560, 6)
NETWORKS = {
    "fashion (small_vgg)": (*CASES["fashion (small_vgg)"][:4], 9),
    "64-256-10 MLP": (*CASES["64-256-10 MLP"][:4], 401),
    "10 million weights": LARGE,
}
BY_DEFAULT = "10 million weights, by default"
# By default there is a checkpoint after a minute and after two; the second is to be written before the end.
SECONDS = 135


def lost(worker, case, every):
    """The share of the rows per second that checkpoints cost, and how many lie there at the end, two at most; as often as by default, where `every` is None."""
    with tempfile.TemporaryDirectory() as folder:
        plain = prepare(Path(folder), case)
        place = Path(folder) / "checkpoints"
        # Each run begins anew.
        kept = changed(plain, checkpoints={"folder": str(place), "readable": [], "every": every})
        without = run_kilter(worker, plain, *case[3:])
        return 1 - run_kilter(worker, kept, *case[3:]) / without, len(list(place.glob("[0-9]*")))


def told(shares):
    """Of some shares what is printed."""
    low, middle, high = (100 * of(shares) for of in (min, statistics.median, max))
    return f"costs {low:.2f} / {middle:.2f} / {high:.2f} % (minimum, median, maximum of {len(shares)})"


def for_long(worker, case):
    """The same case with as many epochs as take SECONDS, and one more to warm up."""
    with tempfile.TemporaryDirectory() as folder:
        rate = run_kilter(worker, prepare(Path(folder), case), *case[3:])
    return (*case[:4], 1 + math.ceil(SECONDS * rate / case[3]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kilter")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=float, default=1.0)
    parser.add_argument("--long", type=int, default=2, metavar="ROUNDS", help=f"rounds of '{BY_DEFAULT}'; 0 leaves it out")
    parser.add_argument("--only")
    options = parser.parse_args()
    worker = str(Path(options.kilter).with_name("kilter-torch"))
    for name, case in NETWORKS.items():
        if options.only and options.only not in name:
            continue
        shares = [lost(worker, case, options.every)[0] for _ in range(options.rounds)]
        minute = 100 * statistics.median(shares) * options.every / 60
        print(f"{name}: one every {options.every:g} s {told(shares)}; one a minute {minute:.3f} %", flush=True)
    if options.long and (not options.only or options.only in BY_DEFAULT):
        case = for_long(worker, LARGE)
        shares, counts = zip(*(lost(worker, case, None) for _ in range(options.long)))
        seen = " and ".join(map(str, counts))
        print(f"{BY_DEFAULT}: {told(shares)}; {seen} checkpoints at the end of {SECONDS} s or more", flush=True)


if __name__ == "__main__":
    main()
