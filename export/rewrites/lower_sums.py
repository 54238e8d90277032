"""Running sums in the forms that the GPU computes."""

import math

import numpy as np

from keraslayers.export.rewrites._each import each


def lower_sums(graph):
    """Writes CUMSUM along the batch, backwards, without the number itself, or of whole numbers.

    Given:   x [16, 32] -> CUMSUM axis 0, exclusive, reverse
    Result:  x -> RESHAPE [1, 1, 16, 32] -> REVERSE_V2 -> zeros before all but the last -> CUMSUM -> REVERSE_V2
             -> RESHAPE [16, 32]

    The GPU leaves `exclusive` and `reverse` out, takes the first axis for the batch, and sums floats alone: whole
    numbers are exact up to 2**24.
    """
    return each(graph, ("CUMSUM",), _lower)


def _lower(build, operator):
    x, axis = operator.inputs
    options, output = operator.options, operator.output
    if not axis.constant or x.dtype not in ("float32", "int32"):
        return False
    axis = int(axis.values.reshape(())) % max(1, len(x.shape))
    if axis and len(x.shape) <= 4 and x.dtype == "float32" and not (options.exclusive or options.reverse):
        return False
    shape = (1, math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :]))
    y = build.reshape(x, shape)
    if x.dtype == "int32":
        y = build.cast(y, "float32")
    backwards = build.integers([2])
    if options.reverse:
        y = build.computed("REVERSE_V2", (y, backwards), shape)
    if options.exclusive:
        zeros = build.constant(np.zeros((*shape[:2], 1, shape[3]), "float32"))
        y = build.concatenate([zeros, build.part(y, 2, 0, shape[2] - 1)], 2) if shape[2] > 1 else zeros
    if shape[2] > 1:
        y = build.computed("CUMSUM", (y, build.constant(np.asarray(2, "int32"))), shape)
    if options.reverse:
        y = build.computed("REVERSE_V2", (y, backwards), shape)
    if x.dtype == "int32":
        y = build.cast(y, "int32")
    build.finish(build.reshape(y, output.shape))
    return True
