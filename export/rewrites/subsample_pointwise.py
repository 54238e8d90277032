"""Strided 1x1 convolutions with integer weights as the GPU computes them rightly."""

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import groups, integer
from keraslayers.export.rewrites._pixels import pixels


def subsample_pointwise(graph):
    """Takes the strides out of 1x1 convolutions.

    LiteRT's GPU runtime ignores the strides of 1x1 convolutions with integer weights without a word: those of residual
    networks. ResNet50 is as fast as before on XNNPACK; a kernel widened by zeros instead would be twice the size.

    Given:   x -> 1x1 CONV_2D with strides
    Result:  x -> DEPTHWISE_CONV_2D (1x1, weight 1) with the strides -> 1x1 CONV_2D
    """
    return each(graph, ("CONV_2D",), _subsample)


def _subsample(build, operator):
    x, kernel, *bias = operator.inputs
    options = operator.options
    same = options.strideH == options.strideW > 1  # XNNPACK has depthwise convolutions of no others
    if not (same and integer(operator) and kernel.shape[1:3] == (1, 1) and groups(operator) == 1):
        return False
    few = pixels(build, x, options.strideH)
    options.strideH = options.strideW = 1
    build.graph.rewire(operator, (few, kernel, *bias))
    return True
