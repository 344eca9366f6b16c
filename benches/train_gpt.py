"""A language model of GPT-2's size in bf16: kilter's worker against Python's PyTorch with `torch.compile`, and how much of the GPU each uses.

    python benches/train_gpt.py PATH_TO_KILTER [--rounds 3] [--batch 16] [--device cuda] [--blocks 12]

The same network (tied embedding, no dropout), rows of 1,024 tokens, batch, AdamW and bf16; both in turn, each in a process of its own; the first
epoch, in which Python compiles, does not count. kilter is measured as it is, with `graph = true`, which asks a slow processor for less, and with that and
`deterministic = false`, because Python's is not deterministic: its attention is cuDNN's, which is faster than what gives the same numbers each
time. The floating-point operations of a token are counted as usual: 6 for each weight, and 12 for each
block, feature and place of its attention. Their share of what the GPU is said to do in bf16 is the utilisation.

`--device cpu --blocks 1 --batch 1` tries the script itself.
"""

import json
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from train_python import THREADS, arguments, changed, rate, read_safetensors, run_kilter, write_job, write_safetensors

VOCABULARY, PLACES, WIDTH, HEADS = 50257, 1024, 768, 12
STEPS, EPOCHS = 8, 4
# How kilter is measured, on a GPU.
WAYS = {
    "kilter": {},
    "kilter, graph": {"graph": True},
    "kilter, graph, not deterministic": {"graph": True, "deterministic": False},
}
# Of dense products in bf16, by what the GPU is called.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "RTX 4090": 165e12}


def weights(blocks):
    return VOCABULARY * WIDTH + PLACES * WIDTH + blocks * (12 * WIDTH * WIDTH + 13 * WIDTH) + 2 * WIDTH


def prepare(folder, batch, blocks, device):
    """Writes architecture.json, data.safetensors and job.json. The tokens are noise."""
    import random

    generator, rows = random.Random(1), STEPS * batch
    tokens = [generator.randrange(VOCABULARY) for _ in range(rows * PLACES)]
    packed = ("I32", [rows, PLACES], struct.pack(f"<{len(tokens)}i", *tokens))
    following = ("I32", [rows, PLACES], struct.pack(f"<{len(tokens)}i", *tokens[1:], 0))
    write_safetensors(folder / "data.safetensors", {"target.text": following, "feature.text": packed})
    task = {"task": "next_token", "vocabulary": VOCABULARY}
    feature = {
        "name": "text", "shape": [{"Fixed": PLACES}], "dtype": "i32", "scale": None, "cardinality": {"Fixed": VOCABULARY},
        "columns": [],
    }
    stack = {
        "layers": blocks, "heads": HEADS, "causal": True, "norm": "pre", "activation": "gelu_tanh", "dropout": 0.0,
        "attention_dropout": 0.0, "feedforward": 4 * WIDTH,
    }
    start = {"normal": {"std": 0.02}}
    layers = [
        {"embedding": {"dim": WIDTH, "count": VOCABULARY, "init": start}}, {"position": {"kind": "learned", "count": PLACES}},
        {"transformer_encoder": {**stack, "init": start}}, "layer_norm",
        {"linear": {"in": WIDTH, "out": VOCABULARY, "tie": True, "bias": False}},
    ]
    network = {
        "inputs": [feature], "towers": [], "layers": layers, "output": [{"Fixed": PLACES}, {"Fixed": VOCABULARY}],
        "target": {"name": "text", "task": task},
    }
    adamw = {"adamw": {"lr": 3e-4}}
    return write_job(folder, device, network, optimizer=adamw, precision="bf16", epochs=EPOCHS, batch_size=batch)


def gpt(torch, blocks):
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.into, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.linear1, self.linear2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x):
            batch, places, _ = x.shape
            heads = lambda part: part.view(batch, places, HEADS, -1).transpose(1, 2)
            query, key, value = map(heads, self.into(self.norm1(x)).chunk(3, -1))
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(batch, places, WIDTH))
            return x + self.linear2(functional.gelu(self.linear1(self.norm2(x)), approximate="tanh"))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(PLACES, WIDTH)
            self.blocks, self.norm = nn.Sequential(*(Block() for _ in range(blocks))), nn.LayerNorm(WIDTH)
            nn.init.normal_(self.tokens.weight, std=0.02)

        def forward(self, tokens):
            x = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
            return self.norm(self.blocks(x)) @ self.tokens.weight.t()

    return Gpt()


def train(job_path, blocks):
    """The Python side, in a process of its own: prints a time after each epoch."""
    import torch
    import torch.nn.functional as functional

    torch.set_num_threads(THREADS)
    torch.manual_seed(7)
    job = json.loads(Path(job_path).read_text())["job"]
    device, batch = job["setting"]["device"], job["batch_size"]
    data = read_safetensors(torch, job["data"], device)
    x, y = data["feature.text"], data["target.text"].long()
    model = gpt(torch, blocks).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
    model = torch.compile(model)
    for _ in range(job["epochs"]):
        order = torch.randperm(len(x), device=device)
        total = torch.zeros((), device=device)
        for start in range(0, len(x) - batch + 1, batch):
            rows = order[start : start + batch]
            optimizer.zero_grad()
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = functional.cross_entropy(model(x[rows]).flatten(0, 1), y[rows].flatten())
            loss.backward()
            optimizer.step()
            total += loss.detach()
        total.item()
        print(time.perf_counter(), flush=True)


def main():
    parser = arguments(__doc__, 3, "cuda")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=12)
    options = parser.parse_args()
    if options.train:
        return train(options.train, options.blocks)
    import torch

    name = torch.cuda.get_device_name() if options.device == "cuda" else "processor"
    peak = next((peak for gpu, peak in PEAKS.items() if gpu in name), None)
    worker = Path(options.kilter).with_name("kilter-torch")
    flops = 6 * weights(options.blocks) + 12 * options.blocks * WIDTH * PLACES
    rows, rounds = STEPS * options.batch, []
    with tempfile.TemporaryDirectory() as folder:
        job = prepare(Path(folder), options.batch, options.blocks, options.device)
        # A processor records nothing.
        ways = WAYS if options.device == "cuda" else {"kilter": {}}
        command = [sys.executable, __file__, "--train", str(job), "--blocks", str(options.blocks)]
        for _ in range(options.rounds):
            ours = [run_kilter(worker, changed(job, **way) if way else job, rows, EPOCHS) for way in ways.values()]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rounds.append((*ours, rate([float(line) for line in output.split()], rows, EPOCHS)))
    print(f"{name}, {weights(options.blocks) / 1e6:.0f} million weights, batch {options.batch}, bf16, median of {options.rounds} rounds in turn")
    for who, rates in zip([*ways, "PyTorch, compiled"], zip(*rounds)):
        tokens = statistics.median(rates) * PLACES
        used = f", {100 * tokens * flops / peak:.1f} % of {peak / 1e12:.0f}" if peak else ""
        ratios = sorted(rate / each[-1] for rate, each in zip(rates, rounds))
        ratio = f", {ratios[0]:.2f} / {statistics.median(ratios):.2f} / {ratios[-1]:.2f} times PyTorch" if who in ways else ""
        print(f"{who:32} {tokens:10,.0f} tokens/s, {tokens * flops / 1e12:.2f} TFLOP/s{used}{ratio}")


if __name__ == "__main__":
    main()
