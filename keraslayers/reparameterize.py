"""Convolutions side by side, whose outputs are summed, and one behind the other, made one convolution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from keraslayers import _rewrite
from keraslayers._chains import chains, is_linear, is_plain
from keraslayers.affine import LayerScale
from keraslayers.fold_batch_norm import folded, scale_and_offset

FOLDED = (layers.BatchNormalization, LayerScale)
# What sums, and the sign of all inputs but the first.
SUMS = {layers.Add: 1, layers.Subtract: -1}


def reparameterize(model: keras.Model) -> keras.Model:
    """Copies a trained model and makes one convolution of several: of those whose outputs are summed, and of chains.

    Given:   x -> convolutions of one stride, normalizations of x, x itself -> Add or Subtract
    Result:  x -> one convolution with the sum of the kernels and of the biases

    Given:   x -> convolution -> 1x1 convolution
    Result:  x -> one convolution with the product of the kernels

    A kernel stands in the largest one where its window lies; the input itself is a kernel of 1x1 with a one for each
    channel on its way. Each `BatchNormalization` and `LayerScale` behind a convolution is folded before, with and
    without branches: see `fold_batch_norm`. Blocks of RepVGG, MobileOne, ACNet and RepViT and the mixers of FastViT
    become convolutions so, and residual branches of one. Linear blocks of SESR are chains: a wide convolution that
    nothing but a 1x1 convolution of stride 1 reads, both plain `Conv2D` of one group with no activation between.
    Chains of which one would have more weights than both, as the bottlenecks of MobileNetV2, stay.

    Branches are of `Conv2D` of one number of groups, or of `DepthwiseConv2D`, with one stride and no dilation,
    channels_last, each behind its own `ZeroPadding2D` or none, in one dtype; what they make goes to an `Add` or
    `Subtract` layer alone. One of them sees all that the others see, as 3x3 beside 1x1. With padding="same" a stride
    puts windows where the size of the input says, which must be known then. Other sums stay.

    Args:
        model: a Functional or Sequential model; stays as it is.

    Returns:
        A Functional model with the same inputs, and the same outputs to within roundings, of fewer layers and weights;
        nested models are laid open. It shares no weights with `model` and is not compiled. A sum's convolution bears
        the name of its largest branch, the first of several, a chain's that of its first.

    Raises:
        TypeError: if `model` is no Keras model.
        ValueError: if no sum in it is one of such branches and nothing in it such a chain; or if it is a subclassed
            model, is not built, or holds a layer that its config cannot make again.

    Source: Ding et al. 2021, RepVGG: Making VGG-style ConvNets great again, arXiv:2101.03697, section 3.3; chains:
    Bhardwaj et al. 2021, Collapsible linear blocks for super-efficient super resolution, arXiv:2103.09404, section 3.
    """
    who = "reparameterize"
    model, count = folded(who, model, FOLDED), 0
    # The sum of a sum is one when that is none any more, and that of a chain when that is a convolution.
    while found := chains(model) or _sums(model):
        changes, dropped = {}, {}
        for convolution, gone, index, entries, weights in found:
            changes[id(convolution)] = (entries, weights)
            dropped[id(gone)] = index
        model, count = _rewrite.copy(who, model, changes, dropped), count + len(found)
        model = folded(who, model, FOLDED)  # what stood behind a sum
    if not count:
        raise ValueError(
            f"`{who}`: `model` {model.name!r} must have branches whose sum is one convolution: an `Add` or "
            "`Subtract` of convolutions of the same input and stride, with no activation between; or convolutions that "
            "a smaller 1x1 convolution alone reads. It has none, or became one convolution each already. For batch "
            "normalizations alone call `fold_batch_norm`."
        )
    return model


def _sums(model):
    """Returns (the convolution, the sum, which of its inputs goes on, entries of the config, weights) of each.

    Of sums within sums the inner ones: the outer ones are made of convolutions when those are none any more.
    """
    calls = _rewrite.single_calls(model)
    found = []
    for call in calls.values():
        branches = _branches(call, calls) if type(call.layer) in SUMS else []
        for index, branch in enumerate(branches):
            if branch.layer is not None and all(branch.sees(other) for other in branches):
                weights = _weights(branch, branches, SUMS[type(call.layer)])
                found.append((branch.layer, call.layer, index, {"use_bias": len(weights) > 1}, weights))
                break
    return found


@dataclass(frozen=True)
class Branch:
    """What one input of a sum is made by.

    Attributes:
        layer: a convolution, or a batch normalization; None of what is not changed on its way.
        before: zeros before the first place of height and width, from the tensor on that all branches start from.
        size: of the window in height and width.
    """

    layer: object
    before: tuple
    size: tuple

    @property
    def convolves(self):
        return type(self.layer) in (layers.Conv2D, layers.DepthwiseConv2D)

    def sees(self, other):
        """Whether what `other` sees lies in the window of this one."""
        pairs = zip(self.before, self.size, other.before, other.size, strict=True)
        return all(mine >= its and whole - mine >= part - its for mine, whole, its, part in pairs)


def _branches(call, calls):
    """The branches of a sum; none where it cannot become a convolution."""
    tensors = keras.tree.flatten(_rewrite.first(call.args, call.kwargs))
    if len({tuple(tensor.shape) for tensor in tensors}) > 1 or len(tensors[0].shape) != 4:
        return []
    # The ways in which each may be said to come about, by the tensor that it starts from.
    ways = [
        _ways(tensor, maker, uses, calls) for tensor, maker, uses in zip(tensors, call.before, call.uses, strict=True)
    ]
    source = next((source for source in ways[0] if all(source in others for others in ways)), None)
    if source is None:
        return []
    branches = [of_input[source] for of_input in ways]
    kinds = [_kind(branch.layer) for branch in branches if branch.convolves]
    passing = [branch.layer for branch in branches if not branch.convolves]
    if not kinds or any(kind != kinds[0] for kind in kinds):
        return []
    _, strides, _, policy = kinds[0]
    if passing and strides != (1, 1):
        return []
    if any(layer is not None and layer.dtype_policy != policy for layer in passing):
        return []
    return branches


def _kind(layer):
    return type(layer), tuple(layer.strides), getattr(layer, "groups", 1), layer.dtype_policy


def _ways(tensor, maker, uses, calls):
    """The branches that an input of a sum may be, by the id of the tensor that each starts from."""
    found = {id(tensor): Branch(None, (0, 0), (1, 1))}
    if uses > 1 or maker is None or id(maker.layer) not in calls:
        return found
    layer, given = maker.layer, _rewrite.first(maker.args, maker.kwargs)
    if type(layer) is layers.BatchNormalization and not maker.trains and layer.axis in (-1, 3):
        found[id(given)] = Branch(layer, (0, 0), (1, 1))
    if is_plain(layer) and is_linear(layer):
        before = _zeros_before(layer, given.shape[1:3])
        if before is not None:
            found[id(given)] = Branch(layer, before, layer.kernel_size)
            padding = maker.before[0]
            if padding is not None and _pads(padding.layer):
                further = tuple(first + pair[0] for first, pair in zip(before, padding.layer.padding, strict=True))
                start = _rewrite.first(padding.args, padding.kwargs)
                found[id(start)] = Branch(layer, further, layer.kernel_size)
    return found


def _pads(layer):
    return type(layer) is layers.ZeroPadding2D and layer.data_format == "channels_last"


def _zeros_before(layer, sides):
    """Zeros that a convolution puts before height and width; None where that depends on a size which is not known."""
    if layer.padding == "valid":
        return (0, 0)
    before = []
    for side, size, step in zip(sides, layer.kernel_size, layer.strides, strict=True):
        if step == 1 or size == 1:
            before.append((size - 1) // 2)
        elif side is None:
            return None
        else:
            before.append(max((-(-side // step) - 1) * step + size - side, 0) // 2)
    return tuple(before)


def _weights(widest, branches, sign):
    """The sum of the kernels, each where its window lies in the widest, and of the biases; all but the first times
    `sign`.
    """
    shape = widest.layer.kernel.shape
    kernel, bias = np.zeros(shape), None
    for place, branch in enumerate(branches):
        part, offset = (
            value if value is None else value * (sign if place else 1)
            for value in _kernel_and_bias(branch.layer, shape)
        )
        (top, left), (height, width) = np.subtract(widest.before, branch.before), branch.size
        kernel[top : top + height, left : left + width] += part
        if offset is not None:
            bias = offset if bias is None else bias + offset
    weights = [kernel]
    if bias is not None:
        count = math.prod(shape[2:]) if type(widest.layer) is layers.DepthwiseConv2D else shape[-1:]
        weights.append(np.broadcast_to(bias, count))
    return [weight.astype(widest.layer.kernel.dtype) for weight in weights]


def _kernel_and_bias(layer, shape):
    """Those of a branch, None for no bias; of what passes in the form of a 1x1 kernel beside those of `shape`."""
    if type(layer) in (layers.Conv2D, layers.DepthwiseConv2D):
        kernel, *bias = (weight.astype("float64") for weight in layer.get_weights())
        return kernel, bias[0] if bias else None
    scale, offset = (1.0, None) if layer is None else scale_and_offset(layer)
    *_, inputs, outputs = shape
    if outputs == 1:  # depthwise: the channels of the input come first
        return np.broadcast_to(np.reshape(scale, (-1, 1)), (inputs, 1)), offset
    # Each channel is the one of its place in its group.
    ones = np.tile(np.eye(inputs), outputs // inputs)
    return ones * scale, offset
