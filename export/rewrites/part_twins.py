"""Operators that take one tensor twice."""

import numpy as np

from keraslayers.export.rewrites._each import each

_SAME = ("LOGICAL_AND", "LOGICAL_OR", "MAXIMUM", "MINIMUM")
_OTHERS = (
    "DIV",
    "EQUAL",
    "FLOOR_DIV",
    "FLOOR_MOD",
    "GREATER",
    "GREATER_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "NOT_EQUAL",
    "SQUARED_DIFFERENCE",
    "SUB",
)


def part_twins(graph):
    """Gives an operator another tensor of the same numbers where it takes one twice.

    LiteRT's GPU runtime refuses that of all but sums, products and powers.

    Given:   x, x -> MAXIMUM -> y      x, x -> EQUAL -> y
    Result:  x -> y                    x * 1 -> z; x, z -> EQUAL -> y
    """
    return each(graph, (*_SAME, *_OTHERS), _part)


def _part(build, operator):
    x, other = operator.inputs
    if x is not other or x.scale is not None or x.constant:
        return False
    if operator.name in _SAME:
        build.finish(x)
        return True
    if x.dtype not in ("float32", "int32"):
        return False
    copy = build.computed("MUL", (x, build.constant(np.asarray(1, x.dtype))), x.shape)
    build.graph.rewire(operator, (x, copy))
    return True
