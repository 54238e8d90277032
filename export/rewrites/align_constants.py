"""Constants of elementwise operators get four axes where the GPU reads them wrongly."""

import math

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import moved, stored

KINDS = (
    "ADD",
    "DIV",
    "EQUAL",
    "FLOOR_DIV",
    "FLOOR_MOD",
    "GREATER",
    "GREATER_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "LOGICAL_AND",
    "LOGICAL_OR",
    "MAXIMUM",
    "MINIMUM",
    "MUL",
    "NOT_EQUAL",
    "POW",
    "SQUARED_DIFFERENCE",
    "SUB",
)


def align_constants(graph):
    """Gives an operator's two sides four axes, the first of them one, where the GPU computes wrong numbers.

    Given:   x [16, 32], constant [16, 32] -> ADD [16, 32]
    Result:  x -> RESHAPE [1, 1, 16, 32] -> ADD constant [1, 1, 16, 32] -> RESHAPE [16, 32]

    The GPU takes the first axis of x for the batch, and has no batch in a constant of fewer than four axes.
    """
    return each(graph, KINDS, _align)


def _align(build, operator):
    output = operator.output
    constants = [tensor for tensor in operator.inputs if stored(tensor)]
    if len(constants) != 1 or len(output.shape) > 4:
        return False
    constant = constants[0]
    (x,) = (tensor for tensor in operator.inputs if tensor is not constant)
    if constant.size == 1 or constant.channelwise or not _misread(x.shape, constant.shape):
        return False
    *shapes, whole = _merged([tensor.shape for tensor in operator.inputs], output.shape)
    if len(whole) > 3:
        return False

    def wide(tensor, shape):
        shape = _with_four_axes(shape)
        if stored(tensor):
            return moved(build, tensor, lambda values: values.reshape(shape))
        return build.reshape(tensor, shape)

    inputs = [wide(tensor, shape) for tensor, shape in zip(operator.inputs, shapes, strict=True)]
    twin = operator.twin(inputs, (build.tensor(_with_four_axes(whole), output),))
    build.graph.insert(twin, operator)
    build.finish(twin.output)
    return True


def _misread(x, constant):
    """Whether the GPU takes a constant's axes for others of x; found by trying."""
    if len(constant) == len(x):
        return constant[0] > 1 and (len(x) < 4 or x[0] == 1)
    return len(constant) > len(x) and (len(x) < 2 or x[0] > 1 or constant[0] > 1)


def _with_four_axes(shape):
    return (1,) * (4 - len(shape)) + tuple(shape)


def _merged(shapes, whole):
    """Shapes of both sides and of the result, with axes made one that are next to each other and repeated alike.

    The last axis stays one of its own.
    """
    shapes = [(1,) * (len(whole) - len(shape)) + tuple(shape) for shape in shapes]
    groups = []
    for axis, size in enumerate(whole):
        repeated = [shape[axis] != size for shape in shapes]
        if size == 1 and axis + 1 < len(whole):
            continue
        if groups and groups[-1][0] == repeated and axis + 1 < len(whole):
            groups[-1][1].append(axis)
        else:
            groups.append((repeated, [axis]))
    return [tuple(math.prod(shape[axis] for axis in axes) for _, axes in groups) for shape in [*shapes, whole]]
