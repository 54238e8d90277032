"""Roots of sums of squares, whose squares stay in range."""

import math

import numpy as np

from keraslayers.export.file.build import Builder
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._ranges import LOW, range_of, scalar, stays_below, with_scalar

# Mean squares below this have few bits left in 16-bit floats, unless an epsilon as large is added.
FEW_BITS = 2.0**-12
# Square roots of epsilons below this, over LOW, have squares that are nothing.
LEAST_LENGTH = 2.0**-20
# More squares are averaged, as their sum goes out of range.
MOST = 4096


def scale_squares(graph):
    """Divides numbers by the largest of them before they are squared, summed up and the root is taken.

    Given:   y * RSQRT(MEAN(y * y) + epsilon)
    Result:  m = max(REDUCE_MAX(ABS(y)), sqrt(epsilon)); y / m * RSQRT(MEAN(y / m * y / m) + (sqrt(epsilon) / m) ** 2)

    Given:   SQRT(SUM(y * y))
    Result:  m = REDUCE_MAX(ABS(y)), 1 where that is 0; m * SQRT(SUM(y / m * y / m))

    The same for every m, within rounding. In 16-bit floats the square of 256 is infinite, that of 1e-4 is nothing, and
    so is an epsilon of 1e-8: normalizations gave zeros and NaN. Nothing of it is left to the size of the numbers: each
    row has its own m. Where samples show squares that stay in range it is left alone, as it takes five operators more.
    """
    return each(graph, ("RSQRT", "SQRT"), _scale)


class _Norm:
    """A root of a mean or a sum of squares.

    Attributes:
        y: what is squared; None where it is `difference`, two tensors.
        total: the operator that sums up.
        kind, epsilon: ADD or MAXIMUM and the number, None and 0.
        end: what gives the root: its operator, or a MINIMUM behind RSQRT, which bounds it.
    """

    def __init__(self, operator):
        self.y = self.difference = self.kind = None
        self.epsilon, self.end, self.total = 0.0, operator, operator.inputs[0].maker
        if self.total is not None and self.total.name in ("ADD", "MAXIMUM"):
            x, number = with_scalar(self.total)
            if number is None or number < 0 or self.total.activation != "NONE":
                self.total = None
                return
            self.kind, self.epsilon, self.total = self.total.name, number, x.maker
        readers = list(operator.output.readers)
        if operator.name == "RSQRT" and self.kind is None and len(readers) == 1 and readers[0].name == "MINIMUM":
            _, most = with_scalar(readers[0])
            if most is not None and most > 0:  # 1 / sqrt(x) is less than that: x is more than
                self.kind, self.epsilon, self.end = "MAXIMUM", float(most) ** -2, readers[0]

    def found(self):
        """Whether it is one."""
        total = self.total
        if total is None or total.name not in ("MEAN", "SUM") or total.inputs[1].values is None:
            return False
        square = total.inputs[0].maker
        if square is None or square.activation != "NONE" or total.output.dtype != "float32":
            return False
        inputs = square.inputs
        squared = square.name == "SQUARE" or (square.name == "MUL" and inputs[0] is inputs[1])
        if squared or (square.name == "POW" and scalar(inputs[1]) == 2):
            self.y = inputs[0]
        elif square.name == "SQUARED_DIFFERENCE":
            self.difference = inputs
        return self.y is not None or self.difference is not None

    def scaled(self):
        """Whether its numbers are divided by their largest already."""
        division = None if self.y is None else self.y.maker
        if division is None or division.name != "DIV" or division.inputs[1].maker is None:
            return False
        sides = division.inputs[1].maker.inputs
        return any(x is not None and x.maker is not None and x.maker.name == "REDUCE_MAX" for x in sides)


def _scale(build, operator):
    norm = _Norm(operator)
    if not norm.found() or norm.scaled() or _fits(build, norm):
        return False
    y, total = norm.y, norm.total
    if y is None:
        y = build.computed("SUB", norm.difference, total.inputs[0].shape)
    axes = sorted({int(axis) % len(y.shape) for axis in total.inputs[1].values.reshape(-1)})
    count = math.prod(y.shape[axis] for axis in axes)
    row = tuple(1 if axis in axes else size for axis, size in enumerate(y.shape))
    averaged = total.name == "MEAN" or count > MOST
    factor = math.sqrt(count) if averaged and total.name == "SUM" else 1.0
    length = math.sqrt(norm.epsilon) / factor
    by = _largest(build, y, axes, row, length)
    small = build.computed("DIV", (y, by), y.shape)
    square = build.computed("MUL", (small, small), y.shape)
    mean = build.computed("MEAN" if averaged else "SUM", (square, build.integers(axes)), row, keepDims=True)
    if length:
        part = build.computed("DIV", (_number(build, length), by), row)
        mean = build.computed(norm.kind, (mean, build.computed("MUL", (part, part), row)), row)

    def root(of):
        made = build.computed(operator.name, (of,), row)
        by_count = factor if operator.name == "SQRT" else 1 / factor
        return made if factor == 1 else build.computed("MUL", (made, _number(build, by_count)), row)

    if readers := _of_the_same(norm, y):
        safe = mean
        if length < LEAST_LENGTH:  # the largest square is 1, but where all numbers are 0
            safe = build.computed("MAXIMUM", (mean, _number(build, 0.5 / count if averaged else 0.5)), row)
        safe = root(safe)
        for reader in readers:
            build.graph.rewire(reader, (small, safe))
    end = norm.end
    if end.output.readers or build.graph.given(end.output):
        behind = build if end is operator else Builder(build.graph, end)
        behind.finish(behind.computed("MUL" if operator.name == "SQRT" else "DIV", (root(mean), by), row))
    return True


def _largest(build, y, axes, row, length):
    """The largest size of a row's numbers, or what does as well where it is less: never 0."""
    largest = build.computed("ABS", (y,), y.shape)
    largest = build.computed("REDUCE_MAX", (largest, build.integers(axes)), row, keepDims=True)
    if length >= LEAST_LENGTH:
        return build.computed("MAXIMUM", (largest, _number(build, max(length, LOW))), row)
    zero = build.computed("EQUAL", (largest, _number(build, 0)), row, dtype="bool")
    return build.computed("ADD", (largest, build.cast(zero, "float32")), row)


def _number(build, value):
    return build.constant(np.full(1, value, "float32"))


def _of_the_same(norm, y):
    """What multiplies the numbers that were squared by the inverse root, or divides them by the root."""
    root, kind = norm.end.output, "DIV" if norm.end.name == "SQRT" else "MUL"
    row = tuple(root.shape)
    found = []
    for reader in root.readers:
        pair = reader.inputs
        if reader.name != kind or (kind == "DIV" and pair[1] is not root) or len(row) != len(y.shape):
            continue
        other = pair[0] if pair[1] is root else pair[1]
        if other is y or (norm.difference is not None and _is_difference(norm, other)):
            found.append(reader)
    return found


def _is_difference(norm, tensor):
    return tensor.maker is not None and tensor.maker.name == "SUB" and tensor.maker.inputs == norm.difference


def _fits(build, norm):
    """Whether the samples show that squares stay in range, and what is added keeps their mean from becoming nothing."""
    total, square = norm.total.output, norm.total.inputs[0]
    if not (stays_below(build, square) and stays_below(build, total)):
        return False
    return norm.epsilon >= FEW_BITS or range_of(build, total)[0] >= FEW_BITS
