"""Networks of the phone, by the papers' figures and tables; see `oracles_layers`.

Each returns logits. `weights` maps a layer's name to its list of arrays. `padding`: "symmetric" (PyTorch's), "same".
"""

import numpy as np

from tests.oracles_layers import Network, linear, relu, sigmoid


def branched(net, x, place, stride=1, *, copies=1, depthwise=False):
    """The block that trains of arXiv:2101.03697, figure 4, with `copies` of its first branch as in arXiv:2206.04040."""
    filtered = net.depthwise if depthwise else net.conv
    names = [place, *(f"{place}_branch{copy}" for copy in range(2, copies + 1))]
    names += [f"{place}_scale"] if f"{place}_scale" in net.weights else []
    y = sum(net.norm(filtered(x, name, stride), f"{name}_bn") for name in names)
    return y + net.norm(x, f"{place}_skip_bn") if stride == 1 and x.shape == y.shape else y


def repvgg(x, weights, units, channels, *, padding):
    """RepVGG, arXiv:2101.03697, section 3.4: each stage, the stem is one of a layer, begins with a stride."""
    net = Network(weights, padding=padding)
    x = relu(branched(net, x, "stem", 2))
    for stage, count in enumerate(units, start=1):
        for unit in range(1, count + 1):
            place = f"stage{stage}_unit{unit}"
            assert weights[place][0].shape[::3] == (3, channels[stage - 1])
            x = relu(branched(net, x, place, 2 if unit == 1 else 1))
    return net.finish(net.dense(x.mean((1, 2)), "predictions"))


def mobileone(x, weights, units, channels, branches, gated, *, padding):
    """MobileOne, arXiv:2206.04040, figure 3 and table 2; gates in the last units of a stage."""
    net = Network(weights, padding=padding)
    x = relu(branched(net, x, "stem", 2))
    for stage, (count, gates) in enumerate(zip(units, gated, strict=True), start=1):
        for unit in range(1, count + 1):
            for part, stride in (("depthwise", 2 if unit == 1 else 1), ("pointwise", 1)):
                place = f"stage{stage}_unit{unit}_{part}"
                x = branched(net, x, place, stride, copies=branches, depthwise=part == "depthwise")
                if unit > count - gates:
                    x = net.gates(x, f"{place}_squeeze_excite", relu, sigmoid)
                x = relu(x)
        assert x.shape[-1] == channels[stage - 1]
    return net.finish(net.dense(x.mean((1, 2)), "predictions"))


# arXiv:2404.10518, appendix D, a line a resolution. C: convolution and its kernel; F: FusedIB; A: attention and the
# stride of its keys; else the kernels of both depthwise convolutions, 0 for none. Of Hybrid-M an eighth.
V4_CONV_S = ("C3 C1", "C3 C1", "55 03 03 03 03 30", "33 55 05 05 03 03")
V4_HYBRID_M_IN_PART = ("F3", "35", "35 A2", "55 A1")


def attention(net, x, place, stride):
    """Mobile MQA, arXiv:2404.10518, equation 1: head by head, of keys and values that the heads share."""
    given = net.norm(x, f"{place}_bn")
    shared = []
    for part in ("key", "value"):
        y = given
        if stride > 1:
            y = net.norm(net.depthwise(y, f"{place}_{part}_down", stride), f"{place}_{part}_down_bn")
        y = net.conv(y, f"{place}_{part}")
        shared.append(y.reshape(len(y), -1, 64))
    keys, values = shared
    query, heads = net.conv(given, f"{place}_query"), []
    for head in np.split(query.reshape(len(x), -1, query.shape[-1]), query.shape[-1] // 64, -1):
        scores = np.exp(head @ keys.transpose(0, 2, 1) / 8)
        heads.append(scores / scores.sum(-1, keepdims=True) @ values)
    y = net.conv(np.concatenate(heads, -1).reshape(query.shape), f"{place}_project")
    (gamma,) = net.take(f"{place}_scale")
    return x + y * gamma


def universal(net, x, place, kernels, stride):
    """The universal inverted bottleneck, arXiv:2404.10518, figure 4."""
    y = x
    for part, kernel in zip(("start", "depthwise"), kernels, strict=True):
        if part == "depthwise":
            y = net.unit(y, f"{place}_expand")
        if kernel:
            assert net.weights[f"{place}_{part}"][0].shape[0] == kernel
            strides = stride if part == "depthwise" or not kernels[1] else 1
            y = net.norm(net.depthwise(y, f"{place}_{part}", strides), f"{place}_{part}_bn")
            y = relu(y) if part == "depthwise" else y
    y = net.unit(y, f"{place}_project", act=linear)
    y = y * net.take(f"{place}_scale")[0] if f"{place}_scale" in net.weights else y
    return x + y if stride == 1 and x.shape == y.shape else y


def mobilenet_v4(x, weights, stages, *, padding):
    net = Network(weights, padding=padding, epsilon=1e-3)
    x = net.unit(x, "stem", 2)
    for stage, units in enumerate(stages, start=1):
        for unit, text in enumerate(units.split(), start=1):
            place, stride = f"stage{stage}_unit{unit}", 2 if unit == 1 else 1
            if text[0] == "A":
                x = attention(net, x, place, int(text[1]))
            elif text[0] == "F":
                x = net.unit(net.unit(x, f"{place}_expand", stride), f"{place}_project", act=linear)
            elif text[0] == "C":
                assert weights[place][0].shape[0] == int(text[1])
                x = net.unit(x, place, stride)
            else:
                x = universal(net, x, place, tuple(map(int, text)), stride)
    x = net.unit(x, "head").mean((1, 2), keepdims=True)
    return net.finish(net.dense(net.unit(x, "features")[:, 0, 0], "predictions"))
