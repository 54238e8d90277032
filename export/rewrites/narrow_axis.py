"""Operators along one axis, of many axes."""

import math

import numpy as np

from keraslayers.export.rewrites._blocks import around, is_wide, rows
from keraslayers.export.rewrites._each import each

LAST = ("L2_NORMALIZATION", "LOG_SOFTMAX", "SOFTMAX")
# The axis stands in a constant beside the tensor.
GIVEN = ("ARG_MAX", "ARG_MIN", "CUMSUM", "REVERSE_V2")


def narrow_axis(graph):
    """Has what is computed along one axis computed in three: what is before it, the axis, what is behind.

    Given:   x [1, 2, 2, 4, 16], y [1, 2, 2, 4, 16] -> CONCATENATION along axis 3 -> z [1, 2, 2, 8, 16]
    Result:  x, y -> RESHAPE [4, 4, 16] each -> CONCATENATION along axis 1 -> RESHAPE -> z
    """
    return each(graph, ("CONCATENATION", "TOPK_V2", *LAST, *GIVEN), _narrow)


def _narrow(build, operator):
    x, output = operator.inputs[0], operator.output
    if not is_wide(operator) or 0 in x.shape or any(tensor.channelwise for tensor in operator.inputs):
        return False
    if operator.name == "CONCATENATION":
        made = (_joined(build, operator),)
    elif operator.name in (*LAST, "TOPK_V2"):
        inputs = (build.reshape(x, rows(x.shape)), *operator.inputs[1:])
        made = _made(build, operator, inputs, rows(output.shape))
    else:
        axes = operator.inputs[1].values
        shape = None if axes is None else _around(x.shape, {int(axis) % len(x.shape) for axis in axes.reshape(-1)})
        if shape is None:
            return False
        left = (shape[0], shape[2]) if operator.name.startswith("ARG") else shape
        place = build.constant(np.full(axes.shape and (1,), 1, axes.dtype))  # REVERSE_V2 has a list of them
        made = _made(build, operator, (build.reshape(x, shape), place), left)
    build.finish(*(build.reshape(x, output.shape) for x, output in zip(made, operator.outputs, strict=True)))
    return True


def _around(shape, axes):
    """A shape in three axes: all before some neighbours, these, all behind; None where they are no neighbours."""
    first, last = min(axes), max(axes)
    if any(shape[axis] != 1 for axis in range(first, last) if axis not in axes):
        return None
    return math.prod(shape[:first]), math.prod(shape[first : last + 1]), math.prod(shape[last + 1 :])


def _joined(build, operator):
    output, axis = operator.output, operator.options.axis
    parts = [build.reshape(part, around(part.shape, axis)) for part in operator.inputs]
    made = operator.twin(parts, (build.tensor(around(output.shape, axis), output),))
    made.options.axis = 1
    build.graph.insert(made, build.before)
    return made.output


def _made(build, operator, inputs, shape):
    made = operator.twin(inputs, [build.tensor(shape, output) for output in operator.outputs])
    build.graph.insert(made, operator)
    return made.outputs
