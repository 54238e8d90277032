"""Dense layers, borders, running sums and normalizations."""

import numpy as np

from keraslayers.export.file.schema import schema
from tests.file_tools import Made
from tests.rewrite_cases import Case
from tests.rewrite_cases.products import bytes_of, numbers

RELU = 1


def dense(x_shape, kernel_shape, shape, computed=("x",), bias=True, keep=False, activation=RELU, dtype="float32"):
    def make():
        f = Made()
        scale = {"scale": 0.02, "zero_point": 3} if dtype == "int8" else {}

        def side(name, shape):
            if name not in computed:
                return f.weights(bytes_of(*shape), scale=0.02) if dtype == "int8" else f.weights(numbers(*shape))
            # Inputs of several batches cannot be proven.
            x = f.input((1, int(np.prod(shape))), dtype, name, **scale)
            return f.new("RESHAPE", (x, f.integers(shape)), shape, newShape=list(shape), **scale)

        inputs = [side("x", x_shape), side("kernel", kernel_shape)]
        if bias and dtype == "int8":
            inputs.append(f.weights(np.arange(kernel_shape[0], dtype="int32"), scale=0.0004))
        elif bias:
            inputs.append(side("bias", kernel_shape[:1]))
        scale = {"scale": 0.05 * kernel_shape[1] ** 0.5, "zero_point": 1} if dtype == "int8" else {}
        options = {"keepNumDims": keep, "fusedActivationFunction": activation}
        return f.done(f.new("FULLY_CONNECTED", inputs, shape, **options, **scale))

    return make


ROWS = ((16, 32), (8, 32), (16, 8))
DENSE = [
    ("computed_kernel", dense(*ROWS, computed=("x", "kernel")), "WRONG"),
    ("computed_kernel_of_images", dense((2, 3, 4, 32), (8, 32), (2, 3, 4, 8), ("x", "kernel"), keep=True), "WRONG"),
    ("computed_bias", dense(*ROWS, computed=("x", "bias")), "REJECTED"),
    ("stored_input", dense(*ROWS, computed=("kernel",)), "REJECTED"),
    ("stored_input_without_bias", dense(*ROWS, computed=("kernel",), bias=False), "REJECTED"),
    ("stored_row", dense((1, 1, 32), (8, 32), (1, 1, 8), ("kernel", "bias"), keep=True, activation=0), "REJECTED"),
    ("flattens", dense((1, 6, 5, 32), (8, 960), (1, 8)), "WRONG"),
    ("flattens_a_batch", dense((2, 6, 5, 4), (8, 120), (2, 8)), "WRONG"),
    ("flattens_int8", dense((1, 6, 5, 4), (8, 120), (1, 8), dtype="int8"), "WRONG"),
    ("rows_int8", dense((1, 20, 32), (8, 32), (20, 8), dtype="int8"), "REJECTED"),
    ("rows_of_batches_int8", dense((4, 5, 32), (8, 32), (20, 8), dtype="int8"), "WRONG"),
    ("vector", dense((32,), (8, 32), (1, 8)), "WRONG"),
]
DENSE_LEFT = [
    ("stored", dense((4, 5, 32), (8, 32), (4, 5, 8), keep=True)),
    ("rows", dense((4, 5, 32), (8, 32), (20, 8))),
    ("row_int8", dense((1, 1, 32), (8, 32), (1, 8), dtype="int8")),
    ("stored_int8", dense((4, 5, 32), (8, 32), (4, 5, 8), keep=True, dtype="int8")),
    ("computed_kernel_without_bias", dense(*ROWS, computed=("x", "kernel"), bias=False)),
]


def padded(shape, borders, kind="PAD", dtype="float32"):
    def make():
        f = Made()
        scale = {"scale": 0.1, "zero_point": 2} if dtype == "int8" else {}
        x = f.input(shape, dtype, **scale)
        value = [f.constant(np.asarray(1, "float32"))] if kind == "PADV2" else []
        whole = tuple(size + sum(border) for size, border in zip(shape, borders, strict=True))
        return f.done(f.new(kind, (x, f.integers(borders), *value), whole, **scale))

    return make


PADS = [
    ("rows", padded((1, 32), ((0, 0), (2, 3))), "REJECTED"),
    ("more_rows", padded((16, 32), ((1, 0), (2, 3)), "PADV2"), "REJECTED"),
    ("vector", padded((32,), ((1, 2),)), "REJECTED"),
    ("batch", padded((4, 16, 32), ((0, 0), (2, 0), (1, 1))), "WRONG"),
    ("mirrored", padded((4, 16, 32), ((0, 0), (2, 0), (1, 1)), "MIRROR_PAD"), "WRONG"),
    ("int8", padded((1, 32), ((0, 0), (2, 3)), dtype="int8"), "REJECTED"),
]


def running_sum(shape, axis, dtype="float32", **options):
    def make():
        f = Made()
        x = f.input(shape, dtype)
        return f.done(f.new("CUMSUM", (x, f.constant(np.asarray(axis, "int32"))), shape, **options))

    return make


SUMS = [
    ("exclusive", running_sum((1, 6, 5, 32), 2, exclusive=True), "WRONG"),
    ("reverse", running_sum((1, 16, 32), -1, reverse=True), "WRONG"),
    ("both", running_sum((4, 16, 32), 1, exclusive=True, reverse=True), "WRONG"),
    ("batch", running_sum((16, 32), 0), "WRONG"),
    ("whole_numbers", running_sum((1, 32), 1, "int32"), "REJECTED"),
    ("positions", running_sum((4, 32), 1, "int32", exclusive=True), "REJECTED"),
]


def normalized(kind, shape, out=None, dtype="float32", **options):
    def make():
        f = Made()
        x = f.input(shape, dtype, **({"scale": 0.05, "zero_point": 3} if dtype == "int8" else {}))
        scale, zero_point = out or (None, 0)
        y = f.new(kind, (x,), shape, scale=scale, zero_point=zero_point)
        y.maker.options = getattr(schema(), TABLES[kind])(**options)
        return f.done(y)

    return make


TABLES = {
    "L2_NORMALIZATION": "L2NormOptionsT",
    "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalizationOptionsT",
    "LOG_SOFTMAX": "LogSoftmaxOptionsT",
}
NORMALIZATIONS = [
    ("log_softmax", normalized("LOG_SOFTMAX", (1, 32))),
    ("log_softmax_of_rows", normalized("LOG_SOFTMAX", (4, 16, 32))),
    ("log_softmax_int8", normalized("LOG_SOFTMAX", (1, 32), (16 / 256, 127), "int8")),
    ("l2", normalized("L2_NORMALIZATION", (16, 32))),
    ("l2_of_images", normalized("L2_NORMALIZATION", (1, 6, 5, 32))),
    ("l2_int8", normalized("L2_NORMALIZATION", (1, 6, 5, 32), (1 / 128, 0), "int8")),
    (
        "local_response",
        normalized("LOCAL_RESPONSE_NORMALIZATION", (1, 6, 5, 32), radius=2, bias=1.0, alpha=0.1, beta=0.75),
    ),
]

CASES = [
    # Sums are taken in another order.
    *(Case("lower_dense", *row, exact=False) for row in DENSE),
    *(Case("lower_dense", f"{name}_stays", make, "PROVEN", stays=True) for name, make in DENSE_LEFT),
    *(Case("lower_pad", *row) for row in PADS),
    Case("lower_pad", "images_stay", padded((2, 6, 5, 4), ((0, 0), (1, 1), (1, 0), (0, 2))), "PROVEN", stays=True),
    Case("lower_pad", "sequence_stays", padded((1, 16, 32), ((0, 0), (2, 0), (1, 1))), "PROVEN", stays=True),
    *(Case("lower_sums", *row) for row in SUMS),
    Case("lower_sums", "forwards_stays", running_sum((4, 16, 32), 1), "PROVEN", stays=True),
    # Floats in another order; integers by tables in the kernel of LOG_SOFTMAX.
    *(Case("lower_normalization", *row, exact=False, steps=1) for row in NORMALIZATIONS),
]
