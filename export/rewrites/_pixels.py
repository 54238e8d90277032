"""A depthwise convolution of single pixels: it changes no number, and no converter or runtime leaves it out."""

import numpy as np

from keraslayers.export.file.quantized import quantization
from keraslayers.export.file.schema import schema


def pixels(build, x, stride=1):
    """The pixels of an image that strides meet; all of them, as another tensor, where there are none.

    Args:
        build: a `Builder`.
        x: (batch, height, width, channels), in floats or integers of one scale.
        stride: along height and width.
    """
    batch, height, width, channels = x.shape
    shape = (batch, -(-height // stride), -(-width // stride), channels)
    ones, zeros = np.ones((1, 1, 1, channels)), np.zeros(channels)
    if x.scale is None:
        kernel, bias = build.constant(ones.astype("float32")), build.constant(zeros.astype("float32"))
    else:  # of scale 1, so that integers stay what they are
        kernel = build.constant(ones.astype("int8"), quantization=quantization(np.ones(channels), axis=3))
        bias = build.constant(zeros.astype("int32"), quantization=quantization(np.full(channels, x.scale)))
    return build.computed(
        "DEPTHWISE_CONV_2D",
        (x, kernel, bias),
        shape,
        padding=schema().Padding.VALID,
        strideH=stride,
        strideW=stride,
        depthMultiplier=1,
        dilationHFactor=1,
        dilationWFactor=1,
    )
