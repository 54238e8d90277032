"""Networks with shortcuts, by the papers' figures and tables; see `oracles_layers`.

Each returns logits. `weights` maps a layer's name to its list of arrays. `padding`: "symmetric" (PyTorch's), "same".
"""

import numpy as np

from tests.oracles_layers import (
    Network,
    average_pool,
    hard_sigmoid,
    hard_swish,
    linear,
    max_pool,
    relu,
    relu6,
    sigmoid,
    swish,
)

# arXiv:1512.03385, table 1
RESNET = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def resnet(x, weights, depth, *, version="1.5", groups=1, padding="symmetric"):
    """ResNet of arXiv:1512.03385, in its third version of arXiv:1603.05027; ResNeXt with `groups`."""
    net = Network(weights, padding=padding)
    pre = version == "2"

    def residual(x, place, stride):
        if depth < 50:
            steps = [("conv1", stride, 1), ("conv2", 1, 1)]
        else:
            first = stride if version in ("1", "2") else 1
            steps = [("reduce", first, 1), ("conv", stride // first, groups), ("expand", 1, 1)]
        *others, (last, _, _) = steps
        for name, stride, count in others:
            x = net.unit(x, f"{place}_{name}", stride, groups=count)
        return net.conv(x, f"{place}_{last}") if pre else net.unit(x, f"{place}_{last}", act=linear)

    x = max_pool(net.unit(x, "stem", 2), 3, 2, padding)
    for stage, units in enumerate(RESNET[depth], start=1):
        for unit in range(1, units + 1):
            place, stride = f"stage{stage}_unit{unit}", 2 if stage > 1 and unit == 1 else 1
            given = relu(net.norm(x, f"{place}_bn")) if pre else x
            if f"{place}_shortcut" in weights and pre:
                x = net.conv(given, f"{place}_shortcut", stride)
            elif f"{place}_shortcut" in weights:
                x = net.unit(x, f"{place}_shortcut", stride, linear)
            x = x + residual(given, place, stride)
            x = x if pre else relu(x)
    x = relu(net.norm(x, "head_bn")) if pre else x
    return net.finish(net.dense(x.mean((1, 2)), "predictions"))


def densenet(x, weights, units, *, padding="symmetric"):
    """DenseNet-BC, arXiv:1608.06993, table 1."""
    net = Network(weights, padding=padding)
    x = max_pool(net.unit(x, "stem", 2), 3, 2, padding)
    for stage, count in enumerate(units, start=1):
        if stage > 1:
            place = f"transition{stage - 1}"
            x = average_pool(net.conv(relu(net.norm(x, f"{place}_bn")), f"{place}_conv"), 2, 2)
        for unit in range(1, count + 1):
            place = f"stage{stage}_unit{unit}"
            new = net.unit(relu(net.norm(x, f"{place}_bn")), f"{place}_reduce")
            x = np.concatenate([x, net.conv(new, f"{place}_conv")], -1)
    x = relu(net.norm(x, "head_bn"))
    return net.finish(net.dense(x.mean((1, 2)), "predictions"))


def mobilenet(x, weights, *, padding, epsilon=1e-3):
    """MobileNet, arXiv:1704.04861, table 1: "dw / s1" and "dw / s2" by stage, the stem's among the first."""
    net = Network(weights, padding=padding, epsilon=epsilon)
    x = net.unit(x, "stem", 2, relu6)
    for stage, units in enumerate((1, 2, 2, 6, 2), start=1):
        for unit in range(1, units + 1):
            place, stride = f"stage{stage}_unit{unit}", 2 if stage > 1 and unit == 1 else 1
            x = relu6(net.norm(net.depthwise(x, f"{place}_depthwise", stride), f"{place}_depthwise_bn"))
            x = net.unit(x, f"{place}_pointwise", act=relu6)
    return net.finish(net.dense(x.mean((1, 2)), "predictions"))


def inverted(net, x, place, stride, act, gates=None, gate=None):
    """arXiv:1801.04381, figure 4 (d); with `gates` arXiv:1905.02244, figure 4."""
    y = net.unit(x, f"{place}_expand", act=act) if f"{place}_expand" in net.weights else x
    y = act(net.norm(net.depthwise(y, f"{place}_depthwise", stride), f"{place}_depthwise_bn"))
    if gates:
        y = net.gates(y, f"{place}_squeeze_excite", gates, gate)
    y = net.unit(y, f"{place}_project", act=linear)
    return x + y if stride == 1 and x.shape == y.shape else y


def mobilenet_v2(x, weights, *, padding, epsilon=1e-3):
    """MobileNetV2, arXiv:1801.04381, table 2: n and s of the bottlenecks."""
    net = Network(weights, padding=padding, epsilon=epsilon)
    x = net.unit(x, "stem", 2, relu6)
    for stage, (units, stride) in enumerate(((1, 1), (2, 2), (3, 2), (4, 2), (3, 1), (3, 2), (1, 1)), start=1):
        for unit in range(1, units + 1):
            x = inverted(net, x, f"stage{stage}_unit{unit}", stride if unit == 1 else 1, relu6)
    return net.finish(net.dense(net.unit(x, "head", act=relu6).mean((1, 2)), "predictions"))


# arXiv:1905.02244, tables 1 and 2, a line a resolution: kernel, SE, NL of each bneck.
V3 = {
    "large": ("3-RE", "3-RE 3-RE", "5SRE 5SRE 5SRE", "3-HS 3-HS 3-HS 3-HS 3SHS 3SHS", "5SHS 5SHS 5SHS"),
    "small": ("3SRE", "3-RE 3-RE", "5SHS 5SHS 5SHS 5SHS 5SHS", "5SHS 5SHS 5SHS"),
}


def mobilenet_v3(x, weights, size, *, padding, minimalistic=False):
    net = Network(weights, padding=padding, epsilon=1e-3)
    end = relu if minimalistic else hard_swish
    x = net.unit(x, "stem", 2, end)
    for stage, row in enumerate(V3[size], start=1):
        for unit, text in enumerate(row.split(), start=1):
            place = f"stage{stage}_unit{unit}"
            kernel, squeeze, act = int(text[0]), text[1] == "S", hard_swish if text.endswith("HS") else relu
            if minimalistic:
                kernel, squeeze, act = 3, False, relu
            assert weights[f"{place}_depthwise"][0].shape[:2] == (kernel, kernel)
            # The first bneck of Large alone keeps the resolution.
            stride = 2 if unit == 1 and (size, stage) != ("large", 1) else 1
            x = inverted(net, x, place, stride, act, relu if squeeze else None, hard_sigmoid)
    x = net.unit(x, "head", act=end).mean((1, 2), keepdims=True)
    x = net.conv(end(net.conv(x, "features")), "logits")
    return net.finish(x[:, 0, 0])


def efficientnet(x, weights, depth, *, lite=False, padding="same", epsilon=1e-3):
    """EfficientNet-B0, arXiv:1905.11946, table 1, deeper by `depth`; Lite: ReLU6, no gates, two stages of one unit."""
    net = Network(weights, padding=padding, epsilon=epsilon)
    act = relu6 if lite else swish
    x = net.unit(x, "stem", 2, act)
    rows = ((3, 1, 1), (3, 2, 2), (5, 2, 2), (3, 3, 2), (5, 3, 1), (5, 4, 2), (3, 1, 1))  # kernel, layers, stride
    for stage, (kernel, units, stride) in enumerate(rows, start=2):
        units = units if lite and stage in (2, 8) else int(np.ceil(units * depth))
        for unit in range(1, units + 1):
            place = f"stage{stage}_unit{unit}"
            assert weights[f"{place}_depthwise"][0].shape[:2] == (kernel, kernel)
            x = inverted(net, x, place, stride if unit == 1 else 1, act, None if lite else swish, sigmoid)
    return net.finish(net.dense(net.unit(x, "head", act=act).mean((1, 2)), "predictions"))


def shuffle(x, groups):
    """First channel of the first group, first of the second group, ..., second of the first group, ..."""
    size = x.shape[-1] // groups
    return np.stack([x[..., group * size + i] for i in range(size) for group in range(groups)], -1)


def shufflenet(x, weights, groups, *, padding):
    """ShuffleNet, arXiv:1707.01083, figure 2 (b) and (c), table 1, at any width."""
    net = Network(weights, padding=padding)

    def branch(x, place, first_groups, stride):
        x = shuffle(net.unit(x, f"{place}_squeeze", groups=first_groups), groups)
        x = net.norm(net.depthwise(x, f"{place}_depthwise", stride), f"{place}_depthwise_bn")
        return net.unit(x, f"{place}_expand", act=linear, groups=groups)

    x = max_pool(net.unit(x, "stem", 2), 3, 2, padding)
    for stage, units in ((2, 4), (3, 8), (4, 4)):
        new = branch(x, f"stage{stage}_unit1", 1 if stage == 2 else groups, 2)
        x = relu(np.concatenate([average_pool(x, 3, 2, padding), new], -1))
        for unit in range(2, units + 1):
            x = relu(x + branch(x, f"stage{stage}_unit{unit}", groups, 1))
    return net.finish(net.dense(x.mean((1, 2)), "predictions"))


def shufflenet_v2(x, weights, *, padding):
    """ShuffleNet V2, arXiv:1807.11164, figure 3 (c) and (d), table 5, at any width."""
    net = Network(weights, padding=padding)

    def depthwise(x, name, stride):
        return net.norm(net.depthwise(x, name, stride), f"{name}_bn")

    def branch(x, place, stride):
        x = depthwise(net.unit(x, f"{place}_expand"), f"{place}_depthwise", stride)
        return net.unit(x, f"{place}_project")

    x = max_pool(net.unit(x, "stem", 2), 3, 2, padding)
    for stage, units in ((2, 4), (3, 8), (4, 4)):
        place = f"stage{stage}_unit1"
        left = net.unit(depthwise(x, f"{place}_shortcut_depthwise", 2), f"{place}_shortcut_project")
        x = shuffle(np.concatenate([left, branch(x, place, 2)], -1), 2)
        for unit in range(2, units + 1):
            half = x.shape[-1] // 2
            right = branch(x[..., half:], f"stage{stage}_unit{unit}", 1)
            x = shuffle(np.concatenate([x[..., :half], right], -1), 2)
    return net.finish(net.dense(net.unit(x, "head").mean((1, 2)), "predictions"))
