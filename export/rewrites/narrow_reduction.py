"""Sums, means and extremes of many axes."""

import math

from keraslayers.export.rewrites._blocks import MOST_AXES, blocks, is_wide, transposed
from keraslayers.export.rewrites._each import each

KINDS = ("MEAN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM")


def narrow_reduction(graph):
    """Reduces a tensor of more than four axes in four.

    Neighbours that are all reduced, or all kept, are one axis; where more than four are left, those that are reduced
    are moved behind the others before.

    Given:   x [1, 8, 8, 4, 2] -> MEAN over 1, 2, 4 -> y [1, 1, 1, 4, 1]
    Result:  x -> RESHAPE [64, 4, 2] -> MEAN over 0, 2 -> RESHAPE -> y
    """
    return each(graph, KINDS, _narrow)


def _narrow(build, operator):
    x, axes = operator.inputs
    output = operator.output
    if not is_wide(operator) or axes.values is None or 0 in x.shape or x.channelwise:
        return False
    reduced = {int(axis) % len(x.shape) for axis in axes.values.reshape(-1)}
    found = blocks([axis in reduced for axis in range(len(x.shape))], x.shape)
    shape = [math.prod(x.shape[axis] for axis in axes) for _, axes in found]
    gone = [i for i, (is_reduced, _) in enumerate(found) if is_reduced]
    if len(found) > MOST_AXES:
        order = sorted(range(len(x.shape)), key=lambda axis: axis in reduced)
        count = math.prod(x.shape[axis] for axis in reduced)
        x = transposed(build, x, order)
        if x is None:
            return False
        shape, gone = [x.size // count, count], [1]
    if not gone:  # of single places: nothing to add up, but another scale to be rounded to
        shape, gone = [*shape, 1], [len(shape)]
        if len(shape) > MOST_AXES:
            shape, gone = [x.size, 1], [1]
    left = [1 if i in gone else size for i, size in enumerate(shape)]
    made = operator.twin((build.reshape(x, shape), build.integers(gone)), (build.tensor(left, output),))
    made.options.keepDims = True
    build.graph.insert(made, operator)
    build.finish(build.reshape(made.output, output.shape))
    return True
