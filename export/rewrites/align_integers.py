"""Constants beside integers, and beside true and false, of as many axes as these."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.align_constants import KINDS


def align_integers(graph):
    """Gives a constant as many axes as the integers, or the truth values, that it is computed with.

    Of fewer axes LiteRT's GPU runtime reads other numbers of it without a word; beside floats it reads it rightly. It
    refuses a single truth value.

    Given:   places [1, 6, 8], constant [8] -> EQUAL -> y
    Result:  places [1, 6, 8], constant [1, 1, 8] -> EQUAL -> y
    """
    return each(graph, KINDS, _align)


def _align(build, operator):
    rank = len(operator.output.shape)
    whole = operator.name in ("LOGICAL_AND", "LOGICAL_OR")  # which need one that is not a single number

    def aligned(tensor):
        plain = tensor.values is not None and tensor.dtype in ("bool", "int32") and tensor.scale is None
        if not plain or len(tensor.shape) == rank or (tensor.size == 1 and not whole):
            return tensor
        if tensor.size == 1:
            return build.constant(np.broadcast_to(tensor.values, operator.output.shape))
        return build.constant(tensor.values.reshape((1,) * (rank - len(tensor.shape)) + tensor.shape))

    inputs = tuple(map(aligned, operator.inputs))
    if all(new is old for new, old in zip(inputs, operator.inputs, strict=True)):
        return False
    build.graph.rewire(operator, inputs)
    return True
