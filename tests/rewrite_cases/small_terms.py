"""Sums of integers with a term that is next to nothing, and other operators that change nothing."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case


def added(small, kind="ADD", first=False, scale=0.05, activation=0):
    def make():
        f = Made()
        x = f.input((1, 4, 8), "int8", "x", 0.05, 3)
        y = f.input((1, 4, 8), "int8", "y", small, -5)
        x = f.new("RELU", (x,), (1, 4, 8), scale=0.05, zero_point=3)
        inputs = (y, x) if first else (x, y)
        options = {"fusedActivationFunction": activation}
        y = f.new(kind, inputs, (1, 4, 8), scale=scale, zero_point=3, **options)
        return f.done(f.new("RELU", (y,), (1, 4, 8), scale=scale, zero_point=3))

    return make


def leaky(slope, dtype="float32", last=False):
    def make():
        f = Made()
        quantized = {"scale": 0.05, "zero_point": 3} if dtype == "int8" else {}
        x = f.input((1, 4, 8), dtype, "x", **quantized)
        y = f.new("LEAKY_RELU", (x,), (1, 4, 8), alpha=slope, **quantized)
        return f.done(y if last else f.new("ABS", (y,), (1, 4, 8), **quantized))

    return make


UNIT = {"scale": 1 / 255, "zero_point": -128}  # 0 to 1


def clamped(kind, least=None, first=False, last=False, zero_point=-128):
    """A clamp of numbers of 0 to 1, with a constant where one is given, between sums."""

    def make():
        f = Made()
        x = f.input((1, 4, 8), "int8", "x", 1 / 255, -128)
        x = f.new("ADD", (x, x), (1, 4, 8), **UNIT)
        inputs = (x,)
        if least is not None:
            constant = f.weights(np.full(1, least, "int8"), 1 / 255, -128)
            inputs = (constant, x) if first else (x, constant)
        y = f.new(kind, inputs, (1, 4, 8), scale=1 / 255, zero_point=zero_point)
        return f.done(y if last else f.new("ADD", (y, y), (1, 4, 8), **UNIT))

    return make


CASES = [
    Case("drop_clamps", "minimum", clamped("MINIMUM", 127), "PROVEN", "cpu"),
    Case("drop_clamps", "minimum, turned", clamped("MINIMUM", 127, first=True), "PROVEN", "cpu"),
    Case("drop_clamps", "maximum", clamped("MAXIMUM", -128), "PROVEN", "cpu"),
    Case("drop_clamps", "relu", clamped("RELU"), "PROVEN", "cpu"),
    Case("drop_clamps", "relu6", clamped("RELU6"), "PROVEN", "cpu"),
    Case("drop_clamps", "from minus one", clamped("RELU_N1_TO_1"), "PROVEN", "cpu"),
    Case("drop_clamps", "minimum of less", clamped("MINIMUM", 126), stays=True),
    Case("drop_clamps", "maximum of more", clamped("MAXIMUM", -127), stays=True),
    Case("drop_clamps", "output", clamped("MINIMUM", 127, last=True), stays=True),
    Case("drop_clamps", "another zero", clamped("RELU", zero_point=-127), stays=True),
    Case("drop_slopes", "almost one", leaky(1 - 2**-24), "PROVEN", exact=False),
    Case("drop_slopes", "one", leaky(1.0), "PROVEN"),
    Case("drop_slopes", "less", leaky(1 - 2**-20), stays=True),
    Case("drop_slopes", "more", leaky(1.5), stays=True),
    Case("drop_slopes", "int8", leaky(1.0, "int8"), stays=True),
    Case("drop_slopes", "output", leaky(1.0, last=True), stays=True),
    Case("drop_terms", "second", added(1e-7), "PROVEN", "cpu"),
    Case("drop_terms", "first", added(1e-7, first=True), "PROVEN", "cpu"),
    Case("drop_terms", "taken away", added(1e-6, "SUB"), "PROVEN", "cpu"),
    Case("drop_terms", "seen", added(0.05 / 1000), stays=True),
    Case("drop_terms", "taken from", added(1e-7, "SUB", first=True), stays=True),
    Case("drop_terms", "another scale", added(1e-7, scale=0.06), stays=True),
    Case("drop_terms", "activation", added(1e-7, activation=1), stays=True),
]
