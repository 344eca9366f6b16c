"""What the models of `stdlib/` compute, by definitions written anew for PyTorch, for `src/worker/layers/tests/zoo.rs`.

    pip install torch==2.11.0 numpy
    python tests/data/torch/zoo.py

Weights and inputs are the numbers of a counter-based generator that the test has too, so that `zoo.json` holds only names and
shapes of parameters, their count, what PyTorch's FLOP counter says of a row, and the outputs. Nothing here uses kilter's layers:
ResNet-18 is torchvision's, BERT and GPT-2 are written out from their papers.
"""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.flop_counter import FlopCounterMode

MODELS = {}


def uniform(name, count):
    """SplitMix64 at the name's checksum plus 0, 1, 2, …; its upper 24 bits as numbers in [0, 1)."""
    with np.errstate(over="ignore"):
        x = np.uint64(zlib.crc32(name.encode()) << 32) + np.arange(count, dtype=np.uint64)
        x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(40)).astype(np.float64) / 2**24


def value(name, shape):
    u = uniform(name, math.prod(shape))
    if name.endswith("running_var"):
        x = 0.5 + u
    elif len(shape) == 1 and name.endswith("weight"):
        x = 0.9 + 0.2 * u
    elif len(shape) == 1:
        x = 0.2 * u - 0.1
    else:
        x = (2 * u - 1) * math.sqrt(3 / math.prod(shape[1:]))
    return torch.from_numpy(x.astype(np.float32).reshape(shape))


class Weights:
    """Parameters by kilter's names, made when they are asked for."""

    def __init__(self):
        self.made = {}

    def __call__(self, name, *shape):
        self.made.setdefault(name, value(name, shape))
        assert self.made[name].shape == torch.Size(shape)
        return self.made[name]

    def fill(self, module, prefix):
        """The parameters and buffers of a module."""
        with torch.no_grad():
            for name, tensor in module.state_dict().items():
                if not name.endswith("num_batches_tracked"):
                    tensor.copy_(self(f"{prefix}.{name}", *tensor.shape))


def number_input(name, *shape):
    return torch.from_numpy((2 * uniform(name, math.prod(shape)) - 1).astype(np.float32).reshape(shape))


def index_input(name, below, *shape):
    return torch.from_numpy((uniform(name, math.prod(shape)) * below).astype(np.int64).reshape(shape))


def token_input(vocabulary, rows, seq):
    """Row `r` ends `3 r` before the end; index 0 fills it up."""
    x = 1 + index_input("tokens", vocabulary - 1, rows, seq)
    for row in range(rows):
        x[row, seq - 3 * row :] = 0
    return x


def model(module, features, inputs, run, weights, *, outputs, set={}, flops=True, key=None, at=None):
    """Notes one model. `features`: name, shape of a row, cardinality and padding, as kilter's dataset has them."""
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            y = run(*inputs)
    made = weights.made
    trained = sum(t.numel() for name, t in made.items() if not name.rsplit(".", 1)[1].startswith("running_"))
    shown = (y if at is None else at(y)).flatten()
    MODELS[key or module] = {
        "module": module,
        "set": set,
        "features": features,
        "rows": len(inputs[0]),
        "outputs": outputs,
        "parameters": trained,
        "flops": counter.get_total_flops() // len(y) if flops else None,
        "weights": {name: list(t.shape) for name, t in sorted(made.items())},
        "shape": list(y.shape[1:]),
        "y": [round(float(v), 7) for v in shown],
    }


def feature(name, shape, cardinality=None, padding=None):
    return {"name": name, "shape": shape, "cardinality": cardinality, "padding": padding}


def tabular():
    x = number_input("numbers", 4, 5)
    numbers = [feature("numbers", [5])]
    for name, outputs in [("linear_regression", 1), ("logistic_regression", 3)]:
        w = Weights()
        run = lambda x: x @ w("layers.0.weight", outputs, 5).T + w("layers.0.bias", outputs)
        model(f"tabular/{name}", numbers, [x], run, w, outputs=outputs)
    w = Weights()
    net = nn.Sequential(
        nn.Linear(5, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(),
        nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 3),
    ).eval()
    w.fill(net, "layers")
    model("tabular/mlp", numbers, [x], net, w, outputs=3)


class BasicBlock(nn.Module):
    """torchvision's block of ResNet-18."""

    def __init__(self, inputs, out, stride, adapt):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if adapt:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + (self.downsample(x) if self.downsample else x))

    def fill(self, w, prefix):
        for place, part in [(0, self.conv1), (1, self.bn1), (3, self.conv2), (4, self.bn2)]:
            w.fill(part, f"{prefix}.layers.{place}")
        if self.downsample:
            w.fill(self.downsample, f"{prefix}.shortcut")


class WideBlock(nn.Module):
    """Norms and activations before the convolutions; where the width changes they stand before both sides."""

    def __init__(self, inputs, out, stride, adapt):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(out)
        self.conv1 = nn.Conv2d(inputs, out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inputs, out, 1, stride, bias=False) if adapt else None

    def forward(self, x):
        active = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return out + (self.shortcut(active) if self.shortcut else x)

    def fill(self, w, place):
        if not self.shortcut:
            for at, part in [(0, self.bn1), (2, self.conv1), (3, self.bn2), (6, self.conv2)]:
                w.fill(part, f"layers.{place}.layers.{at}")
            return
        w.fill(self.bn1, f"layers.{place}")
        for at, part in [(0, self.conv1), (1, self.bn2), (4, self.conv2)]:
            w.fill(part, f"layers.{place + 2}.layers.{at}")
        w.fill(self.shortcut, f"layers.{place + 2}.shortcut.0")


def vision():
    image = lambda c, h: [feature("image", [c, h, h])]
    w = Weights()
    lenet = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Dropout(), nn.Linear(84, 10),
    ).eval()
    w.fill(lenet, "layers")
    model("vision/lenet", image(1, 28), [number_input("image", 2, 1, 28, 28)], lenet, w, outputs=10)

    w = Weights()
    stem, norm = nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
    blocks = nn.Sequential(BasicBlock(32, 64, 1, True), BasicBlock(64, 128, 2, True))
    head = nn.Linear(128, 10)
    w.fill(stem, "layers.0"), w.fill(norm, "layers.1"), w.fill(head, "layers.10")
    blocks[0].fill(w, "layers.4"), blocks[1].fill(w, "layers.6")
    small = nn.Sequential(stem, norm, nn.ReLU(), nn.MaxPool2d(2), blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    model("vision/small_resnet", image(1, 28), [number_input("image", 2, 1, 28, 28)], small, w, outputs=10)

    w = Weights()
    parts = []
    for inputs, out, place, pool in [
        (1, 32, 0, False), (32, 32, 3, True), (32, 64, 7, False), (64, 64, 10, True), (64, 128, 14, False), (128, 128, 17, False),
    ]:
        conv, norm = nn.Conv2d(inputs, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        w.fill(conv, f"layers.{place}"), w.fill(norm, f"layers.{place + 1}")
        parts += [conv, norm, nn.ReLU()] + ([nn.MaxPool2d(2)] if pool else [])
    head = nn.Linear(128, 10)
    w.fill(head, "layers.22")
    vgg = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    model("vision/small_vgg", image(1, 28), [number_input("image", 2, 1, 28, 28)], vgg, w, outputs=10)

    w = Weights()
    stem, norm, head = nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.Linear(16, 10)
    w.fill(stem, "layers.0")
    blocks = []
    for place, inputs, out, stride in [(1, 16, 8, 1), (5, 8, 12, 2), (9, 12, 16, 2)]:
        blocks += [WideBlock(inputs, out, stride, True), WideBlock(out, out, 1, False)]
        blocks[-2].fill(w, place), blocks[-1].fill(w, place + 3)
    w.fill(norm, "layers.13"), w.fill(head, "layers.16")
    wide = nn.Sequential(stem, *blocks, norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    widths = {"width_1": 8, "width_2": 12, "width_3": 16}
    model("vision/wide_resnet", image(1, 28), [number_input("image", 2, 1, 28, 28)], wide, w, outputs=10, set=widths)

    w = Weights()
    stem, norm = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
    widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
    blocks = nn.Sequential(*(BasicBlock(a, b, stride, a != b) for a, b, stride in widths))
    head = nn.Linear(512, 1000)
    w.fill(stem, "layers.0"), w.fill(norm, "layers.1"), w.fill(head, "layers.22")
    for number, block in enumerate(blocks):
        block.fill(w, f"layers.{4 + 2 * number}")
    net = nn.Sequential(stem, norm, nn.ReLU(), nn.MaxPool2d(3, 2, 1), blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    x = number_input("image", 1, 3, 224, 224)
    model("vision/resnet18", image(3, 224), [x], net, w, outputs=1000, at=lambda y: y[:, ::50])
    assert MODELS["vision/resnet18"]["parameters"] == 11_689_512


def tokens(vocabulary, seq):
    return [feature("tokens", [seq], vocabulary, 0)]


def recurrent():
    x = token_input(50, 3, 12)
    w = Weights()
    lstm = nn.LSTM(16, 8, batch_first=True, bidirectional=True)
    w.fill(lstm, "layers.2")

    def run(x):
        lengths = (x != 0).sum(1)
        table = w("layers.0.weight", 50, 16).clone()
        table[0] = 0
        packed = pack_padded_sequence(F.embedding(x, table), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = lstm(packed)
        return F.linear(torch.cat([h[0], h[1]], 1), w("layers.4.weight", 4, 16), w("layers.4.bias", 4))

    model("text/lstm", tokens(50, 12), [x], run, w, outputs=4, set={"dim": 16, "hidden": 8}, flops=False)

    w = Weights()
    net = nn.LSTM(5, 64, 2, batch_first=True)
    w.fill(net, "layers.0")
    last = lambda x: F.linear(net(x)[0][:, -1], w("layers.2.weight", 1, 64), w("layers.2.bias", 1))
    model("sequence/lstm", [feature("weather", [6, 5])], [number_input("weather", 3, 6, 5)], last, w, outputs=1, flops=False)


def textcnn():
    x = token_input(50, 3, 12)
    w = Weights()

    def run(x):
        table = w("layers.0.weight", 50, 16).clone()
        table[0] = 0
        h = F.embedding(x, table).transpose(1, 2)
        parts = []
        for branch, kernel in enumerate([3, 4, 5]):
            name = f"layers.2.branches.{branch}.0"
            before = (kernel - 1) // 2
            wide = F.pad(h, (before, kernel - 1 - before))
            c = F.conv1d(wide, w(f"{name}.weight", 10, 16, kernel), w(f"{name}.bias", 10))
            parts.append(F.relu(c).amax(2))
        return F.linear(torch.cat(parts, 1), w("layers.4.weight", 4, 30), w("layers.4.bias", 4))

    model("text/textcnn", tokens(50, 12), [x], run, w, outputs=4, set={"dim": 16, "channels": 10})


def norm(w, name, x, eps):
    return F.layer_norm(x, x.shape[-1:], w(f"{name}.weight", x.shape[-1]), w(f"{name}.bias", x.shape[-1]), eps)


def linear(w, name, x, out):
    return F.linear(x, w(f"{name}.weight", out, x.shape[-1]), w(f"{name}.bias", out))


def attention(w, name, x, heads, allowed):
    """softmax(Q Kᵀ / √d) V with what is not allowed at minus infinity, head by head."""
    width = x.shape[-1]
    q, k, v = F.linear(x, w(f"{name}.in_proj_weight", 3 * width, width), w(f"{name}.in_proj_bias", 3 * width)).chunk(3, -1)
    split = lambda t: t.unflatten(-1, (heads, width // heads)).transpose(1, 2)
    scores = split(q) @ split(k).transpose(-1, -2) / math.sqrt(width // heads)
    mixed = scores.masked_fill(~allowed, -math.inf).softmax(-1) @ split(v)
    return linear(w, f"{name}.out_proj", mixed.transpose(1, 2).flatten(2), width)


def bert_body(w, x, dim, blocks, heads):
    table = w("layers.0.weight", 60, dim).clone()
    table[0] = 0
    h = F.embedding(x, table) + w("layers.1.weight", x.shape[1], dim)
    h = norm(w, "layers.2", h, 1e-12)
    allowed = (x != 0)[:, None, None, :]
    for block in range(blocks):
        name = f"layers.4.layers.{block}"
        h = norm(w, f"{name}.norm1", h + attention(w, f"{name}.self_attn", h, heads, allowed), 1e-12)
        middle = F.gelu(linear(w, f"{name}.linear1", h, 4 * dim))
        h = norm(w, f"{name}.norm2", h + linear(w, f"{name}.linear2", middle, dim), 1e-12)
    return h, table


def bert():
    x = token_input(60, 3, 10)
    set = {"dim": 16, "heads": 2}
    w = Weights()

    def guess(x):
        h, table = bert_body(w, x, 16, 2, 2)
        h = norm(w, "layers.8", F.gelu(linear(w, "layers.6", h, 16)), 1e-12)
        return F.linear(h, table, w("layers.9.bias", 60))

    places = lambda y: torch.stack([y[0, 9], y[0, 2], y[1, 6], y[2, 0]])[:, ::10]
    model("text/bert_tiny", tokens(60, 10), [x], guess, w, outputs=60, set=set, at=places)
    w = Weights()

    def classify(x):
        h, _ = bert_body(w, x, 16, 2, 2)
        return linear(w, "layers.9", torch.tanh(linear(w, "layers.6", h[:, 0], 16)), 4)

    model("text/bert_tiny_classifier", tokens(60, 10), [x], classify, w, outputs=4, set=set)


def gpt():
    x = token_input(60, 2, 10)
    w = Weights()

    def run(x):
        table = w("layers.0.weight", 60, 16).clone()
        table[0] = 0
        h = F.embedding(x, table) + w("layers.1.weight", 10, 16)
        allowed = torch.ones(10, 10, dtype=torch.bool).tril()
        for block in range(4):
            name = f"layers.3.layers.{block}"
            h = h + attention(w, f"{name}.self_attn", norm(w, f"{name}.norm1", h, 1e-5), 4, allowed)
            middle = F.gelu(linear(w, f"{name}.linear1", norm(w, f"{name}.norm2", h, 1e-5), 64), approximate="tanh")
            h = h + linear(w, f"{name}.linear2", middle, 16)
        return norm(w, "layers.4", h, 1e-5) @ table.T

    places = lambda y: torch.stack([y[0, 9], y[0, 0], y[1, 6]])[:, ::10]
    model("text/gpt_tiny", tokens(60, 10), [x], run, w, outputs=60, set={"dim": 16, "heads": 4}, at=places)


def two_tower():
    w = Weights()

    def tower(name, x, count):
        h = F.embedding(x, w(f"towers.{name}.0.weight", count, 8))
        h = F.relu(linear(w, f"towers.{name}.2", h, 8))
        return linear(w, f"towers.{name}.4", h, 6)

    run = lambda item, user: (tower("item", item, 20) * tower("user", user, 30)).sum(1, keepdim=True)
    features = [feature("item", [], 20), feature("user", [], 30)]
    inputs = [index_input("item", 20, 5), index_input("user", 30, 5)]
    model("rec/two_tower", features, inputs, run, w, outputs=1, set={"dim": 8, "width": 6})


def main():
    for part in [tabular, vision, recurrent, textcnn, bert, gpt, two_tower]:
        part()
    path = Path(__file__).with_suffix(".json")
    lines = [f"{json.dumps(name)}: {json.dumps(found)}" for name, found in sorted(MODELS.items())]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(MODELS)} models, {path.stat().st_size:,} bytes")


main()
