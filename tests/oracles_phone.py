"""Networks of the phone, by the papers' figures and tables; see `oracles_layers`.

Each returns logits. `weights` maps a layer's name to its list of arrays. `padding`: "symmetric" (PyTorch's), "same".
"""

import numpy as np

from tests.oracles_layers import Network, average_pool, hard_sigmoid, hard_swish, linear, relu, sigmoid, swish
from tests.oracles_residual import inverted
from tests.oracles_tokens import Tokens, gelu


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
V4_S = ("C3 C1", "C3 C1", "55 03 03 03 03 30", "33 55 05 05 03 03")
V4_HYBRID_IN_PART = ("F3", "35", "35 A2", "55 A1")


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


def efficientnet_v2(x, weights, units, *, padding):
    """EfficientNetV2, arXiv:2104.00298, table 4: Fused-MBConv in the first three stages, figure 2."""
    net = Network(weights, padding=padding, epsilon=1e-3)
    x = net.unit(x, "stem", 2, swish)
    for stage, (count, first) in enumerate(zip(units, (1, 2, 2, 2, 1, 2), strict=True), start=1):
        for unit in range(1, count + 1):
            place, stride, given = f"stage{stage}_unit{unit}", first if unit == 1 else 1, x
            if stage > 3:
                x = inverted(net, x, place, stride, swish, swish, sigmoid)
                continue
            if stage == 1:
                x = net.unit(x, place, stride, swish)
            else:
                x = net.unit(net.unit(x, f"{place}_expand", stride, swish), f"{place}_project", act=linear)
            x = given + x if stride == 1 and given.shape == x.shape else x
    return net.finish(net.dense(net.unit(x, "head", act=swish).mean((1, 2)), "predictions"))


# arXiv:1807.11626, figure 7: units, stride, kernel, gates of each stage behind the separable convolution. Of B1 half.
MNASNET_A1 = ((2, 2, 3, 0), (3, 2, 5, 1), (4, 2, 3, 0), (2, 1, 3, 1), (3, 2, 5, 1), (1, 1, 3, 0))
MNASNET_B1_IN_PART = ((2, 2, 3, 0), (2, 2, 5, 0), (2, 2, 5, 0), (1, 1, 3, 0), (2, 2, 5, 0), (1, 1, 3, 0))


def mnasnet(x, weights, rows, *, padding):
    net = Network(weights, padding=padding, epsilon=1e-3)
    x = net.unit(x, "stem", 2)
    x = relu(net.norm(net.depthwise(x, "stage1_unit1_depthwise"), "stage1_unit1_depthwise_bn"))
    x = net.unit(x, "stage1_unit1_project", act=linear)
    for stage, (units, stride, kernel, gated) in enumerate(rows, start=2):
        for unit in range(1, units + 1):
            place = f"stage{stage}_unit{unit}"
            assert weights[f"{place}_depthwise"][0].shape[0] == kernel
            x = inverted(net, x, place, stride if unit == 1 else 1, relu, relu if gated else None, sigmoid)
    return net.finish(net.dense(net.unit(x, "head").mean((1, 2)), "predictions"))


def long_range(net, x, place):
    """DFC attention, arXiv:2211.12905, eq. 5 and 6, on halved maps; its gates by PyTorch's nearest neighbours."""
    y = net.unit(average_pool(x, 2, 2), place, act=linear)
    for part in ("row", "column"):
        y = net.norm(net.depthwise(y, f"{place}_{part}"), f"{place}_{part}_bn")
    rows, columns = (np.arange(side) * (side // 2) // side for side in x.shape[1:3])
    return sigmoid(y)[:, rows][:, :, columns]


def ghostnet(x, weights, *, padding):
    """GhostNet, arXiv:1911.11907, figures 2 and 3; table 1: kernel and SE of the bottlenecks, a line a resolution."""
    net = Network(weights, padding=padding)

    def ghost(x, place, act):
        first = net.unit(x, place, act=act)
        cheap = act(net.norm(net.depthwise(first, f"{place}_cheap"), f"{place}_cheap_bn"))
        return np.concatenate([first, cheap], -1)

    x = net.unit(x, "stem", 2)
    for stage, row in enumerate(("3", "3 3", "5S 5S", "3 3 3 3 3S 3S", "5S 5 5S 5 5S"), start=1):
        for unit, text in enumerate(row.split(), start=1):
            place, stride = f"stage{stage}_unit{unit}", 2 if stage > 1 and unit == 1 else 1
            y = ghost(x, f"{place}_expand", relu)
            if f"{place}_attention" in weights:
                y = y * long_range(net, x, f"{place}_attention")
            if stride == 2:
                assert weights[f"{place}_depthwise"][0].shape[0] == int(text[0])
                y = net.norm(net.depthwise(y, f"{place}_depthwise", 2), f"{place}_depthwise_bn")
            if text.endswith("S"):
                y = net.gates(y, f"{place}_squeeze_excite", relu, hard_sigmoid)
            y = ghost(y, f"{place}_project", linear)
            if stride == 2 or x.shape != y.shape:
                left = f"{place}_shortcut"
                assert weights[f"{left}_depthwise"][0].shape[0] == int(text[0])
                x = net.norm(net.depthwise(x, f"{left}_depthwise", stride), f"{left}_depthwise_bn")
                x = net.unit(x, f"{left}_project", act=linear)
            x = x + y
    x = net.unit(x, "head").mean((1, 2), keepdims=True)
    return net.finish(net.dense(relu(net.conv(x, "features"))[:, 0, 0], "predictions"))


def regnet(x, weights, units, width, *, padding):
    """RegNet, arXiv:2003.13678, figure 4: groups of `width` channels; Y has gates behind them."""
    net = Network(weights, padding=padding)
    x = net.unit(x, "stem", 2)
    for stage, count in enumerate(units, start=1):
        for unit in range(1, count + 1):
            place, stride = f"stage{stage}_unit{unit}", 2 if unit == 1 else 1
            y = net.unit(x, f"{place}_reduce")
            y = net.unit(y, f"{place}_conv", stride, groups=y.shape[-1] // width)
            if f"{place}_squeeze_excite" in weights:
                assert weights[f"{place}_squeeze_excite"][0].shape[-1] == round(x.shape[-1] / 4)
                y = net.gates(y, f"{place}_squeeze_excite", relu, sigmoid)
            y = net.unit(y, f"{place}_expand", act=linear)
            x = net.unit(x, f"{place}_shortcut", 2, linear) if unit == 1 else x
            x = relu(x + y)
    return net.finish(net.dense(x.mean((1, 2)), "predictions"))


def pp_lcnet(x, weights, *, padding):
    """PP-LCNet, arXiv:2109.15099, table 1: kernel and SE, a line a resolution."""
    net = Network(weights, padding=padding)
    x = net.unit(x, "stem", 2, hard_swish)
    for stage, row in enumerate(("3", "3 3", "3 3", "3 5 5 5 5 5", "5S 5S"), start=1):
        for unit, text in enumerate(row.split(), start=1):
            place, stride = f"stage{stage}_unit{unit}", 2 if stage > 1 and unit == 1 else 1
            assert weights[f"{place}_depthwise"][0].shape[0] == int(text[0])
            x = hard_swish(net.norm(net.depthwise(x, f"{place}_depthwise", stride), f"{place}_depthwise_bn"))
            if text.endswith("S"):
                x = net.gates(x, f"{place}_squeeze_excite", relu, hard_sigmoid)
            x = net.unit(x, f"{place}_pointwise", act=hard_swish)
    x = hard_swish(net.conv(x.mean((1, 2), keepdims=True), "features"))
    return net.finish(net.dense(x[:, 0, 0], "predictions"))


def convnext(x, weights, blocks):
    """ConvNeXt, arXiv:2201.03545, figure 4 and table 9."""
    net = Tokens(weights)
    for stage, count in enumerate(blocks, start=1):
        if stage == 1:
            x = net.layer_norm(net.conv(x, "stem", 4, padding="valid"), "stem_norm")
        else:
            x = net.conv(net.layer_norm(x, f"stage{stage}_down_norm"), f"stage{stage}_down", 2, padding="valid")
        for block in range(1, count + 1):
            place = f"stage{stage}_block{block}"
            y = net.layer_norm(net.depthwise(x, f"{place}_depthwise"), f"{place}_norm")
            x = x + net.mlp(y, place, gelu) * net.take(f"{place}_scale")[0]
    return net.finish(net.dense(net.layer_norm(x.mean((1, 2)), "head_norm"), "predictions"))


def repvit(x, weights, units, *, padding, distilled=False):
    """RepViT, arXiv:2307.09283, figures 3 (b) and 4; gates in the first unit of a stage and every second behind it."""
    net = Network(weights, padding=padding)

    def mix(x, place, gated):
        y = net.norm(net.depthwise(x, f"{place}_mixer"), f"{place}_mixer_bn")
        y = x + y + net.norm(net.depthwise(x, f"{place}_mixer_scale"), f"{place}_mixer_scale_bn")
        y = net.gates(y, f"{place}_mixer_squeeze_excite", relu, sigmoid) if gated else y
        return feed(y, place)

    def feed(x, place):
        y = net.unit(x, f"{place}_mlp_expand", act=gelu)
        assert y.shape[-1] == 2 * x.shape[-1]
        return x + net.unit(y, f"{place}_mlp_project", act=linear)

    x = net.unit(net.unit(x, "stem_conv1", 2, gelu), "stem_conv2", 2, linear)
    for stage, count in enumerate(units, start=1):
        if stage > 1:
            place = f"stage{stage}_down"
            x = mix(x, f"{place}_unit", gated=False)
            x = net.norm(net.depthwise(x, f"{place}_depthwise", 2), f"{place}_depthwise_bn")
            x = feed(net.unit(x, f"{place}_pointwise", act=linear), place)
        for unit in range(1, count + 1):
            x = mix(x, f"stage{stage}_unit{unit}", gated=unit in (1, 3, 5))
    heads = ("classifier_logits", "distilled_logits") if distilled else ("predictions",)
    x = x.mean((1, 2))
    return net.finish(sum(net.dense(net.norm(x, f"{head}_bn"), head) for head in heads) / len(heads))


def fastvit(x, weights, blocks, *, padding):
    """FastViT, arXiv:2303.14189, figure 2 and equation 3; of patches and at the end two filters a channel."""
    net = Network(weights, padding=padding)

    def widened(x, names, stride=1):
        """Two filters a channel, which stand next to each other."""
        y = 0
        for name in names:
            kernel = net.weights[name][0]
            net.weights[name] = [kernel.reshape(*kernel.shape[:2], -1, 1)]
            y = y + net.norm(net.depthwise(np.repeat(x, 2, -1), name, stride), f"{name}_bn")
        return y

    x = gelu(branched(net, x, "stem_conv", 2))
    x = gelu(branched(net, x, "stem_depthwise", 2, depthwise=True))
    x = gelu(branched(net, x, "stem_pointwise"))
    for stage, count in enumerate(blocks, start=1):
        if stage > 1:
            place = f"stage{stage}_patches"
            assert [len(weights[name][0]) for name in (place, f"{place}_scale")] == [7, 3]
            x = widened(x, (place, f"{place}_scale"), 2)
            x = gelu(branched(net, x, f"{place}_pointwise"))
        for block in range(1, count + 1):
            place = f"stage{stage}_block{block}"
            y = branched(net, x, f"{place}_mixer", depthwise=True) - net.norm(x, f"{place}_mixer_input_bn")
            x = x + y * net.take(f"{place}_mixer_factor")[0]
            y = net.norm(net.depthwise(x, f"{place}_mlp_depthwise"), f"{place}_mlp_depthwise_bn")
            y = net.conv(gelu(net.conv(y, f"{place}_mlp_expand")), f"{place}_mlp_project")
            x = x + y * net.take(f"{place}_mlp_factor")[0]
    x = widened(x, ("head", "head_scale"))
    x = gelu(net.gates(x, "head_squeeze_excite", relu, sigmoid))
    return net.finish(net.dense(x.mean((1, 2)), "predictions"))


def stretched(x, sides):
    """Bilinear, pixels being squares: PyTorch's interpolate, align_corners=False."""
    for axis, side in ((1, sides[0]), (2, sides[1])):
        at = np.clip((np.arange(side) + 0.5) * x.shape[axis] / side - 0.5, 0, x.shape[axis] - 1)
        low = np.floor(at).astype(int)
        share = (at - low).reshape(-1, *(1,) * (3 - axis))
        x = np.take(x, low, axis) * (1 - share) + np.take(x, np.minimum(low + 1, x.shape[axis] - 1), axis) * share
    return x


def mobilevit(x, weights, units, blocks, *, padding):
    """MobileViT, arXiv:2110.02178, figure 1 (b); section 3.1: pixels of one place in their patches see each other."""
    net = Tokens(weights, epsilon=1e-5)
    net.padding = padding
    x = net.unit(x, "stem", 2, swish)
    for stage, (count, depth) in enumerate(zip(units, blocks, strict=True), start=1):
        for unit in range(1, count + 1):
            place, stride = f"stage{stage}_unit{unit}", 2 if stage > 1 and unit == 1 else 1
            x = inverted(net, x, place, stride, swish, None, sigmoid)
        if not depth:
            continue
        place = f"stage{stage}"
        y = net.conv(net.unit(x, f"{place}_local", act=swish), f"{place}_embed")
        sides = y.shape[1:3]
        y = stretched(y, [side + side % 2 for side in sides])
        for block in range(1, depth + 1):
            at = f"{place}_block{block}"
            given, seen = net.layer_norm(y, f"{at}_attention_norm"), np.empty_like(y)
            for i, j in np.ndindex(2, 2):
                part = given[:, i::2, j::2]
                net.unused.add(f"{at}_attention")
                attended = net.attention(part.reshape(len(x), -1, part.shape[-1]), f"{at}_attention")
                seen[:, i::2, j::2] = attended.reshape(part.shape)
            y = y + seen
            y = y + net.mlp(net.layer_norm(y, f"{at}_mlp_norm"), f"{at}_mlp", swish)
        y = stretched(net.layer_norm(y, f"{place}_norm"), sides)
        y = net.unit(y, f"{place}_project", act=swish)
        x = net.unit(np.concatenate([x, y], -1), f"{place}_fuse", act=swish)
    return net.finish(net.dense(net.unit(x, "head", act=swish).mean((1, 2)), "predictions"))
