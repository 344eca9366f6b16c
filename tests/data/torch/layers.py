"""What PyTorch computes with the layers that kilter has, for `src/worker/layers/tests/pytorch.rs`.

    pip install torch==2.11.0 safetensors numpy rtdl_num_embeddings==0.0.12
    python tests/data/torch/layers.py

Writes `layers.safetensors` beside itself: for every case an input, the parameters, the output, and the gradients of the sum of
the squared outputs; in its metadata the layers as a manifest writes them and what PyTorch's FLOP counter says of a row.
Everything is seeded: a second run writes the same bytes.
"""

import json
import math
from pathlib import Path

import torch
from rtdl_num_embeddings import LinearEmbeddings, PeriodicEmbeddings
from safetensors.torch import save_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.flop_counter import FlopCounterMode

PADDING = 0
CASES = {}
TENSORS = {}


def case(name, layers, module, x, *, starts=False, run=None, flops=True):
    """Notes one case. `module` holds parameters under kilter's names below `layers.`; `run` computes where calling it does not.

    `starts`: the parameters are those right after `torch.manual_seed(0)`, drawn in kilter's order.
    """
    module.eval()
    forward = run or module
    # The counter does not know the fused kernel of the CPU; the products that it fuses are the same.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        y = forward(x)
    y.square().sum().backward()
    for key, value in module.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            TENSORS[f"{name}/layers.{key}"] = value.detach().clone().contiguous()
    for key, value in module.named_parameters():
        assert value.grad is not None, (name, key)
        TENSORS[f"{name}/grad.layers.{key}"] = value.grad.detach().clone().contiguous()
    TENSORS[f"{name}/x"] = x.clone().contiguous()
    TENSORS[f"{name}/y"] = y.detach().clone().contiguous()
    CASES[name] = {
        "layers": layers,
        "tokens": x.dtype == torch.int64,
        "starts": starts,
        "flops": counter.get_total_flops() // len(x) if flops else None,
    }


def seeded(build):
    torch.manual_seed(0)
    module = build()
    return module


def numbers(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def tokens(batch=4, seq=6, vocabulary=11):
    """Rows of different lengths, filled up with padding."""
    x = torch.randint(1, vocabulary, (batch, seq), generator=torch.Generator().manual_seed(2))
    for row, length in enumerate([seq, 3, 1, 5][:batch]):
        x[row, length:] = PADDING
    return x


class Named(nn.Module):
    """Modules under the numbers of their places in a list of layers."""

    def __init__(self, **modules):
        super().__init__()
        for key, module in modules.items():
            self.add_module(key.removeprefix("_"), module)

    def __getitem__(self, place):
        return getattr(self, str(place))


def attention():
    mha = seeded(lambda: Named(_0=nn.MultiheadAttention(12, 3, batch_first=True)))
    x = numbers(2, 5, 12)
    plain = lambda x: mha[0](x, x, x, need_weights=False)[0]
    case("attention", [{"multi_head_attention": 3}], mha, x, run=plain, starts=True)
    mha = seeded(lambda: Named(_0=nn.MultiheadAttention(12, 3, batch_first=True, bias=False)))
    later = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
    causal = lambda x: mha[0](x, x, x, attn_mask=later, need_weights=False)[0]
    case(
        "causal_attention",
        [{"multi_head_attention": {"heads": 3, "causal": True, "bias": False}}],
        mha, x, run=causal, starts=True,
    )


def turned(x):
    """Rotary positions as RoFormer and the Llama models have them: the halves of a head are turned."""
    half = x.shape[-1] // 2
    rates = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.outer(torch.arange(x.shape[-2], dtype=torch.float64), rates)
    both = torch.polar(torch.ones_like(angles), angles).to(torch.complex64) * torch.complex(x[..., :half], x[..., half:])
    return torch.cat([both.real, both.imag], -1)


def rotary():
    module = seeded(lambda: Named(_0=nn.MultiheadAttention(12, 2, batch_first=True)))
    mha = module[0]

    def run(x):
        q, k, v = nn.functional.linear(x, mha.in_proj_weight, mha.in_proj_bias).chunk(3, -1)
        q, k, v = (t.unflatten(-1, (2, 6)).transpose(1, 2) for t in (q, k, v))
        mixed = scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True)
        return mha.out_proj(mixed.transpose(1, 2).flatten(2))

    case(
        "rotary",
        [{"multi_head_attention": {"heads": 2, "causal": True, "rotary": True}}],
        module, numbers(2, 7, 12), run=run, starts=True,
    )


class Grouped(nn.Module):
    """Grouped-query attention: PyTorch's kernel has it, its `MultiheadAttention` does not. Named and drawn as that one."""

    def __init__(self, width, heads, kv_heads, rotary=False):
        super().__init__()
        self.heads, self.kv_heads, self.head, self.rotary = heads, kv_heads, width // heads, rotary
        self.sizes = [width, kv_heads * self.head, kv_heads * self.head]
        self.out_proj = nn.Linear(width, width)
        self.in_proj_weight = nn.Parameter(torch.empty(sum(self.sizes), width))
        self.in_proj_bias = nn.Parameter(torch.zeros(sum(self.sizes)))
        nn.init.zeros_(self.out_proj.bias)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x, memory=None, **more):
        memory = x if memory is None else memory
        weights, biases = self.in_proj_weight.split(self.sizes), self.in_proj_bias.split(self.sizes)
        parts = (nn.functional.linear(of, w, b) for of, w, b in zip([x, memory, memory], weights, biases))
        q, k, v = (part.unflatten(-1, (-1, self.head)).transpose(1, 2) for part in parts)
        if self.rotary:
            q, k = turned(q), turned(k)
        mixed = scaled_dot_product_attention(q, k, v, enable_gqa=True, **more)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


def shared_keys():
    """Heads of queries that share those of keys and values: in a layer, with padding, and in blocks of both kinds."""
    one = seeded(lambda: Named(_0=Grouped(12, 6, 2)))
    case("grouped", [{"multi_head_attention": {"heads": 6, "kv_heads": 2}}], one, numbers(2, 5, 12), run=one[0], starts=True)
    one = seeded(lambda: Named(_0=Grouped(12, 3, 1, rotary=True)))
    run = lambda x: one[0](x, is_causal=True)
    spec = {"heads": 3, "kv_heads": 1, "causal": True, "rotary": True}
    case("grouped_rotary", [{"multi_head_attention": spec}], one, numbers(2, 5, 12), run=run, starts=True)
    padded = seeded(lambda: Named(_0=nn.Embedding(11, 8, padding_idx=PADDING), _1=Grouped(8, 4, 2)))
    run = lambda x: padded[1](padded[0](x), attn_mask=(x != PADDING)[:, None, None])[:, 0]
    layers = [{"embedding": 8}, {"multi_head_attention": {"heads": 4, "kv_heads": 2}}, {"pool": "cls"}]
    case("grouped_padded", layers, padded, tokens(), run=run, starts=True)

    def block(x, one, **more):
        x = one.norm1(x + one.self_attn(x, is_causal="memory" in more))
        if "memory" in more:
            x = one.norm2(x + one.multihead_attn(x, more["memory"]))
        last = one.norm3 if "memory" in more else one.norm2
        return last(x + one.linear2(one.linear1(x).relu()))

    parts = lambda: {"self_attn": Grouped(8, 4, 2), "linear1": nn.Linear(8, 12), "linear2": nn.Linear(12, 8)}
    norms = lambda count: {f"norm{number}": nn.LayerNorm(8) for number in range(1, count + 1)}
    model = seeded(lambda: Named(_0=Named(layers=nn.ModuleList(Named(**parts(), **norms(2)) for _ in range(2)))))
    layers = [{"transformer_encoder": {"layers": 2, "heads": 4, "kv_heads": 2, "feedforward": 12}}]
    run = lambda x: block(block(x, model[0].layers[0]), model[0].layers[1])
    case("grouped_encoder", layers, model, numbers(2, 5, 8), run=run, starts=True)
    both = lambda: Named(multihead_attn=Grouped(8, 4, 2), **parts(), **norms(3))
    model = seeded(lambda: Named(_1=nn.Linear(8, 8), _2=Named(layers=nn.ModuleList([both()]))))
    layers = [
        {"save": "memory"}, {"linear": 8},
        {"transformer_decoder": {"heads": 4, "kv_heads": 2, "feedforward": 12, "memory": "memory"}},
    ]
    run = lambda x: block(model[1](x), model[2].layers[0], memory=x)
    case("grouped_decoder", layers, model, numbers(2, 5, 8), run=run)


def encoders():
    x = numbers(2, 5, 8)
    build = lambda **more: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **more), more.pop("n", 1), enable_nested_tensor=False
    )
    one = seeded(lambda: Named(_0=build()))
    case("encoder", [{"transformer_encoder": {"heads": 2, "feedforward": 16}}], one, x, run=one[0], starts=True)
    pre = seeded(lambda: Named(_0=build(activation="gelu", norm_first=True, bias=False)))
    case(
        "encoder_pre",
        [{"transformer_encoder": {"heads": 2, "feedforward": 16, "norm": "pre", "activation": "gelu", "bias": False}}],
        pre, x, run=pre[0], starts=True,
    )

    def padded(layers, then, out_layers, **more):
        model = seeded(
            lambda: Named(
                _0=nn.Embedding(11, 8, padding_idx=PADDING),
                _1=nn.TransformerEncoder(
                    nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, **more), layers, enable_nested_tensor=False
                ),
            )
        )

        def run(x):
            empty = x == PADDING
            return then(model[1](model[0](x), src_key_padding_mask=empty), ~empty)

        return model, run

    mean = lambda y, real: (y * real[..., None]).sum(1) / real.sum(1, keepdim=True)
    most = lambda y, real: y.masked_fill(~real[..., None], -math.inf).amax(1)
    last = lambda y, real: y[torch.arange(len(y)), real.sum(1) - 1]
    first = lambda y, real: y[:, 0]
    for over, then in [("mean", mean), ("max", most), ("last", last), ("cls", first)]:
        model, run = padded(2, then, over)
        case(
            f"padded_{over}",
            [{"embedding": 8}, {"transformer_encoder": {"layers": 2, "heads": 2, "feedforward": 12}}, {"pool": over}],
            model, tokens(), run=run,
        )


def gpt():
    """A causal language model: what stands after a token counts for nothing, so padding at the end needs no mask."""
    model = seeded(
        lambda: Named(
            _0=nn.Embedding(11, 8, padding_idx=PADDING),
            _1=nn.Embedding(6, 8),
            _2=nn.TransformerEncoder(
                nn.TransformerEncoderLayer(8, 2, 32, batch_first=True, norm_first=True, activation="gelu"), 2,
                enable_nested_tensor=False,
            ),
            _3=nn.LayerNorm(8),
            _4=nn.Linear(8, 11),
        )
    )
    later = torch.triu(torch.ones(6, 6, dtype=torch.bool), 1)

    def run(x):
        h = model[0](x) + model[1](torch.arange(x.shape[1]))
        return model[4](model[3](model[2](h, mask=later)))

    layers = [
        {"embedding": 8},
        {"position": "learned"},
        {"transformer_decoder": {"layers": 2, "heads": 2, "norm": "pre", "activation": "gelu"}},
        "layer_norm",
        {"linear": 11},
    ]
    case("gpt", layers, model, tokens(), run=run)


def decoder():
    """An encoder-decoder over one input: the decoder looks at what an encoder made of it."""
    model = seeded(
        lambda: Named(
            _0=nn.Linear(6, 8),
            _2=nn.Linear(8, 8),
            _3=nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 2),
        )
    )
    later = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)

    def run(x):
        memory = model[0](x)
        return model[3](model[2](memory), memory, tgt_mask=later)

    layers = [
        {"linear": 8}, {"save": "memory"}, {"linear": 8},
        {"transformer_decoder": {"layers": 2, "heads": 2, "feedforward": 16, "memory": "memory"}},
    ]
    case("decoder", layers, model, numbers(2, 5, 6), run=run)


def positions():
    """Sines and cosines by the formula of Vaswani et al., term by term."""
    x = numbers(2, 9, 6)

    def run(x):
        table = torch.tensor(
            [
                [(math.sin, math.cos)[i % 2](t / 10000 ** (2 * (i // 2) / 6)) for i in range(6)]
                for t in range(9)
            ]
        )
        return model[1](x + table)

    model = seeded(lambda: Named(_1=nn.Linear(6, 3)))
    case("sinusoidal", [{"position": "sinusoidal"}, {"linear": 3}], model, x, run=run, starts=True)


def norms():
    def perturbed(module):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn(parameter.shape) * 0.3)
        return module

    rms = perturbed(seeded(lambda: nn.Sequential(nn.RMSNorm(6))))
    case("rms_norm", ["rms_norm"], rms, numbers(3, 4, 6))
    rms = perturbed(seeded(lambda: nn.Sequential(nn.RMSNorm(6, eps=0.1))))
    case("rms_norm_eps", [{"rms_norm": {"eps": 0.1}}], rms, numbers(3, 6))
    group = perturbed(seeded(lambda: nn.Sequential(nn.GroupNorm(2, 6))))
    case("group_norm", [{"group_norm": 2}], group, numbers(3, 6, 4, 5))


def recurrent():
    """Over rows of different lengths PyTorch packs the sequences; kilter gets there with a mask."""
    kinds = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
    for name, kind in kinds.items():
        for both in [False, True]:
            for output in ["last", "sequence"]:
                layers = 2 if both else 1
                model = seeded(
                    lambda: Named(
                        _0=nn.Embedding(11, 5, padding_idx=PADDING),
                        _1=kind(5, 4, layers, batch_first=True, bidirectional=both),
                    )
                )

                def run(x):
                    lengths = (x != PADDING).sum(1)
                    packed = pack_padded_sequence(model[0](x), lengths, batch_first=True, enforce_sorted=False)
                    states, final = model[1](packed)
                    if output == "sequence":
                        return pad_packed_sequence(states, batch_first=True, total_length=x.shape[1])[0]
                    final = final[0] if name == "lstm" else final
                    return torch.cat([final[-2], final[-1]], 1) if both else final[-1]

                spec = {name: {"hidden": 4, "layers": layers, "bidirectional": both, "output": output}}
                case(
                    f"{name}_{'both_' if both else ''}{output}", [{"embedding": 5}, spec], model, tokens(), run=run,
                    starts=True, flops=False,
                )


def convolutions():
    one = seeded(lambda: nn.Sequential(nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, groups=2, dilation=2)))
    case(
        "conv_transpose1d",
        [{"conv_transpose1d": {"out": 6, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 2, "dilation": 2}}],
        one, numbers(2, 4, 5), starts=True,
    )
    two = seeded(lambda: nn.Sequential(nn.ConvTranspose2d(3, 5, (2, 3), 2, (0, 1), bias=False)))
    case(
        "conv_transpose2d",
        [{"conv_transpose2d": {"out": 5, "kernel": [2, 3], "stride": 2, "padding": [0, 1], "bias": False}}],
        two, numbers(2, 3, 4, 5), starts=True,
    )
    depthwise = seeded(lambda: nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, groups=4), nn.Conv1d(8, 8, 3, groups=8)))
    case(
        "depthwise",
        [{"conv2d": {"out": 8, "kernel": 3, "padding": 1, "groups": 4}}, {"flatten": {"start_dim": 2}},
         {"conv1d": {"out": 8, "kernel": 3, "groups": 8}}],
        Named(_0=depthwise[0], _2=depthwise[1]), numbers(2, 4, 5, 4), starts=True,
        run=lambda x: depthwise[1](depthwise[0](x).flatten(2)),
    )


def pools():
    weigh = lambda: nn.Conv2d(3, 4, 1)
    for name, pool in {
        "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d((3, 2)),
        "adaptive_max_pool2d": nn.AdaptiveMaxPool2d((3, 2)),
    }.items():
        for form, size in {"even": (6, 8), "uneven": (7, 5)}.items():
            model = seeded(lambda: nn.Sequential(weigh(), pool))
            layers = [{"conv2d": {"out": 4, "kernel": 1}}, {name: [3, 2]}]
            case(f"{name}_{form}", layers, model, numbers(2, 3, *size), starts=True)
    for name, pool in {"adaptive_avg_pool1d": nn.AdaptiveAvgPool1d(3), "adaptive_max_pool1d": nn.AdaptiveMaxPool1d(3)}.items():
        for length in [6, 7]:
            model = seeded(lambda: nn.Sequential(nn.Conv1d(2, 4, 1), pool))
            case(f"{name}_{length}", [{"conv1d": {"out": 4, "kernel": 1}}, {name: 3}], model, numbers(2, 2, length), starts=True)


def pools_of_what_is_left_over():
    """`ceil_mode`: a last window that is smaller, and those that begin behind the image and are none."""
    for name, spec, pool in [
        ("max_pool2d", {"kernel": 3, "stride": 2, "padding": 1}, nn.MaxPool2d(3, 2, 1, ceil_mode=True)),
        ("max_pool2d", {"kernel": [2, 3], "dilation": 2}, nn.MaxPool2d((2, 3), dilation=2, ceil_mode=True)),
        ("avg_pool2d", {"kernel": 3, "stride": 2, "padding": 1}, nn.AvgPool2d(3, 2, 1, ceil_mode=True)),
        (
            "avg_pool2d", {"kernel": [3, 2], "padding": 1, "count_include_pad": False},
            nn.AvgPool2d((3, 2), padding=1, ceil_mode=True, count_include_pad=False),
        ),
        ("max_pool1d", {"kernel": 2, "padding": 1}, nn.MaxPool1d(2, padding=1, ceil_mode=True)),
        ("avg_pool1d", {"kernel": 3, "stride": 4, "padding": 1}, nn.AvgPool1d(3, 4, 1, ceil_mode=True)),
    ]:
        conv, name_of_conv, size = (nn.Conv2d, "conv2d", (8, 7)) if "2d" in name else (nn.Conv1d, "conv1d", (9,))
        model = seeded(lambda: nn.Sequential(conv(2, 3, 1), pool))
        layers = [{name_of_conv: {"out": 3, "kernel": 1}}, {name: {**spec, "ceil_mode": True}}]
        extra = "_".join(str(key) for key in spec if key not in ("kernel", "stride"))
        case(f"ceil_{name}_{extra}", layers, model, numbers(2, 2, *size), starts=True)


def larger():
    """Images and sequences with more places, of every mode; and with fewer."""
    for name, spec, module in [
        ("nearest", {"scale_factor": 2}, nn.Upsample(scale_factor=2)),
        ("nearest_uneven", {"scale_factor": [3, 2]}, nn.Upsample(scale_factor=(3, 2))),
        ("nearest_size", {"size": [7, 3]}, nn.Upsample((7, 3))),
        ("bilinear", {"scale_factor": 3, "mode": "bilinear"}, nn.Upsample(scale_factor=3, mode="bilinear")),
        ("bilinear_size", {"size": [7, 3], "mode": "bilinear"}, nn.Upsample((7, 3), mode="bilinear")),
        (
            "bilinear_corners", {"scale_factor": 2, "mode": "bilinear", "align_corners": True},
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        ),
        (
            "bilinear_corners_size", {"size": [9, 1], "mode": "bilinear", "align_corners": True},
            nn.Upsample((9, 1), mode="bilinear", align_corners=True),
        ),
    ]:
        model = seeded(lambda: nn.Sequential(nn.Conv2d(2, 3, 1), module))
        layers = [{"conv2d": {"out": 3, "kernel": 1}}, {"upsample": spec}]
        case(f"upsample_{name}", layers, model, numbers(2, 2, 4, 5), starts=True)
    for name, spec, module in [
        ("nearest_1d", {"size": 11}, nn.Upsample(11)),
        ("linear", {"scale_factor": 2, "mode": "linear"}, nn.Upsample(scale_factor=2, mode="linear")),
        (
            "linear_corners", {"size": 11, "mode": "linear", "align_corners": True},
            nn.Upsample(11, mode="linear", align_corners=True),
        ),
    ]:
        model = seeded(lambda: nn.Sequential(nn.Conv1d(2, 3, 1), module))
        layers = [{"conv1d": {"out": 3, "kernel": 1}}, {"upsample": spec}]
        case(f"upsample_{name}", layers, model, numbers(2, 2, 7), starts=True)


def activations():
    for name, layer, module in [
        ("leaky_relu", "leaky_relu", nn.LeakyReLU()),
        ("leaky_relu_steep", {"leaky_relu": 0.2}, nn.LeakyReLU(0.2)),
        ("elu", "elu", nn.ELU()),
        ("elu_alpha", {"elu": {"alpha": 0.5}}, nn.ELU(0.5)),
        ("selu", "selu", nn.SELU()),
        ("silu", "silu", nn.SiLU()),
        ("mish", "mish", nn.Mish()),
        ("hardswish", "hardswish", nn.Hardswish()),
        ("hardsigmoid", "hardsigmoid", nn.Hardsigmoid()),
        ("softplus", "softplus", nn.Softplus()),
        ("softplus_beta", {"softplus": {"beta": 3.0}}, nn.Softplus(3)),
    ]:
        model = seeded(lambda: nn.Sequential(nn.Linear(4, 16), module))
        case(name, [{"linear": 16}, layer], model, numbers(3, 4) * 4, starts=True)


def learned_slopes():
    """A slope below 0 for all, and one for each channel of an image."""
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 16), nn.PReLU()))
    case("prelu", [{"linear": 16}, "prelu"], model, numbers(3, 4) * 4, starts=True)
    model = seeded(lambda: nn.Sequential(nn.Conv2d(2, 5, 1), nn.PReLU(5, 0.1)))
    layers = [{"conv2d": {"out": 5, "kernel": 1}}, {"prelu": {"num_parameters": 5, "init": 0.1}}]
    case("prelu_channels", layers, model, numbers(2, 2, 4, 3), starts=True)


def numbers_as_tokens():
    """As the authors' own package has them, names and all."""
    one = seeded(lambda: Named(_0=LinearEmbeddings(5, 4)))
    case("numeric_embedding", [{"numeric_embedding": 4}], one, numbers(3, 5), run=one[0], starts=True)
    one = seeded(lambda: Named(_0=PeriodicEmbeddings(5, 4, n_frequencies=3, frequency_init_scale=0.5, lite=False)))
    spec = {"dim": 4, "kind": "periodic", "frequencies": 3, "sigma": 0.5}
    case("numeric_embedding_periodic", [{"numeric_embedding": spec}], one, numbers(3, 5), run=one[0], starts=True)


def weighted_channels():
    """torchvision's SqueezeExcitation over images, and the same over sequences."""
    for name, conv, shape in [("squeeze_excite", nn.Conv2d, (2, 6, 4, 3)), ("squeeze_excite_1d", nn.Conv1d, (2, 6, 5))]:
        one = seeded(lambda: Named(_0=Named(fc1=conv(6, 2, 1), fc2=conv(2, 6, 1))))

        def run(x):
            means = x.mean(tuple(range(2, x.dim())), keepdim=True)
            return one[0].fc2(one[0].fc1(means).relu()).sigmoid() * x

        case(name, [{"squeeze_excite": 2}], one, numbers(*shape), run=run, starts=True)


def blocks():
    """Skips by name, branches, and a tied language model."""
    model = seeded(lambda: Named(_0=nn.Conv2d(2, 4, 3, padding=1), _2=nn.Conv2d(4, 4, 3, padding=1), _5=nn.Conv2d(8, 3, 1)))

    def unet(x):
        skip = model[0](x)
        return model[5](torch.cat([model[2](skip).relu(), skip], 1))

    layers = [
        {"conv2d": {"out": 4, "kernel": 3, "padding": 1}}, {"save": "skip"}, {"conv2d": {"out": 4, "kernel": 3, "padding": 1}},
        "relu", {"concat": "skip"}, {"conv2d": {"out": 3, "kernel": 1}},
    ]
    case("concat", layers, model, numbers(2, 2, 5, 4), run=unet, starts=True)

    sums = seeded(lambda: Named(_0=nn.Linear(4, 6), _2=nn.Linear(6, 6)))
    layers = [{"linear": 6}, {"save": "x"}, {"linear": 6}, "relu", {"add": "x"}, "relu"]

    def skip(x):
        first = sums[0](x)
        return (sums[2](first).relu() + first).relu()

    case("add", layers, sums, numbers(3, 4), run=skip, starts=True)

    for join, into in {
        "concat": lambda a, b: torch.cat([a, b], 1),
        "sum": torch.add,
        "product": torch.mul,
        "dot": lambda a, b: (a * b).sum(-1, keepdim=True),
    }.items():
        two = seeded(lambda: Named(_0=Named(branches=nn.ModuleList([nn.Sequential(nn.Linear(4, 5)), nn.Sequential(nn.Linear(4, 5))]))))
        branches = two[0].branches
        case(
            f"parallel_{join}",
            [{"parallel": {"branches": [[{"linear": 5}, "tanh"], [{"linear": 5}]], "join": join}}],
            two, numbers(3, 4), run=lambda x: into(branches[0](x).tanh(), branches[1](x)), starts=True,
        )

    tied = seeded(lambda: Named(_0=nn.Embedding(11, 6, padding_idx=PADDING), _1=nn.LayerNorm(6), _2=nn.Module()))
    tied[2].bias = nn.Parameter(torch.zeros(11).uniform_(-0.3, 0.3))
    run = lambda x: nn.functional.linear(tied[1](tied[0](x)), tied[0].weight, tied[2].bias)
    case("tied", [{"embedding": 6}, "layer_norm", {"linear": {"out": 11, "tie": True}}], tied, tokens(), run=run)


def starts():
    """Every declared start, drawn as `torch.nn.init` draws it."""
    init = nn.init
    for name, declared, draw in [
        ("kaiming_uniform", "kaiming_uniform", init.kaiming_uniform_),
        ("kaiming_normal", {"kaiming_normal": {"nonlinearity": "relu", "mode": "fan_out"}},
         lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu")),
        ("xavier_uniform", "xavier_uniform", init.xavier_uniform_),
        ("xavier_normal", {"xavier_normal": {"gain": 2.0}}, lambda w: init.xavier_normal_(w, 2.0)),
        ("normal", {"normal": {"std": 0.02}}, lambda w: init.normal_(w, std=0.02)),
        ("trunc_normal", {"trunc_normal": {"std": 0.5, "a": -0.6, "b": 0.4}}, lambda w: init.trunc_normal_(w, std=0.5, a=-0.6, b=0.4)),
        ("uniform", {"uniform": {"a": -0.2, "b": 0.3}}, lambda w: init.uniform_(w, -0.2, 0.3)),
        ("orthogonal", {"orthogonal": {"gain": 1.5}}, lambda w: init.orthogonal_(w, 1.5)),
        ("constant", {"constant": {"value": 0.25}}, lambda w: init.constant_(w, 0.25)),
        ("ones", "ones", init.ones_),
        ("zeros", "zeros", init.zeros_),
    ]:
        model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Flatten(), nn.Linear(24, 5))
        torch.manual_seed(0)
        for place in [0, 2]:
            draw(model[place].weight.data)
            init.zeros_(model[place].bias.data)
        layers = [{"conv2d": {"out": 6, "kernel": 3, "init": declared}}, "flatten", {"linear": {"out": 5, "init": declared}}]
        case(f"init_{name}", layers, model, numbers(2, 3, 4, 4), starts=True)


def main():
    attention()
    rotary()
    shared_keys()
    encoders()
    gpt()
    decoder()
    positions()
    norms()
    recurrent()
    convolutions()
    pools()
    pools_of_what_is_left_over()
    larger()
    activations()
    learned_slopes()
    numbers_as_tokens()
    weighted_channels()
    blocks()
    starts()
    path = Path(__file__).with_suffix(".safetensors")
    save_file(dict(sorted(TENSORS.items())), path, {"cases": json.dumps(CASES, sort_keys=True)})
    print(f"{len(CASES)} cases, {path.stat().st_size:,} bytes")


main()
