"""Inputs and outputs of more than four axes, and of types that pages do not hand over."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case


def of(*shape):
    def make():
        f = Made()
        return f.done(f.new("TANH", (f.input(shape),), shape))

    return make


def positive(dtype):
    """Which numbers are above zero, of a type."""

    def make():
        f = Made()
        x = f.input((1, 6), dtype)
        wide = x if dtype == "float32" else f.new("CAST", (x,), x.shape, "float32")
        return f.done(f.new("GREATER", (wide, f.constant(np.zeros(1, "float32"))), x.shape, "bool"))

    return make


def picked(*names):
    """The input itself, and another output, under some names."""

    def make():
        f = Made()
        x = f.input((1, 6), "float16")
        return f.done(x, f.new("CAST", (x,), x.shape, "float32"), names=names)

    return make


CASES = [
    Case("cast_borders", "mask", positive("float32"), runtime="browser", borders=True),
    Case("cast_borders", "large numbers", positive("int64"), runtime="browser", borders=True),
    Case("cast_borders", "16-bit floats to themselves", picked("x", "y"), runtime="browser", borders=True),
    Case("cast_borders", "floats", of(1, 6), "PROVEN", runtime="browser", stays=True),
    Case("narrow_borders", "video", of(1, 3, 4, 4, 5), borders=True),
    Case("narrow_borders", "several volumes", of(1, 2, 3, 4, 4, 5), borders=True),
    Case("narrow_borders", "image", of(1, 12, 4, 5), "PROVEN", stays=True),
    Case("narrow_borders", "two videos", of(2, 3, 4, 4, 5), stays=True),
]
