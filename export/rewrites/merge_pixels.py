"""Pixels taken apart and put together by transpositions of many axes, as the operators that do this."""

import math

from keraslayers.export.file.build import Builder, before_reshapes
from keraslayers.export.rewrites._blocks import is_wide, runs
from keraslayers.export.rewrites._each import each


def merge_pixels(graph):
    """Writes RESHAPE, TRANSPOSE, RESHAPE as DEPTH_TO_SPACE or SPACE_TO_DEPTH where they are one of these.

    Sub-pixel convolutions (ESPCN) make pixels of channels, patches make channels of pixels: one operator in place of
    three.

    Given:   x [1, 5, 4, 32] -> RESHAPE [1, 5, 4, 2, 2, 8] -> TRANSPOSE (0, 1, 3, 2, 4, 5) -> RESHAPE [1, 10, 8, 8] -> y
    Result:  x [1, 5, 4, 32] -> DEPTH_TO_SPACE (2) -> y [1, 10, 8, 8]
    """
    return each(graph, ("TRANSPOSE",), _merge)


def _merge(build, operator):
    x, order = operator.inputs
    if not is_wide(operator) or order.values is None or x.channelwise or x.dtype not in ("float32", "int8"):
        return False
    found = runs(x.shape, [int(axis) % len(x.shape) for axis in order.values.reshape(-1)])
    lie = sorted(range(len(found)), key=lambda i: found[i][0])
    if [lie.index(i) for i in range(len(found))] != [0, 2, 1, 3]:
        return False
    if len(operator.output.readers) != 1 or build.graph.given(operator.output):
        return False
    (reader,) = operator.output.readers
    if reader.name != "RESHAPE" or reader.open or not reader.output.quantized_as(operator.output):
        return False
    source = before_reshapes(x)
    batch = source.shape[0] if len(source.shape) == 4 else 1
    for kind, block, before, after in _kinds(*(math.prod(x.shape[axis] for axis in found[i]) for i in lie)):
        if source.shape[-2:] == before[-2:] and reader.output.shape[-2:] == after[-2:]:
            before, after = ((batch, rows // batch, *pixel) for rows, *pixel in (before, after))
            made = build.computed(kind, (build.reshape(source, before),), after, operator.output, blockSize=block)
            place = Builder(build.graph, reader)
            place.finish(place.reshape(made, reader.output.shape))
            build.graph.remove(operator)
            return True
    return False


def _kinds(rows, first, second, row):
    """What swaps two blocks between rows of pixels and the numbers of a row: (kind, block, shape before, after)."""
    if row % second == 0:
        shapes = (rows, first, second * row), (rows * second, first * second, row // second)
        yield "DEPTH_TO_SPACE", second, *shapes
    if row % first == 0:
        shapes = (rows * first, second * first, row // first), (rows, second, first * row)
        yield "SPACE_TO_DEPTH", first, *shapes
