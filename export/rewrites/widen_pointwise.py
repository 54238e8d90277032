"""1x1 convolutions that the GPU computes wrongly: in groups or with strides, and with several filters a channel."""

import numpy as np

from keraslayers.export.file.schema import schema
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import groups, integer, merged, numbers, remade, stored, zero

# Up to so many groups a dense kernel holds at most twice the numbers of a widened one, and XNNPACK took 0.3 to 0.8
# times as long for it. Of eight groups it was faster still on large images, and slower on those of 7x7.
MOST_DENSE = 4


def widen_pointwise(graph):
    """Gives 1x1 convolutions of several groups or with strides a second column of zeros; or makes a few groups one.

    Of 1x1 convolutions with integer weights LiteRT's GPU runtime ignores groups and strides without a word, and of
    depthwise ones of 1x1 with any weights it mixes up several filters a channel; larger kernels it computes rightly.
    Those of one group whose strides are the same on both axes are for
    `subsample_pointwise`.

    Given:   x -> 1x1 CONV_2D of g groups
    Result:  g <= 4, no strides:  x -> 1x1 CONV_2D (kernel with zeros between the groups)
             else:                x -> 1x2 CONV_2D of g groups (kernel, zeros), padding "same"

    Given:   x -> 1x1 DEPTHWISE_CONV_2D of several filters a channel
    Result:  x -> 1x2 DEPTHWISE_CONV_2D (kernel, zeros), padding "same"
    """
    return each(graph, ("CONV_2D",), _widen) + each(graph, ("DEPTHWISE_CONV_2D",), _widen_depthwise)


def _widen(build, operator):
    x, kernel, *bias = operator.inputs
    constant, count, options = stored(kernel), groups(operator), operator.options
    strided = max(options.strideH, options.strideW) > 1
    if constant is None or not integer(operator) or kernel.shape[1:3] != (1, 1) or not (count > 1 or strided):
        return False
    if not strided and count <= MOST_DENSE:
        values = merged(constant, count, count)
    else:
        values = _with_zeros(constant, 0, options)
    build.graph.rewire(operator, (x, remade(build, kernel, values), *bias))
    return True


def _widen_depthwise(build, operator):
    x, kernel, *bias = operator.inputs
    constant = stored(kernel)
    if constant is None or kernel.shape[1:3] != (1, 1) or kernel.shape[3] == x.shape[3]:
        return False
    values = _with_zeros(constant, 3, operator.options)
    build.graph.rewire(operator, (x, remade(build, kernel, values), *bias))
    return True


def _with_zeros(constant, axis, options):
    """The values of a kernel, whose filters lie along an axis, with a second column of zeros."""
    # It adds a place at most, behind the image, where the zeros are.
    options.padding = schema().Padding.SAME
    return np.concatenate([numbers(constant), np.broadcast_to(zero(constant, axis), constant.shape)], axis=2)
