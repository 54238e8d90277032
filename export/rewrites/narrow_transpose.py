"""Transpositions of many axes."""

from keraslayers.export.rewrites._blocks import is_wide, transposed
from keraslayers.export.rewrites._each import each


def narrow_transpose(graph):
    """Writes a transposition of more than four axes as transpositions of four blocks at most.

    LiteRT's GPU runtime refuses more axes: windows of Swin, patches of MobileViT, heads, pixel shuffle, the channel
    shuffle of PyTorch. Axes of one place do not count, and neighbours that stay neighbours are one: most of these are
    one transposition then.

    Given:   x [1, 4, 4, 2, 2, 8] -> TRANSPOSE (0, 1, 3, 2, 4, 5) -> y [1, 4, 2, 4, 2, 8]
    Result:  x -> RESHAPE [4, 4, 2, 16] -> TRANSPOSE (0, 2, 1, 3) -> RESHAPE -> y
    """
    return each(graph, ("TRANSPOSE",), _narrow)


def _narrow(build, operator):
    x, order = operator.inputs
    if not is_wide(operator) or order.values is None or x.channelwise:
        return False
    turned = transposed(build, x, [int(axis) % len(x.shape) for axis in order.values.reshape(-1)])
    build.finish(build.reshape(turned, operator.output.shape))
    return True
