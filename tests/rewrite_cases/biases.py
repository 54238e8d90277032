"""Biases of more axes than one."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case

STRIDES = {"strideH": 1, "strideW": 1}
ONCE = {**STRIDES, "dilationHFactor": 1, "dilationWFactor": 1}
# By kind the shape of the kernel, and the options. LiteRT itself refuses depthwise convolutions with such biases.
KINDS = {
    "CONV_2D": ((8, 3, 3, 6), ONCE),
    "FULLY_CONNECTED": ((8, 6), {"keepNumDims": True}),
    "TRANSPOSE_CONV": ((8, 3, 3, 6), STRIDES),
}


def biased(kind, shape, dtype="float32", computed=False):
    """An operator with a bias of so many axes, the last of which it fills.

    Args:
        kind: of the operator.
        shape: of the bias, before its last axis.
        dtype: "float32"; "float16" of the constants; "int8".
        computed: whether the bias is computed.
    """

    def make():
        f, random = Made(), np.random.default_rng(0)
        size, options = KINDS[kind]
        integers = dtype == "int8"
        x = f.input((1, 5, 4, 6), "int8" if integers else "float32", "x", *((0.1, 4) if integers else ()))
        if integers:
            kernel = f.weights(random.integers(-127, 128, size).astype("int8"), 0.01)
            bias = f.weights(random.integers(-999, 999, (*shape, 8)).astype("int32"), 0.001)
        else:
            kernel, bias = (f.weights(random.normal(size=s).astype(dtype)) for s in (size, (*shape, 8)))
        if dtype == "float16":
            kernel, bias = (f.new("DEQUANTIZE", (half,), half.shape, "float32") for half in (kernel, bias))
        if computed:
            bias = f.new("RELU", (f.input(bias.shape, name="z"),), bias.shape)
        made = (1, 5, 4, 8)
        inputs = (f.integers(made), kernel, x, bias) if kind.startswith("TRANSPOSE") else (x, kernel, bias)
        scale = {"scale": 0.3, "zero_point": -7} if integers else {}
        return f.done(f.new(kind, inputs, made, "int8" if integers else "float32", **scale, **options))

    return make


CASES = [
    *(Case("flatten_biases", kind, biased(kind, (1, 1, 1)), "PROVEN") for kind in KINDS),
    Case("flatten_biases", "two axes", biased("CONV_2D", (1,)), "PROVEN"),
    Case("flatten_biases", "float16", biased("CONV_2D", (1, 1, 1), "float16"), "PROVEN"),
    Case("flatten_biases", "int8", biased("CONV_2D", (1, 1, 1), "int8"), "PROVEN"),
    Case("flatten_biases", "a vector", biased("CONV_2D", ()), "PROVEN", stays=True),
    Case("flatten_biases", "computed", biased("FULLY_CONNECTED", (1, 1, 1), computed=True), "PROVEN", stays=True),
]
