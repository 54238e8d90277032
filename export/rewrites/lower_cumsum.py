"""Running sums of integers."""

import numpy as np

from keraslayers.export.rewrites._each import each


def lower_cumsum(graph):
    """Writes running sums of integers of 32 bits as sums of ever longer runs.

    LiteRT's GPU runtime has those of floats alone. Places in a text are counted so, by its mask.

    Given:   x [1, 4] -> CUMSUM -> y
    Result:  x + (zero, x[:-1]) -> z; z + (two zeros, z[:-2]) -> y
    """
    return each(graph, ("CUMSUM",), _lower)


def _lower(build, operator):
    x, axis = operator.inputs
    if x.dtype != "int32" or axis.values is None or len(x.shape) > 4:
        return False
    axis = int(axis.values.reshape(())) % len(x.shape)
    reverse, size = operator.options.reverse, x.shape[axis]

    def shifted(y, count):
        shape = [count if i == axis else s for i, s in enumerate(y.shape)]
        zeros = build.constant(np.zeros(shape, "int32"))
        kept = build.part(y, axis, count if reverse else 0, size - count)
        parts = (kept, zeros) if reverse else (zeros, kept)
        return build.concatenate(parts if count < size else (zeros,), axis)

    total = shifted(x, 1) if operator.options.exclusive else x
    count = 1
    while count < size:
        total = build.computed("ADD", (total, shifted(total, count)), x.shape)
        count *= 2
    build.finish(total)
    return True
