"""Constants of elementwise operators, and products of matrices."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case

TRUE_OR_FALSE = ("EQUAL", "GREATER", "LESS_EQUAL")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def bytes_of(*shape):
    return np.random.default_rng(0).integers(-127, 128, shape).astype("int8")


def with_constant(x_shape, shape, kind="ADD", left=False, activation=0):
    def make():
        f = Made()
        x, constant = f.input(x_shape), f.weights(numbers(*shape))
        whole = np.broadcast_shapes(x_shape, shape)
        fused = {"fusedActivationFunction": activation} if kind in ("ADD", "DIV", "MUL", "SUB") else {}
        dtype = "bool" if kind in TRUE_OR_FALSE else None
        y = f.new(kind, (constant, x) if left else (x, constant), whole, dtype, **fused)
        return f.done(f.new("CAST", (y,), whole, "float32") if dtype else y)

    return make


def integer_constant():
    f = Made()
    x = f.input((16, 32), "int8", scale=0.02, zero_point=3)
    constant = f.weights(bytes_of(16, 32), scale=0.03, zero_point=-5)
    return f.done(f.new("ADD", (x, constant), (16, 32), scale=0.05, zero_point=1))


def constant_of_16_bits():
    f = Made()
    x = f.input((16, 32))
    constant = f.new("DEQUANTIZE", (f.weights(numbers(16, 32).astype("float16")),), (16, 32), "float32")
    return f.done(f.new("ADD", (x, constant), (16, 32)))


def dense_that_lost_its_axes():
    f = Made()
    x = f.input((1, 16, 8))
    y = f.new("FULLY_CONNECTED", (x, f.weights(numbers(32, 8)), f.weights(numbers(32))), (16, 32))
    y = f.new("ADD", (y, f.weights(numbers(1, 16, 32))), (1, 16, 32))
    return f.done(f.new("RELU", (y,), (1, 16, 32)))


def chosen_rows():
    f = Made()
    places = f.input((16,), "int32")
    y = f.new("GATHER", (f.weights(numbers(9, 32)), places), (16, 32), axis=0)
    return f.done(f.new("ADD", (y, f.weights(numbers(16, 32))), (16, 32)))


def two_computed():
    f = Made()
    x, z = f.input((16, 32)), f.input((1, 16, 32), name="z")
    return f.done(f.new("ADD", (x, z), (1, 16, 32)))


ALIGNED = [
    ("rows", with_constant((16, 32), (16, 32)), "WRONG"),
    ("activation", with_constant((16, 32), (16, 32), activation=1), "WRONG"),
    ("another_rank", with_constant((16, 32), (1, 16, 32)), "WRONG"),
    ("a_number_a_row", with_constant((16, 32), (16, 1), "MUL"), "WRONG"),
    ("four_axes", with_constant((16, 32), (1, 1, 1, 32)), "WRONG"),
    ("rows_of_one", with_constant((1, 32), (16, 32), "SUB", left=True), "WRONG"),
    ("batch", with_constant((4, 16, 32), (4, 1, 32), "MAXIMUM"), "WRONG"),
    ("batch_of_one", with_constant((1, 16, 32), (4, 8, 16, 32)), "WRONG"),
    ("vector", with_constant((32,), (32,), "SQUARED_DIFFERENCE"), "WRONG"),
    ("vector_to_rows", with_constant((16,), (4, 16)), "WRONG"),
    ("comparison", with_constant((16, 32), (16, 32), "GREATER"), "WRONG"),
    ("division", with_constant((16, 32), (16, 32), "DIV"), "WRONG"),
    ("batch_of_one_of_four_axes", with_constant((1, 8, 16, 32), (4, 8, 16, 32)), "WRONG"),
    ("outer", with_constant((1, 8, 16, 1), (4, 8, 16, 32)), "WRONG"),
    ("int8", integer_constant, "WRONG"),
    ("float16", constant_of_16_bits, "WRONG"),
    ("dense", dense_that_lost_its_axes, "WRONG"),
    ("gather", chosen_rows, "WRONG"),
]
LEFT = [
    ("vector", with_constant((16, 32), (32,))),
    ("one_number", with_constant((16, 32), (1, 1))),
    ("three_axes", with_constant((1, 16, 32), (16, 32))),
    ("four_axes", with_constant((4, 8, 16, 32), (4, 8, 16, 32))),
    ("two_computed", two_computed),
]

SLOPES = [
    ("one", with_constant((1, 6, 5, 32), (1, 1, 1), "PRELU")),
    ("one_of_no_axes", with_constant((1, 16, 32), (1,), "PRELU")),
    ("rows", with_constant((1, 6, 5, 32), (6, 1, 1), "PRELU")),
    ("columns", with_constant((1, 6, 5, 32), (1, 5, 32), "PRELU")),
    ("three_axes", with_constant((1, 16, 32), (16, 32), "PRELU")),
]


def product(x_shape, y_shape, adj_x=False, adj_y=False, stored="", dtype="float32"):
    """`stored` says which side is a constant: "x" or "y"; "=" is for the same tensor on both."""

    def make():
        f = Made()

        def side(name, shape):
            if stored == name:
                if dtype == "int8":
                    return f.weights(bytes_of(*shape), scale=0.02)
                if dtype == "float16":
                    return f.new("DEQUANTIZE", (f.weights(numbers(*shape).astype(dtype)),), shape, "float32")
                return f.weights(numbers(*shape))
            scale = {"scale": 0.02, "zero_point": 3} if dtype == "int8" else {}
            # Inputs of several batches cannot be proven.
            flat = (1, int(np.prod(shape[:-1])), shape[-1])
            tensor = f.input(flat, "int8" if dtype == "int8" else "float32", name, **scale)
            return f.new("RESHAPE", (tensor, f.integers(shape)), shape, newShape=list(shape), **scale)

        x = side("x", x_shape)
        y = x if stored == "=" else side("y", y_shape)
        rows, columns = x_shape[-1 if adj_x else -2], y_shape[-2 if adj_y else -1]
        shape = (*np.broadcast_shapes(x_shape[:-2], y_shape[:-2]), rows, columns)
        scale = {"scale": 0.01 * x_shape[-2 if adj_x else -1] ** 0.5, "zero_point": 1} if dtype == "int8" else {}
        return f.done(f.new("BATCH_MATMUL", (x, y), shape, adjX=adj_x, adjY=adj_y, **scale))

    return make


PRODUCTS = [
    ("left", product((1, 16, 8), (1, 8, 12), stored="x"), "REJECTED"),
    ("left_matrix", product((16, 8), (1, 3, 8, 12), stored="x"), "REJECTED"),
    ("left_adjoint", product((8, 16), (2, 12, 8), True, True, stored="x"), "REJECTED"),
    ("left_of_each", product((1, 3, 16, 8), (1, 3, 8, 12), stored="x"), "REJECTED"),
    ("left_batch", product((3, 16, 8), (8, 12), stored="x"), "REJECTED"),
    ("left_int8", product((1, 16, 8), (1, 8, 12), stored="x", dtype="int8"), "REJECTED"),
    ("left_float16", product((1, 16, 8), (1, 8, 12), stored="x", dtype="float16"), "REJECTED"),
    ("right_one", product((4, 16, 8), (1, 8, 12), stored="y"), "WRONG"),
    ("right_adjoint", product((2, 3, 16, 8), (12, 8), False, True, stored="y"), "WRONG"),
    ("right_both_adjoint", product((8, 16), (8, 12), True, False, stored="y"), "WRONG"),
    ("right_several", product((1, 16, 8), (4, 8, 12), stored="y"), "WRONG"),
    ("right_some", product((2, 3, 16, 8), (3, 8, 12), stored="y"), "WRONG"),
    ("right_int8", product((4, 16, 8), (1, 8, 12), stored="y", dtype="int8"), "WRONG"),
    ("right_float16", product((4, 16, 8), (1, 8, 12), stored="y", dtype="float16"), "WRONG"),
    ("same", product((1, 16, 8), (1, 16, 8), False, True, stored="="), "REJECTED"),
    ("same_square", product((1, 3, 8, 8), (1, 3, 8, 8), stored="="), "REJECTED"),
    ("broadcast_right", product((4, 16, 8), (8, 12)), "WRONG"),
    ("broadcast_right_adjoint", product((1, 3, 8, 16), (1, 1, 12, 8), True, True), "WRONG"),
    ("broadcast_left", product((1, 16, 8), (4, 8, 12)), "WRONG"),
    ("broadcast_some", product((2, 1, 16, 8), (3, 8, 12)), "WRONG"),
    ("broadcast_int8", product((4, 16, 8), (8, 12), dtype="int8"), "WRONG"),
    ("many_matrices", product((1, 520, 4, 64), (1, 520, 64, 64)), "WRONG"),
    ("long_sums", product((1, 4, 32800), (1, 32800, 4)), "WRONG"),
]
PRODUCTS_LEFT = [
    ("matrices", product((2, 3, 16, 8), (2, 3, 12, 8), False, True)),
    ("two_axes", product((8, 16), (12, 8), True, True)),
    ("right", product((2, 3, 16, 8), (8, 12), stored="y")),
    ("right_batch", product((1, 3, 16, 8), (1, 3, 12, 8), False, True, stored="y")),
]

CASES = [
    # The built-in kernels sum in another order, and round integers otherwise in a layer than in a product.
    *(Case("multiply_matrices", *row, exact=False, steps=1) for row in PRODUCTS),
    *(Case("multiply_matrices", f"{name}_stays", make, "PROVEN", stays=True) for name, make in PRODUCTS_LEFT),
    *(Case("spread_slopes", *row) for row in SLOPES),
    Case("spread_slopes", "channels_stay", with_constant((1, 6, 5, 32), (1, 1, 32), "PRELU"), "PROVEN", stays=True),
    Case("spread_slopes", "each_stays", with_constant((1, 6, 5, 32), (6, 5, 32), "PRELU"), "PROVEN", stays=True),
    *(Case("align_constants", *row) for row in ALIGNED),
    *(Case("align_constants", f"{name}_stays", make, "PROVEN", stays=True) for name, make in LEFT),
]
