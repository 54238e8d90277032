"""Grouped convolution with as many channels in a group as the GPU computes rightly."""

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import fitting, groups, merged, remade, stored


def merge_groups(graph):
    """Merges groups of a convolution until the channels of each, in and out, are multiples of 4.

    Of other numbers LiteRT's GPU runtime computes something else without a word, or takes its process down. One
    convolution with zeros in its kernel is as fast on XNNPACK as the groups were where two are merged in float32 (up to
    2.5 times slower where four are), and two to eight times as fast in int8; slices, a convolution each and a
    concatenation took 0.9 to 2.6 times as long as the groups in either, and are many operators for a GPU.

    Given:   x -> CONV_2D of g groups (kernel (filters, h, w, n))
    Result:  x -> CONV_2D of g / m groups (kernel (filters, h, w, m * n), zero between merged groups), m the smallest
             number that will do
    """
    return each(graph, ("CONV_2D",), _merge)


def _merge(build, operator):
    x, kernel, *bias = operator.inputs
    constant, count = stored(kernel), groups(operator)
    if count == 1 or constant is None:
        return False
    filters, channels = kernel.shape[0], kernel.shape[-1]
    together = fitting(filters, channels, count)
    # One channel in and out is a depthwise convolution, which is right.
    if together == 1 or (channels, filters // count) == (1, 1):
        return False
    wider = remade(build, kernel, merged(constant, together, count))
    build.graph.rewire(operator, (x, wider, *bias))
    return True
