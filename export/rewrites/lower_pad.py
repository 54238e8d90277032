"""Borders around tensors of few axes."""

import numpy as np

from keraslayers.export.rewrites._each import each


def lower_pad(graph):
    """Gives what is padded four axes, the first of them one, where the GPU refuses it or computes wrong numbers.

    Given:   x [16, 32] -> PAD [18, 36]
    Result:  x -> RESHAPE [1, 1, 16, 32] -> PAD [1, 1, 18, 36] -> RESHAPE [18, 36]
    """
    return each(graph, ("MIRROR_PAD", "PAD", "PADV2"), _lower)


def _lower(build, operator):
    x, borders, *others = operator.inputs
    rank = len(x.shape)
    alone = rank == 3 and x.shape[0] == 1 and borders.constant and not borders.values[0].any()
    if not borders.constant or rank > 3 or rank == 0 or alone:
        return False
    leading = 4 - rank
    wide = build.reshape(x, (1,) * leading + x.shape)
    borders = build.constant(np.pad(borders.values, ((leading, 0), (0, 0))))
    output = build.tensor((1,) * leading + operator.output.shape, operator.output)
    build.graph.insert(operator.twin((wide, borders, *others), (output,)), operator)
    build.finish(output)
    return True
