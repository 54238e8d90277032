"""Batch normalization folded into the weights of the layer before it."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from keraslayers import _rewrite
from keraslayers.affine import LayerScale
from keraslayers.deformable import DeformableConv2D
from keraslayers.dynamic import DynamicConv2D
from keraslayers.padded import PaddedConv2D
from keraslayers.spatial_separable import SpatialSeparableConv2D

# Which of a layer's weights scales its outputs, and the axis of the output channels in it; a depthwise kernel has two.
# The bias comes right after it.
_LAST, _LAST_BUT_ONE, _BOTH = (-1,), (-2,), (-2, -1)
_KERNELS = {
    layers.Dense: (0, _LAST),
    layers.Conv1D: (0, _LAST),
    layers.Conv2D: (0, _LAST),
    layers.Conv3D: (0, _LAST),
    PaddedConv2D: (0, _LAST),
    DeformableConv2D: (0, _LAST),
    DynamicConv2D: (0, _LAST),
    SpatialSeparableConv2D: (1, _LAST),
    layers.Conv1DTranspose: (0, _LAST_BUT_ONE),
    layers.Conv2DTranspose: (0, _LAST_BUT_ONE),
    layers.Conv3DTranspose: (0, _LAST_BUT_ONE),
    layers.DepthwiseConv1D: (0, _BOTH),
    layers.DepthwiseConv2D: (0, _BOTH),
    layers.SeparableConv1D: (1, _LAST),
    layers.SeparableConv2D: (1, _LAST),
}


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Copies a trained model and folds its batch normalizations into the layers before them.

    Given:   x -> convolution (kernel k, bias b) -> batch normalization
    Result:  x -> convolution (kernel k * s, bias (b - mean) * s + beta), s = gamma / sqrt(variance + epsilon)

    Folded is every `BatchNormalization` over the channels that a convolution (plain, depthwise, separable or
    transposed, of Keras, or one of ours) or a `Dense` layer makes, where that layer has no activation, its output goes
    nowhere else, and both layers are called once, in the same dtype. Of `DynamicConv2D` that with `"softmax"` folds:
    with `"sigmoid"` the weights of its biases do not add up to one. The others stay, as do those after layers of other
    classes, subclasses included. A copy that is trained on no longer normalizes batches.

    Args:
        model: a Functional or Sequential model; stays as it is.

    Returns:
        A Functional model with the same inputs, and the same outputs to within roundings, of ordinary layers; nested
        models are laid open. It shares no weights with `model` and is not compiled. Where a normalization came last,
        the output bears the name of the layer before it.

    Raises:
        TypeError: if `model` is no Keras model.
        ValueError: if it is a subclassed model, is not built, or holds a layer that its config cannot make again.

    Source: Jacob et al. 2018, arXiv:1712.05877, section 3.2, eq. 14.
    """
    return folded("fold_batch_norm", model)


def folded(who, model, kinds=(layers.BatchNormalization,)):
    """The same by another name, which errors bear; of layers of `kinds`, among which `LayerScale` may be."""
    _rewrite.check_graph(who, model)
    changes, dropped = {}, {}
    found = _rewrite.single_calls(model)
    for call in found.values():
        layer = _folds_into(call, found) if type(call.layer) in kinds else None
        if layer is not None:
            changes[id(layer)] = ({"use_bias": True}, _weights(layer, call.layer))
            dropped[id(call.layer)] = 0
    return _rewrite.copy(who, model, changes, dropped)


def _folds_into(call, found):
    """The layer that the call of a batch normalization or scale folds into; None where there is none."""
    norm = call.layer
    if call.trains or not call.alone or call.before[0] is None:
        return None
    layer = call.before[0].layer
    if type(layer) not in _KERNELS or id(layer) not in found or layer.activation is not keras.activations.linear:
        return None
    if getattr(layer, "routing", "softmax") != "softmax":
        return None
    if layer.dtype_policy != norm.dtype_policy or layer.dtype_policy.quantization_mode:
        return None
    if getattr(layer, "lora_enabled", False):
        return None
    rank = len(_rewrite.first(call.args, call.kwargs).shape)
    channels = 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1
    return layer if norm.axis % rank == channels else None


def _weights(layer, norm):
    """The weights of the layer, a bias among them, with the normalization in them."""
    scale, shift = scale_and_offset(norm)
    weights = layer.get_weights()
    place, axes = _KERNELS[type(layer)]
    bias = weights.pop(place + 1) if layer.use_bias else 0.0
    kernel = weights[place]
    shape = [1] * kernel.ndim
    for axis in axes:
        shape[axis] = kernel.shape[axis]
    weights[place] = kernel.astype("float64") * scale.reshape(shape)
    offset = np.asarray(bias, "float64") * scale + shift
    if type(layer) is DynamicConv2D:
        offset = np.broadcast_to(offset, (layer.num_kernels, layer.filters))
    weights.insert(place + 1, offset)
    return [weight.astype(kernel.dtype) for weight in weights]


def scale_and_offset(norm):
    """What a batch normalization or scale multiplies with and adds, channel by channel, in float64."""
    if type(norm) is LayerScale:
        return _wide(norm.gamma), np.zeros(norm.gamma.shape)
    scale = 1 / np.sqrt(_wide(norm.moving_variance) + norm.epsilon)
    if norm.gamma is not None:
        scale = scale * _wide(norm.gamma)
    offset = -_wide(norm.moving_mean) * scale
    return scale, offset if norm.beta is None else offset + _wide(norm.beta)


def _wide(variable):
    return keras.ops.convert_to_numpy(variable).astype("float64")
