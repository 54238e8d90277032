"""Padding before a pooling, which phones' GPUs take for the pooling's own."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._pixels import pixels

# What gives no number below 0: there the padding's zeros are no maxima.
NOT_NEGATIVE = ("LOGISTIC", "RELU", "RELU6", "RELU_0_TO_1", "SOFTMAX")


def keep_padding(graph):
    """Puts a convolution of single pixels between zeros around an image and a pooling.

    LiteRT's GPU runtime makes one operator of both, whose padding counts for nothing: averages are too large at the
    borders, and maxima of negative numbers are not 0 there. After a ReLU maxima are right as they are, and so are
    those with the lowest number around them, as other tools write a padded pooling.

    Given:   x -> PAD -> AVERAGE_POOL_2D
    Result:  x -> PAD -> DEPTHWISE_CONV_2D (1x1, weight 1) -> AVERAGE_POOL_2D
    """
    return each(graph, ("AVERAGE_POOL_2D", "MAX_POOL_2D"), _keep)


def _keep(build, operator):
    (padded,) = operator.inputs
    pad = padded.maker
    if pad is None or pad.name not in ("PAD", "PADV2") or len(padded.shape) != 4 or padded.dtype == "int16":
        return False
    if operator.name == "MAX_POOL_2D" and (_lowest(pad) if pad.name == "PADV2" else _not_negative(pad.inputs[0].maker)):
        return False
    build.graph.rewire(operator, (pixels(build, padded),))
    return True


def _lowest(pad):
    """Whether nothing is less than what stands around an image."""
    value = pad.inputs[2]
    numbers = np.finfo if value.dtype.startswith("float") else np.iinfo
    return value.constant and value.values.item() <= numbers(value.dtype).min


def _not_negative(maker):
    return maker is not None and (maker.name in NOT_NEGATIVE or maker.activation in ("RELU", "RELU6"))
