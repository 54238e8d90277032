"""Tensors of more than four axes."""

import math

import numpy as np

from keraslayers.export.file.edit import Operator
from keraslayers.export.file.schema import schema
from tests.file_tools import Made
from tests.rewrite_cases import Case
from tests.rewrite_cases.products import bytes_of, numbers

SCALE, POINT = 0.05, 3
RELU = 1


def reshape(f, x, shape):
    """A RESHAPE that stands in the file, whatever was before."""
    return f.new("RESHAPE", (x, f.integers(shape)), shape, newShape=list(shape), **of(x))


def of(x):
    """The quantization of a tensor, to be given to another."""
    return {"scale": x.scale, "zero_point": x.zero_point}


def wide(shape, *steps, dtype="float32", out=None):
    """A file that computes with a tensor of many axes, between an input and an output of four at most.

    Args:
        shape: of the tensor.
        steps: called one after the other as step(file, tensor); each returns the next.
        out: the shape of the output; rows of the last axis if None.
    """

    def make():
        f = Made()
        scale = {"scale": SCALE, "zero_point": POINT} if dtype == "int8" else {}
        x = f.input((1, math.prod(shape[:-2]), *shape[-2:]), dtype, **scale)
        x = reshape(f, x, shape)
        for step in steps:
            x = step(f, x)
        last = x.shape[-1] if x.shape else 1
        x = reshape(f, x, out or (1, x.size // last, last))
        return f.done(f.cast(x, "float32") if x.dtype == "bool" else x)

    return make


def unary(kind, dtype=None, scale=None, **options):
    def step(f, x):
        made = {"scale": scale, "zero_point": 0} if scale else {} if dtype else of(x)
        return f.new(kind, (x,), x.shape, dtype, **made, **options)

    return step


def cast(dtype):
    return lambda f, x: f.cast(x, dtype)


def positive(f, x):
    """A mask, of which samples tell something: of nearly every number it is true that it is not zero."""
    return f.new("GREATER", (x, f.weights(np.float32(0))), x.shape, "bool")


def transpose(*order):
    return lambda f, x: f.new("TRANSPOSE", (x, f.integers(order)), [x.shape[i] for i in order], **of(x))


def stored(f, shape, x, half=False):
    """A constant of the type of a tensor; of 16 bits, widened when the file is loaded, where that is said."""
    if x.dtype == "int8":
        return f.weights(bytes_of(*shape), scale=0.03, zero_point=-5)
    if half:
        return f.new("DEQUANTIZE", (f.weights(numbers(*shape).astype("float16")),), shape, "float32")
    values = np.abs(numbers(*shape)) + 0.5  # divisors among them
    return f.weights(np.asarray(values * 4 if x.dtype == "int32" else values).astype(x.dtype))


def with_stored(kind, shape, left=False, dtype=None, scale=None, half=False, **options):
    """With a constant."""

    def step(f, x):
        sides = (stored(f, shape, x, half), x) if left else (x, stored(f, shape, x, half))
        whole = np.broadcast_shapes(x.shape, shape)
        return f.new(kind, sides, whole, dtype, scale=scale, zero_point=0, **options)

    return step


def with_part(kind, shape, dtype=None, scale=None, **options):
    """With a computed tensor of a shape that has 1 where the first is whole: its beginning."""

    def step(f, x):
        flat = reshape(f, x, (1, x.size))
        count = math.prod(shape)
        part = f.new("SLICE", (flat, f.integers((0, 0)), f.integers((1, count))), (1, count), **of(x))
        part = reshape(f, part, shape)
        whole = np.broadcast_shapes(x.shape, shape)
        return f.new(kind, (x, part), whole, dtype, scale=scale, zero_point=0, **options)

    return step


def chosen(kind, *shape):
    """What is larger than a constant of a shape, or its square."""

    def step(f, x):
        larger = f.new("GREATER", (x, stored(f, shape, x)), x.shape, "bool")
        return f.new(kind, (larger, x, f.new("SQUARE", (x,), x.shape)), x.shape, x.dtype)

    return step


def masked(f, x):
    """Attention's mask: a constant number where a constant says so."""
    *batch, rows, columns = x.shape
    shape = (*(1 for _ in batch), rows, columns)
    mask = f.weights(np.tril(np.ones(shape, "bool")))
    return f.new("SELECT_V2", (mask, x, f.constant(np.float32(-30))), x.shape, x.dtype)


def both(f, x):
    zero = f.constant(np.float32(0))
    one = f.constant(np.float32(1))
    sides = f.new("GREATER", (x, zero), x.shape, "bool"), f.new("LESS", (x, one), x.shape, "bool")
    neither = f.new("LOGICAL_NOT", (f.new("LOGICAL_AND", sides, x.shape),), x.shape)
    return f.new("CAST", (neither,), x.shape, "float32")


def reduce(kind, *axes, keep=False, scale=None):
    def step(f, x):
        gone = [axis % len(x.shape) for axis in axes]
        left = [1 if axis in gone else size for axis, size in enumerate(x.shape) if keep or axis not in gone]
        made = {"scale": scale, "zero_point": 0} if scale else of(x)
        return f.new(kind, (x, f.integers(axes)), left, **made, keepDims=keep)

    return step


def normalized(groups):
    """GroupNormalization as Keras spells it."""

    def step(f, x):
        shape = [1 if axis in (1, 2, 4) else size for axis, size in enumerate(x.shape)]
        mean = reduce("MEAN", 1, 2, 4, keep=True)(f, x)
        off = f.new("SUB", (x, mean), x.shape)
        power = reduce("MEAN", 1, 2, 4, keep=True)(f, f.new("MUL", (off, off), x.shape))
        power = f.new("ADD", (power, f.constant(np.float32(1e-3))), shape)
        y = f.new("MUL", (off, f.new("RSQRT", (power,), shape)), x.shape)
        gain = (1, 1, 1, groups, x.shape[-1])
        return with_stored("ADD", gain)(f, with_stored("MUL", gain)(f, y))

    return step


def take(begin, size):
    def step(f, x):
        shape = [n - b if s == -1 else s for b, s, n in zip(begin, size, x.shape, strict=True)]
        return f.new("SLICE", (x, f.integers(begin), f.integers(size)), shape, **of(x))

    return step


def stride(begin, end, steps, **masks):
    def step(f, x):
        shape = [len(range(*places)) for places in zip(begin, end, steps, strict=True)]
        bounds = tuple(map(f.integers, (begin, end, steps)))
        return f.new("STRIDED_SLICE", (x, *bounds), shape, **of(x), **masks)

    return step


def join(axis, *others):
    """Beside itself, and beside constants of some sizes along an axis."""

    def step(f, x):
        shapes = [[size if i == axis % len(x.shape) else n for i, n in enumerate(x.shape)] for size in others]
        parts = [x, unary("RELU")(f, x)]
        for shape in shapes:
            part = f.weights(bytes_of(*shape), scale=SCALE, zero_point=POINT) if x.scale else stored(f, shape, x)
            parts.append(part)
        whole = list(x.shape)
        whole[axis] = sum(part.shape[axis] for part in parts)
        return f.new("CONCATENATION", parts, whole, **of(x), axis=axis)

    return step


def along(kind, axis, dtype=None, drops=False, **options):
    """An operator whose axis is a constant."""

    def step(f, x):
        place = f.integers([axis]) if kind == "REVERSE_V2" else f.constant(np.int32(axis))
        shape = [n for i, n in enumerate(x.shape) if i != axis % len(x.shape)] if drops else x.shape
        made = {} if dtype else of(x)
        y = f.new(kind, (x, place), shape, dtype, **made, **options)
        if drops:
            y.maker.options = schema().ArgMaxOptionsT(outputType=schema().TensorType.INT32)
        return y

    return step


def neighbours_reversed(f, x):
    return f.new("REVERSE_V2", (x, f.integers((1, 2))), x.shape)


def largest(f, x):
    """The sum of the two largest, and of where they are."""
    shape = (*x.shape[:-1], 2)
    outputs = f.tensor(shape, x), f.tensor(shape, x, "int32")
    for output, name in zip(outputs, ("values", "places"), strict=True):
        output.name = name
    f.graph.insert(Operator("TOPK_V2", (x, f.constant(np.int32(2))), outputs))
    return f.new("ADD", (outputs[0], f.cast(outputs[1], "float32")), shape)


def softmax(f, x):
    quantized = {"scale": 1 / 256, "zero_point": -128} if x.scale else {}
    return f.new("SOFTMAX", (x,), x.shape, beta=1.0, **quantized)


def last(kind, table):
    def step(f, x):
        y = f.new(kind, (x,), x.shape)
        y.maker.options = getattr(schema(), table)()
        return y

    return step


def pad(*borders, kind="PAD", mode=0):
    def step(f, x):
        value = [f.constant(np.float32(1.5))] if kind == "PADV2" else []
        shape = [n + sum(pair) for n, pair in zip(x.shape, borders, strict=True)]
        options = {"mode": mode} if kind == "MIRROR_PAD" else {}
        return f.new(kind, (x, f.integers(borders), *value), shape, **of(x), **options)

    return step


def with_itself(shape=None, adj=True):
    """Each matrix times another, or times those of a part of the batch, transposed."""

    def step(f, x):
        other = unary("RELU")(f, x)
        if shape is not None:
            other = take((0,) * len(shape), shape)(f, other)
        whole = (*x.shape[:-1], x.shape[-2])
        scale = {"scale": 0.2, "zero_point": 0} if x.scale else {}
        return f.new("BATCH_MATMUL", (x, other), whole, adjY=adj, **scale)

    return step


def dense(filters, keep=True, activation=0, half=False, flat=None):
    def step(f, x):
        depth = x.shape[-1]
        shape = (*x.shape[:-1], filters)
        if not keep:
            depth = flat or depth
            shape = (x.size // depth, filters)
        options = {"keepNumDims": keep, "fusedActivationFunction": activation}
        if x.scale:
            kernel = f.weights(bytes_of(filters, depth), scale=0.01)
            bias = f.weights(np.arange(filters, dtype="int32"), scale=SCALE * 0.01)
            return f.new("FULLY_CONNECTED", (x, kernel, bias), shape, scale=0.2, **options)
        kernel = stored(f, (filters, depth), x, half)
        return f.new("FULLY_CONNECTED", (x, kernel, f.weights(numbers(filters))), shape, **options)

    return step


WINDOWS = (1, 4, 2, 4, 2, 8)
SWAP = transpose(0, 1, 3, 2, 4, 5)
GROUPS = (1, 6, 5, 4, 2)
FIVE = (2, 3, 4, 3, 8)
# Neighbours of different kinds throughout: no two of these axes can be one.
MIXED = (1, 3, 1, 4, 8)
ZEBRA = (2, 3, 2, 4, 2, 8)
STRIPES = (2, 1, 2, 1, 2, 1)

TRANSPOSES = [
    ("windows", wide(WINDOWS, SWAP)),
    ("windows_int8", wide(WINDOWS, SWAP, dtype="int8")),
    ("windows_int32", wide(WINDOWS, SWAP, dtype="int32")),
    ("windows_bool", wide(WINDOWS, positive, SWAP)),
    ("channel_shuffle", wide((1, 6, 5, 2, 4), transpose(0, 1, 2, 4, 3))),
    ("channel_shuffle_int8", wide((1, 6, 5, 2, 4), transpose(0, 1, 2, 4, 3), dtype="int8")),
    ("channel_shuffle_of_torch", wide((1, 2, 4, 6, 5), transpose(0, 2, 1, 3, 4))),
    ("pixel_shuffle", wide((1, 5, 4, 2, 2, 8), SWAP, out=(1, 10, 8, 8))),
    ("pixel_shuffle_of_torch", wide((1, 5, 4, 8, 2, 2), transpose(0, 1, 4, 2, 5, 3), out=(1, 10, 8, 8))),
    ("heads", wide((1, 6, 3, 2, 8), transpose(2, 0, 3, 1, 4))),
    ("unfold", wide((1, 3, 2, 4, 2, 8), transpose(0, 2, 4, 1, 3, 5))),
    ("backwards", wide(FIVE, transpose(4, 3, 2, 1, 0))),
    ("backwards_int8", wide(FIVE, transpose(4, 3, 2, 1, 0), dtype="int8")),
    ("six_backwards", wide((2, 3, 2, 3, 2, 4), transpose(5, 4, 3, 2, 1, 0))),
    ("seven_backwards", wide((2, 3, 2, 3, 2, 3, 4), transpose(6, 5, 4, 3, 2, 1, 0))),
    ("eight_backwards", wide((2,) * 7 + (4,), transpose(7, 6, 5, 4, 3, 2, 1, 0))),
    ("nothing_but_names", wide((1, 4, 1, 6, 8), transpose(2, 1, 0, 3, 4))),
]
ELEMENTWISE = [
    ("alone", wide(WINDOWS, unary("LOGISTIC"))),
    ("alone_int8", wide(WINDOWS, unary("LOGISTIC", scale=1 / 256), dtype="int8")),
    ("constant", wide(WINDOWS, with_stored("ADD", (1, 1, 2, 1, 2, 8), fusedActivationFunction=RELU))),
    ("constant_of_the_last_axis", wide(WINDOWS, with_stored("MUL", (8,)))),
    ("constant_of_all", wide(WINDOWS, with_stored("MUL", WINDOWS))),
    ("constant_left", wide(GROUPS, with_stored("SUB", (4, 1), left=True))),
    ("constant_below", wide(GROUPS, with_stored("DIV", (1, 1, 1, 4, 2)))),
    ("constant_number", wide(GROUPS, with_stored("MAXIMUM", ()))),
    ("constant_of_16_bits", wide(GROUPS, with_stored("MUL", (1, 1, 1, 4, 2), half=True))),
    ("constant_int8", wide(GROUPS, with_stored("ADD", (1, 1, 1, 4, 2), scale=0.1), dtype="int8")),
    ("constant_int32", wide(GROUPS, with_stored("MUL", (1, 1, 1, 4, 2)), dtype="int32")),
    ("constant_of_stripes", wide(ZEBRA, with_stored("ADD", STRIPES))),
    ("computed", wide(WINDOWS, with_part("ADD", WINDOWS))),
    ("computed_int8", wide(WINDOWS, with_part("MUL", WINDOWS, scale=0.2), dtype="int8")),
    ("computed_repeated", wide(GROUPS, with_part("MUL", (1, 1, 1, 4, 1)))),
    ("computed_stripes", wide(ZEBRA, with_part("SUB", STRIPES))),
    ("computed_stripes_int8", wide(ZEBRA, with_part("ADD", STRIPES, scale=0.1), dtype="int8")),
    ("computed_of_fewer_axes", wide(GROUPS, with_part("SQUARED_DIFFERENCE", (4, 1)))),
    ("each_repeated", wide(MIXED, with_part("ADD", (1, 1, 3, 4, 1)))),
    ("greater", wide(GROUPS, with_stored("GREATER", (1, 1, 1, 4, 1), dtype="bool"))),
    ("logical", wide(GROUPS, both)),
    ("chosen", wide(GROUPS, chosen("SELECT_V2", 1, 1, 1, 4, 1))),
    ("chosen_as_before", wide(GROUPS, chosen("SELECT", 1, 1, 1, 4, 1))),
    ("masked", wide((1, 2, 3, 4, 4), masked)),
    ("cast", wide(GROUPS, cast("float32"), dtype="int32")),
    ("quantized", wide(GROUPS, unary("QUANTIZE", scale=0.07), dtype="int8")),
    ("slope", wide(GROUPS, with_stored("PRELU", (1, 1, 4, 2)))),
    ("slope_of_groups", wide(GROUPS, with_stored("PRELU", (1, 1, 4, 1)))),
    ("slope_of_pixels_of_16_bits", wide(GROUPS, with_stored("PRELU", (6, 5, 4, 1), half=True))),
    ("slope_alone", wide(GROUPS, with_stored("PRELU", (1, 1, 1, 1)))),
]
REDUCTIONS = [
    ("groups", wide(GROUPS, reduce("MEAN", 1, 2, 4, keep=True))),
    ("groups_int8", wide(GROUPS, reduce("MEAN", 1, 2, 4, keep=True), dtype="int8")),
    ("of_another_scale", wide(GROUPS, reduce("MEAN", 1, 2, scale=0.02), dtype="int8")),
    ("sum", wide(FIVE, reduce("SUM", -1))),
    ("sum_int32", wide(FIVE, reduce("SUM", -1), dtype="int32")),
    ("largest", wide(FIVE, reduce("REDUCE_MAX", 1, 3))),
    ("largest_int8", wide(FIVE, reduce("REDUCE_MAX", 2), dtype="int8")),
    ("smallest", wide(FIVE, reduce("REDUCE_MIN", 0, 2, 4))),
    ("stripes", wide(ZEBRA, reduce("MEAN", 1, 3, 5))),
    ("other_stripes", wide(ZEBRA, reduce("SUM", 0, 2, 4, keep=True))),
    ("stripes_int8", wide(ZEBRA, reduce("MEAN", 1, 3, 5, scale=0.02), dtype="int8")),
    ("largest_stripes_int8", wide(ZEBRA, reduce("REDUCE_MAX", 1, 3, 5), dtype="int8")),
    ("any", wide(GROUPS, positive, reduce("REDUCE_ANY", 4))),
    ("all_of_them", wide(FIVE, reduce("MEAN", 0, 1, 2, 3, 4), out=(1, 1))),
    ("of_one_place", wide((1, 3, 1, 4, 8), reduce("SUM", 2))),
]
SLICES = [
    ("batch", wide((3, 1, 2, 6, 8), take((1, 0, 0, 0, 0), (1, 1, 2, 6, 8)))),
    ("rest", wide(FIVE, take((0, 1, 0, 0, 0), (-1, 2, -1, -1, -1)))),
    ("two_axes", wide(FIVE, take((0, 1, 0, 0, 4), (2, 2, 4, 3, 4)))),
    ("two_axes_int8", wide(FIVE, take((0, 1, 0, 0, 4), (2, 2, 4, 3, 4)), dtype="int8")),
    ("every_axis", wide(FIVE, take((1, 1, 1, 1, 4), (1, 2, 2, 2, 4)))),
    ("strides", wide(FIVE, stride((0, 0, 0, 0, 0), (2, 3, 4, 3, 8), (1, 1, 2, 1, 1)))),
    ("strides_of_the_last", wide(FIVE, stride((0, 1, 0, 0, 1), (2, 3, 4, 3, 8), (1, 1, 1, 1, 2)))),
    ("bool", wide(FIVE, positive, take((0, 1, 0, 0, 0), (2, 2, 4, 3, 8)))),
]
ALONG = [
    ("join", wide((1, 2, 2, 4, 8), join(3))),
    ("join_the_last", wide((1, 2, 2, 4, 8), join(-1))),
    ("join_constants", wide((1, 2, 2, 4, 8), join(2, 1, 3))),
    ("join_constants_int8", wide((1, 2, 2, 4, 8), join(2, 1, 3), dtype="int8")),
    ("softmax", wide((1, 2, 3, 4, 4), softmax)),
    ("softmax_int8", wide((1, 2, 3, 4, 4), softmax, dtype="int8")),
    ("log_softmax", wide((1, 2, 3, 4, 4), last("LOG_SOFTMAX", "LogSoftmaxOptionsT"))),
    ("largest_place", wide(GROUPS, along("ARG_MAX", 3, "int32", drops=True))),
    ("largest_place_of_the_last", wide(FIVE, along("ARG_MAX", -1, "int32", drops=True))),
    ("running_sum", wide(FIVE, along("CUMSUM", 2))),
    ("reversed", wide(FIVE, along("REVERSE_V2", 2))),
    ("neighbours_reversed", wide(FIVE, neighbours_reversed)),
    ("largest", wide(FIVE, largest)),
]
PADS = [
    ("between", wide((1, 2, 2, 6, 8), pad((0, 0), (0, 0), (0, 0), (1, 0), (0, 0)))),
    ("between_int8", wide((1, 2, 2, 6, 8), pad((0, 0), (0, 0), (0, 0), (1, 0), (0, 0)), dtype="int8")),
    ("volume", wide((1, 3, 4, 5, 8), pad((0, 0), (1, 1), (1, 1), (1, 2), (0, 0)))),
    ("volume_with_a_number", wide((1, 3, 4, 5, 8), pad((0, 0), (1, 1), (1, 1), (1, 2), (0, 0), kind="PADV2"))),
    ("every_axis", wide(FIVE, pad((0, 1), (1, 1), (1, 0), (1, 2), (4, 0)))),
    ("every_axis_int8", wide(FIVE, pad((0, 1), (1, 1), (1, 0), (1, 2), (4, 0)), dtype="int8")),
    ("every_axis_mirrored", wide(FIVE, pad((0, 1), (1, 1), (1, 0), (1, 2), (4, 0), kind="MIRROR_PAD"))),
    ("mirrored", wide((1, 3, 4, 5, 8), pad((0, 0), (0, 0), (1, 1), (1, 2), (0, 0), kind="MIRROR_PAD"))),
]
PRODUCTS = [
    ("heads", wide((1, 2, 3, 4, 8), with_itself())),
    ("heads_int8", wide((1, 2, 3, 4, 8), with_itself(), dtype="int8")),
    ("shared_by_heads", wide((1, 2, 3, 4, 8), with_itself((1, 2, 1, 4, 8)))),
    ("shared_by_all", wide((1, 2, 3, 4, 8), with_itself((1, 1, 1, 4, 8)))),
    ("dense", wide(WINDOWS, dense(16, activation=RELU))),
    ("dense_int8", wide(WINDOWS, dense(16), dtype="int8")),
    ("dense_of_16_bits", wide(WINDOWS, dense(16, half=True))),
    ("dense_in_rows", wide(WINDOWS, dense(16, keep=False))),
    ("dense_of_all", wide(WINDOWS, dense(16, keep=False, flat=128), out=(4, 16))),
]


def four(*steps, shape=(1, 4, 6, 8), dtype="float32"):
    """With four axes throughout."""
    return wide(shape, *steps, dtype=dtype, out=(1, 6 * 4, 8))


def pixels(before, between, after, dtype="float32", batch=1):
    """RESHAPE, a transposition that swaps the axes of pixels and of blocks, RESHAPE."""

    def make():
        f = Made()
        x = f.input((1, batch * before[0], *before[1:]), dtype, **({"scale": SCALE} if dtype == "int8" else {}))
        if batch > 1:
            x = reshape(f, x, (batch, *before))
        y = SWAP(f, reshape(f, x, (batch, *between)))
        y = reshape(f, y, (batch, *after))
        return f.done(y if batch == 1 else reshape(f, y, (1, batch * after[0], *after[1:])))

    return make


APART, BETWEEN, TOGETHER = (5, 4, 32), (5, 4, 2, 2, 8), (10, 8, 8)
PIXELS = [
    ("put_together", pixels(APART, BETWEEN, TOGETHER)),
    ("put_together_int8", pixels(APART, BETWEEN, TOGETHER, "int8")),
    ("put_together_by_threes", pixels((5, 4, 27), (5, 4, 3, 3, 3), (15, 12, 3))),
    ("put_together_one_channel", pixels((5, 4, 4), (5, 4, 2, 2, 1), (10, 8, 1))),
    ("of_a_batch", pixels(APART, BETWEEN, TOGETHER, batch=2)),
    ("taken_apart", pixels(TOGETHER, (5, 2, 4, 2, 8), APART)),
    ("taken_apart_int8", pixels(TOGETHER, (5, 2, 4, 2, 8), APART, "int8")),
]
# Windows, whose rows are not those of pixels; blocks that are not square; channels in the order of PyTorch.
PIXELS_LEFT = [
    ("windows", wide(WINDOWS, SWAP)),
    ("not_square", pixels((5, 4, 48), (5, 4, 2, 3, 8), (10, 12, 8))),
    ("of_torch", wide((1, 5, 4, 8, 2, 2), transpose(0, 1, 4, 2, 5, 3), out=(1, 10, 8, 8))),
]
LEFT = [
    ("transpose", four(transpose(0, 2, 1, 3))),
    ("elementwise", four(with_stored("ADD", (1, 1, 6, 8)))),
    ("reduction", four(reduce("MEAN", 3, keep=True), with_stored("ADD", (1, 4, 6, 8)))),
    ("slice", four(stride((0, 0, 0, 0), (1, 4, 6, 8), (1, 1, 1, 1)))),
    ("axis", four(softmax)),
    ("pad", four(take((0, 0, 0, 0), (1, 4, 5, 8)), pad((0, 0), (0, 0), (1, 0), (0, 0)))),
    ("products", four(dense(8))),
]
SHUFFLED = {
    "int8": wide((1, 20, 2, 12), transpose(0, 1, 3, 2), dtype="int8"),
    "places on two axes": wide((4, 5, 3, 9), transpose(0, 1, 3, 2)),
    "three axes": wide((16, 2, 8), transpose(0, 2, 1)),
    "eight rows of bytes": wide((2, 9, 8, 10), transpose(0, 1, 3, 2), dtype="int8"),
}
NOT_SHUFFLED = {
    "many rows": wide((1, 20, 4, 12), transpose(0, 1, 3, 2)),
    "many rows of bytes": wide((1, 20, 9, 12), transpose(0, 1, 3, 2), dtype="int8"),
    "one row": wide((1, 20, 1, 12), transpose(0, 1, 3, 2)),
    "few columns": wide((1, 20, 2, 7), transpose(0, 1, 3, 2)),
    "few places": wide((1, 15, 2, 12), transpose(0, 1, 3, 2)),
    "other axes": wide((1, 20, 2, 12), transpose(0, 2, 1, 3)),
    "whole numbers": wide((1, 20, 2, 12), transpose(0, 1, 3, 2), dtype="int32"),
}

CASES = [
    *(Case("part_transposes", name, make, "PROVEN") for name, make in SHUFFLED.items()),
    *(Case("part_transposes", name, make, stays=True) for name, make in NOT_SHUFFLED.items()),
    *(Case("merge_pixels", *row) for row in PIXELS),
    *(Case("merge_pixels", f"{name}_stay", make, stays=True) for name, make in PIXELS_LEFT),
    *(Case("narrow_transpose", *row) for row in TRANSPOSES),
    *(Case("narrow_elementwise", *row) for row in ELEMENTWISE),
    # Sums are taken in another order.
    *(Case("narrow_reduction", *row, exact="int" in row[0] or "est" in row[0]) for row in REDUCTIONS),
    *(Case("narrow_slice", *row) for row in SLICES),
    *(Case("narrow_axis", *row) for row in ALONG),
    *(Case("narrow_pad", *row) for row in PADS),
    # The same, and kernels for other shapes.
    *(Case("narrow_products", *row, exact="int8" in row[0]) for row in PRODUCTS),
    *(Case(f"narrow_{kind}", "four_axes_stay", make, "PROVEN", stays=True) for kind, make in LEFT),
]
