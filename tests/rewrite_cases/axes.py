"""Tensors of more than four axes."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case

QUANTIZED = {"scale": 0.05, "zero_point": 3}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


class Wide(Made):
    """A file whose input and outputs have two axes, and what is between them more."""

    def __init__(self, dtype="float32"):
        super().__init__()
        self.how = QUANTIZED if dtype == "int8" else {}
        self.dtype = dtype

    def given(self, shape, name="x"):
        count = int(np.prod(shape))
        x = self.input((1, count), self.dtype, name, *self.how.values())
        return self.seen(x, shape)

    def seen(self, x, shape):
        shape = [int(size) for size in shape]
        return self.new("RESHAPE", (x, self.integers(shape)), tuple(shape), newShape=shape, **self.how)

    def made(self, kind, inputs, shape, **options):
        return self.new(kind, inputs, shape, **({"dtype": self.dtype} | self.how | options))

    def result(self, y):
        return self.done(
            self.new("RESHAPE", (y, self.integers((1, y.size))), (1, y.size), newShape=[1, y.size], **_of(y))
        )


def _of(tensor):
    return {} if tensor.scale is None else {"scale": tensor.scale, "zero_point": tensor.zero_point}


def turned(shape, order, dtype="float32"):
    def make():
        f = Wide(dtype)
        x = f.given(shape)
        return f.result(f.made("TRANSPOSE", (x, f.integers(order)), tuple(shape[axis] for axis in order)))

    return make


def elementwise(kind, first, second=None, dtype="float32", constant=False):
    def make():
        f = Wide(dtype)
        inputs = [f.given(first)]
        if constant:
            inputs.append(f.weights(noise(*second)))
        elif second:
            inputs.append(f.given(second, "y"))
        shape = np.broadcast_shapes(first, second or first)
        return f.result(f.made(kind, inputs, tuple(int(n) for n in shape)))

    return make


def chosen(first, second, third):
    def make():
        f = Wide()
        x, y, z = f.given(first), f.given(second, "y"), f.given(third, "z")
        mask = f.new("GREATER", (x, f.weights(np.zeros((), "float32"))), first, "bool")
        return f.result(f.new("SELECT_V2", (mask, y, z), np.broadcast_shapes(first, second, third), "float32"))

    return make


def reduced(kind, shape, axes, dtype="float32", keep=True):
    def make():
        f = Wide(dtype)
        left = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
        return f.result(f.made(kind, (f.given(shape), f.integers(axes)), left, keepDims=keep))

    return make


def sliced(shape, begin, size, steps=None):
    def make():
        f = Wide()
        x = f.given(shape)
        if steps is None:
            return f.result(f.made("SLICE", (x, f.integers(begin), f.integers(size)), tuple(size)))
        end = [b + n for b, n in zip(begin, size, strict=True)]
        left = tuple(-(-n // s) for n, s in zip(size, steps, strict=True))
        return f.result(f.made("STRIDED_SLICE", (x, *map(f.integers, (begin, end, steps))), left))

    return make


def joined(shape, axis, dtype="float32"):
    def make():
        f = Wide(dtype)
        whole = [2 * n if i == axis else n for i, n in enumerate(shape)]
        return f.result(f.made("CONCATENATION", (f.given(shape), f.given(shape, "y")), tuple(whole), axis=axis))

    return make


def along(kind, shape, axis=None):
    def make():
        f = Wide()
        x = f.given(shape)
        if axis is None:
            return f.result(f.made(kind, (x,), shape, **({"beta": 1.0} if kind == "SOFTMAX" else {})))
        return f.result(f.made(kind, (x, f.integers([axis] if kind == "REVERSE_V2" else axis)), shape))

    return make


def padded(shape, amounts):
    def make():
        f = Wide()
        whole = tuple(n + sum(pair) for n, pair in zip(shape, amounts, strict=True))
        return f.result(f.made("PAD", (f.given(shape), f.integers(amounts)), whole))

    return make


def multiplied(first, second, transposed=False):
    def make():
        f = Wide()
        x, y = f.given(first), f.given(second, "y")
        batch = np.broadcast_shapes(first[:-2], second[:-2])
        shape = (*(int(n) for n in batch), first[-2], second[-2 if transposed else -1])
        return f.result(f.made("BATCH_MATMUL", (x, y), shape, adjY=transposed))

    return make


def dense(shape):
    def make():
        f = Wide()
        weights = f.weights(noise(6, shape[-1])), f.weights(noise(6))
        return f.result(f.made("FULLY_CONNECTED", (f.given(shape), *weights), (*shape[:-1], 6), keepNumDims=True))

    return make


def video(narrow=False):
    def make():
        f = Made()
        shape = (1, 12, 4, 5) if narrow else (1, 3, 4, 4, 5)
        y = f.new("TANH", (f.input(shape),), shape)
        return f.done(y)

    return make


WINDOWS = (1, 4, 3, 4, 3, 8)

CASES = [
    Case("narrow_transpose", "windows", turned(WINDOWS, (0, 1, 3, 2, 4, 5))),
    Case("narrow_transpose", "windows, int8", turned(WINDOWS, (0, 1, 3, 2, 4, 5), "int8")),
    Case("narrow_transpose", "heads", turned((1, 6, 3, 2, 4), (2, 0, 3, 1, 4))),
    Case("narrow_transpose", "all turned", turned((2, 3, 4, 5, 6), (4, 3, 2, 1, 0))),
    Case("narrow_transpose", "five moved", turned((2, 3, 2, 3, 4), (3, 1, 4, 0, 2))),
    Case("narrow_transpose", "six moved", turned((2, 3, 2, 3, 2, 2), (5, 3, 1, 4, 0, 2))),
    Case("narrow_transpose", "nothing moved", turned((1, 6, 1, 2, 4), (0, 2, 1, 3, 4))),
    Case("narrow_transpose", "four axes", turned((2, 3, 4, 5), (3, 2, 1, 0)), "PROVEN", stays=True),
    Case("narrow_elementwise", "one", elementwise("TANH", (1, 2, 3, 4, 8))),
    Case("narrow_elementwise", "one, int8", elementwise("RELU", (1, 2, 3, 4, 8), dtype="int8")),
    Case("narrow_elementwise", "two", elementwise("ADD", (1, 2, 3, 4, 8), (1, 2, 3, 4, 8))),
    Case("narrow_elementwise", "repeated", elementwise("MUL", (1, 2, 3, 4, 8), (1, 2, 1, 1, 8))),
    Case("narrow_elementwise", "repeated, int8", elementwise("ADD", (1, 2, 3, 4, 8), (1, 2, 1, 1, 8), "int8")),
    Case("narrow_elementwise", "both repeated", elementwise("ADD", (1, 2, 1, 4, 1), (1, 1, 3, 4, 8))),
    Case("narrow_elementwise", "often repeated", elementwise("SUB", (2, 3, 2, 3, 4), (1, 3, 1, 3, 1))),
    Case("narrow_elementwise", "constant", elementwise("MUL", (1, 2, 3, 4, 8), (3, 1, 8), constant=True)),
    Case("narrow_elementwise", "number", elementwise("MUL", (1, 2, 3, 4, 8), (), constant=True)),
    Case("narrow_elementwise", "chosen", chosen((1, 2, 3, 4, 8), (1, 2, 3, 1, 8), (1, 2, 3, 4, 1))),
    Case("narrow_elementwise", "four axes", elementwise("ADD", (2, 3, 4, 8), (2, 1, 4, 8)), stays=True),
    Case("narrow_reduction", "groups", reduced("MEAN", (1, 4, 4, 2, 3), (1, 2, 4)), exact=False),
    Case("narrow_reduction", "sum", reduced("SUM", (1, 4, 4, 2, 3), (3,), keep=False), exact=False),
    Case("narrow_reduction", "largest", reduced("REDUCE_MAX", (2, 3, 2, 3, 2), (0, 2, 4))),
    Case("narrow_reduction", "far apart", reduced("SUM", (2, 3, 2, 3, 2), (1, 3)), exact=False),
    Case("narrow_reduction", "four axes", reduced("SUM", (2, 3, 2, 3), (1, 3)), stays=True),
    Case("narrow_slice", "first", sliced((3, 1, 2, 4, 8), (0, 0, 0, 0, 0), (1, 1, 2, 4, 8))),
    Case("narrow_slice", "inside", sliced((2, 3, 2, 4, 8), (0, 1, 0, 1, 0), (2, 2, 2, 2, 8))),
    Case("narrow_slice", "everywhere", sliced((3, 3, 3, 4, 8), (1, 1, 1, 1, 1), (2, 2, 2, 2, 2))),
    Case("narrow_slice", "steps", sliced((1, 4, 2, 6, 3), (0, 0, 0, 1, 0), (1, 4, 2, 5, 3), (1, 2, 1, 2, 1))),
    Case("narrow_slice", "four axes", sliced((3, 2, 4, 8), (0, 0, 0, 0), (1, 2, 4, 8)), stays=True),
    Case("narrow_axis", "joined", joined((1, 2, 3, 2, 8), 3)),
    Case("narrow_axis", "joined, int8", joined((1, 2, 3, 2, 8), 4, "int8")),
    Case("narrow_axis", "softmax", along("SOFTMAX", (1, 2, 3, 4, 8)), exact=False),
    Case("narrow_axis", "running sum", along("CUMSUM", (1, 2, 3, 4, 8), 2), exact=False),
    Case("narrow_axis", "reversed", along("REVERSE_V2", (1, 2, 3, 4, 8), 3)),
    Case("narrow_axis", "four axes", joined((2, 3, 2, 8), 2), stays=True),
    Case("narrow_pad", "one", padded((1, 2, 2, 4, 8), [(0, 0), (0, 0), (0, 0), (1, 2), (0, 0)])),
    Case("narrow_pad", "three", padded((1, 2, 2, 4, 8), [(0, 0), (1, 0), (0, 0), (0, 2), (0, 3)])),
    Case("narrow_pad", "four axes", padded((2, 2, 4, 8), [(0, 0), (1, 0), (0, 0), (0, 2)]), stays=True),
    Case("narrow_products", "heads", multiplied((1, 2, 3, 4, 5), (1, 2, 3, 5, 6)), exact=False),
    Case("narrow_products", "repeated", multiplied((1, 2, 3, 4, 5), (1, 2, 1, 6, 5), True), exact=False),
    Case("narrow_products", "dense", dense((1, 2, 3, 4, 8)), exact=False),
    Case("narrow_products", "four axes", multiplied((2, 3, 4, 5), (2, 3, 5, 6)), stays=True),
    Case("narrow_borders", "video", video(), borders=True),
    Case("narrow_borders", "image", video(narrow=True), stays=True),
]
