"""ReLU behind transposed convolutions, in a form that phones' GPUs take."""

import keras
from keras import layers

from keraslayers.export.passes._graph import Altered, first, made_by, rewrite
from keraslayers.export.passes._relu import NOTHING, function_kind, relu_kind


def split_transposed_relu(model):
    """Puts a pooling of single pixels between transposed convolutions and ReLU.

    The converter makes one operator of both, TRANSPOSE_CONV of version 4, which LiteRT's GPU runtime refuses; the
    pooling, which XNNPACK takes as a clamp, is what it joins ReLU with instead.

    Given:   x -> transposed convolution -> (batch normalization) -> relu
    Result:  x -> transposed convolution -> (batch normalization) -> max pooling of 1x1 windows -> relu

    Returns:
        (model, how many were split).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    if type(layer) is layers.Conv2DTranspose:
        return function_kind(layer.activation) is not None and not layer.dtype_policy.quantization_mode
    return relu_kind(layer) is not None and _is_transposed(first(args, kwargs))


def _replace(layer, fresh, *args, **kwargs):
    x, kind = first(args, kwargs), relu_kind(layer)
    if kind is None:
        kind = function_kind(layer.activation)
        x = Altered(layer, fresh(f"{layer.name}_linear"), activation=lambda layer: keras.activations.linear)(x)
    pool = layers.MaxPooling2D(
        1, strides=1, data_format="channels_last", dtype=x.dtype, name=fresh(f"{layer.name}_pixels")
    )
    return layers.Activation(kind, dtype=x.dtype, name=fresh(f"{layer.name}_relu"))(pool(x))


def _is_transposed(x):
    """Whether a transposed convolution made a tensor, or one and what the converter takes into it."""
    maker, inputs = made_by(x)
    while type(maker) in (*NOTHING, layers.BatchNormalization):
        maker, inputs = made_by(inputs[0])
    return type(maker) is layers.Conv2DTranspose and maker.activation is keras.activations.linear
