"""Channels in backward order, as phones' GPUs compute them rightly."""

import numpy as np

from keraslayers.export.rewrites._each import each


def lower_reverse(graph):
    """Writes a REVERSE_V2 of channels as a GATHER.

    LiteRT's GPU runtime holds channels by fours, and turns more than four wrongly that do not fill them.

    Given:   x [1, 6, 7] -> REVERSE_V2 of the last axis -> y
    Result:  x [1, 6, 7] -> GATHER [6, 5, 4, 3, 2, 1, 0] along the last axis -> y
    """
    return each(graph, ("REVERSE_V2",), _lower)


def _lower(build, operator):
    x, axes = operator.inputs
    last, channels = len(x.shape) - 1, x.shape[-1]
    if axes.values is None or x.scale is not None or len(x.shape) < 2:
        return False
    axes = [int(axis) % len(x.shape) for axis in axes.values.reshape(-1)]
    if last not in axes or channels <= 4 or channels % 4 == 0:
        return False
    order = build.integers(np.arange(channels)[::-1])
    turned = build.computed("GATHER", (x, order), x.shape, axis=last)
    if others := [axis for axis in axes if axis != last]:
        turned = build.computed("REVERSE_V2", (turned, build.integers(others)), x.shape)
    build.finish(turned)
    return True
