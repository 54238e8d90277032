"""Constant factors that 16-bit floats hold."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._ranges import LARGEST, LOW, numbers_of

# Below the square of LOW, and above that of LARGEST, two factors do not do either.
LEAST, MOST = LOW**2, LARGEST**2


def part_factors(graph):
    """Multiplies by a constant that 16-bit floats do not hold in two steps, of which the first is a power of two.

    Given:   x -> MUL 1e-6
    Result:  x -> MUL 2**-10 -> MUL 1.024e-3

    Given:   x -> DIV 1e6
    Result:  the same

    Given:   x -> MUL 1e-6 -> MUL 1e6
    Result:  x -> MUL 1

    In 16-bit floats 1e-6 has 4 bits or is nothing, and 1e6 is infinite. Within rounding.
    """
    return each(graph, ("DIV", "MUL"), _part)


def _part(build, operator):
    found = _factor(operator)
    if found is None or operator.output.shape != found[0].shape:
        return False
    x, factor = found
    before = _factor(x.maker) if x.maker is not None else None
    once = before is not None and len(x.readers) == 1 and not build.graph.given(x) and x.maker.activation == "NONE"
    if once and before[0].shape == x.shape and (_is_strange(factor) or _is_strange(before[1])):
        x, factor = before[0], before[1] * factor
    elif not _is_strange(factor):
        return False
    first = None
    if _is_strange(factor):
        sizes = np.abs(factor[factor != 0])
        first = 2.0 ** np.round(np.log2(np.sqrt(float(sizes.min()) * float(sizes.max()))) / 2)
        rest = (factor / first).astype("float32")
        if _is_strange(rest) or _is_strange(np.float32([first])):
            return False
        x = build.computed("MUL", (x, build.constant(np.full(1, first, "float32"))), x.shape)
        factor = rest
    activation = operator.options.fusedActivationFunction
    constant = build.constant(factor.astype("float32"))
    build.finish(build.computed("MUL", (x, constant), operator.output.shape, fusedActivationFunction=activation))
    return True


def _factor(operator):
    """(What an operator multiplies, the constant by which); None of others."""
    if operator.name not in ("DIV", "MUL"):
        return None
    x, y = operator.inputs
    if operator.name == "MUL" and numbers_of(y) is None:
        x, y = y, x
    values = numbers_of(y)
    if values is None or numbers_of(x) is not None or not values.size:
        return None
    values = values.astype("float64")
    if not np.all(np.isfinite(values)) or (operator.name == "DIV" and not np.all(values)):
        return None
    return x, 1 / values if operator.name == "DIV" else values


def _is_strange(factor):
    """Whether all of a constant is out of the range of 16-bit floats, and not so far that nothing is left anyway."""
    sizes = np.abs(factor[factor != 0])
    if not sizes.size or sizes.min() < LEAST or sizes.max() > MOST:
        return False
    return bool(sizes.max() < LOW or sizes.min() > LARGEST)
