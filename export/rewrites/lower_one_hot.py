"""One-hot vectors, as phones' GPUs compute them rightly."""

import math

import numpy as np

from keraslayers.export.rewrites._each import each


def lower_one_hot(graph):
    """Writes ONE_HOT as a matrix of floats, or as a comparison with the numbers that a class may have.

    LiteRT's GPU runtime computes ONE_HOT of more than three axes wrongly, and refuses one along another axis than the
    last, and one of integers or of true and false.

    Given:   classes [1, 5, 2] -> ONE_HOT of 4 -> y [1, 5, 2, 4]
    Result:  classes -> RESHAPE [10] -> ONE_HOT [10, 4] -> RESHAPE -> y [1, 5, 2, 4]
    """
    return each(graph, ("ONE_HOT",), _lower)


def _lower(build, operator):
    classes, depth, on, off = operator.inputs
    output = operator.output
    if any(tensor.values is None for tensor in (depth, on, off)) or output.scale or classes.dtype != "int32":
        return False
    rank = len(output.shape)
    axis, depth = operator.options.axis % rank, int(depth.values.reshape(()))
    if output.dtype == "float32" and rank <= 3 and axis == rank - 1:
        return False
    if output.dtype == "float32":
        flat = build.reshape(classes, (-1,))
        shape = (classes.size, depth)
        made = build.computed("ONE_HOT", (flat, *operator.inputs[1:]), shape, on, axis=-1)
    else:
        made = _compared(build, classes, depth, on, off, output.dtype)
    if made is None:
        return False
    before = math.prod(output.shape[:axis])
    made = build.reshape(made, (before, classes.size // before, depth))
    build.finish(build.reshape(build.transpose(made, (0, 2, 1)) if axis < rank - 1 else made, output.shape))
    return True


def _compared(build, classes, depth, on, off, dtype):
    if dtype not in ("bool", "int32") or int(on.values.reshape(())) != 1 or int(off.values.reshape(())) != 0:
        return None
    column, row = build.reshape(classes, (1, classes.size, 1)), build.integers(np.arange(depth).reshape(1, 1, -1))
    shape = (1, classes.size, depth)
    same = build.computed("EQUAL", (column, row), shape, dtype="bool")
    return same if dtype == "bool" else build.cast(same, dtype)
