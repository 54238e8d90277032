"""Arrays of PyTorch's layers in the order and the layout in which Keras's take them."""

import re

import keras
import numpy as np
from keras import layers

from keraslayers import _keras
from keraslayers.affine import Affine, LayerScale
from keraslayers.class_token import ClassToken
from keraslayers.learned_positions import LearnedPositions
from keraslayers.squeeze_excite import SqueezeExcite
from keraslayers.window_attention import WindowAttention

MERGES = re.compile(r"merge\d+(_norm)?")  # Swin: what joins a square of four patches


def arrays(layer, at, state):
    """Returns the arrays of `layer`, taken out of `state`.

    Args:
        layer: of ours, built.
        at: its module's name there, or the names of several.
        state: a dict of arrays by their names, with the method `take`.
    """
    found = _KINDS[type(layer)](layer, at, state)
    return [_by_rows(array) for array in found] if MERGES.fullmatch(layer.name) else found


def _conv(layer, at, state):
    kernel = state.take(f"{at}.weight")
    if kernel.ndim == 2:  # a Dense layer there
        kernel = kernel[:, :, None, None]
    return [kernel.transpose(2, 3, 1, 0), *_bias(layer, at, state)]


def _depthwise(layer, at, state):
    # (channels, 1, height, width); of several filters a channel one behind the other.
    kernel = state.take(f"{at}.weight").transpose(2, 3, 0, 1)
    return [kernel.reshape(*kernel.shape[:2], -1, layer.depth_multiplier), *_bias(layer, at, state)]


def _dense(layer, at, state):
    kernel = state.take(f"{at}.weight")
    maps = _flattened(layer)
    if kernel.ndim == 2 and maps is not None and kernel.shape[1] == np.prod(maps):
        height, width, channels = maps
        kernel = kernel.reshape(-1, channels, height, width)
    # Of maps there channel by channel, here place by place.
    turned = kernel.transpose(2, 3, 1, 0).reshape(-1, len(kernel)) if kernel.ndim == 4 else kernel.T
    return [turned, *_bias(layer, at, state)]


def _flattened(layer):
    """The shape (height, width, channels) of the maps that a Dense layer sees flattened; None if it sees no maps."""
    before = _keras.history(keras.tree.flatten(layer.input)[0]).operation
    shape = before.input.shape[1:] if isinstance(before, layers.Flatten) else ()
    return shape if len(shape) == 3 else None


def _bias(layer, at, state):
    return [state.take(f"{at}.bias")] if layer.use_bias else []


def _batch_norm(layer, at, state):
    parts = ["weight"] * layer.scale + ["bias"] * layer.center + ["running_mean", "running_var"]
    return [state.take(f"{at}.{part}") for part in parts]


def _norm(layer, at, state):
    return [state.take(f"{at}.{part}") for part in ("weight", "bias")]


def _gates(layer, at, state):
    # Two convolutions, each with a bias; Dense layers in some code.
    found = []
    for one in at:
        kernel = state.take(f"{one}.weight")
        kernel = kernel[:, :, None, None] if kernel.ndim == 2 else kernel
        found += [kernel.transpose(2, 3, 1, 0), state.take(f"{one}.bias")]
    return found


def _scale(layer, at, state):
    return [state.take(at).ravel()]


def _affine(layer, at, state):
    return [state.take(f"{at}.{part}").ravel() for part in ("alpha", "beta")]


def _rows(layer, at, state):
    return [state.take(at)[0]]  # of a batch of one


def _attention(layer, at, state):
    """Keras has a kernel (channels, heads, size) for each of query, key and value; PyTorch one matrix of all."""
    joined, out = at
    heads, size = layer.num_heads, layer.key_dim
    kernels, biases = (np.split(state.take(f"{joined}.{part}"), 3) for part in ("weight", "bias"))
    found = []
    for kernel, bias in zip(kernels, biases, strict=True):
        found += [kernel.T.reshape(-1, heads, size), bias.reshape(heads, size)]
    return [*found, state.take(f"{out}.weight").T.reshape(heads, size, -1), state.take(f"{out}.bias")]


def _window_attention(layer, at, state):
    table, joined, out = at
    parts = {
        layer.bias.path: lambda: [state.take(table)],
        layer.qkv.path: lambda: [state.take(f"{joined}.weight").T, state.take(f"{joined}.bias")],
        layer.project.path: lambda: [state.take(f"{out}.weight").T, state.take(f"{out}.bias")],
    }
    found = []
    for inner in _keras.flatten_layers(layer, include_self=False, recursive=False):
        found += parts[inner.path]() if inner.path in parts else []
    return found


def _by_rows(square):
    """What follows four patches, column by column in published code: row by row."""
    first, below, right, last = np.split(square, 4)
    return np.concatenate([first, right, below, last])


_KINDS = {
    Affine: _affine,
    ClassToken: _rows,
    LayerScale: _scale,
    LearnedPositions: _rows,
    SqueezeExcite: _gates,
    WindowAttention: _window_attention,
    layers.BatchNormalization: _batch_norm,
    layers.Conv2D: _conv,
    layers.Dense: _dense,
    layers.DepthwiseConv2D: _depthwise,
    layers.LayerNormalization: _norm,
    layers.MultiHeadAttention: _attention,
}
