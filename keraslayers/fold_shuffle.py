"""Channel shuffle folded into the order of the weights behind it."""

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
# fmt: off
_ELEMENTWISE_FUNCTIONS = [
    keras.activations.get(name)
    for name in (
        "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "tanh", "softplus",
        "softsign", "exponential", "hard_sigmoid", "hard_silu", "hard_tanh",
    )
]
# fmt: on


def fold_shuffle(model):
    """Copies a model and folds its channel shuffles into the convolutions behind them.

    Given:   x -> shuffle -> convolution (kernel k)
    Result:  x -> convolution (kernel k, its input channels in the order from before the shuffle)

    Folded is every `ChannelShuffle` whose channels all go into one convolution of a single group, of any size, or one
    `Dense` layer. Batch normalizations (whose weights change places too) and elementwise activations may stand
    between. Both ends must be called once, and nothing else may see the shuffled channels: the shuffles of ShuffleNet
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
    changes, dropped = {}, set()
    found = _rewrite.single_calls(model)
    for call in found.values():
        path = _path_to_shuffle(call, found)
        if path is None:
            continue
        *between, shuffle = path
        axis = _channel_axis(shuffle)
        order = _order(shuffle.layer.groups, _rewrite.first(shuffle.args, shuffle.kwargs).shape[axis])
        for norm in between:
            if type(norm.layer) is layers.BatchNormalization:
                changes[id(norm.layer)] = ({}, [_unshuffled(w, order, 0) for w in norm.layer.get_weights()])
        kernel, *bias = call.layer.get_weights()
        changes[id(call.layer)] = ({}, [_unshuffled(kernel, order, kernel.ndim - 2), *bias])
        dropped.add(id(shuffle.layer))
    return _rewrite.copy(who, model, changes, dropped)


def _path_to_shuffle(call, found):
    """From a layer that mixes all channels back to the shuffle that folds into it; None where there is none."""
    layer = call.layer
    if type(layer) not in _MIXERS or getattr(layer, "groups", 1) != 1:
        return None
    if layer.dtype_policy.quantization_mode or getattr(layer, "lora_enabled", False):
        return None
    axis, path = _channel_axis(call), []
    while call.alone and len(call.before) == 1 and call.before[0] is not None:
        call = call.before[0]
        path.append(call)
        kind = type(call.layer)
        if kind is ChannelShuffle:
            return path if id(call.layer) in found and _channel_axis(call) == axis else None
        if kind is layers.BatchNormalization:
            rank = len(_rewrite.first(call.args, call.kwargs).shape)
            if id(call.layer) not in found or call.layer.axis % rank != axis:
                return None
        elif kind is layers.Activation:
            if call.layer.activation not in _ELEMENTWISE_FUNCTIONS:
                return None
        elif kind not in _ELEMENTWISE or not _single_numbers(call.layer):
            return None
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
