"""What is right in 32-bit floats and lost in those of 16. What makes numbers large stands in the files."""

import numpy as np

from tests.file_tools import Made
from tests.rewrite_cases import Case

ROWS, IMAGE = (1, 8, 24), (1, 32, 32, 4)


def number(f, value):
    return f.constant(np.float32([value]))


def moved(f, x, by=1.0, to=0.0):
    """Numbers of another size."""
    y = f.new("MUL", (x, by if hasattr(by, "shape") else number(f, by)), x.shape)
    return f.new("ADD", (y, number(f, to)), x.shape)


def reduced(f, kind, x, axes, keep=True):
    row = [1 if i in axes else size for i, size in enumerate(x.shape)]
    shape = row if keep else [size for i, size in enumerate(x.shape) if i not in axes]
    return f.new(kind, (x, f.integers(axes)), tuple(shape), keepDims=keep)


def file(shape, *makers, by=1.0, to=0.0):
    """A file of one input; each of `makers(f, x)` gives what the next takes, a list of tensors at last."""

    def make():
        f = Made()
        x = moved(f, f.input(shape), by(f) if callable(by) else by, to)
        for step in makers:
            x = step(f, x)
        return f.done(*(x if isinstance(x, list) else [x]))

    return make


# --- sums


def averaged(kind="MUL", factor=1 / 1024, keep=True, both=False, activation=0, shape=None):
    def step(f, x):
        total = reduced(f, "SUM", x, [1, 2], keep)
        if shape:
            total = f.new("RESHAPE", (total, f.integers(shape)), shape, newShape=list(shape))
        by = f.constant(np.asarray(factor, "float32"))
        y = f.new(kind, (total, by), total.shape, fusedActivationFunction=activation)
        return [y, f.new("NEG", (total,), total.shape)] if both else y

    return step


def ratio(shape=IMAGE, axes=(1, 2)):
    def step(f, x):
        weights = f.new("LOGISTIC", (x,), x.shape)
        other = reduced(f, "SUM", weights, axes)
        return f.new("DIV", (reduced(f, "SUM", f.new("MUL", (x, weights), x.shape), [1, 2]), other), other.shape)

    return step


def whole(f, x):
    x = f.new("CAST", (x,), x.shape, "int32")
    total = reduced(f, "SUM", x, [1, 2])
    return f.new("MUL", (total, f.constant(np.int32([2]))), total.shape)


# --- normalizations


def layer(form="minus", gamma=True, beta=True, epsilon=1e-3, other=None):
    """LayerNormalization in the spellings of converters."""

    def step(f, x):
        axis = [len(x.shape) - 1]
        mean = reduced(f, "MEAN", x, axis)
        variance = reduced(f, "MEAN", f.new("SQUARED_DIFFERENCE", (x, mean), x.shape), axis)
        weight = root = f.new("RSQRT", (f.new("ADD", (variance, number(f, epsilon)), mean.shape),), mean.shape)
        channels = np.linspace(0.5, 1.5, x.shape[-1], dtype="float32")
        if gamma:
            weight = f.new("MUL", (root, f.constant(channels)), x.shape)
        scaled = f.new("MUL", (x, weight), x.shape)
        by = other(f, weight) if other else weight
        if form == "minus":
            shift = f.new("MUL", (f.new("NEG", (mean,), mean.shape), by), by.shape)
            shift = f.new("ADD", (shift, f.constant(channels)), x.shape) if beta else shift
        elif form == "beta less":
            shift = f.new("SUB", (f.constant(channels), f.new("MUL", (mean, by), by.shape)), x.shape)
        elif form == "less":
            return f.new("SUB", (scaled, f.new("MUL", (mean, by), by.shape)), x.shape)
        else:
            shift = f.new("NEG", (f.new("MUL", (mean, by), by.shape),), by.shape)
        return f.new("ADD", (scaled, shift), x.shape)

    return step


def centered(
    kind="MEAN", axes=(2,), epsilon=1e-3, added="ADD", root="RSQRT", again=False, square="MUL", power=2.0, first=False
):
    """What is divided by the root of the mean of its squares."""

    def step(f, x):
        y = f.new("SUB", (x, reduced(f, "MEAN", x, list(axes))), x.shape)
        inputs = {"MUL": (y, y), "SQUARE": (y,), "POW": (y, number(f, power))}[square]
        total = reduced(f, kind, f.new(square, inputs, y.shape), list(axes))
        if epsilon:
            terms = (number(f, epsilon), total) if first else (total, number(f, epsilon))
            total = f.new(added, terms, total.shape)
        by = f.new(root, (total,), total.shape)
        z = f.new("MUL" if root == "RSQRT" else "DIV", (y, by), y.shape)
        return [z, f.new("NEG", (by,), by.shape)] if again else z

    return step


def unit(most=1e12):
    """Keras's UnitNormalization."""

    def step(f, x):
        total = reduced(f, "SUM", f.new("SQUARE", (x,), x.shape), [2])
        root = f.new("MINIMUM", (f.new("RSQRT", (total,), total.shape), number(f, most)), total.shape)
        return f.new("MUL", (x, root), x.shape)

    return step


def length(keep=True, axes=(2,)):
    def step(f, x):
        total = reduced(f, "SUM", f.new("MUL", (x, x), x.shape), list(axes), keep)
        return f.new("SQRT", (total,), total.shape)

    return step


def with_a_row_of_zeros(f):
    return f.constant(np.float32([1, 0, 1, 1, 1, 1, 1, 1]).reshape(8, 1))


# --- exponentials


def powers(f, x):
    return f.new("EXP", (x,), x.shape)


def summed(axis=2, keep=True):
    def step(f, x):
        total = reduced(f, "SUM", powers(f, x), [axis], keep)
        return f.new("LOG", (total,), total.shape)

    return step


def shares(axis, keep=True, activation=0, other=False):
    def step(f, x):
        power = powers(f, x)
        total = reduced(f, "SUM", powers(f, x) if other else power, [axis], keep)
        return f.new("DIV", (power, total), x.shape, fusedActivationFunction=activation)

    return step


def softplus(one=1.0, tanh=False, given=False):
    def step(f, x):
        y = f.new("LOG", (f.new("ADD", (powers(f, x), number(f, one)), x.shape),), x.shape)
        z = f.new("TANH", (y,), x.shape) if tanh else y
        return [z, y] if given else z

    return step


def below(f, x):
    """Taken from it what is the largest."""
    return f.new("SUB", (x, reduced(f, "REDUCE_MAX", x, [2])), x.shape)


# --- products, masks, factors


def scores(kind="MUL", factor=1 / 64, both=False, activation=0, first=False):
    def step(f, x):
        keys = f.new("TRANSPOSE", (f.new("NEG", (x,), x.shape), f.integers([0, 2, 1])), (1, 24, 8))
        y = f.new("BATCH_MATMUL", (x, keys), (1, 8, 8))
        inputs = (number(f, factor), y) if first else (y, number(f, factor))
        z = f.new(kind, inputs, (1, 8, 8), fusedActivationFunction=activation)
        return [z, f.new("NEG", (y,), y.shape)] if both else z

    return step


def hidden(far=-1e9, reader="SOFTMAX", both=False):
    """Attention to what is above a number, which in one row nothing is."""

    def step(f, x):
        least = np.float32([0, 0, 0, 1e9, 0, 0, 0, 0]).reshape(8, 1)
        known = f.new("GREATER", (x, f.constant(least)), x.shape, "bool")
        y = f.new("SELECT_V2", (known, x, f.constant(np.float32(far))), x.shape, "float32")
        z = f.new(reader, (y,), x.shape, **({"beta": 1.0} if reader == "SOFTMAX" else {}))
        return [z, y] if both else z

    return step


def away(by="less", far=-1e9, cast=True, reshaped=False):
    """x + (1 - mask) * -1e9, with a row of which all is hidden."""

    def step(f, x):
        shape = (1, 24) if reshaped else (1, 1, 24)
        part = f.new("SLICE", (x, f.integers([0, 0, 0]), f.integers([1, 1, 24])), (1, 1, 24))
        part = f.new("RESHAPE", (part, f.integers(shape)), shape, newShape=list(shape)) if reshaped else part
        known = f.new("GREATER", (part, number(f, 0.0)), shape, "bool")
        mask = f.add("CAST", (known,), f.tensor(shape, known, "float32"), inDataType=6, outDataType=0) if cast else part
        if by == "less":
            mask = f.new("SUB", (number(f, 1.0), mask), shape)
        low = f.new("MUL", (mask, number(f, far)), shape)
        if reshaped:
            low = f.new("RESHAPE", (low, f.integers([1, 1, 24])), (1, 1, 24), newShape=[1, 1, 24])
        return f.new("SOFTMAX", (f.new("ADD", (x, low), x.shape),), x.shape, beta=1.0)

    return step


def added(values):
    def step(f, x):
        y = f.new("ADD", (f.constant(np.asarray(values, "float32")), x), x.shape)
        return f.new("SOFTMAX", (y,), x.shape, beta=1.0)

    return step


def factors(*steps, both=False, first=False, activation=0):
    def step(f, x):
        y = x
        for kind, factor in steps:
            x = y
            by = f.constant(np.asarray(factor, "float32"))
            y = f.new(kind, (by, x) if first else (x, by), x.shape, fusedActivationFunction=activation)
        return [y, f.new("NEG", (x,), x.shape)] if both else y

    return step


FAR = np.where(np.arange(24) % 3 == 0, -1e9, 0)
HALF = "gpu-fp16"


def lost(rewrite, name, make):
    """A row of what is WRONG in 16 bits."""
    return Case(rewrite, name, make, "WRONG", HALF, exact=False)


def kept(rewrite, name, make, **more):
    """A row in another spelling: the law holds there, too."""
    return Case(rewrite, name, make, "PROVEN", HALF, exact=False, **more)


def stays(rewrite, name, make):
    return Case(rewrite, name, make, stays=True)


CASES = [
    lost("average_sums", "times one over the count", file(IMAGE, averaged(), by=10, to=200)),
    kept("average_sums", "over the count", file(IMAGE, averaged("DIV", 1024))),
    kept("average_sums", "times one number a channel", file(IMAGE, averaged(factor=[0.1, 0.2, 0.3, 0.4]))),
    kept("average_sums", "axes left out", file(IMAGE, averaged(keep=False, shape=(1, 1, 1, 4)))),
    kept("average_sums", "activation", file(IMAGE, averaged(activation=1))),
    kept("average_sums", "over a sum", file((1, 64, 64, 4), ratio())),
    stays("average_sums", "read twice", file(IMAGE, averaged(both=True))),
    stays("average_sums", "over a sum of few", file(IMAGE, ratio())),
    stays("average_sums", "over a sum of others", file((1, 64, 64, 4), ratio(axes=(1, 2, 3)))),
    stays("average_sums", "integers", file(IMAGE, whole)),
    # Of the seven digits of products near 400 three are lost in their difference, before.
    kept("center_normalization", "at 400", file(ROWS, layer(), to=400), within=1e-3),
    kept("center_normalization", "without gamma and beta", file(ROWS, layer(gamma=False, beta=False), to=3)),
    kept("center_normalization", "beta less the product", file(ROWS, layer("beta less"), to=3)),
    kept("center_normalization", "less the product", file(ROWS, layer("less"), to=3)),
    kept("center_normalization", "the product negated", file(ROWS, layer("negated"), to=3)),
    stays("center_normalization", "another weight", file(ROWS, layer(other=lambda f, w: f.new("ABS", (w,), w.shape)))),
    stays("center_normalization", "no normalization", file(ROWS, centered())),
    lost("scale_squares", "length", file(ROWS, length(), by=400)),
    kept("scale_squares", "layer", file(ROWS, centered(), by=400)),
    lost("scale_squares", "a difference squared", file(ROWS, layer(), by=400)),
    lost("scale_squares", "unit", file(ROWS, unit(), by=with_a_row_of_zeros)),
    kept("scale_squares", "group", file((1, 16, 4, 6), centered(axes=(1, 3), epsilon=1e-6, square="SQUARE"), by=400)),
    kept("scale_squares", "epsilon next to nothing", file(ROWS, centered(epsilon=1e-20, square="POW"), by=1e-4)),
    kept("scale_squares", "at least an epsilon", file(ROWS, centered(added="MAXIMUM", epsilon=1e-3), by=0.03)),
    kept("scale_squares", "epsilon first", file(ROWS, centered(first=True), by=400)),
    kept("scale_squares", "divided by the root", file(ROWS, centered(root="SQRT", again=True))),
    kept("scale_squares", "the root itself", file(ROWS, centered(again=True))),
    kept("scale_squares", "length, axis left out", file(ROWS, length(keep=False))),
    kept("scale_squares", "length of very many", file((1, 80, 80, 3), length(axes=(1, 2)), by=5)),
    kept("scale_squares", "root of a sum of very many", file((1, 80, 80, 3), centered("SUM", (1, 2), 1e-3), by=5)),
    stays("scale_squares", "another power", file(ROWS, centered(square="POW", power=4.0))),
    stays("scale_squares", "the largest", file(ROWS, centered("REDUCE_MAX"))),
    lost("shift_exponentials", "logarithm of a sum", file(ROWS, summed(), by=10)),
    lost("shift_exponentials", "softplus", file(ROWS, softplus(), by=10)),
    kept("shift_exponentials", "shares along another axis", file(ROWS, shares(1))),
    kept("shift_exponentials", "shares along the last axis", file(ROWS, shares(2))),
    kept("shift_exponentials", "axis left out", file(ROWS, summed(keep=False))),
    kept("shift_exponentials", "softplus that is read", file(ROWS, softplus(tanh=True, given=True))),
    stays("shift_exponentials", "shifted", file(ROWS, below, summed())),
    stays("shift_exponentials", "plus another number", file(ROWS, softplus(2.0))),
    stays("shift_exponentials", "before a hyperbolic tangent", file(ROWS, softplus(tanh=True))),
    stays("shift_exponentials", "shares of another sum", file(ROWS, shares(2, other=True))),
    stays("shift_exponentials", "shares with an activation", file(ROWS, shares(2, activation=1))),
    lost("scale_before_product", "scores", file(ROWS, scores(), by=100)),
    kept("scale_before_product", "over a number", file(ROWS, scores("DIV", 8.0))),
    stays("scale_before_product", "read twice", file(ROWS, scores(both=True))),
    stays("scale_before_product", "made larger", file(ROWS, scores(factor=2.0))),
    stays("scale_before_product", "a number over it", file(ROWS, scores("DIV", 0.5, first=True))),
    stays("scale_before_product", "activation", file(ROWS, scores(activation=1))),
    lost("bound_masks", "a row all hidden", file(ROWS, hidden())),
    lost("bound_masks", "zero times a number", file(ROWS, away())),
    kept("bound_masks", "a mask of what is hidden", file(ROWS, away("itself"))),
    kept("bound_masks", "a mask in another shape", file(ROWS, away(reshaped=True))),
    kept("bound_masks", "added numbers", file(ROWS, added(FAR))),
    stays("bound_masks", "near enough", file(ROWS, hidden(-3e4))),
    stays("bound_masks", "read by others", file(ROWS, hidden(both=True))),
    stays("bound_masks", "no shares", file(ROWS, hidden(reader="TANH"))),
    stays("bound_masks", "added numbers hide a row", file(ROWS, added(np.full((8, 1), -1e9)))),
    stays("bound_masks", "no mask of zeros and ones", file(ROWS, away("itself", cast=False))),
    lost("part_factors", "over a million", file(ROWS, factors(("DIV", 1e6)), by=1e4)),
    kept("part_factors", "times a millionth", file(ROWS, factors(("MUL", 1e-6), ("MUL", 3.0)))),
    kept("part_factors", "there and back", file(ROWS, factors(("MUL", 1e-6), ("MUL", 1e6)))),
    kept("part_factors", "from the left, activation", file(ROWS, factors(("MUL", 2e5), first=True, activation=1))),
    stays("part_factors", "in range", file(ROWS, factors(("MUL", 0.1), ("MUL", 0.1)))),
    stays("part_factors", "one channel next to nothing", file(ROWS, factors(("MUL", np.float32([1e-6] + 23 * [1]))))),
    stays("part_factors", "nothing is left", file(ROWS, factors(("MUL", 1e-12)))),
    stays("part_factors", "a number over it", file(ROWS, factors(("DIV", 1e6), first=True))),
]
