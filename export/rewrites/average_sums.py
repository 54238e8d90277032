"""Sums over many places as means, which stay in range."""

import math

import numpy as np

from keraslayers.export.file.build import before_reshapes
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._ranges import numbers_of, stays_below

# Where no samples show how large sums are: of so many numbers, each of 4 gives what is too large.
MANY = 4096


def average_sums(graph):
    """Writes SUM as MEAN where what follows takes the count in: a constant factor, or another sum.

    Given:   x [1, 112, 112, 32] -> SUM -> MUL 1/12544
    Result:  x -> MEAN

    Given:   SUM of 12544 places / SUM of 12544 places
    Result:  MEAN / MEAN

    In 16-bit floats a sum of more than 65504 is infinite. MEAN is as fast, and never larger than what it is of. Within
    rounding.
    """
    return each(graph, ("DIV", "MUL"), _average)


def _average(build, operator):
    x, y = operator.inputs
    if operator.name == "MUL" and numbers_of(y) is None:
        x, y = y, x
    total = _sum(build, x)
    if total is None:
        return False
    if (values := numbers_of(y)) is not None:
        factor = (total.count / values if operator.name == "DIV" else values * total.count).astype("float32")
        mean = total.mean(build)
        plain = np.all(factor == 1) and operator.activation == "NONE" and mean.shape == operator.output.shape
        return _done(build, operator, mean if plain else _with(build, operator, "MUL", mean, build.constant(factor)))
    other = _sum(build, y) if operator.name == "DIV" else None
    if other is None or other.count != total.count or not (_is_large(build, total) or _is_large(build, other)):
        return False
    return _done(build, operator, _with(build, operator, "DIV", total.mean(build), other.mean(build)))


def _with(build, operator, kind, x, y):
    activation = operator.options.fusedActivationFunction
    return build.computed(kind, (x, y), operator.output.shape, fusedActivationFunction=activation)


def _done(build, operator, result):
    build.finish(result)
    return True


class _Sum:
    def __init__(self, tensor, operator):
        self.tensor, self.operator = tensor, operator
        x, axes = operator.inputs
        self.count = math.prod(x.shape[axis] for axis in axes.values.reshape(-1))

    def mean(self, build):
        """The same over the count, in the shape in which it is read."""
        operator = self.operator
        mean = build.computed("MEAN", operator.inputs, operator.output.shape, keepDims=operator.options.keepDims)
        return build.reshape(mean, self.tensor.shape)


def _sum(build, tensor):
    """The sum that a tensor is, if it is one of floats and all that reads it is the operator at hand."""
    source = before_reshapes(tensor)
    maker = source.maker
    if maker is None or maker.name != "SUM" or source.dtype != "float32" or maker.inputs[1].values is None:
        return None
    alone = len(tensor.readers) == len(source.readers) == 1
    return _Sum(tensor, maker) if alone and not build.graph.given(source) and not build.graph.given(tensor) else None


def _is_large(build, total):
    small = stays_below(build, total.operator.output)
    return total.count >= MANY if small is None else not small
