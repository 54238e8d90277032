"""Operators of two tensors whose axes are not as many."""

from keraslayers.export.rewrites._each import each

KINDS = ("ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "POW", "SQUARED_DIFFERENCE", "SUB")


def align_ranks(graph):
    """Gives a tensor that is computed as many axes as the one it is added to, or multiplied with, has.

    LiteRT's GPU runtime takes the first of few axes for the batch, and computes something else in integers without a
    word: residual blocks of Dense layers, squeeze-and-excitation with Dense layers, whose vectors the converter hands
    over with one axis.

    Given:   x [1, 6, 7, 8]; y [1, 8] -> RESHAPE [8] -> z; x, z -> ADD
    Result:  x [1, 6, 7, 8]; y [1, 8] -> RESHAPE [1, 1, 1, 8] -> z; x, z -> ADD
    """
    return each(graph, KINDS, _align)


def _align(build, operator):
    rank = len(operator.output.shape)

    def aligned(x):
        few = len(x.shape) < rank and not x.constant
        return build.reshape(x, (1,) * (rank - len(x.shape)) + x.shape) if few else x

    inputs = tuple(map(aligned, operator.inputs))
    if inputs == operator.inputs:
        return False
    build.graph.rewire(operator, inputs)
    return True
