"""Chains of reshapes."""

from tests.file_tools import Made
from tests.rewrite_cases import Case


def five_axes_between():
    f = Made()
    x = f.input((1, 6, 8))
    wide = f.new("RESHAPE", (x, f.integers((1, 2, 3, 2, 4))), (1, 2, 3, 2, 4), newShape=[1, 2, 3, 2, 4])
    y = f.new("RESHAPE", (wide, f.integers((1, 4, 12))), (1, 4, 12), newShape=[1, 4, 12])
    return f.done(f.new("RELU", (y,), (1, 4, 12)))


def alone():
    f = Made()
    x = f.input((1, 6, 8))
    y = f.new("RESHAPE", (x, f.integers((1, 4, 12))), (1, 4, 12), newShape=[1, 4, 12])
    return f.done(f.new("RELU", (y,), (1, 4, 12)))


CASES = [
    Case("fold_reshapes", "five_axes_between", five_axes_between),
    Case("fold_reshapes", "alone", alone, "PROVEN", stays=True),
]
