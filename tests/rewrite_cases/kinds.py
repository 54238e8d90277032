"""Kinds that the GPU has not, by others."""

import numpy as np

from keraslayers.export.file.schema import schema
from tests.file_tools import Made
from tests.rewrite_cases import Case
from tests.rewrite_cases.products import numbers

SHAPE = (1, 6, 5, 8)


def sum_of(count, dtype="float32"):
    def make():
        f = Made()
        sides = [f.input(SHAPE, dtype, f"x{i}") for i in range(count)]
        return f.done(f.new("ADD_N", sides, SHAPE))

    return make


def smallest(shape, axis):
    def make():
        f = Made()
        x = f.input(shape)
        whole = tuple(size for i, size in enumerate(shape) if i != axis)
        y = f.new("ARG_MIN", (x, f.constant(np.asarray(axis, "int32"))), whole, "int32")
        y.maker.options = schema().ArgMinOptionsT(outputType=schema().TensorType.INT32)
        return f.done(y)

    return make


def largest(shape, axis=-1, behind=None, scale=None):
    """The place of the largest of numbers that are negative, unless what stands in front makes others of them."""

    def make():
        f = Made()
        if scale:
            x = f.input(shape, "int8", scale=scale, zero_point=127)
            pooled = {"padding": 0, "strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1}
            x = f.new("MAX_POOL_2D", (x,), shape, scale=scale, zero_point=127, **pooled)
        else:
            x = f.input(shape)
            x = f.new("SUB", (x, f.weights(np.float32(6))), shape)
        if behind:
            x = f.new(behind, (x,), shape, **({"beta": 1.0} if behind == "SOFTMAX" else {}))
        whole = tuple(size for i, size in enumerate(shape) if i != axis % len(shape))
        return f.done(f.new("ARG_MAX", (x, f.integers(axis)), whole, "int32", outputType=schema().TensorType.INT32))

    return make


def rectified(dtype="float32"):
    def make():
        f = Made()
        scale, other = (
            {"scale": s, "zero_point": z} if dtype == "int8" else {} for s, z in ((0.05, 3), (1 / 255, -128))
        )
        return f.done(f.new("RELU_0_TO_1", (f.input(SHAPE, dtype, **scale),), SHAPE, **other))

    return make


def volume(padding, stride=1, dilation=1, bias=True, batch=1, activation=0):
    """A convolution of a volume whose own input and output have four axes."""

    def make():
        f = Made()
        sizes, kernel = (7, 6, 5), (3, 3, 2)
        x = f.input((batch, 7, 30, 3))
        x = f.new("RESHAPE", (x, f.integers((batch, *sizes, 3))), (batch, *sizes, 3), newShape=[batch, *sizes, 3])
        reach = [(k - 1) * dilation for k in kernel]
        less = reach if padding == 1 else (0, 0, 0)
        sizes = [-(-(n - by) // stride) for n, by in zip(sizes, less, strict=True)]
        inputs = [x, f.weights(numbers(*kernel, 3, 4))] + ([f.weights(numbers(4))] if bias else [])
        y = f.new("CONV_3D", inputs, (batch, *sizes, 4))
        names = [f"{kind}{axis}{end}" for kind, end in (("stride", ""), ("dilation", "Factor")) for axis in "DHW"]
        steps = dict(zip(names, [stride] * 3 + [dilation] * 3, strict=True))
        y.maker.options = schema().Conv3DOptionsT(padding=padding, fusedActivationFunction=activation, **steps)
        flat = (batch, sizes[0], sizes[1] * sizes[2], 4)
        return f.done(f.new("RESHAPE", (y, f.integers(flat)), flat, newShape=list(flat)))

    return make


VOLUMES = [
    ("valid", volume(1)),
    ("same", volume(0, bias=False, activation=1)),
    ("strided", volume(0, stride=2)),
    ("strided_valid", volume(1, stride=2)),
    ("dilated", volume(1, dilation=2)),
    ("batch", volume(0, batch=2)),
]


def without_its_zeros(of_16_bits=False):
    """A dense layer of whose kernel the file holds what is not zero, row by row."""

    def make():
        f, made = Made(), schema()
        whole = numbers(4, 8).astype("float16" if of_16_bits else "float32")
        whole[np.arange(32).reshape(4, 8) % 3 > 0] = 0
        rows, columns = np.nonzero(whole)
        ends = np.searchsorted(rows, np.arange(5)).astype("int32")

        def whole_numbers(values):
            return made.SparseIndexVector.Int32Vector, made.Int32VectorT(values=values.astype("int32"))

        (kind, segments), (_, indices) = whole_numbers(ends), whole_numbers(columns)
        along = [
            made.DimensionMetadataT(format=made.DimensionType.DENSE, denseSize=4),
            made.DimensionMetadataT(
                format=made.DimensionType.SPARSE_CSR,
                arraySegmentsType=kind,
                arraySegments=segments,
                arrayIndicesType=kind,
                arrayIndices=indices,
            ),
        ]
        kernel = f.weights(whole[rows, columns])
        kernel.fix(whole.shape)
        kernel._table.sparsity = made.SparsityParametersT(traversalOrder=[0, 1], dimMetadata=along)
        kernel = f.new("DENSIFY", (kernel,), whole.shape)
        if of_16_bits:
            kernel = f.new("DEQUANTIZE", (kernel,), whole.shape, "float32")
        return f.done(f.new("FULLY_CONNECTED", (f.input((1, 8)), kernel), (1, 4)))

    return make


CASES = [
    Case("fold_constants", "without_its_zeros", without_its_zeros()),
    Case("fold_constants", "without_its_zeros_of_16_bits", without_its_zeros(of_16_bits=True)),
    Case("lower_add_n", "three", sum_of(3)),
    Case("lower_add_n", "whole_numbers", sum_of(4, "int32")),
    Case("lower_add_n", "two_stay", sum_of(2), "PROVEN", stays=True),
    Case("lower_arg_min", "channels", smallest(SHAPE, 3)),
    Case("lower_arg_min", "rows", smallest((1, 16, 32), 1)),
    Case("pad_classes", "two", largest((1, 8, 8, 2)), "WRONG"),
    Case("pad_classes", "of_three_axes", largest((1, 6, 5), 2), "WRONG"),
    Case("pad_classes", "int8", largest((1, 8, 8, 3), scale=0.05), "WRONG"),
    Case("pad_classes", "eight_are_there", largest((1, 4, 4, 8)), "PROVEN", stays=True),
    Case("pad_classes", "rows", largest((1, 7, 8, 6), 2), "PROVEN", stays=True),
    Case("pad_classes", "of_two_axes", largest((1, 10)), "PROVEN", stays=True),
    Case("pad_classes", "probabilities", largest((1, 4, 4, 5), behind="SOFTMAX"), "PROVEN", stays=True),
    Case("pad_classes", "rectified", largest((1, 4, 4, 5), behind="RELU6"), "PROVEN", stays=True),
    Case("lower_relu_0_to_1", "floats", rectified()),
    Case("lower_relu_0_to_1", "int8", rectified("int8")),
    # Sums in another order.
    *(Case("lower_convolution_3d", name, make, exact=False) for name, make in VOLUMES),
]
