"""Means of integers in windows in operators that XNNPACK takes."""

import numpy as np

from keraslayers.export.file.quantized import quantization
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._integers import LARGEST, of_eight_bits

VALID = 1  # of the format's paddings


def lower_average_pooling(graph):
    """Writes AVERAGE_POOL_2D of 8-bit integers as a depthwise convolution, where no window reaches over an edge.

    Given:   x [1, 28, 28, 32] -> AVERAGE_POOL_2D 2x2
    Result:  x -> DEPTHWISE_CONV_2D, 2x2 of 1/4 each

    XNNPACK has no AVERAGE_POOL_2D of integers: each cuts the graph in two. 3x3 on 28x28x32 between two convolutions
    took 0.11 ms, and takes 0.03. Within one step, where a mean is half way between two.
    """
    return each(graph, ("AVERAGE_POOL_2D",), _lower)


def _lower(build, operator):
    x, output, options = operator.inputs[0], operator.output, operator.options
    window = options.filterHeight, options.filterWidth
    strides = options.strideH, options.strideW
    if not of_eight_bits(x, output) or not x.quantized_as(output):
        return False
    reach = [(n - 1) * step + size for n, step, size in zip(output.shape[1:3], strides, window, strict=True)]
    if options.padding != VALID and any(n > size for n, size in zip(reach, x.shape[1:3], strict=True)):
        return False
    channels = x.shape[-1]
    scale = 1 / (window[0] * window[1] * LARGEST)
    kernel = build.constant(np.full((1, *window, channels), LARGEST, "int8"), quantization=quantization(scale))
    bias = build.constant(np.zeros(channels, "int32"), quantization=quantization(x.scale * scale))
    y = build.computed(
        "DEPTHWISE_CONV_2D",
        (x, kernel, bias),
        output.shape,
        padding=VALID,
        strideH=strides[0],
        strideW=strides[1],
        dilationHFactor=1,
        dilationWFactor=1,
        depthMultiplier=1,
        fusedActivationFunction=options.fusedActivationFunction,
    )
    build.finish(y)
    return True
