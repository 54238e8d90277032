"""Convolutions between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case
from tests.rewrite_cases.products import bytes_of, numbers

ONES = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
SAME, VALID = 0, 1


class Net(Made):
    """Steps of the pattern; `scale` is that of all tensors of integers."""

    def __init__(self, shape, dtype="float32"):
        super().__init__()
        self.scale = {"scale": 0.05, "zero_point": 3} if dtype == "int8" else {}
        self.x = self.input(shape, dtype, **self.scale)

    def apart(self, x, block, borders):
        batch, *sizes, channels = x.shape
        sizes = [(n + sum(two)) // by for n, two, by in zip(sizes, borders, block, strict=True)]
        shape = (batch * int(np.prod(block)), *sizes, channels)
        return self.new("SPACE_TO_BATCH_ND", (x, self.integers(block), self.integers(borders)), shape, **self.scale)

    def together(self, x, block, crops):
        batch, *sizes, channels = x.shape
        sizes = [n * by - sum(two) for n, two, by in zip(sizes, crops, block, strict=True)]
        shape = (batch // int(np.prod(block)), *sizes, channels)
        return self.new("BATCH_TO_SPACE_ND", (x, self.integers(block), self.integers(crops)), shape, **self.scale)

    def shaped(self, x, shape):
        return self.new("RESHAPE", (x, self.integers(shape)), shape, newShape=list(shape), **self.scale)

    def convolution(self, x, size, filters=4, padding=VALID, depthwise=False, **options):
        shape = (1, *size, x.shape[-1]) if depthwise else (filters, *size, x.shape[-1])
        channels = x.shape[-1] if depthwise else filters
        if self.scale:
            kernel = self.weights(bytes_of(*shape), scale=0.01)
            bias = self.weights(np.arange(channels, dtype="int32"), scale=0.0005)
        else:
            kernel, bias = self.weights(numbers(*shape)), self.weights(numbers(channels))
        options = {**ONES, **options}
        by = options["dilationHFactor"], options["dilationWFactor"]
        less = [(k - 1) * d if padding == VALID else 0 for k, d in zip(size, by, strict=True)]
        whole = (x.shape[0], x.shape[1] - less[0], x.shape[2] - less[1], channels)
        if depthwise:
            options["depthMultiplier"] = 1
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        return self.new(kind, (x, kernel, bias), whole, padding=padding, **options, **self.scale)

    def sequence(self, x, size=3, along=2, **options):
        """A convolution over a sequence, as an image of one row, or of one column."""
        batch, length, channels = x.shape
        image = (batch, 1, length, channels) if along == 2 else (batch, length, 1, channels)
        y = self.convolution(self.shaped(x, image), (1, size) if along == 2 else (size, 1), **options)
        return self.shaped(y, (batch, y.shape[along], y.shape[-1]))


def images(borders, crops, shape=(1, 12, 12, 3), block=(2, 2), size=(3, 3), dtype="float32", **options):
    def make():
        f = Net(shape, dtype)
        y = f.convolution(f.apart(f.x, block, borders), size, **options)
        return f.done(f.together(y, block, crops))

    return make


def sequences(borders, crops, along=2, dtype="float32", **options):
    def make():
        f = Net((1, 24, 3), dtype)
        y = f.sequence(f.apart(f.x, (4,), [borders]), along=along, **options)
        return f.done(f.together(y, (4,), [crops]))

    return make


def shared():
    f = Net((1, 24, 3))
    x = f.apart(f.x, (4,), [(8, 0)])
    a = f.together(f.sequence(x), (4,), [(0, 0)])
    b = f.together(f.sequence(x), (4,), [(0, 0)])
    a, b = f.new("TANH", (a,), a.shape), f.new("LOGISTIC", (b,), b.shape)
    return f.done(f.new("MUL", (a, b), a.shape))


def gated_inside():
    f = Net((1, 24, 3))
    x = f.apart(f.x, (4,), [(8, 0)])
    a, b = f.sequence(x), f.sequence(x)
    a = f.new("ADD", (a, f.weights(numbers(4))), a.shape, fusedActivationFunction=1)
    a, b = f.new("TANH", (a,), a.shape), f.new("LOGISTIC", (b,), b.shape)
    y = f.new("MUL", (a, b), a.shape)
    y = f.sequence(y, 1)
    return f.done(f.together(y, (4,), [(0, 0)]))


def other_block():
    f = Net((1, 12, 12, 3))
    y = f.convolution(f.apart(f.x, (2, 2), [(0, 0), (0, 0)]), (3, 3))
    return f.done(f.together(y, (4, 1), [(0, 0), (0, 0)]))


def mixes_the_batch():
    f = Net((1, 12, 12, 3))
    y = f.convolution(f.apart(f.x, (2, 2), [(0, 0), (0, 0)]), (3, 3))
    y = f.new("REVERSE_V2", (y, f.integers([0])), y.shape)
    return f.done(f.together(y, (2, 2), [(0, 0), (0, 0)]))


NONE, AROUND = [(0, 0), (0, 0)], [(2, 2), (2, 2)]
DILATED = [
    ("valid", images(NONE, NONE)),
    ("same", images(AROUND, NONE)),
    ("cropped", images([(2, 3), (2, 4)], [(0, 1), (0, 2)], (1, 11, 10, 3))),
    ("cropped_more", images(NONE, [(1, 0), (2, 3)])),
    ("other_borders", images([(4, 0), (0, 2)], NONE)),
    ("same_of_parts", images(NONE, NONE, padding=SAME)),
    ("same_of_parts_of_even_size", images(NONE, NONE, padding=SAME, size=(2, 4))),
    ("dilated_already", images(AROUND, NONE, dilationWFactor=2)),
    ("depthwise", images(AROUND, NONE, depthwise=True)),
    ("one_side", images([(0, 0), (3, 3)], NONE, block=(1, 3))),
    ("int8", images([(2, 3), (2, 2)], [(0, 1), (0, 0)], (1, 11, 12, 3), dtype="int8")),
    ("sequence", sequences((0, 0), (0, 0))),
    ("causal_sequence", sequences((8, 0), (0, 0))),
    ("column", sequences((4, 4), (0, 0), along=1)),
    ("separable_sequence", sequences((8, 0), (0, 0), depthwise=True)),
    ("int8_sequence", sequences((8, 4), (0, 4), dtype="int8")),
    ("shared", shared),
    ("gated_inside", gated_inside),
]
DILATED_LEFT = [("other_block", other_block), ("mixes_the_batch", mixes_the_batch)]

CASES = [
    # Sums in another order.
    *(Case("dilate_convolutions", name, make, exact=False) for name, make in DILATED),
    *(Case("dilate_convolutions", f"{name}_stays", make, stays=True) for name, make in DILATED_LEFT),
]
