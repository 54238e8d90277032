"""Sums, means and extremes of many axes."""

import math

from keraslayers.export.rewrites._blocks import MOST_AXES, around, blocks, is_wide, transposed
from keraslayers.export.rewrites._each import each

KINDS = ("MEAN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM")


def narrow_reduction(graph):
    """Reduces a tensor of more than four axes in four.

    Neighbours that are all reduced, or all kept, are one axis. Where more than four are left, it is done axis by axis;
    but integers that would be rounded in between have those that are reduced moved behind the others.

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
    while len(shape) > MOST_AXES and _in_steps(operator):
        x, shape, gone = _step(build, operator, x, shape, gone)
    if len(shape) > MOST_AXES:
        order = sorted(range(len(x.shape)), key=lambda axis: axis in reduced)
        count = math.prod(x.shape[axis] for axis in reduced)
        x = transposed(build, x, order)
        shape, gone = [x.size // count, count], [1]
    if not gone:  # of single places: nothing to add up, but another scale to be rounded to
        shape, gone = [*shape, 1], [len(shape)]
    left = [1 if i in gone else size for i, size in enumerate(shape)]
    made = operator.twin((build.reshape(x, shape), build.integers(gone)), (build.tensor(left, output),))
    made.options.keepDims = True
    build.graph.insert(made, operator)
    build.finish(build.reshape(made.output, output.shape))
    return True


def _in_steps(operator):
    """Whether what comes out is the same if some axes are reduced first and the others of that."""
    x, output = operator.inputs[0], operator.output
    return x.scale is None or (operator.name in ("REDUCE_MAX", "REDUCE_MIN") and x.quantized_as(output))


def _step(build, operator, x, shape, gone):
    """Reduces the largest axis, of those that have others around them: (the tensor, its shape, the axes still to go).

    Axes that are kept and neighbours then are one.
    """
    axis = max(gone, key=lambda i: (0 < i < len(shape) - 1, shape[i]))
    before, size, behind = around(shape, axis)
    inputs = (build.reshape(x, (before, size, behind)), build.integers([1]))
    made = operator.twin(inputs, (build.tensor((before, 1, behind), operator.output),))
    made.options.keepDims = True
    build.graph.insert(made, operator)
    left = list(shape)
    del left[axis]
    if 0 < axis < len(left):  # what was before and behind it is kept, and one now
        left[axis - 1 : axis + 1] = [left[axis - 1] * left[axis]]
    shift = len(shape) - len(left)
    return made.output, left, [i if i < axis else i - shift for i in gone if i != axis]
