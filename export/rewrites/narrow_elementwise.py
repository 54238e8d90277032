"""Operators that compute number by number, of many axes."""

import math

import numpy as np

from keraslayers.export.file.build import before_reshapes
from keraslayers.export.rewrites._blocks import MOST_AXES, blocks, is_wide
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import moved, stored
from keraslayers.export.rewrites.lower_broadcast import repeated

_KINDS = """
    ABS ADD ATAN2 CAST CEIL COS DEQUANTIZE DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD GELU GREATER GREATER_EQUAL
    HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC MAXIMUM MINIMUM MUL NEG
    NOT_EQUAL POW PRELU QUANTIZE RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT SELECT SELECT_V2 SIGN SIN SQRT SQUARE
    SQUARED_DIFFERENCE SUB TANH ZEROS_LIKE
"""


def narrow_elementwise(graph):
    """Has what is computed number by number computed in four axes.

    Neighbouring axes along which the same sides are repeated are one. Where more than four are left, the smaller sides
    are repeated before, along as few of them as that takes.

    Given:   x [1, 2, 2, 4, 4, 8], y [1, 1, 1, 4, 4, 8] -> ADD
    Result:  x -> RESHAPE [4, 128], y -> RESHAPE [1, 128] -> ADD -> RESHAPE [1, 2, 2, 4, 4, 8]
    """
    return each(graph, _KINDS.split(), _narrow)


def _narrow(build, operator):
    output = operator.output
    if not is_wide(operator) or len(operator.outputs) != 1 or 0 in output.shape:
        return False
    if any(tensor.channelwise or tensor.dtype == "string" for tensor in (*operator.inputs, output)):
        return False
    inputs = list(operator.inputs)
    if operator.name == "SELECT" and inputs[0].shape != output.shape:
        return False  # it chooses whole samples
    if operator.name == "PRELU" and stored(inputs[1]):
        inputs[1] = moved(build, inputs[1], lambda slopes: _slopes(slopes, output.shape))
        found = [list(range(len(output.shape) - len(inputs[1].shape))), list(range(len(output.shape)))]
        found[1] = found[1][len(found[0]) :]
    else:
        found = _groups([x.shape for x in inputs], output.shape)
    while len(found) > MOST_AXES:
        small = min((x for x in inputs if 1 < x.size < output.size), key=lambda x: x.size)
        inputs[inputs.index(small)] = repeated(build, small, _filled(small.shape, output.shape, found))
        found = _groups([x.shape for x in inputs], output.shape)
    if len(inputs) == 1 and len(before_reshapes(inputs[0]).shape) <= MOST_AXES:
        shape = before_reshapes(inputs[0]).shape
        shapes = [shape]
    else:
        shape = _sizes(found, output.shape)
        shapes = [_sizes(found, (1,) * (len(output.shape) - len(x.shape)) + x.shape) for x in inputs]
    narrow = [_reshaped(build, x, sizes) for x, sizes in zip(inputs, shapes, strict=True)]
    made = operator.twin(narrow, (build.tensor(shape, output),))
    build.graph.insert(made, operator)
    build.finish(build.reshape(made.output, output.shape))
    return True


def _groups(shapes, whole):
    """Lists of axes that are one; the last axis stays one of its own, if four are enough then."""
    shapes = [(1,) * (len(whole) - len(shape)) + tuple(shape) for shape in shapes]
    full = [tuple(shape[axis] == size for shape in shapes) for axis, size in enumerate(whole)]
    found = [axes for _, axes in blocks(full, whole)]
    if len(found) < MOST_AXES and found and len(found[-1]) > 1:
        found[-1:] = [found[-1][:-1], found[-1][-1:]]
    return found


def _slopes(slopes, shape):
    """Slopes for all axes from the first on along which they differ: the GPU takes one for each channel."""
    sizes = (1,) * (len(shape) - slopes.ndim) + slopes.shape
    first = next((axis for axis, size in enumerate(sizes) if size > 1), len(shape) - 1)
    return np.broadcast_to(slopes.reshape(sizes[first:]), shape[first:])


def _filled(shape, whole, groups):
    """The shape of a side that is repeated along the smallest of the axes on which it is."""
    shape = (1,) * (len(whole) - len(shape)) + tuple(shape)
    gaps = [axes for axes in groups if all(shape[axis] == 1 for axis in axes)]
    axes = min(gaps, key=lambda axes: math.prod(whole[axis] for axis in axes))
    return tuple(size if axis in axes else shape[axis] for axis, size in enumerate(whole))


def _sizes(groups, shape):
    return tuple(math.prod(shape[axis] for axis in axes) for axes in groups) or (1,)


def _reshaped(build, x, shape):
    if x.size == 1 and x.constant:
        shape = ()
    return moved(build, x, lambda values: values.reshape(shape)) if stored(x) else build.reshape(x, shape)
