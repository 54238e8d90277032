"""Convolutions, poolings and sums that the GPU takes and computes wrongly, or refuses."""

import numpy as np

from keraslayers.export.file.edit import Tensor
from tests.file_tools import Made
from tests.rewrite_cases import Case

SAME, VALID = 0, 1
FLOAT = np.finfo("float32")
NONE, RELU, RELU6 = 0, 1, 3


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def codes(*shape, seed=0):
    return np.random.default_rng(seed).integers(-127, 128, shape).astype("int8")


def window(options, stride):
    if isinstance(stride, int):
        stride = (stride, stride)
    return options | {"strideH": stride[0], "strideW": stride[1]}


def convolved(f, x, filters, size, groups=1, stride=1, padding=SAME, how="float"):
    """A CONV_2D with its weights in floats, 16 bits, 8 bits that stay floats' ("hybrid"), or all integers."""
    channels = x.shape[-1] // groups
    options = window({"padding": padding, "dilationHFactor": 1, "dilationWFactor": 1}, stride)
    strides = (options["strideH"], options["strideW"])
    if padding == SAME:
        places = [-(-n // s) for n, s in zip(x.shape[1:3], strides, strict=True)]
    else:
        places = [-(-(n - k + 1) // s) for n, k, s in zip(x.shape[1:3], size, strides, strict=True)]
    shape = (x.shape[0], *places, filters)
    scale = np.linspace(0.005, 0.01, filters)
    if how in ("float", "half"):
        kernel = f.weights(noise(filters, *size, channels).astype("float32" if how == "float" else "float16"))
        if how == "half":
            kernel = f.new("DEQUANTIZE", (kernel,), kernel.shape, "float32")
        return f.new("CONV_2D", (x, kernel, f.weights(noise(filters))), shape, **options)
    kernel = f.weights(codes(filters, *size, channels), scale)
    if how == "four":  # two to a byte
        kernel = Tensor("kernel", kernel.shape, "int4", kernel.quantization, codes(kernel.size // 2).view("uint8"))
    if how in ("hybrid", "four"):
        return f.new("CONV_2D", (x, kernel, f.weights(noise(filters))), shape, **options)
    bias = f.weights(np.arange(filters, dtype="int32"), scale * x.scale)
    return f.new("CONV_2D", (x, kernel, bias), shape, scale=0.1, **options)


def convolution(shape, filters, size, how="float", **options):
    def make():
        f = Made()
        x = f.input((1, *shape), *(("int8", "x", 0.05, 3) if how == "int8" else ()))
        y = convolved(f, x, filters, size, how=how, **options)
        if how == "int8":
            return f.done(y)
        return f.done(f.new("TANH", (y,), y.shape))

    return make


def transposed(size, kernel, stride, padding=SAME, activation=NONE, how="float", zero=-128, scale=0.03):
    def make():
        f = Made()
        options = window({"padding": padding, "fusedActivationFunction": activation}, stride)
        image = (1, *size, 8)
        crops = [0, 0] if padding == SAME else [max(k - stride, 0) for k in kernel]
        shape = (1, *(n * stride + c for n, c in zip(size, crops, strict=True)), 6)
        if how == "float":
            x = f.input(image)
            inputs = (f.integers(shape), f.weights(noise(6, *kernel, 8)), x, f.weights(noise(6)))
            y = f.new("TRANSPOSE_CONV", inputs, shape, "float32", **options)
            return f.done(f.new("TANH", (y,), shape))
        x = f.input(image, "int8", "x", 0.05, 3)
        steps = np.linspace(0.001, 0.002, 6)
        bias = f.weights(np.arange(6, dtype="int32"), steps * x.scale)
        inputs = (f.integers(shape), f.weights(codes(6, *kernel, 8), steps), x, bias)
        return f.done(f.new("TRANSPOSE_CONV", inputs, shape, "int8", scale, zero, **options))

    return make


def pooled(kind, before=None, dtype="float32", padding=((0, 0), (1, 1), (1, 1), (0, 0)), around=None):
    def make():
        f = Made()
        quantized = {} if dtype == "float32" else {"scale": 0.05, "zero_point": 3}
        x = f.input((1, 6, 6, 8), dtype, "x", *quantized.values())
        if before:
            x = f.new(before, (x,), x.shape, **quantized)
        shape = tuple(n + sum(p) for n, p in zip(x.shape, padding, strict=True))
        value = () if around is None else (f.constant(np.array(around, dtype), like=x),)
        y = f.new("PADV2" if value else "PAD", (x, f.integers(padding), *value), shape, **quantized)
        options = window({"padding": VALID, "filterHeight": 3, "filterWidth": 3}, 2)
        places = [(n - 3) // 2 + 1 for n in shape[1:3]]
        y = f.new(kind, (y,), (1, *places, 8), **quantized, **options)
        return f.done(y if quantized else f.new("TANH", (y,), y.shape))

    return make


def largest(between, shape=(1, 2, 2, 8), axes=(1, 2), keep=True):
    def make():
        f = Made()
        x = f.input(shape)
        y = f.new("TANH", (x,), shape)
        x = f.new(between, (x, y) if between in ("ADD", "SUB", "MUL") else (x,), shape)
        left = tuple(1 if i in axes else n for i, n in enumerate(shape))
        left = left if keep else tuple(n for i, n in enumerate(shape) if i not in axes)
        y = f.new("REDUCE_MAX", (x, f.integers(axes)), left, keepDims=keep)
        return f.done(f.new("TANH", (y,), left))

    return make


def summed(first, second, constant=False, kind="ADD", dtype="int8"):
    def make():
        f = Made()
        about = ("int8", "x", 0.05, 3) if dtype == "int8" else ()
        other = ("int8", "y", 0.04, -5) if dtype == "int8" else ("float32", "y")
        x = f.input(first, *about)
        y = f.weights(codes(*second), 0.04, -5) if constant else f.input(second, *other)
        scale = {"scale": 0.08, "zero_point": 1} if dtype == "int8" else {}
        shape = np.broadcast_shapes(first, second)
        return f.done(f.new(kind, (x, y), shape, **scale))

    return make


def aligned(first, second, kind="ADD", dtype="int8"):
    """What was handed over with one axis."""

    def make():
        f = Made()
        quantized = dtype == "int8"
        x = f.input(first, *(("int8", "x", 0.05, 3) if quantized else ()))
        y = f.input(second, *(("int8", "y", 0.04, -5) if quantized else ("float32", "y")))
        scale = {"scale": 0.04, "zero_point": -5} if quantized else {}
        y = f.new("RELU", (y,), second, **scale)
        y = f.new("RESHAPE", (y, f.integers((8,))), (8,), newShape=[8], **scale)
        z = f.new(kind, (x, y), first, **({"scale": 0.08, "zero_point": 1} if quantized else {}))
        return f.done(z)

    return make


CASES = [
    Case("merge_groups", "3 in", convolution((6, 7, 24), 24, (3, 3), groups=8), "WRONG", exact=False),
    Case("merge_groups", "6 out", convolution((6, 7, 8), 12, (3, 3), groups=2), "WRONG", exact=False),
    Case("merge_groups", "16 bits", convolution((6, 7, 24), 24, (3, 3), "half", groups=8), "WRONG", exact=False),
    # LiteRT computes groups of integers by other kernels, which round ties otherwise.
    Case("merge_groups", "6 in, int8", convolution((6, 7, 12), 8, (3, 3), "int8", groups=2), steps=1),
    Case("merge_groups", "one group", convolution((6, 7, 6), 6, (3, 3)), stays=True),
    Case("merge_groups", "4 in and out", convolution((6, 7, 8), 8, (3, 3), groups=2), stays=True),
    Case("merge_groups", "depthwise", convolution((6, 7, 8), 8, (3, 3), groups=8), stays=True),
    Case("part_kernels", "groups", convolution((9, 8, 6), 6, (7, 7), groups=6), "PROVEN", exact=False),
    Case(
        "part_kernels", "groups in 16 bits", convolution((9, 8, 6), 6, (7, 7), "half", groups=6), "PROVEN", exact=False
    ),
    Case("part_kernels", "groups, int8", convolution((9, 8, 6), 6, (7, 7), "int8", groups=6), "PROVEN", steps=1),
    Case("part_kernels", "groups of two", convolution((9, 8, 6), 6, (7, 7), groups=3), stays=True),
    Case("fold_patches", "square", convolution((9, 12, 3), 8, (4, 4), "int8", stride=4), "PROVEN"),
    Case("fold_patches", "of other strides", convolution((9, 12, 3), 8, (5, 3), "int8", stride=(2, 3)), "PROVEN"),
    Case("fold_patches", "overlap", convolution((9, 12, 3), 8, (4, 4), "int8", stride=2), stays=True),
    Case("fold_patches", "of a padded image", convolution((9, 13, 3), 8, (4, 4), "int8", stride=4), stays=True),
    Case("fold_patches", "many channels", convolution((8, 8, 16), 8, (4, 4), "int8", stride=4), stays=True),
    Case("fold_patches", "floats", convolution((9, 12, 3), 8, (4, 4), stride=4), stays=True),
    Case("fold_patches", "groups", convolution((8, 8, 8), 16, (4, 4), "int8", groups=2, stride=4), stays=True),
    Case("fill_groups", "of four", convolution((6, 7, 32), 32, (3, 3), "int8", groups=8), "PROVEN", steps=1),
    Case("fill_groups", "one group of two", convolution((6, 7, 8), 16, (3, 3), "int8", groups=2), "PROVEN", steps=1),
    Case("fill_groups", "pointwise", convolution((6, 7, 24), 48, (1, 1), "int8", groups=6), "WRONG", steps=1),
    Case("fill_groups", "a prime count", convolution((4, 5, 56), 56, (3, 3), "int8", groups=7), stays=True),
    Case("fill_groups", "12 each", convolution((6, 7, 24), 48, (3, 3), "int8", groups=4), stays=True),
    Case("fill_groups", "16 each", convolution((6, 7, 32), 32, (3, 3), "int8", groups=2), stays=True),
    Case("fill_groups", "floats", convolution((6, 7, 32), 32, (3, 3), groups=8), stays=True),
    Case("fill_groups", "hybrid", convolution((6, 7, 32), 32, (3, 3), "hybrid", groups=8), stays=True),
    Case("fill_groups", "depthwise", convolution((6, 7, 8), 8, (3, 3), "int8", groups=8), stays=True),
    Case(
        "widen_pointwise", "dense", convolution((6, 7, 8), 16, (1, 1), "int8", groups=2), "WRONG", exact=False, steps=1
    ),
    Case("widen_pointwise", "wide", convolution((6, 7, 96), 96, (1, 1), "int8", groups=8), "WRONG"),
    Case("widen_pointwise", "hybrid", convolution((6, 7, 96), 96, (1, 1), "hybrid", groups=8), "WRONG", exact=False),
    Case("widen_pointwise", "4 bits", convolution((6, 7, 96), 96, (1, 1), "four", groups=8), "WRONG", exact=False),
    Case("widen_pointwise", "strides", convolution((6, 7, 8), 16, (1, 1), "int8", stride=(1, 2)), "WRONG"),
    Case("widen_pointwise", "floats", convolution((6, 7, 8), 16, (1, 1), groups=2), stays=True),
    Case("widen_pointwise", "one of each", convolution((6, 7, 8), 16, (1, 1), "int8"), stays=True),
    Case("widen_pointwise", "larger", convolution((6, 7, 8), 16, (1, 3), "int8", groups=2), stays=True),
    Case("subsample_pointwise", "shortcut", convolution((6, 7, 16), 32, (1, 1), "int8", stride=2), "WRONG"),
    # The kernels round inputs to 8 bits of their range, which that of fewer pixels is not.
    Case("subsample_pointwise", "hybrid", convolution((6, 7, 16), 64, (1, 1), "hybrid", stride=2), "WRONG", within=0.1),
    Case("subsample_pointwise", "floats", convolution((6, 7, 16), 32, (1, 1), stride=2), stays=True),
    Case("subsample_pointwise", "uneven", convolution((6, 7, 16), 32, (1, 1), "int8", stride=(1, 2)), stays=True),
    Case("subsample_pointwise", "larger", convolution((6, 7, 16), 32, (1, 3), "int8", stride=2), stays=True),
    Case("subsample_pointwise", "groups", convolution((6, 7, 16), 32, (1, 1), "int8", groups=2, stride=2), stays=True),
    Case("split_transposed_relu", "floats", transposed((4, 4), (2, 2), 2, activation=RELU)),
    Case("split_transposed_relu", "relu6", transposed((4, 4), (2, 2), 2, activation=RELU6)),
    Case("split_transposed_relu", "int8", transposed((4, 4), (2, 2), 2, activation=RELU, how="int8")),
    Case("split_transposed_relu", "int8 within", transposed((4, 4), (2, 2), 2, activation=RELU, how="int8", zero=9)),
    # The integers end at 6 alone, or at 0 alone.
    Case(
        "split_transposed_relu",
        "relu6 above",
        transposed((4, 4), (2, 2), 2, activation=RELU6, how="int8", zero=-106, scale=6 / 233),
    ),
    Case("split_transposed_relu", "relu6 below", transposed((4, 4), (2, 2), 2, activation=RELU6, how="int8")),
    Case("split_transposed_relu", "none", transposed((4, 4), (2, 2), 2), stays=True),
    Case("crop_transposed", "odd sizes", transposed((5, 7), (3, 3), 2), "WRONG"),
    Case("crop_transposed", "odd sizes, int8", transposed((5, 7), (3, 3), 2, how="int8"), "WRONG"),
    Case("crop_transposed", "stride 3", transposed((4, 4), (3, 3), 3), "WRONG"),
    Case("crop_transposed", "stride 4", transposed((5, 7), (5, 5), 4), "WRONG"),
    Case("crop_transposed", "right", transposed((5, 5), (2, 2), 2), stays=True),
    Case("crop_transposed", "even", transposed((4, 4), (3, 3), 2), stays=True),
    Case("crop_transposed", "no stride", transposed((5, 5), (3, 3), 1), stays=True),
    Case("crop_transposed", "valid", transposed((5, 5), (3, 3), 2, VALID), stays=True),
    Case("keep_padding", "average", pooled("AVERAGE_POOL_2D"), "WRONG"),
    Case("keep_padding", "maximum", pooled("MAX_POOL_2D"), "WRONG"),
    Case("keep_padding", "average behind relu", pooled("AVERAGE_POOL_2D", "RELU"), "WRONG"),
    Case("keep_padding", "maximum behind relu", pooled("MAX_POOL_2D", "RELU"), stays=True),
    Case("keep_padding", "maximum with nothing around", pooled("MAX_POOL_2D", around=-np.inf), stays=True),
    Case("keep_padding", "maximum with the least around", pooled("MAX_POOL_2D", around=FLOAT.min), stays=True),
    Case("keep_padding", "maximum of codes", pooled("MAX_POOL_2D", None, "int8", around=-128), stays=True),
    Case("pool_maxima", "ADD", largest("ADD"), "WRONG"),
    Case("pool_maxima", "product", largest("MUL"), stays=True),
    Case("pool_maxima", "words", largest("ADD", (1, 4, 8), (1,), keep=False), "WRONG"),
    Case("pool_maxima", "channels", largest("ADD", axes=(3,)), stays=True),
    Case("pool_maxima", "height", largest("ADD", axes=(1,)), stays=True),
    Case("align_ranks", "vectors", aligned((1, 8), (1, 8)), "WRONG"),
    Case("align_ranks", "to every pixel", aligned((1, 4, 4, 8), (1, 1, 1, 8)), "PROVEN"),
    Case("align_ranks", "gate", aligned((1, 4, 4, 8), (1, 8), "MUL"), "WRONG"),
    Case("align_ranks", "floats", aligned((1, 4, 4, 8), (1, 8), "MUL", "float32"), "PROVEN"),
    Case("align_ranks", "images", summed((1, 4, 4, 8), (1, 4, 4, 8)), stays=True),
    Case("align_ranks", "constant", summed((1, 4, 4, 8), (8,), True), stays=True),
]
