"""Concatenations of many tensors, in pieces that XNNPACK takes."""

from keraslayers.export.rewrites._each import each

# XNNPACK concatenates so many tensors at most.
MOST_AT_ONCE = 5


def nest_concatenations(graph):
    """Writes a concatenation of more than five tensors as concatenations of five at most.

    XNNPACK leaves out larger ones, in floats as in int8; NASNet has twelve.

    Given:   a, b, c, d, e, f -> CONCATENATION -> y
    Result:  a, b, c, d, e -> CONCATENATION -> z; z, f -> CONCATENATION -> y
    """
    return each(graph, ("CONCATENATION",), _nest)


def _nest(build, operator):
    parts, output = list(operator.inputs), operator.output
    if len(parts) <= MOST_AT_ONCE or operator.activation != "NONE" or output.dtype not in ("float32", "int8"):
        return False
    if not all(part.quantized_as(output) for part in parts):
        return False
    axis = operator.options.axis
    while len(parts) > MOST_AT_ONCE:
        parts = [build.concatenate(parts[i : i + MOST_AT_ONCE], axis) for i in range(0, len(parts), MOST_AT_ONCE)]
    build.finish(build.concatenate(parts, axis, output))
    return True
