"""Terms of sums of integers that are too small to be seen."""

from keraslayers.export.rewrites._each import each

# XNNPACK adds no integers whose steps are smaller than this part of the sum's.
LEAST = 2**-10
# Two scales that differ by less give 255 steps that differ by less than an eighth of one.
ALIKE = 1 / 2048


def drop_terms(graph):
    """Takes a sum of integers for one of its terms where the other is less than half a step, whatever it is.

    XNNPACK leaves such sums out. They come of layers that begin with next to nothing and were hardly trained, as the
    scales of ConvNeXt's blocks.

    Given:   x (scale 0.07), y (scale 7e-8) -> ADD (scale 0.07) -> z
    Result:  x -> z
    """
    return each(graph, ("ADD", "SUB"), _drop)


def _drop(build, operator):
    x, y = operator.inputs
    output = operator.output
    pairs = ((x, y), (y, x)) if operator.name == "ADD" else ((x, y),)
    for kept, small in pairs:
        seen = small.scale is None or small.dtype != "int8" or small.scale >= LEAST * (output.scale or 0)
        if not seen and operator.activation == "NONE" and kept.shape == output.shape and _is_alike(kept, output):
            if build.graph.given(output):
                return False
            build.graph.redirect(output, kept)
            build.graph.remove(operator)
            return True
    return False


def _is_alike(x, y):
    """Whether equal integers mean the same numbers, within a part of a step."""
    if x.scale is None or x.zero_point != y.zero_point:
        return False
    return x.dtype == y.dtype and abs(x.scale / y.scale - 1) < ALIKE
