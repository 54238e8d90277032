"""Group normalization in the four axes that phones' GPUs take."""

import math

import keras
from keras import layers, ops

from keraslayers.export.passes._graph import first, rewrite


class FlatGroupNormalization(keras.layers.Layer):
    """Computes what somebody else's `GroupNormalization` does, all places in one axis; shares its weights."""

    def __init__(self, layer, name):
        super().__init__(name=name, dtype=layer.dtype_policy)
        self.normalization = layer
        self.built = True

    def call(self, x):
        layer = self.normalization
        *places, channels = x.shape[1:]
        groups = ops.reshape(x, (-1, math.prod(places), layer.groups, channels // layer.groups))
        groups -= ops.mean(groups, axis=(1, 3), keepdims=True)
        groups *= ops.rsqrt(ops.mean(groups * groups, axis=(1, 3), keepdims=True) + layer.epsilon)
        x = ops.reshape(groups, (-1, *places, channels))
        if layer.scale:
            x *= layer.gamma
        return x + layer.beta if layer.center else x

    def compute_output_shape(self, input_shape):
        return input_shape


def lower_group_normalization(model):
    """Writes group normalization with tensors of four axes.

    Keras gives the groups an axis of their own, which makes five of an image's four, and LiteRT's GPU runtime refuses
    them.

    Given:   x (height, width, channels) -> GroupNormalization
    Result:  x -> (height * width, groups, channels of a group) -> normalized -> (height, width, channels)

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    if type(layer) is not layers.GroupNormalization or layer.compute_dtype != "float32":
        return False
    shape = first(args, kwargs).shape
    return len(shape) == 4 and layer.axis in (-1, len(shape) - 1) and None not in shape[1:]


def _replace(layer, fresh, *args, **kwargs):
    return FlatGroupNormalization(layer, fresh(f"{layer.name}_flat"))(first(args, kwargs))
