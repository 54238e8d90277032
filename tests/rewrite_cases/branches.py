"""Convolutions side by side whose outputs are summed."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case

SAME, VALID = 0, 1


class Branches(Made):
    """A file of branches of one image of 7 x 6, 4 channels as a rule."""

    def __init__(self, channels=4):
        super().__init__()
        self.random = np.random.default_rng(0)
        # Not the file's input itself, so that what becomes of it is seen.
        self.x = self.new("ABS", (self.input((1, 7, 6, channels)),), (1, 7, 6, channels))

    def floats(self, *shape, dtype="float32"):
        values = self.constant(self.random.normal(size=shape).astype(dtype))
        return values if dtype == "float32" else self.new("DEQUANTIZE", (values,), shape, "float32")

    def conv(self, size, x=None, padding=SAME, strides=(1, 1), filters=4, depth=4, dtype="float32", **more):
        x = self.x if x is None else x
        sides = [
            -(-(n - (k - 1) * (padding == VALID)) // s) for n, k, s in zip(x.shape[1:3], size, strides, strict=True)
        ]
        kernel = self.floats(filters, *size, depth, dtype=dtype)
        options = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
        options |= {"dilationHFactor": 1, "dilationWFactor": 1, **more}
        return self.new("CONV_2D", (x, kernel, self.floats(filters, dtype=dtype)), (1, *sides, filters), **options)

    def depthwise(self, size, x=None, padding=SAME, strides=(1, 1), each=1):
        x = self.x if x is None else x
        sides = [
            -(-(n - (k - 1) * (padding == VALID)) // s) for n, k, s in zip(x.shape[1:3], size, strides, strict=True)
        ]
        filters = x.shape[-1] * each
        inputs = (x, self.floats(1, *size, filters), self.floats(filters))
        options = {"padding": padding, "strideH": strides[0], "strideW": strides[1], "depthMultiplier": each}
        options |= {"dilationHFactor": 1, "dilationWFactor": 1}
        return self.new("DEPTHWISE_CONV_2D", inputs, (1, *sides, filters), **options)

    def padded(self, pads, x=None):
        x = self.x if x is None else x
        shape = tuple(size + sum(pair) for size, pair in zip(x.shape, pads, strict=True))
        return self.new("PAD", (x, self.constant(np.array(pads, "int32"))), shape)

    def plus(self, a, b, kind="ADD", activation=0):
        return self.new(kind, (a, b), a.shape, fusedActivationFunction=activation)

    def times(self, x, constant, kind="MUL"):
        return self.new(kind, (x, constant), x.shape, fusedActivationFunction=0)

    def finished(self, y):
        return self.done(self.new("NEG", (y,), y.shape))


def made(build, channels=4):
    def make():
        f = Branches(channels)
        y = build(f)
        return f.finished(y if not isinstance(y, tuple) else f.plus(*y))

    return make


def normalized(f):
    """The input times and plus constants by channel, as a batch normalization is in a file."""
    return f.times(f.times(f.x, f.floats(4)), f.floats(4), "ADD")


def given(f):
    """A branch that is an output, too."""
    y = f.conv((3, 3))
    f.graph.outputs.append(y)
    return f.plus(y, f.conv((1, 1)))


def read_twice(f):
    y = f.conv((3, 3))
    return f.plus(f.plus(y, f.conv((1, 1))), f.new("ABS", (y,), y.shape))


def halves(f):
    return f.conv((3, 3), dtype="float16"), f.conv((1, 1), dtype="float16")


AROUND = ((0, 0), (1, 1), (1, 1), (0, 0))
GROUPED = {"depth": 2}

MERGED = {
    "3x3 and 1x1": lambda f: (f.conv((3, 3)), f.conv((1, 1))),
    "1x1 and 3x3": lambda f: (f.conv((1, 1)), f.conv((3, 3))),
    "of one size": lambda f: (f.conv((3, 3)), f.conv((3, 3))),
    "rows and columns": lambda f: (f.plus(f.conv((3, 3)), f.conv((1, 3))), f.conv((3, 1))),
    "input": lambda f: (f.conv((3, 3)), f.x),
    "input first": lambda f: (f.x, f.conv((1, 1))),
    "normalized input": lambda f: (f.plus(f.conv((3, 3)), f.conv((1, 1))), normalized(f)),
    "input plus one number": lambda f: (f.conv((3, 3)), f.times(f.x, f.floats(1), "ADD")),
    "activation": lambda f: f.plus(f.conv((3, 3)), f.conv((1, 1)), activation=1),
    "taken away": lambda f: f.plus(f.conv((3, 3)), f.conv((1, 1)), "SUB"),
    "taken from": lambda f: f.plus(f.x, f.conv((3, 3)), "SUB"),
    "padded beside": lambda f: (
        f.conv((3, 3), f.padded(AROUND), VALID, (2, 2)),
        f.conv((1, 1), strides=(2, 2), padding=VALID),
    ),
    "padded apart": lambda f: (f.conv((3, 3), f.padded(AROUND), VALID), f.conv((3, 3), f.padded(AROUND), VALID)),
    "padded alike": lambda f: (lambda x: (f.conv((3, 3), x, VALID), f.conv((3, 3), x, VALID)))(f.padded(AROUND)),
    "strides": lambda f: (f.conv((3, 3), strides=(2, 1)), f.conv((1, 1), strides=(2, 1))),
    "groups": lambda f: (f.conv((3, 3), **GROUPED), f.conv((1, 1), **GROUPED)),
    "groups and input": lambda f: (f.conv((3, 3), **GROUPED), normalized(f)),
    "depthwise": lambda f: (f.depthwise((5, 5)), f.depthwise((3, 3))),
    "depthwise and input": lambda f: (f.depthwise((3, 3)), normalized(f)),
    "depthwise of several": lambda f: (f.depthwise((3, 3), each=2), f.depthwise((1, 1), each=2)),
}
LEFT = {
    "of two images": lambda f: (f.conv((3, 3)), f.conv((1, 1), f.new("NEG", (f.x,), f.x.shape))),
    "activation between": lambda f: (f.conv((3, 3)), f.conv((1, 1), fusedActivationFunction=1)),
    "activation before the input": lambda f: (
        f.conv((3, 3)),
        f.new("MUL", (f.x, f.floats(4)), f.x.shape, fusedActivationFunction=1),
    ),
    "read twice": read_twice,
    "given": given,
    "dilated": lambda f: (f.conv((3, 3), dilationHFactor=2), f.conv((1, 1))),
    "other groups": lambda f: (f.conv((3, 3)), f.conv((1, 1), **GROUPED)),
    "other strides": lambda f: (
        f.conv((3, 3), f.padded(((0, 0), (7, 7), (6, 6), (0, 0))), VALID, (3, 3)),
        f.conv((1, 1)),
    ),
    "depthwise beside a full one": lambda f: (f.conv((3, 3)), f.depthwise((3, 3))),
    "rows beside columns": lambda f: (f.conv((1, 3)), f.conv((3, 1))),
    "outside of the window": lambda f: (
        f.conv((3, 3)),
        f.conv((3, 3), f.padded(((0, 0), (2, 0), (2, 0), (0, 0))), VALID),
    ),
    "padded channels": lambda f: (
        f.conv((3, 3), f.padded(((0, 0), (1, 1), (1, 1), (0, 4))), VALID, depth=8),
        f.conv((1, 1)),
    ),
    "input with strides": lambda f: (f.conv((1, 1), f.padded(((0, 0), (7, 0), (6, 0), (0, 0))), SAME, (2, 2)), f.x),
    "times an image": lambda f: (f.conv((3, 3)), f.times(f.x, f.floats(1, 7, 6, 4))),
    "times itself": lambda f: (f.conv((3, 3)), f.times(f.x, f.new("NEG", (f.x,), f.x.shape))),
    "no convolution": lambda f: (f.x, normalized(f)),
}


def in_integers():
    f = Made()
    x = f.input((1, 7, 6, 4), "int8", "x", 0.1)
    outputs = []
    for side in (3, 1):
        kernel = f.weights(np.ones((4, side, side, 4), "int8"), 0.01)
        options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        bias = f.weights(np.zeros(4, "int32"), 0.001)
        outputs.append(f.new("CONV_2D", (x, kernel, bias), (1, 7, 6, 4), scale=0.1, **options))
    return f.done(f.new("ADD", outputs, (1, 7, 6, 4), scale=0.1))


CASES = [
    *(Case("merge_branches", name, made(build), "PROVEN", exact=False) for name, build in MERGED.items()),
    # The sum of kernels is of 16 bits again.
    Case("merge_branches", "float16", made(halves), "PROVEN", within=1e-3),
    *(Case("merge_branches", name, made(build), stays=True) for name, build in LEFT.items()),
    Case("merge_branches", "integers", in_integers, stays=True),
]
