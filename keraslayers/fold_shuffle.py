"""Channel shuffle folded into the order of the weights behind it."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from keraslayers import _rewrite, activations
from keraslayers.channel_shuffle import ChannelShuffle
from keraslayers.padded import PaddedConv2D
from keraslayers.table_activation import TableActivation

_MIXERS = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Dense, PaddedConv2D)
# What does to every value the same, wherever it stands.
_ELEMENTWISE = (
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Rescaling,
    activations.HardSigmoid,
    activations.HardSwish,
    activations.HardTanh,
    activations.ReLU6,
    activations.ShiftLeakyReLU,
    TableActivation,
)
# What treats all channels alike, each for itself.
_BY_CHANNEL = (layers.Dropout, layers.GaussianDropout, layers.GaussianNoise) + tuple(  # noqa: RUF005  it reads better
    getattr(layers, f"{name}{rank}D")
    for name in ("MaxPooling", "AveragePooling", "ZeroPadding", "Cropping", "UpSampling", "SpatialDropout")
    for rank in (1, 2, 3)
)
_OVER_PLACES = tuple(
    getattr(layers, f"Global{kind}Pooling{rank}D") for kind in ("Average", "Max") for rank in (1, 2, 3)
)
# fmt: off
_ELEMENTWISE_FUNCTIONS = [
    keras.activations.get(name)
    for name in (
        "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "tanh", "softplus",
        "softsign", "exponential", "hard_sigmoid", "hard_silu", "hard_tanh",
    )
]
# fmt: on


def fold_shuffle(model: keras.Model) -> keras.Model:
    """Copies a model and folds its channel shuffles into the convolutions behind them.

    Given:   x -> shuffle -> convolution (kernel k)
    Result:  x -> convolution (kernel k, its input channels in the order from before the shuffle)

    Folded is every `ChannelShuffle` whose channels all go into one convolution of a single group, of any size, or one
    `Dense` layer. Between may stand what treats channels alike: pooling, padding, dropout, elementwise activations; and
    what has weights for each channel, which change places too: batch normalizations, `PReLU`, depthwise convolutions
    that make one channel of each. Both ends must be called once, and nothing else may see the shuffled channels: the
    shuffles of ShuffleNet
    V2 are taken in halves by the next unit, so that only its last one folds.

    Args:
        model: a Functional or Sequential model; stays as it is.

    Returns:
        A Functional model with the same inputs, and the same outputs to within the order of sums, of ordinary layers;
        nested models are laid open. It shares no weights with `model` and is not compiled.

    Raises:
        TypeError: if `model` is no Keras model.
        ValueError: if it is a subclassed model, is not built, or holds a layer that its config cannot make again.

    Source: Zhang et al. 2017, arXiv:1707.01083, section 3.1: the shuffle is a permutation, and a convolution adds up
    its input channels in any order.
    """
    who = "fold_shuffle"
    _rewrite.check_graph(who, model)
    changes, dropped = {}, {}
    found = _rewrite.single_calls(model)
    for call in found.values():
        path = _path_to_shuffle(call, found)
        if path is None:
            continue
        shuffle, between = path
        axis = _channel_axis(shuffle)
        order = _order(shuffle.layer.groups, _rewrite.first(shuffle.args, shuffle.kwargs).shape[axis])
        for other, axes in between:
            pairs = zip(other.layer.get_weights(), axes, strict=True)
            changes[id(other.layer)] = ({}, [_unshuffled(weight, order, axis) for weight, axis in pairs])
        kernel, *bias = call.layer.get_weights()
        changes[id(call.layer)] = ({}, [_unshuffled(kernel, order, kernel.ndim - 2), *bias])
        dropped[id(shuffle.layer)] = 0
    return _rewrite.copy(who, model, changes, dropped)


def _path_to_shuffle(call, found):
    """From a layer that mixes all channels back to the shuffle that folds into it; None where there is none.

    Returns:
        (call of the shuffle, [(call of a layer between, axis of the channels in each of its weights)]).
    """
    layer = call.layer
    if type(layer) not in _MIXERS or getattr(layer, "groups", 1) != 1:
        return None
    if layer.dtype_policy.quantization_mode or getattr(layer, "lora_enabled", False):
        return None
    axis, between = _channel_axis(call), []
    while call.alone and call.before[0] is not None:
        call = call.before[0]
        if len(call.before) != 1:
            return None
        kind, own = type(call.layer), _channel_axis(call)
        if kind is ChannelShuffle:
            return (call, between) if id(call.layer) in found and own == axis else None
        if kind in _OVER_PLACES:
            # Vectors have their channels last, whatever the images had.
            if not call.layer.keepdims and axis != 1:
                return None
            axis = own
        elif kind in _BY_CHANNEL:
            if own != axis:
                return None
        elif kind is layers.Activation:
            if call.layer.activation not in _ELEMENTWISE_FUNCTIONS:
                return None
        elif kind in _ELEMENTWISE:
            if not _single_numbers(call.layer):
                return None
        else:
            axes = _axes_of_channels(call, axis)
            if axes is None or id(call.layer) not in found:
                return None
            between.append((call, axes))
    return None


def _axes_of_channels(call, axis):
    """The axis of the channels in each weight of a layer that has some for each; None of other layers.

    Args:
        call: of the layer.
        axis: of the channels in its inputs.
    """
    layer, shape = call.layer, _rewrite.first(call.args, call.kwargs).shape
    if type(layer) is layers.BatchNormalization and layer.axis % len(shape) == axis:
        return [0] * len(layer.weights)
    if type(layer) in (layers.DepthwiseConv1D, layers.DepthwiseConv2D) and _channel_axis(call) == axis:
        alike = layer.depth_multiplier == 1 and layer.activation in _ELEMENTWISE_FUNCTIONS
        return [len(shape) - 2, 0][: len(layer.weights)] if alike else None
    if type(layer) is layers.PReLU and layer.alpha.shape[axis - 1] == shape[axis]:  # else all channels share a slope
        return [axis - 1]
    return None


def _single_numbers(layer):
    """Whether a layer has one number for all channels: Rescaling takes arrays too."""
    return type(layer) is not layers.Rescaling or np.ndim(layer.scale) == np.ndim(layer.offset) == 0


def _channel_axis(call):
    first = getattr(call.layer, "data_format", None) == "channels_first"
    return 1 if first else len(_rewrite.first(call.args, call.kwargs).shape) - 1


def _order(groups, channels):
    """Where each channel behind the shuffle came from."""
    behind = np.arange(channels)
    return behind % groups * (channels // groups) + behind // groups


def _unshuffled(weight, order, axis):
    moved = np.empty_like(weight)
    moved[(slice(None),) * axis + (order,)] = weight
    return moved
