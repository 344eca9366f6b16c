"""Training throughput: kilter's worker against the same network in Python's PyTorch.

    python benches/train_python.py PATH_TO_KILTER [--rounds 5] [--only NAME] [--device cuda]

Same libtorch version, same architecture.json, same data file, same threads, precision, batch and optimizer. The two
run in turn, round after round, each in a process of its own; the first epoch of a run warms up and does not count. What
is compared is rows a second, as the ratio of the two within a round; the median of the rounds is reported.

Python is measured three times: as a training loop is usually written (contiguous images, `torch.optim.Adam` as it comes),
tuned (channels last, `fused=True`), and tuned with `torch.compile` around the network. None reads the loss back in every
step, and no row passes through a DataLoader. The first epoch, in which `torch.compile` compiles, does not count.

On a GPU both have the data there and compute in full fp32, and kilter is measured a second time, in a line of its own, with recorded
steps (`graph = true`, which a stage has to declare).
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

THREADS = 2
BATCH = 128
# A GPU is through with an epoch in no time: so many steps are measured there, whatever the network.
STEPS_ON_GPU = 2400
HOW = ["plain", "tuned", "compiled"]


def conv(out, kernel=3, stride=1, bias=True):
    return {"conv2d": {"out": out, "kernel": kernel, "stride": stride, "padding": kernel // 2, "bias": bias}}


def linear(inputs, out):
    return {"linear": {"in": inputs, "out": out}}


def lstm(hidden, layers):
    return {"lstm": {"hidden": hidden, "layers": layers}}


def transformer(width, heads, blocks):
    """Blocks as most small models have them, and what follows after the last one's sums."""
    spec = {"layers": blocks, "heads": heads, "norm": "pre", "activation": "gelu", "dropout": 0.1, "attention_dropout": 0.0, "feedforward": 4 * width}
    return [{"transformer_encoder": spec}, "layer_norm", {"pool": "mean"}, linear(width, 10)]


def pair(out):
    """Two convolutions of std/vision/small_vgg."""
    return [conv(out, bias=False), "batch_norm", "relu"] * 2


def block(out, stride):
    """A residual block of std/vision/small_resnet."""
    inner = [conv(out, stride=stride, bias=False), "batch_norm", "relu", conv(out, bias=False), "batch_norm"]
    return {"residual": {"layers": inner, "shortcut": [conv(out, 1, stride, False), "batch_norm"]}}


# name: (shape of a row, stored type, layers, rows, epochs)
CASES = {
    "fashion (small_vgg)": (
        [1, 28, 28],
        "u8",
        [
            *pair(32), {"max_pool2d": 2}, *pair(64), {"max_pool2d": 2}, *pair(128), "global_avg_pool", linear(128, 10),
        ],
        2560,
        3,
    ),
    "small_resnet": (
        [1, 28, 28],
        "u8",
        [
            conv(32, bias=False), "batch_norm", "relu", {"max_pool2d": 2}, block(64, 1), "relu", block(128, 2), "relu",
            "global_avg_pool", linear(128, 10),
        ],
        3840,
        3,
    ),
    "plain CNN": (
        [1, 28, 28],
        "u8",
        [conv(32), "relu", {"max_pool2d": 2}, conv(64), "relu", {"max_pool2d": 2}, "flatten", linear(3136, 128), "relu", linear(128, 10)],
        6400,
        3,
    ),
    "64-256-10 MLP": ([64], "f32", [linear(64, 256), "relu", linear(256, 10)], 12800, 21),
    "LSTM, 64 places": ([64, 32], "f32", [lstm(128, 1), linear(128, 10)], 3840, 4),
    "LSTM, 2 layers": ([32, 64], "f32", [lstm(256, 2), linear(256, 10)], 2560, 3),
    "small transformer": ([32, 64], "f32", transformer(64, 4, 2), 3840, 4),
    "wider transformer": ([64, 128], "f32", transformer(128, 4, 2), 1280, 3),
}


def write_safetensors(path, tensors):
    """tensors: name -> (dtype, shape, bytes)."""
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)


def read_safetensors(torch, path, device):
    """The tensors of a file by name, on a device."""
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    types = {"U8": torch.uint8, "F32": torch.float32, "I32": torch.int32, "I64": torch.int64}

    def tensor(entry):
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        return torch.frombuffer(bytearray(raw[begin:end]), dtype=types[entry["dtype"]]).view(entry["shape"]).to(device)

    return {name: tensor(entry) for name, entry in json.loads(raw[8 : 8 + length]).items()}


def write_job(folder, device, network, **fields):
    """Writes architecture.json and job.json of a training of the folder's data.safetensors."""
    architecture, path = folder / "architecture.json", folder / "job.json"
    architecture.write_text(json.dumps(network))
    job = {
        "do": "train", "setting": {"threads": THREADS, "numerics": "native", "device": device},
        "architecture": str(architecture), "weights": None, "data": str(folder / "data.safetensors"), "validate": None,
        "target": network["target"]["name"], "task": network["target"]["task"], "loss": "cross_entropy", "schedule": "constant",
        "shuffle": True, "drop_last": True, "clip": None, "early_stop": None, "augment": None, "accumulate": 1, "deterministic": True,
        "ema": None, "gradient_norms": False, "seed": 7, "out": str(folder / "model.safetensors"), **fields,
    }
    path.write_text(json.dumps({"protocol": 3, "stage": "bench", "job": job}))
    return path


def prepare(folder, case, device="cpu"):
    """Writes architecture.json, data.safetensors and job.json; the data is noise, whose shape is all that counts."""
    import random

    shape, dtype, layers, rows, epochs = case
    generator = random.Random(1)
    size = rows
    for side in shape:
        size *= side
    if dtype == "u8":
        pixels = generator.randbytes(size)
    else:
        pixels = struct.pack(f"<{size}f", *(generator.uniform(-1, 1) for _ in range(size)))
    labels = struct.pack(f"<{rows}q", *(generator.randrange(10) for _ in range(rows)))
    tensors = {"target.label": ("I64", [rows], labels), "feature.x": (dtype.upper(), [rows, *shape], pixels)}
    write_safetensors(folder / "data.safetensors", tensors)
    dims = [{"Fixed": side} for side in shape]
    classes = [str(label) for label in range(10)]
    feature = {"name": "x", "shape": dims, "dtype": dtype, "scale": 255.0 if dtype == "u8" else None, "cardinality": None, "columns": []}
    network = {
        "inputs": [feature], "towers": [], "layers": layers, "output": [{"Fixed": 10}],
        "target": {"name": "label", "task": {"task": "category", "classes": classes}},
    }
    return write_job(folder, device, network, optimizer="adam", precision="f32", epochs=epochs, batch_size=BATCH)


def rate(times, rows, epochs):
    return rows * (epochs - 1) / (times[-1] - times[0])


def environment():
    """That in which the engine starts its worker."""
    environment = {
        **os.environ, "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS), "OMP_DYNAMIC": "FALSE",
        "MKL_DYNAMIC": "FALSE", "GOMP_SPINCOUNT": "3000", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "CUDA_MODULE_LOADING": "LAZY",
    }
    environment.pop("LD_LIBRARY_PATH", None)
    environment.pop("OMP_WAIT_POLICY", None)
    return environment


def run_kilter(worker, job, rows, epochs):
    process = subprocess.Popen([worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
    process.stdin.write(f"{job}\n")
    process.stdin.flush()
    times = []
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "epoch":
            times.append(time.perf_counter())
        elif event["event"] == "failed":
            sys.exit(f"kilter: {event['message']}")
        elif event["event"] == "done":
            break
    process.stdin.close()
    process.wait()
    return rate(times, rows, epochs)


def changed(job, **fields):
    """The same job with other fields."""
    text = json.loads(job.read_text())
    text["job"].update(fields)
    path = job.with_name("_".join(fields) + ".json")
    path.write_text(json.dumps(text))
    return path


def run_python(job, how, rows, epochs):
    output = subprocess.run([sys.executable, __file__, "--train", str(job), "--how", how], check=True, capture_output=True, text=True)
    return rate([float(line) for line in output.stdout.split()], rows, epochs)


def network(torch, layers, shape, channels=None):
    """The layers as modules for rows of this shape; `channels` holds what the last convolution gave, in a list so that blocks share it."""
    nn = torch.nn
    channels = channels or [1]

    class Last(nn.Module):
        """The state of the top layer after the whole sequence."""

        def __init__(self, spec, features):
            super().__init__()
            self.recurrent = nn.LSTM(features, spec["hidden"], spec["layers"], batch_first=True)

        def forward(self, x):
            return self.recurrent(x)[1][0][-1]

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(1)

    class Residual(nn.Module):
        def __init__(self, inner, shortcut):
            super().__init__()
            self.inner, self.shortcut = inner, shortcut

        def forward(self, x):
            return self.shortcut(x) + self.inner(x)

    def conv2d(spec):
        before, channels[0] = channels[0], spec["out"]
        return nn.Conv2d(before, spec["out"], spec["kernel"], spec["stride"], spec["padding"], bias=spec["bias"])

    def residual(spec):
        inner = network(torch, spec["layers"], shape, [*channels])
        return Residual(inner, network(torch, spec["shortcut"], shape, channels))

    def encoder(spec):
        def block():
            layer = nn.TransformerEncoderLayer(
                shape[-1], spec["heads"], spec["feedforward"], spec["dropout"], activation="gelu", batch_first=True, norm_first=True
            )
            layer.self_attn.dropout = spec["attention_dropout"]
            return layer

        return nn.Sequential(*(block() for _ in range(spec["layers"])))

    def one(layer):
        name, spec = (layer, {}) if isinstance(layer, str) else next(iter(layer.items()))
        return {
            "conv2d": lambda: conv2d(spec),
            "linear": lambda: nn.Linear(spec["in"], spec["out"]),
            "relu": lambda: nn.ReLU(inplace=True),
            "max_pool2d": lambda: nn.MaxPool2d(spec),
            "flatten": nn.Flatten,
            "global_avg_pool": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            "batch_norm": lambda: nn.BatchNorm2d(channels[0]),
            "residual": lambda: residual(spec),
            "lstm": lambda: Last(spec, shape[-1]),
            "transformer_encoder": lambda: encoder(spec),
            "layer_norm": lambda: nn.LayerNorm(shape[-1]),
            "pool": Mean,
        }[name]()

    return nn.Sequential(*(one(layer) for layer in layers))


def train(job_path, how):
    """The Python side, in a process of its own: prints a time after each epoch."""
    tuned = how != "plain"
    import torch
    import torch.nn.functional as functional

    torch.set_num_threads(THREADS)
    torch.manual_seed(7)
    job = json.loads(Path(job_path).read_text())["job"]
    device = job["setting"]["device"]
    torch.backends.cudnn.allow_tf32 = False
    data = read_safetensors(torch, job["data"], device)
    x, y = data["feature.x"], data["target.label"]
    model = network(torch, json.loads(Path(job["architecture"]).read_text())["layers"], x.shape[1:]).to(device).train()
    if tuned and x.dim() == 4:
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **({"fused": True} if tuned else {}))
    if how == "compiled":
        model = torch.compile(model)
    for _ in range(job["epochs"]):
        order = torch.randperm(len(x), device=device)
        total = torch.zeros((), device=device)
        for start in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            batch = x[rows]
            if batch.dtype == torch.uint8:
                batch = batch.float() / 255
            if tuned and batch.dim() == 4:
                batch = batch.to(memory_format=torch.channels_last)
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(batch), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        total.item()
        print(time.perf_counter(), flush=True)


def arguments(about, rounds, device):
    """What a script is asked that measures kilter beside Python; `--train` is what it asks itself for the Python side."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kilter", nargs="?")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--device", choices=["cpu", "cuda"], default=device)
    parser.add_argument("--train")
    return parser


def main():
    parser = arguments(__doc__, 5, "cpu")
    parser.add_argument("--only")
    parser.add_argument("--how", choices=HOW)
    options = parser.parse_args()
    if options.train:
        return train(options.train, options.how)
    worker = Path(options.kilter).with_name("kilter-torch")
    on_gpu = options.device == "cuda"
    print(f"{options.device}, batch {BATCH}, {THREADS} threads, fp32, Adam; rows/s, median of {options.rounds} rounds in turn")
    print(f"{'network':32} {'kilter':>9}" + "".join(f" {how:>9} {'ratio':>6}" for how in HOW))
    for name, case in CASES.items():
        if options.only and options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows, epochs = case[3] // BATCH * BATCH, case[4]
            if on_gpu:
                epochs = 1 + -(-STEPS_ON_GPU * BATCH // rows)
            job = prepare(Path(folder), (*case[:4], epochs), options.device)
            jobs = [job, changed(job, graph=True)] if on_gpu else [job]
            rounds = [
                (*(run_kilter(worker, job, rows, epochs) for job in jobs), *(run_python(job, how, rows, epochs) for how in HOW))
                for _ in range(options.rounds)
            ]
        measured = list(zip(*rounds))
        for suffix, kilter in zip(["", ", graph"], measured[: len(jobs)]):
            line = f"{name + suffix:32} {statistics.median(kilter):9,.0f}"
            for rates in measured[len(jobs) :]:
                ratio = statistics.median(ours / theirs for ours, theirs in zip(kilter, rates))
                line += f" {statistics.median(rates):9,.0f} {ratio:5.2f}x"
            print(line, flush=True)


if __name__ == "__main__":
    main()
