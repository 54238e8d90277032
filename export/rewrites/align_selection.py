"""Choices between numbers, of shapes that phones' GPUs take."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.lower_broadcast import repeated


def align_selection(graph):
    """Gives both sides of a SELECT the output's shape.

    LiteRT's GPU runtime takes sides of the output's shape and single numbers, and conditions of as many axes.

    Given:   mask [1, 4, 6], x [1, 4, 6], constant [6] -> SELECT_V2 -> y [1, 4, 6]
    Result:  mask, x, constant [1, 4, 6] -> SELECT_V2 -> y
    """
    return each(graph, ("SELECT", "SELECT_V2"), _align)


def _align(build, operator):
    condition, *sides = operator.inputs
    shape = operator.output.shape
    if any(side.channelwise or side.dtype == "string" for side in sides) or len(shape) > 4 or 0 in shape:
        return False
    fits = [_side(build, side, shape) for side in sides]
    if operator.name == "SELECT" and len(condition.shape) == 1 and len(shape) > 1 and condition.size > 1:
        first = build.reshape(condition, (-1,) + (1,) * (len(shape) - 1))  # each sample is chosen as a whole
    else:
        first = _condition(build, condition, shape)
    if (first, *fits) == (condition, *sides):
        return False
    build.finish(build.computed("SELECT_V2", (first, *fits), shape, fits[0]))
    return True


def _side(build, side, shape):
    if side.shape == shape or (side.constant and side.shape in ((), (1,))):
        return side
    if side.values is not None:
        numbers = side.values
        if numbers.size == 1:
            return build.constant(numbers.reshape(()), like=side)
        return build.constant(np.broadcast_to(numbers, shape), like=side)
    return build.reshape(repeated(build, side, shape), shape)


def _condition(build, condition, shape):
    if len(condition.shape) == len(shape):
        return condition
    if condition.values is not None:
        return build.constant(np.broadcast_to(condition.values, shape))
    return build.reshape(condition, (1,) * (len(shape) - len(condition.shape)) + condition.shape)
