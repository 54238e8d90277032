"""Average pooling in operators that XNNPACK takes in int8."""

import keras
import numpy as np
from keras import layers, ops

from keraslayers.export.passes._graph import first, rewrite


class AverageByConvolution(keras.layers.Layer):
    """Computes somebody else's `AveragePooling2D` as a depthwise convolution, or as the mean of the whole image."""

    def __init__(self, layer, name):
        super().__init__(name=name, dtype=layer.dtype_policy)
        self.pooling = layer
        self.built = True

    def call(self, inputs):
        size, strides, padding = self.pooling.pool_size, self.pooling.strides, self.pooling.padding
        if _is_whole(self.pooling, inputs):
            return ops.mean(inputs, axis=(1, 2), keepdims=True)
        kernel = ops.full((*size, inputs.shape[-1], 1), 1 / np.prod(size), inputs.dtype)
        sums = ops.depthwise_conv(inputs, kernel, strides, padding, "channels_last")
        if padding == "valid":
            return sums
        lacking = np.multiply.outer(*map(_lacking, inputs.shape[1:3], size, strides))
        return sums if np.all(lacking == 1) else sums * ops.convert_to_tensor(lacking[None, :, :, None], sums.dtype)

    def compute_output_shape(self, input_shape):
        return self.pooling.compute_output_shape(input_shape)


def _lacking(size, window, stride):
    """By how much the sum at each place of an axis is too small, since "same" padding counts for nothing."""
    starts = np.arange(-(-size // stride)) * stride
    starts = starts - max(0, starts[-1] + window - size) // 2
    return window / (np.minimum(starts + window, size) - np.maximum(starts, 0))


def lower_average_pooling(model):
    """Writes average pooling of images as a depthwise convolution.

    XNNPACK has no int8 AVERAGE_POOL_2D, so that each one cuts the graph in two, and LiteRT's own is slow: a 3x3 one
    between two convolutions took three times as long in all.

    Given:   x -> average pooling
    Result:  x -> depthwise convolution (weights 1 / area), for padding "same" * (area / pixels that are there);
             a window of the whole image: x -> mean

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    x = first(args, kwargs)
    if type(layer) is not layers.AveragePooling2D or layer.data_format != "channels_last" or x.shape[-1] is None:
        return False
    # TensorFlow has depthwise convolutions of equal strides only.
    return len(set(layer.strides)) == 1 or _is_whole(layer, x)


def _is_whole(layer, x):
    """Whether its one window is the whole image."""
    return layer.padding == "valid" and tuple(x.shape[1:3]) == tuple(layer.pool_size)


def _replace(layer, fresh, *args, **kwargs):
    return AverageByConvolution(layer, fresh(f"{layer.name}_convolution"))(first(args, kwargs))
