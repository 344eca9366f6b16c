"""How fast a language model writes: tokens a second of `generate`, for models of random weights.

    python benches/generate.py PATH_TO_KILTER [OTHER_KILTER …] [--rounds 3]

Two blocks as in std/text/gpt_tiny of 128 features, and an LSTM, with 1,000 tokens and a context of 256: each goes on with 16 texts of
32 tokens by 200 tokens. Several workers are measured in turn, and the first is compared with the others. Needs no PyTorch.
"""

import argparse
import json
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from train_python import THREADS, environment, write_safetensors

VOCABULARY, CONTEXT, WIDTH, TEXTS, BEGINNING, ADDED = 1000, 256, 128, 16, 32, 200
HEAD = {"linear": {"in": WIDTH, "out": VOCABULARY}}
BLOCKS = {"layers": 2, "heads": 4, "norm": "pre", "activation": "gelu_tanh", "dropout": 0.0, "attention_dropout": 0.0}
MODELS = {
    "gpt": [{"embedding": {"dim": WIDTH}}, {"position": "learned"}, {"transformer_decoder": BLOCKS}, "layer_norm", HEAD],
    "lstm": [{"embedding": {"dim": WIDTH}}, {"lstm": {"hidden": WIDTH, "layers": 2, "output": "sequence"}}, HEAD],
}


class Worker:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())

    def run(self, folder, job):
        """The seconds that a job takes."""
        path = folder / "job.json"
        path.write_text(json.dumps({"protocol": 3, "stage": "bench", "job": job}))
        began = time.perf_counter()
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "failed":
                sys.exit(f"kilter: {event['message']}")
            if event["event"] == "done":
                return time.perf_counter() - began
        sys.exit("kilter's worker has ended")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def train_job(folder, setting, layers):
    """Writes a model's description and a row to learn, so that weights come of it."""
    row = struct.pack(f"<{CONTEXT}i", *(number % VOCABULARY for number in range(CONTEXT)))
    shape = ("I32", [1, CONTEXT], row)
    write_safetensors(folder / "data.safetensors", {"target.text": shape, "feature.text": shape})
    task = {"task": "next_token", "vocabulary": VOCABULARY}
    feature = {"name": "text", "shape": [{"Fixed": CONTEXT}], "dtype": "i32", "scale": None, "cardinality": {"Fixed": VOCABULARY}, "columns": []}
    described = {"inputs": [feature], "towers": [], "layers": layers, "output": [{"Fixed": CONTEXT}, {"Fixed": VOCABULARY}]}
    (folder / "architecture.json").write_text(json.dumps({**described, "target": {"name": "text", "task": task}}))
    return {
        "do": "train", "setting": setting, "architecture": str(folder / "architecture.json"), "weights": None,
        "data": str(folder / "data.safetensors"), "validate": None, "target": "text", "task": task, "loss": "cross_entropy",
        "optimizer": "adam", "schedule": "constant", "epochs": 1, "batch_size": 1, "shuffle": False, "drop_last": False, "clip": None,
        "early_stop": None, "augment": None, "accumulate": 1, "precision": "f32", "deterministic": True, "ema": None,
        "gradient_norms": False, "seed": 7, "out": str(folder / "model.safetensors"),
    }


def generate_job(folder, setting):
    generator = random.Random(1)
    prompts = [[generator.randrange(1, VOCABULARY) for _ in range(BEGINNING)] for _ in range(TEXTS)]
    return {
        "do": "generate", "setting": setting, "architecture": str(folder / "architecture.json"),
        "weights": str(folder / "model.safetensors"), "feature": "text", "prompts": prompts,
        "sampling": {"temperature": 1.0, "top_k": 50, "top_p": None}, "max_tokens": ADDED, "context": CONTEXT, "end": None, "never": [],
        "pad": 0, "batch_size": TEXTS, "seed": 7, "out": str(folder / "texts.json"),
    }


def measure(name, layers, workers, rounds):
    setting = {"threads": THREADS, "numerics": "native", "device": "cpu"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        running = [Worker(path) for path in workers]
        running[0].run(folder, train_job(folder, setting, layers))
        job = generate_job(folder, setting)
        rates, texts = [], []
        for _ in range(rounds):
            rates.append([TEXTS * ADDED / worker.run(folder, job) for worker in running])
            texts.append((folder / "texts.json").read_text())
        for worker in running:
            worker.end()
    if len(set(texts)) > 1:
        sys.exit("the texts differ from round to round")
    by_worker = list(zip(*rates))
    told = ", ".join(f"{min(rate):,.0f} / {statistics.median(rate):,.0f} / {max(rate):,.0f}" for rate in by_worker)
    line = f"{name}: {told} tokens/s (minimum, median, maximum of {rounds})"
    for other in by_worker[1:]:
        ratio = statistics.median(first / second for first, second in zip(by_worker[0], other))
        line += f", {ratio:.1f} times"
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kilter", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    workers = [str(Path(path).with_name("kilter-torch")) for path in options.kilter]
    for name, layers in MODELS.items():
        measure(name, layers, workers, options.rounds)


if __name__ == "__main__":
    main()
