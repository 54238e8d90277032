"""Sums of many tensors."""

from keraslayers.export.rewrites._each import each


def lower_add_n(graph):
    """Writes ADD_N of more than two tensors as ADD of two, in the order in which it sums.

    Given:   a, b, c -> ADD_N
    Result:  a, b -> ADD -> c, that -> ADD

    The GPU adds two.
    """
    return each(graph, ("ADD_N",), _lower)


def _lower(build, operator):
    first, *others = operator.inputs
    if len(others) < 2 or first.dtype not in ("float32", "int32"):
        return False
    for other in others:
        first = build.computed("ADD", (first, other), first.shape)
    build.finish(first)
    return True
