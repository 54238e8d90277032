"""Networks of the phone, by the papers' figures and tables; see `oracles_layers`.

Each returns logits. `weights` maps a layer's name to its list of arrays. `padding`: "symmetric" (PyTorch's), "same".
"""

from tests.oracles_layers import Network, relu, sigmoid


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
