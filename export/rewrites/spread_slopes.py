"""The slopes of PRELU in the shapes that the GPU takes."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import moved, stored


def spread_slopes(graph):
    """Gives a PRELU a slope for each channel, or for each number of x.

    Given:   x [1, 6, 5, 32], slopes [1, 1, 1] -> PRELU
    Result:  x, slopes [1, 1, 1, 32] -> PRELU

    The GPU takes no others.
    """
    return each(graph, ("PRELU",), _spread)


def _spread(build, operator):
    x, slopes = operator.inputs
    leading = (1,) * (len(x.shape) - 1)
    channels = leading + x.shape[-1:]
    if not stored(slopes) or slopes.shape in (x.shape, channels, channels[1:], channels[-1:]):
        return False
    if len(x.shape) == 4 and slopes.shape == x.shape[1:] and x.shape[0] == 1:
        return False
    each_channel = slopes.shape[:-1] == leading[: len(slopes.shape) - 1]
    if not each_channel and x.shape[0] > 1:
        return False
    shape = channels if each_channel else x.shape
    build.graph.rewire(operator, (x, moved(build, slopes, lambda values: np.broadcast_to(values, shape))))
    return True
