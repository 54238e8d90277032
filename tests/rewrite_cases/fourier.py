"""Fourier transforms."""

from tests.file_tools import Made
from tests.rewrite_cases import Case


def transform(shape, length, parts=("COMPLEX_ABS",), flat=False):
    def make():
        f = Made()
        x = f.input(shape)
        y = f.new("RFFT2D", (x, f.integers(length)), (*shape[:-2], length[0], length[1] // 2 + 1), "complex64")
        if flat:  # as the converter does
            y = f.new("RESHAPE", (y, f.integers((*shape[:-2], y.shape[-1]))), (*shape[:-2], y.shape[-1]))
        return f.done(*(f.new(part, (y,), y.shape, "float32") for part in parts))

    return make


def moved():
    f = Made()
    x = f.input((1, 4, 16))
    y = f.new("RFFT2D", (x, f.integers((4, 16))), (1, 4, 9), "complex64")
    y = f.new("TRANSPOSE", (y, f.integers((0, 2, 1))), (1, 9, 4), "complex64")
    return f.done(f.new("IMAG", (y,), (1, 9, 4), "float32"))


def long():
    return transform((1, 3, 1, 4096), (1, 4096))()


FOURIER = [
    ("absolute", transform((1, 5, 1, 64), (1, 64), flat=True)),
    ("parts", transform((1, 5, 1, 64), (1, 64), ("IMAG", "REAL"))),
    ("cropped", transform((1, 5, 1, 100), (1, 64))),
    ("filled_up", transform((1, 5, 1, 50), (1, 64))),
    ("rows", transform((1, 8, 16), (8, 16), ("REAL", "IMAG"))),
    ("fewer_rows", transform((1, 3, 10, 20), (8, 16), ("REAL",))),
    ("more_rows", transform((1, 5, 10), (8, 16), ("IMAG",))),
    ("moved", moved),
]

CASES = [
    # Sums of products in place of a fast transform.
    *(Case("lower_fourier", name, make, exact=False) for name, make in FOURIER),
    Case("lower_fourier", "long_stays", long, stays=True),
]
