"""What 8-bit integers do to each kind of call: whose scale its output has."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from keraslayers import _checks, _keras
from keraslayers._window_bias import WindowBias
from keraslayers.affine import Affine, LayerScale
from keraslayers.channel_shuffle import ChannelShuffle
from keraslayers.class_token import ClassToken
from keraslayers.dynamic_depthwise import DynamicDepthwiseConv2D
from keraslayers.export.optimize._tfmot import tfmot
from keraslayers.export.optimize.floats import Kept, Passing
from keraslayers.export.optimize.kernels import has_kernel
from keraslayers.export.optimize.origins import labels_of
from keraslayers.export.passes._relu import NOTHING, relu_kind
from keraslayers.learned_positions import LearnedPositions
from keraslayers.maxout import Maxout
from keraslayers.resample import Resample2D
from keraslayers.soft_argmax import SoftArgmax
from keraslayers.table_activation import TableActivation

# TFLite stores inputs and outputs of these with one scale: they move numbers, or choose among them.
SAME = {
    "Concatenate",
    "DepthToSpace",
    "ExpandDims",
    "GetItem",
    "Identity",
    "Max",
    "MaxPool",
    "Maximum",
    "Minimum",
    "Pad",
    "Repeat",
    "Reshape",
    "Roll",
    "SpaceToDepth",
    "Squeeze",
    "Stack",
    "Tile",
    "Transpose",
}
# Layers that do, ours among them; the others are seen as the operations they call.
SAME_LAYERS = (
    ChannelShuffle,
    Maxout,
    layers.Concatenate,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Flatten,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.Permute,
    layers.RepeatVector,
    layers.Reshape,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
)
# The same, but what comes out is new numbers, or may be: a constant may take part.
ROUNDED_AGAIN = {"AveragePool", "Clip", "Maximum", "Minimum", "Resize"}
# Outputs with a range of their own.
OWN = {
    "Absolute",
    "Add",
    "Conv",
    "DepthwiseConv",
    "Exp",
    "LeakyRelu",
    "Log",
    "Mean",
    "Multiply",
    "Relu",
    "Relu6",
    "Subtract",
    "Sum",
}
# Outputs of these have the scale and zero point that TFLite lays down, whatever the samples say.
FIXED = {"Sigmoid": (0.0, 255 / 256), "Softmax": (0.0, 255 / 256), "Tanh": (-1.0, 127 / 128)}
# Operations with a kernel among their arguments, and how many of its last axes are channels of what comes out.
CONVOLUTIONS = {"Conv": 1, "DepthwiseConv": 2}
# Operators that the converter makes one with a ReLU behind them.
TAKES_RELU = {"Add", "Conv", "DepthwiseConv", "Multiply", "Subtract"}
# Layers whose files compute in floats, between integers: LiteRT has no integer kernels for a part of them, or what they
# add and multiply by has no range of its own.
IN_FLOATS = (
    Affine,
    ClassToken,
    DynamicDepthwiseConv2D,
    LayerScale,
    LearnedPositions,
    SoftArgmax,
    TableActivation,
    WindowBias,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.RMSNormalization,
    layers.UnitNormalization,
)
# Operations that do: XNNPACK has no integer kernels for products of two activations, for GELU, for square roots.
OPERATIONS_IN_FLOATS = {"DotProductAttention", "Gelu"}
# The same if everything they take is computed.
PRODUCTS_IN_FLOATS = {"Einsum", "Matmul"}
# What training alone computes.
PASSING = (
    *NOTHING,
    Passing,
    layers.Identity,
    layers.SpatialDropout1D,
    layers.SpatialDropout3D,
    layers.RandomBrightness,
    layers.RandomContrast,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
)


class _Slopes:
    """Of PReLU: TFLite stores slopes with one scale."""

    def get_weights_and_quantizers(self, layer):
        kind = tfmot("quantize_aware").quantizers.LastValueQuantizer
        return [(layer.alpha, kind(num_bits=8, per_axis=False, symmetric=False, narrow_range=False))]

    def get_output_quantizers(self, layer):
        kind = tfmot("quantize_aware").quantizers.MovingAverageQuantizer
        return [kind(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)]


# Rules as people give them to `register`.
OWN_RULES = {layers.PReLU: _Slopes()}
_REGISTERED = {}


def register(layer_class: type[keras.layers.Layer], config: Any) -> None:
    """Tells how the layers of a class are quantized.

    The rule is tfmot's `QuantizeConfig`, and it reads a Keras 3 layer here: `get_weights_and_quantizers(layer)` gives
    (weight, quantizer) pairs, `get_output_quantizers(layer)` the quantizer of the output, none for an output that is
    not rounded. The other methods are not called: a layer reads rounded weights in place of its own. In a file each
    layer should be one operator; of what it computes inside no range is measured.

    Args:
        layer_class: a class of Keras 3 layers; it counts for this class alone, not for those derived from it.
        config: a `QuantizeConfig`, or a class of these that is made without arguments.

    Raises:
        TypeError: if `layer_class` is no class of layers or `config` lacks these methods.
        ValueError: if the class has a rule of another class.
    """
    who = "register"
    if not (isinstance(layer_class, type) and issubclass(layer_class, keras.layers.Layer)):
        raise TypeError(f"`{who}`: `layer_class` must be a class of Keras 3 layers; got {layer_class!r}.")
    config = config() if isinstance(config, type) else config
    if not isinstance(config, tfmot(who).config.QuantizeConfig):
        raise TypeError(
            f"`{who}`: `config` must be a `QuantizeConfig` of tensorflow_model_optimization.quantization.keras; got "
            f"{type(config).__name__}."
        )
    known = _REGISTERED.get(layer_class)
    if known is not None and type(known) is not type(config):
        raise ValueError(f"`{who}`: {layer_class.__name__} has a rule already, {type(known).__name__}.")
    _REGISTERED[layer_class] = config


def registered(layer):
    """The rule of a layer's class, or None."""
    return _REGISTERED.get(type(layer), OWN_RULES.get(type(layer)))


def is_final(layer):
    """Whether a call stays as it is, rather than being opened into what it calls."""
    return (
        not isinstance(layer, keras.layers.Layer)
        or isinstance(layer, Kept)
        or registered(layer) is not None
        or has_kernel(layer)
        or relu_kind(layer) is not None
        or type(layer) is layers.BatchNormalization
        or keeps_scale(layer)
    )


def operation_name(operation):
    """The name of an operation of Keras's, whose classes are not public; None of a layer."""
    kind = type(operation)
    return kind.__name__ if not isinstance(operation, keras.layers.Layer) else None


def described(layer):
    """A layer or operation in words: what it is, its name, its class."""
    what = "layer" if isinstance(layer, keras.layers.Layer) else "operation"
    return f"{what} {layer.name!r} ({type(layer).__name__})"


def keeps_scale(layer):
    """Whether a file stores inputs and outputs of a layer or operation with one scale."""
    return type(layer) in (*PASSING, *SAME_LAYERS) or operation_name(layer) in SAME or computes_anew(layer)


def computes_anew(layer):
    """Whether it does so though outputs are new numbers, or may be: they are rounded again."""
    # With `antialias` it is products of matrices.
    resizes = type(layer) is Resample2D and not layer.antialias
    return resizes or operation_name(layer) in ROUNDED_AGAIN


def moves(layer):
    """Whether what comes out of a layer or operation is numbers that went in: in integers nothing is lost."""
    return keeps_scale(layer) and not computes_anew(layer)


def check_skip(who, model, skip):
    """Returns the labels (`labels_of`) of the layers in `skip`, given as names or layers; of a nested model, its own.

    Raises:
        TypeError, ValueError: if the model has no such layer.
    """
    labels, known = labels_of(model), {}
    for layer in _keras.flatten_layers(model, include_self=False):
        if not isinstance(layer, layers.InputLayer):
            known.setdefault(layer.name, []).append(layer)
    found = set()
    for entry in [skip] if isinstance(skip, str | keras.layers.Layer) else skip:
        name = entry.name if isinstance(entry, keras.layers.Layer) else entry
        _checks.choice(who, "skip", name, list(known))
        same = [layer for layer in known[name] if layer is entry]
        for layer in same or known[name]:
            inner = _keras.flatten_layers(layer, include_self=False) if isinstance(layer, keras.Model) else (layer,)
            # What is within a layer that is left alone is none of anybody's business.
            found |= {labels[id(one)] for one in inner if id(one) in labels}
    return found
