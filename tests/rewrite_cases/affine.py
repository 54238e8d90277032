"""Sums and products that become part of layers, and products that are multiplied the other way round."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case

RELU = 1
ROWS, HEADS = (1, 6, 8), (1, 6, 2, 4)
# As clustering leaves a kernel.
FEW = np.random.default_rng(0).choice([-1.0, 0.5, 2.0], (8, 8)).astype("float32")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def dense(f, x, units=8, bias=True, seed=1, **options):
    kernel = options.pop("kernel", None) or f.weights(numbers(units, x.shape[-1], seed=seed))
    inputs = (x, kernel, f.weights(numbers(units, seed=seed + 1))) if bias else (x, kernel)
    return f.new("FULLY_CONNECTED", inputs, (*x.shape[:-1], units), keepNumDims=True, **options)


def heads(f, x):
    return f.new("RESHAPE", (x, f.integers(HEADS)), HEADS)


def made(build):
    def make():
        f = Made()
        found = build(f)
        return f.done(*(found if isinstance(found, tuple) else (found,)))

    return make


def behind(kind, *shape, bias=True, split=True, swapped=False, activation=0, **options):
    """A dense layer, its outputs split into heads, and a constant."""

    def build(f):
        y = dense(f, f.input(ROWS), bias=bias, **options)
        y = heads(f, y) if split else y
        constant = f.weights(numbers(*shape, seed=5))
        whole = np.broadcast_shapes(y.shape, shape)
        return f.new(kind, (constant, y) if swapped else (y, constant), whole, fusedActivationFunction=activation)

    return made(build)


def convolution(kind, by, *shape):
    def build(f):
        x = f.input((1, 5, 5, 4))
        options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        size = (4, 3, 3, 4)
        if kind == "DEPTHWISE_CONV_2D":
            size, options = (1, 3, 3, 4), options | {"depthMultiplier": 1}
        y = f.new(kind, (x, f.weights(numbers(*size)), f.weights(numbers(4))), x.shape, **options)
        return f.new(by, (y, f.weights(numbers(*shape, seed=5))), x.shape)

    return made(build)


def attention(f, factor=0.25, **options):
    """Scores of two heads, multiplied by a number, as Keras's attention does it."""
    x = f.input(ROWS)
    query = f.new("TRANSPOSE", (heads(f, dense(f, x)), f.integers([0, 2, 1, 3])), (1, 2, 6, 4))
    key = f.new("TRANSPOSE", (heads(f, dense(f, x, seed=3)), f.integers([0, 2, 3, 1])), (1, 2, 4, 6))
    scores = f.new("BATCH_MATMUL", (query, key), (1, 2, 6, 6), adjX=False, adjY=False)
    return f.new("MUL", (scores, f.weights(np.float32(factor))), scores.shape, **options)


def square(f):
    """A matrix with itself: half the scores are not those of half the matrix."""
    y = dense(f, f.input(ROWS))
    scores = f.new("BATCH_MATMUL", (y, y), (1, 6, 6), adjX=False, adjY=True)
    return f.new("MUL", (scores, f.weights(np.float32(0.5))), scores.shape)


def read_twice(f):
    y = heads(f, dense(f, f.input(ROWS)))
    return f.new("ADD", (y, f.weights(numbers(2, 4))), HEADS), f.new("ABS", (y,), HEADS)


def an_output(f):
    y = dense(f, f.input(ROWS))
    return f.new("ADD", (y, f.weights(numbers(8))), ROWS), y


def two_layers_of_one_kernel(f):
    x, kernel = f.input(ROWS), f.weights(numbers(8, 8))
    first, second = dense(f, x, kernel=kernel), f.new("ABS", (dense(f, x, kernel=kernel),), ROWS)
    return f.new("MUL", (first, f.weights(numbers(8))), ROWS), second


def half_a_kernel(f):
    kernel = f.new("DEQUANTIZE", (f.weights(numbers(8, 8).astype("float16")),), (8, 8), "float32")
    return f.new("MUL", (dense(f, f.input(ROWS), kernel=kernel), f.weights(numbers(8))), ROWS)


FOLDED = {
    "heads": behind("ADD", 2, 4),
    "no bias": behind("ADD", 2, 4, bias=False),
    "one head of all": behind("ADD", 4),
    "a number": behind("ADD", 1, 1),
    "constant first, and an activation": behind("ADD", 1, 1, 2, 4, swapped=True, activation=RELU),
    "nothing between": behind("ADD", 8, split=False),
    "squeezed": made(
        lambda f: f.new("ADD", (f.new("SQUEEZE", (dense(f, f.input(ROWS)),), (6, 8)), f.weights(numbers(8))), (6, 8))
    ),
    "product": behind("MUL", 2, 4),
    "product without bias": behind("MUL", 2, 4, bias=False, activation=RELU),
    "product with a number above 1": behind("MUL"),
    "scores": made(attention),
    "convolution": convolution("CONV_2D", "MUL", 4),
    "depthwise": convolution("DEPTHWISE_CONV_2D", "MUL", 1, 1, 1, 4),
    "depthwise bias": convolution("DEPTHWISE_CONV_2D", "ADD", 4),
}
APART = {
    "another number for each place": behind("ADD", 6, 2, 4),
    "made larger": behind("ADD", 3, 6, 2, 4),
    "behind an activation": behind("ADD", 8, split=False, fusedActivationFunction=RELU),
    "read twice": made(read_twice),
    "an output": made(an_output),
    "two layers of one kernel": made(two_layers_of_one_kernel),
    "a kernel of 16 bits": made(half_a_kernel),
    "few numbers in the kernel": made(
        lambda f: f.new("MUL", (dense(f, f.input(ROWS), kernel=f.weights(FEW)), f.weights(numbers(8))), ROWS)
    ),
    "scores of a matrix with itself": made(square),
    "scores made larger": made(lambda f: attention(f, 2.0)),
    "scores with an activation": made(lambda f: attention(f, fusedActivationFunction=RELU)),
}


def product(orders=(None, None), adjoint=(False, False), last=(0, 2, 1), shapes=((2, 6, 4), (2, 4, 6)), **options):
    """Two inputs, transposed where there are orders; their product, transposed."""

    def build(f):
        sides = []
        for i, (shape, order) in enumerate(zip(shapes, orders, strict=True)):
            if options.get("stored") == i:
                sides.append(f.weights(numbers(*shape)))
                continue
            given = shape if order is None else tuple(shape[order.index(axis)] for axis in range(len(shape)))
            x = f.input(given, name=f"x{i}")
            sides.append(x if order is None else f.new("TRANSPOSE", (x, f.integers(order)), shape))
        rows = shapes[0][-1] if adjoint[0] else shapes[0][-2]
        columns = shapes[1][-2] if adjoint[1] else shapes[1][-1]
        whole = (*np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2]), rows, columns)
        scores = f.new("BATCH_MATMUL", sides, whole, adjX=adjoint[0], adjY=adjoint[1])
        order = f.input((len(last),), "int32", "order") if options.get("asked") else f.integers(last)
        y = f.new("TRANSPOSE", (scores, order), tuple(whole[axis] for axis in last))
        if options.get("kept"):
            return y, scores
        return (y, f.new("ABS", (scores,), whole)) if options.get("both") else y

    return made(build)


WIDE = ((2, 9, 4), (2, 4, 9))
TURNED = {
    "transposed before": product(((0, 2, 1), (1, 2, 0)), shapes=((2, 6, 4), (2, 4, 6))),
    "not transposed before": product(shapes=WIDE),
    "adjoint": product(adjoint=(True, True), shapes=((2, 4, 6), (2, 6, 4))),
    "one adjoint": product(((0, 2, 1), None), adjoint=(False, True), shapes=((2, 9, 4), (2, 9, 4))),
    "five axes": product(
        ((0, 1, 3, 2, 4), (0, 1, 3, 4, 2)),
        last=(0, 1, 2, 4, 3),
        shapes=((1, 2, 3, 6, 4), (1, 2, 3, 4, 6)),
    ),
    "a stored one": product(shapes=WIDE, stored=1),
    "no batch on one side": product(shapes=((2, 9, 4), (4, 9))),
}
NOT_TURNED = {
    "larger than what they make": product(shapes=((2, 3, 9), (2, 9, 3))),
    "in an order that the app gives": product(shapes=WIDE, asked=True),
    "of a batch": product(last=(1, 0, 2), shapes=WIDE),
    "read twice": product(shapes=WIDE, both=True),
    "an output": product(shapes=WIDE, kept=True),
}


def normalized(f, x, gamma=True, beta=True, swapped=False):
    """A normalization over the last axis, as `center_normalization` leaves it; its scale and shift as asked for."""
    axis, one = f.integers([-1]), (*x.shape[:-1], 1)
    centered = f.new("SUB", (x, f.new("MEAN", (x, axis), one, keepDims=True)), x.shape)
    variance = f.new("MEAN", (f.new("MUL", (centered, centered), x.shape), axis), one, keepDims=True)
    root = f.new("RSQRT", (f.new("ADD", (variance, f.weights(np.float32(1e-3))), one),), one)
    y = f.new("MUL", (root, centered) if swapped else (centered, root), x.shape)
    for kind, wanted, seed in (("MUL", gamma, 7), ("ADD", beta, 8)):
        if wanted:
            y = f.new(kind, (y, f.weights(numbers(x.shape[-1], seed=seed))), x.shape)
    return y


def normalization(*, readers=1, bias=True, then=None, convolved=False, shape=ROWS, kernel=None, **options):
    """A normalization that dense layers read, by default; `then` is called as then(f, n) for what else is given."""

    def build(f):
        n = normalized(f, f.input(shape), **options)
        if convolved:
            size = (4, convolved, convolved, shape[-1])
            steps = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
            y = f.new("CONV_2D", (n, f.weights(numbers(*size)), f.weights(numbers(4))), (*shape[:-1], 4), **steps)
            return y
        given = [dense(f, n, bias=bias, seed=3 * i + 1, kernel=kernel and kernel(f)) for i in range(readers)]
        return (*given, *((then(f, n),) if then else ()))

    return made(build)


TAKEN = {
    "one reader": normalization(),
    "three readers": normalization(readers=3),
    "without bias": normalization(bias=False, swapped=True),
    "scale alone": normalization(beta=False),
    "shift alone": normalization(gamma=False, bias=False),
    "a convolution of one pixel": normalization(shape=(1, 3, 3, 8), convolved=1),
}
LEFT = {
    "neither": normalization(gamma=False, beta=False),
    "read by others, too": normalization(beta=False, then=lambda f, n: f.new("ABS", (n,), n.shape)),
    "an output": normalization(beta=False, then=lambda f, n: n),
    "a convolution of more": normalization(shape=(1, 3, 3, 8), convolved=3),
    "few numbers in the kernel": normalization(beta=False, kernel=lambda f: f.weights(FEW)),
    "no normalization": made(
        lambda f: dense(f, f.new("MUL", (f.new("ABS", (f.input(ROWS),), ROWS), f.weights(numbers(8))), ROWS))
    ),
}

CASES = [
    *(Case("fold_affine", name, make, "PROVEN", exact=False) for name, make in FOLDED.items()),
    *(Case("fold_affine", name, make, stays=True) for name, make in APART.items()),
    *(Case("turn_products", name, make, "PROVEN", exact=False) for name, make in TURNED.items()),
    *(Case("turn_products", name, make, stays=True) for name, make in NOT_TURNED.items()),
    *(Case("fold_gamma", name, make, "PROVEN", exact=False) for name, make in TAKEN.items()),
    *(Case("fold_gamma", name, make, stays=True) for name, make in LEFT.items()),
]
