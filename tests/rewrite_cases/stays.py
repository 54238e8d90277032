"""Files that a rewrite must leave alone: a row for every condition on which it does, and what stands against it.

Nothing but that makes the operator another one than those that the rewrite takes. Most are files of that one operator.
"""

from dataclasses import dataclass

import numpy as np

from keraslayers.export.file.edit import Operator
from keraslayers.export.file.schema import schema
from tests.file_tools import Made
from tests.rewrite_cases import Case

WHOLE = (1, 2, 3, 2, 4)  # of five axes
BY_CHANNEL = (0.1, 0.2)
RELU, SAME, VALID = 1, 0, 1


@dataclass(frozen=True)
class Tensor:
    """An input of a file, or what an operator makes; `scale` may be one a channel."""

    shape: tuple
    dtype: str = "float32"
    scale: object = None
    zero_point: int = 0
    open: bool = False


def of(*shape, dtype="float32", scale=None, zero_point=0, open=False):
    return Tensor(shape, dtype, scale, zero_point, open)


def coded(*shape, scale=0.1, zero_point=0):
    """Integers of 8 bits."""
    return Tensor(shape, "int8", scale, zero_point)


def numbers(*values, dtype="int32"):
    """A constant: places, sizes, an axis."""
    return np.asarray(values[0] if len(values) == 1 else values, dtype)


def asked(*shape):
    """Places, sizes or an axis that an app gives."""
    return of(*shape, dtype="int32")


def ones(*shape, dtype="float32", scale=None):
    """A stored tensor."""
    return lambda f: f.weights(np.ones(shape, dtype), scale)


def placed(f, given, i=0):
    if isinstance(given, Tensor):
        x = f.input(given.shape, given.dtype, f"x{i}", given.scale, given.zero_point)
        if given.open:
            x._table.shapeSignature = [-1, *given.shape[1:]]
        return x
    return f.constant(given) if isinstance(given, np.ndarray | np.generic) else given(f)


def made(f, kind, inputs, to, table=None, **options):
    """What an operator makes of tensors of the file."""
    y = f.new(kind, inputs, to.shape, to.dtype, to.scale, to.zero_point, **options)
    if to.open:
        y._table.shapeSignature = [-1, *to.shape[1:]]
    if table:
        y.maker.options = getattr(schema(), f"{table}T")(**options)
    return y


def one(kind, *inputs, to, table=None, **options):
    """A file of one operator. `table` is that of its options where `Builder` does not make the kind."""

    def make():
        f = Made()
        return f.done(made(f, kind, [placed(f, x, i) for i, x in enumerate(inputs)], to, table, **options))

    return make


def many(outputs, kind, *inputs, table, options):
    """A file of one operator that makes several tensors."""

    def make():
        f = Made()
        results = [f.tensor(to.shape, f.input(to.shape, to.dtype, "like", to.scale)) for to in outputs]
        f.graph.inputs.clear()
        inputs_placed = [placed(f, x, i) for i, x in enumerate(inputs)]
        f.graph.insert(Operator(kind, inputs_placed, results, getattr(schema(), f"{table}T")(**options)))
        return f.done(f.concatenate(results[::-1], -1))

    return make


def chain(make_chain):
    """A file of several operators; `make_chain(f)` gives what it gives."""

    def make():
        f = Made()
        found = make_chain(f)
        return f.done(*(found if isinstance(found, list | tuple) else [found]))

    return make


# --- slices, parts and places


def sliced(x, begin, end, steps, to, **masks):
    return one(
        "STRIDED_SLICE", x, *(numbers(v) if isinstance(v, tuple) else v for v in (begin, end, steps)), to=to, **masks
    )


ROW = ((0, 1, 0), (1, 2, 8), (1, 1, 1))
TAKEN = {"beginMask": 5, "endMask": 5, "shrinkAxisMask": 2}
INDICES = [
    ("begin is computed", sliced(of(1, 6, 8), asked(3), *ROW[1:], of(1, 8), **TAKEN)),
    ("end is computed", sliced(of(1, 6, 8), ROW[0], asked(3), ROW[2], of(1, 8), **TAKEN)),
    ("from an offset", sliced(of(1, 6, 8), *ROW, of(1, 8), **TAKEN, offset=True)),
    ("texts", sliced(of(1, 6, 8, dtype="string"), *ROW, of(1, 8, dtype="string"), **TAKEN)),
    ("by channel", sliced(coded(1, 6, 2, scale=BY_CHANNEL), *ROW, coded(1, 2), **TAKEN)),
    ("nothing left", sliced(of(1, 6, 8), (0, 1, 4), (1, 2, 4), (1, 1, 1), of(1, 0), shrinkAxisMask=2)),
    ("no such place", sliced(of(1, 6, 8), (0, 9, 0), (1, 10, 8), (1, 1, 1), of(1, 8), **TAKEN)),
]
REVERSALS = [
    ("axis is computed", one("REVERSE_V2", of(1, 6, 7), asked(1), to=of(1, 6, 7))),
    ("vector", one("REVERSE_V2", of(7), numbers([0]), to=of(7))),
    ("three channels", one("REVERSE_V2", of(1, 6, 3), numbers([2]), to=of(1, 6, 3))),
]


def halves(x, axis, half):
    return many([half, half], "SPLIT", axis, x, table="SplitOptions", options={"numSplits": 2})


SPLITS = [
    ("axis is computed", halves(of(1, 6, 8), asked(), of(1, 6, 4))),
    ("by channel", halves(coded(1, 6, 2, scale=BY_CHANNEL), numbers(1), coded(1, 3, 2))),
]


def packed_twice(f):
    x = placed(f, coded(1, 6))
    return made(f, "PACK", [x, x], coded(1, 2, 6, scale=0.3), valuesCount=2, axis=1)


PLACES = numbers([[5, 0], [2, 2]])
GATHERS = [
    ("texts", one("GATHER", of(1, 6, dtype="string"), PLACES, to=of(1, 2, 2, dtype="string"), axis=1)),
    ("by channel", one("GATHER", coded(1, 6, 2, scale=BY_CHANNEL), PLACES, to=coded(1, 2, 2, 2), axis=1)),
    ("none", one("GATHER", of(1, 6, 8), np.zeros((1, 0), "int32"), to=of(1, 1, 0, 8), axis=1)),
    ("no coordinates", one("GATHER_ND", of(1, 6, 8), np.zeros((3, 0), "int32"), to=of(3, 1, 6, 8))),
]
AT, SEGMENTS = numbers([[5], [0], [2]]), ("UNSORTED_SEGMENT_SUM", "UNSORTED_SEGMENT_MAX")
SCATTERS = [
    ("places are computed", one("SCATTER_ND", asked(3, 1), of(3, 8), numbers([7, 8]), to=of(7, 8))),
    ("sizes are computed", one("SCATTER_ND", AT, of(3, 8), asked(2), to=of(7, 8))),
    ("nothing is put", one("SCATTER_ND", np.zeros((0, 1), "int32"), of(0, 8), numbers([7, 8]), to=of(7, 8))),
    ("other scale", one("SCATTER_ND", AT, coded(3, 8), numbers([7, 8]), to=coded(7, 8, scale=0.3))),
    ("sums of integers", one("SCATTER_ND", numbers([[1], [1], [2]]), asked(3, 8), numbers([7, 8]), to=asked(7, 8))),
    *((f"segments are computed, {k[17:]}", one(k, of(3, 8), asked(3), numbers(4), to=of(4, 8))) for k in SEGMENTS),
    ("no rows", one(SEGMENTS[0], of(0, 8), np.zeros(0, "int32"), numbers(4), to=of(4, 8))),
    ("all left out", one(SEGMENTS[0], of(2, 8), numbers([-1, -1]), numbers(4), to=of(4, 8))),
]


FOUR, ONE, ZERO = numbers(4), numbers(1), numbers(0)
CLASSES, CLASSED = asked(1, 5), asked(1, 4, 5)


def one_hot(depth=FOUR, on=ONE, off=ZERO, classes=CLASSES, to=CLASSED):
    return one("ONE_HOT", classes, depth, on, off, to=to, axis=1)


ONE_HOTS = [
    ("depth is computed", one_hot(depth=asked())),
    ("on is computed", one_hot(on=asked())),
    ("off is computed", one_hot(off=asked())),
    ("codes", one_hot(on=np.int8(1), off=np.int8(0), to=coded(1, 4, 5))),
    ("64 bits", one_hot(classes=of(1, 5, dtype="int64"))),
    ("twos", one_hot(on=numbers(2))),
    ("ones elsewhere", one_hot(off=numbers(1))),
    ("other type", one_hot(on=np.int64(1), off=np.int64(0), to=of(1, 4, 5, dtype="int64"))),
]
BROADCASTS = [
    ("texts", one("BROADCAST_TO", of(1, 8, dtype="string"), numbers([6, 8]), to=of(6, 8, dtype="string"))),
    ("by channel", one("BROADCAST_TO", coded(1, 2, scale=BY_CHANNEL), numbers([6, 2]), to=coded(6, 2))),
    ("nothing", one("BROADCAST_TO", of(1, 8), numbers([0, 8]), to=of(0, 8))),
]
MASK = of(1, 1, 8, dtype="bool")
SELECTIONS = [
    ("by channel", one("SELECT_V2", MASK, coded(1, 1, 2, scale=BY_CHANNEL), coded(1, 6, 2), to=coded(1, 6, 2))),
    ("texts", one("SELECT_V2", MASK, *[of(n, 1, dtype="string") for n in (1, 6)], to=of(6, 1, dtype="string"))),
    ("five axes", one("SELECT_V2", of(*WHOLE, dtype="bool"), of(1, 4), of(*WHOLE), to=of(*WHOLE))),
    ("nothing", one("SELECT_V2", MASK, of(1, 1, 8), of(1, 0, 8), to=of(1, 0, 8))),
]

# --- more than four axes

CODES = coded(1, 2, 3, 2, 2, scale=BY_CHANNEL)
EMPTY = (1, 2, 0, 2, 4)
ORDER = numbers([0, 2, 1, 4, 3])
TURNED = (1, 3, 2, 4, 2)
TRANSPOSES = [
    ("order is computed", one("TRANSPOSE", of(*WHOLE), asked(5), to=of(*TURNED))),
    ("by channel", one("TRANSPOSE", CODES, ORDER, to=coded(1, 3, 2, 2, 2))),
]
TEXTS = of(*WHOLE, dtype="string")
ELEMENTWISE = [
    ("nothing", one("TANH", of(*EMPTY), to=of(*EMPTY))),
    ("by channel", one("QUANTIZE", of(*CODES.shape), to=CODES)),
    ("texts", one("EQUAL", TEXTS, TEXTS, to=of(*WHOLE, dtype="bool"))),
    ("samples", one("SELECT", of(2, dtype="bool"), of(2, 2, 3, 2, 4), of(2, 2, 3, 2, 4), to=of(2, 2, 3, 2, 4))),
]
REDUCTIONS = [
    ("axes are computed", one("SUM", of(*WHOLE), asked(1), to=of(1, 1, 3, 2, 4), keepDims=True)),
    ("nothing", one("SUM", of(*EMPTY), numbers([1]), to=of(1, 1, 0, 2, 4), keepDims=True)),
    ("by channel", one("SUM", CODES, numbers([1]), to=coded(1, 1, 3, 2, 2), keepDims=True)),
]
FIVE = ((0, 0, 1, 0, 0), (1, 2, 3, 2, 4), (1, 1, 1, 1, 1))
LESS = of(1, 2, 2, 2, 4)
SLICES = [
    ("by channel", one("SLICE", CODES, numbers([0, 0, 1, 0, 0]), numbers([1, 2, 2, 2, 2]), to=coded(1, 2, 2, 2, 2))),
    ("begin is computed", one("SLICE", of(*WHOLE), asked(5), numbers(LESS.shape), to=LESS)),
    ("nothing left", one("SLICE", of(*WHOLE), numbers([0] * 5), numbers(EMPTY), to=of(*EMPTY))),
    ("offset", sliced(of(*WHOLE), *FIVE, LESS, offset=True)),
    ("ellipsis", sliced(of(*WHOLE), *FIVE, LESS, ellipsisMask=1)),
    ("new axis", sliced(of(*WHOLE), *FIVE, LESS, newAxisMask=1)),
    ("axis goes", sliced(of(*WHOLE), *FIVE, of(2, 2, 2, 4), shrinkAxisMask=1)),
    ("backwards", sliced(of(*WHOLE), (0, 0, 2, 0, 0), FIVE[1], (1, 1, -1, 1, 1), of(*WHOLE), endMask=4)),
]
AXES = [
    ("axis is computed", one("REVERSE_V2", of(*WHOLE), asked(1), to=of(*WHOLE))),
    ("apart", one("REVERSE_V2", of(*WHOLE), numbers([1, 3]), to=of(*WHOLE))),
    ("nothing", one("SOFTMAX", of(*EMPTY), to=of(*EMPTY))),
    ("by channel", one("SOFTMAX", CODES, to=coded(1, 2, 3, 2, 2))),
]
BORDER = numbers([[0, 0], [0, 0], [1, 0], [0, 0], [0, 0]])
PADS = [
    ("sizes are computed", one("PAD", of(*WHOLE), asked(5, 2), to=of(1, 2, 4, 2, 4))),
    ("by channel", one("PAD", CODES, BORDER, to=coded(1, 2, 4, 2, 2))),
    ("nothing", one("PAD", of(*EMPTY), BORDER, to=of(1, 2, 1, 2, 4))),
]
PRODUCTS = [
    ("nothing", one("BATCH_MATMUL", of(1, 1, 1, 0, 4), of(1, 1, 1, 4, 3), to=of(1, 1, 1, 0, 3))),
    ("kernel", one("FULLY_CONNECTED", of(*WHOLE), ones(1, 3, 4), to=of(1, 2, 3, 2, 3), keepNumDims=True)),
]
BORDERS = [
    ("open", one("TANH", of(*WHOLE, open=True), to=of(*WHOLE, open=True))),
    ("by channel", one("DEQUANTIZE", CODES, to=of(1, 12, 2))),
    ("output by channel", one("QUANTIZE", of(1, 12, 2), to=CODES)),
]


ENDS = [
    ("quantized", one("DEQUANTIZE", coded(1, 6), to=of(1, 6))),
    ("by channel", one("DEQUANTIZE", CODES, to=of(1, 12, 2))),
    ("open", one("CAST", of(1, 6, dtype="bool", open=True), to=of(1, 6, open=True))),
]


DEEP, LARGE, SWAP = of(1, 5, 4, 32), of(1, 10, 8, 8), (0, 1, 3, 2, 4, 5)


def pixels(x=DEEP, order=SWAP, to=LARGE, more=None, kind="RESHAPE"):
    """What makes pixels of channels, and another use of it."""

    wide = (1, 5, 4, 2, 2, 8)

    def make(f):
        a = placed(f, x)
        order_given = placed(f, order, 1) if isinstance(order, Tensor) else f.integers(order)
        shape = [wide[i] for i in (SWAP if isinstance(order, Tensor) else order)]
        b = made(f, "RESHAPE", [a, f.integers(wide)], Tensor(wide, x.dtype, x.scale), newShape=list(wide))
        c = made(f, "TRANSPOSE", [b, order_given], Tensor(tuple(shape), x.dtype, x.scale))
        if kind == "RESHAPE":
            d = made(f, "RESHAPE", [c, f.integers(to.shape)], to, newShape=list(to.shape))
        else:
            d = made(f, kind, [c], Tensor(tuple(shape)))
        if more == "reader":
            return [d, made(f, "TANH", [c], Tensor(tuple(shape)))]
        return [d, c] if more == "given" else d

    return chain(make)


PIXELS = [
    ("order is computed", pixels(order=of(6, dtype="int32"))),
    ("other type", pixels(of(1, 5, 4, 32, dtype="int32"), to=of(1, 10, 8, 8, dtype="int32"))),
    ("other order", pixels(order=(0, 1, 4, 2, 3, 5), to=of(1, 10, 8, 8))),
    ("read twice", pixels(more="reader")),
    ("given", pixels(more="given")),
    ("open", pixels(to=of(1, 10, 8, 8, open=True))),
    ("other scale", pixels(coded(1, 5, 4, 32), to=coded(1, 10, 8, 8, scale=0.3))),
    ("no reshape", pixels(kind="TANH")),
    ("other pixels", pixels(to=of(1, 5, 8, 16))),
]

# --- convolutions and pooling


def transposed(size, padding=SAME, kernel=3, stride=2):
    """`size` of the output, of an image of three rows and columns."""
    shape = (1, size, size, 2)
    steps = {"padding": padding, "strideH": stride, "strideW": stride}
    return one("TRANSPOSE_CONV", numbers(shape), ones(2, kernel, kernel, 8), of(1, 3, 3, 8), to=of(*shape), **steps)


# The format lets the converter ask for one row less than the strides make, as `output_padding` does.
CROPS = [("other size", transposed(5)), ("valid", transposed(7, VALID)), ("right as it is", transposed(6, kernel=4))]
POOL = {"padding": VALID, "filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2}


IMAGE = of(1, 4, 4, 8)


def padded_pool(before, pool, x=IMAGE, value=None, **options):
    """Something, padded by a row and a column on each side, pooled."""

    def make(f):
        y = placed(f, x)
        for kind, more in before:
            y = made(f, kind, [y, *(placed(f, x) for x in more)], x, **options)
        borders = f.integers([[0, 0], [1, 1], [1, 1], [0, 0]])
        padded = Tensor((1, 6, 6, 8), x.dtype, x.scale)
        kind, more = ("PAD", []) if value is None else ("PADV2", [placed(f, value, 1)])
        y = made(f, kind, [y, borders, *more], padded)
        return made(f, pool, [y], Tensor((1, 3, 3, 8), x.dtype, x.scale), **POOL)

    return chain(make)


KEPT = [
    ("no padding", one("AVERAGE_POOL_2D", of(1, 4, 4, 8), to=of(1, 2, 2, 8), **POOL)),
    ("16 bits", padded_pool([], "AVERAGE_POOL_2D", Tensor((1, 4, 4, 8), "int16", 0.1))),
    ("behind a relu", padded_pool([("RELU", ())], "MAX_POOL_2D")),
    ("behind a sigmoid", padded_pool([("LOGISTIC", ())], "MAX_POOL_2D")),
    (
        "behind a sum with relu",
        padded_pool([("ADD", (ones(8),))], "MAX_POOL_2D", fusedActivationFunction=RELU),
    ),
    ("by the lowest number", padded_pool([], "MAX_POOL_2D", value=np.float32(np.finfo("float32").min))),
    ("by minus infinity", padded_pool([], "MAX_POOL_2D", value=np.float32(-np.inf))),
]


def maxima(shape, axes, kind="ADD"):
    """The largest of a sum."""

    def make(f):
        x = placed(f, of(*shape))
        y = x if kind is None else made(f, kind, [x, placed(f, of(*shape), 1)], of(*shape))
        gone = placed(f, axes, 2) if isinstance(axes, Tensor) else f.integers(axes)
        named = range(1, len(shape) - 1) if isinstance(axes, Tensor) else axes
        to = tuple(1 if i in named else size for i, size in enumerate(shape))
        return made(f, "REDUCE_MAX", [y, gone], of(*to), keepDims=True)

    return chain(make)


MAXIMA = [
    ("axes are computed", maxima((1, 3, 4, 8), asked(2))),
    ("of an input", maxima((1, 3, 4, 8), (1, 2), None)),
    ("of a product", maxima((1, 3, 4, 8), (1, 2), "MUL")),
    ("channels first", maxima((1, 8, 3, 4), (2, 3))),
    ("of rows alone", maxima((1, 3, 4, 8), (1,))),
    ("of channels, too", maxima((1, 3, 4, 8), (1, 2, 3))),
    ("volume", maxima((1, 2, 3, 4, 8), (1, 2, 3))),
    ("matrix", maxima((3, 8), (0,))),
]
STEP = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": VALID}


def convolution(channels, kernel, dtype="float32", stride=(1, 1)):
    """With a kernel that an app gives."""
    scale = {"scale": 0.1} if dtype == "int8" else {}
    x, computed = (of(*shape, dtype=dtype, **scale) for shape in ((1, 6, 6, channels), kernel))
    sizes = [(7 - k - 1) // s + 1 for k, s in zip(kernel[1:3], stride, strict=True)]
    options = STEP | {"strideH": stride[0], "strideW": stride[1]}
    return one("CONV_2D", x, computed, to=of(1, *sizes, kernel[0], dtype=dtype, **scale), **options)


AVERAGED = {**POOL, "padding": SAME}
AVERAGES = [
    ("floats", one("AVERAGE_POOL_2D", of(1, 4, 4, 8), to=of(1, 2, 2, 8), **POOL)),
    ("other scale", one("AVERAGE_POOL_2D", coded(1, 4, 4, 8), to=coded(1, 2, 2, 8, scale=0.3), **POOL)),
    ("over an edge", one("AVERAGE_POOL_2D", coded(1, 5, 4, 8), to=coded(1, 3, 2, 8), **AVERAGED)),
]
VOLUME = {"table": "Conv3DOptions", "padding": VALID, "strideD": 1, "strideH": 1, "strideW": 1}
VOLUME |= {"dilationDFactor": 1, "dilationHFactor": 1, "dilationWFactor": 1}
VOLUMES = [
    ("kernel is computed", one("CONV_3D", of(1, 3, 3, 3, 2), of(2, 2, 2, 2, 4), to=of(1, 2, 2, 2, 4), **VOLUME)),
    ("codes", one("CONV_3D", coded(1, 3, 3, 3, 2), ones(2, 2, 2, 2, 4, dtype="int8", scale=0.1),
                  to=coded(1, 2, 2, 2, 4), **VOLUME)),
]  # fmt: skip

# --- two sides


def twins(x, kind="SUB", stored=False):
    """One tensor on both sides."""

    def make(f):
        y = f.weights(np.ones(x.shape, x.dtype)) if stored else placed(f, x)
        return made(f, kind, [y, y], x)

    return chain(make)


TWINS = [
    ("codes", twins(coded(1, 6, 8))),
    ("codes of 32 bits", twins(Tensor((1, 6, 8), "int32", 0.1))),
    ("stored", twins(of(1, 6, 8), stored=True)),
    ("64 bits", twins(of(1, 6, 8, dtype="int64"))),
    ("product", twins(of(1, 6, 8), "MUL")),
]
BESIDE = asked(1, 6, 8)
INTEGERS = [
    ("both computed", one("ADD", BESIDE, asked(8), to=BESIDE)),
    ("codes", one("ADD", Tensor((1, 6, 8), "int32", 0.1), ones(8, dtype="int32", scale=0.1), to=BESIDE)),
    ("64 bits", one("ADD", of(1, 6, 8, dtype="int64"), ones(8, dtype="int64"), to=of(1, 6, 8, dtype="int64"))),
]


def reshaped_twice(f):
    x = placed(f, of(6, 8))
    for shape in ((2, 3, 8), (6, 8)):
        x = made(f, "RESHAPE", [x, f.integers(shape)], of(*shape), newShape=list(shape))
    return made(f, "ADD", [x, placed(f, of(6, 8), 1)], of(6, 8))


RANKS = [
    ("equal", one("ADD", of(1, 6, 1, 8), of(1, 1, 5, 8), to=of(1, 6, 5, 8))),
    ("stored", one("ADD", of(1, 6, 5, 8), ones(5, 8), to=of(1, 6, 5, 8))),
    ("number by number", one("ADD", of(6, 8), of(6, 8), to=of(6, 8))),
    ("equal, behind reshapes", chain(reshaped_twice)),
]
INTEGER_PADS = [
    ("sizes are computed", one("PAD", asked(1, 6), asked(2, 2), to=asked(1, 8))),
    ("five axes", one("PAD", asked(*WHOLE), BORDER, to=asked(1, 2, 4, 2, 4))),
    ("value is computed", one("PADV2", asked(1, 6), numbers([[0, 0], [1, 1]]), asked(), to=asked(1, 8))),
]
SIDES = [
    ("five axes", one("ADD", of(*WHOLE), ones(2, 2, 3, 2, 4), to=of(2, 2, 3, 2, 4))),
    ("one number", one("ADD", of(16, 32), ones(1, 1, 1), to=of(1, 16, 32))),
    ("four groups", one("ADD", of(1, 6, 1, 8), ones(2, 1, 7, 8), to=of(2, 6, 7, 8))),
    ("two stored", one("ADD", ones(16, 32), ones(16, 32), to=of(16, 32))),
    ("both computed", one("ADD", of(16, 32), of(16, 32), to=of(16, 32))),
    ("by channel", one("MUL", coded(16, 2), lambda f: f.weights(np.ones((16, 2), "int8"), BY_CHANNEL, axis=1),
                       to=coded(16, 2))),
]  # fmt: skip
SLOPES = [
    ("computed", one("PRELU", of(1, 6, 5, 8), of(1, 1, 1), to=of(1, 6, 5, 8))),
    ("for each channel", one("PRELU", of(2, 6, 5, 8), ones(1, 1, 8), to=of(2, 6, 5, 8))),
    ("for each number", one("PRELU", of(1, 6, 5, 8), ones(6, 5, 8), to=of(1, 6, 5, 8))),
    ("of several samples", one("PRELU", of(2, 6, 5, 8), ones(6, 1, 8), to=of(2, 6, 5, 8))),
]


TERM, NEXT_TO_NOTHING = coded(1, 8), coded(1, 8, scale=1e-6)


def terms(kept=TERM, small=NEXT_TO_NOTHING, to=TERM, kind="ADD", given=False, activation=0):
    """A sum of which one term is less than any step, and what reads it."""

    def make(f):
        sides = [placed(f, side, i) for i, side in enumerate((kept, small))]
        total = made(f, kind, sides, to, fusedActivationFunction=activation)
        return total if given else made(f, "TANH", [total], to)

    return chain(make)


TERMS = [
    ("given", terms(given=True)),
    ("seen", terms(small=coded(1, 8, scale=0.01))),
    ("without a scale", terms(small=Tensor((1, 8), "int8"))),
    ("other type", terms(small=Tensor((1, 8), "int16", 1e-6))),
    ("with relu", terms(activation=RELU)),
    ("spreads", terms(kept=coded(1, 1), small=coded(1, 8, scale=1e-6))),
    ("other zero", terms(kept=coded(1, 8, zero_point=3))),
    ("other scale", terms(kept=coded(1, 8, scale=0.11))),
    ("kept has another type", terms(kept=Tensor((1, 8), "int16", 0.1))),
    ("kept has no scale", terms(kept=Tensor((1, 8), "int8"))),
    ("taken from what is small", terms(coded(1, 8, scale=1e-6), coded(1, 8), kind="SUB")),
]


PART, PARTS = of(1, 2), of(1, 12)


def joined(part=PART, last=None, to=PARTS, **options):
    parts = [part] * 5 + [last or part]
    return one("CONCATENATION", *parts, to=to, axis=1, **options)


JOINS = [
    ("with relu", joined(fusedActivationFunction=RELU)),
    ("integers", joined(asked(1, 2), to=asked(1, 12))),
    ("other scale", joined(coded(1, 2), coded(1, 2, scale=0.3), to=coded(1, 12))),
]

# --- matrices


def matrices(x, y, to, **options):
    return one("BATCH_MATMUL", x, y, to=to, **options)


MATRICES = [
    ("plain", matrices(of(4, 16, 8), of(4, 8, 12), of(4, 16, 12))),
    ("two types", matrices(of(2, 16, 8), coded(8, 12), of(2, 16, 12))),
    ("five axes", matrices(of(1, 2, 2, 16, 8), of(8, 12), of(1, 2, 2, 16, 12))),
    ("both stored", matrices(ones(16, 8), ones(8, 12), of(16, 12))),
    ("layer", matrices(of(1, 4, 16, 8), ones(8, 12), of(1, 4, 16, 12))),
    ("by channel", matrices(coded(2, 16, 8), lambda f: f.weights(np.ones((1, 8, 2), "int8"), BY_CHANNEL, axis=2),
                            coded(2, 16, 2), adjX=False)),
    ("x by channel", matrices(coded(2, 4, 2, scale=BY_CHANNEL), coded(2, 3), coded(2, 4, 3))),
    ("sums of codes", matrices(coded(2, 4, 40000), coded(40000, 3), coded(2, 4, 3))),
    ("many small ones", matrices(of(20000, 4, 2), of(20000, 2, 2), of(20000, 4, 2))),
]  # fmt: skip
KERNEL = ones(8, 32)
DENSE = [
    ("shuffled weights", one("FULLY_CONNECTED", of(1, 6, 5, 32), ones(8, 960), to=of(1, 8), weightsFormat=1)),
    ("both stored", one("FULLY_CONNECTED", ones(1, 32), KERNEL, to=of(1, 8))),
    ("codes with a computed kernel", one("FULLY_CONNECTED", coded(16, 32), coded(8, 32),
                                         ones(8, dtype="int32", scale=0.01), to=coded(16, 8))),
    ("stored codes", one("FULLY_CONNECTED", ones(16, 32, dtype="int8", scale=0.1), coded(8, 32), to=coded(16, 8))),
]  # fmt: skip

# --- one input


SOUND = of(1, 15, 1, 128)


def waves(x=SOUND, length=(1, 128), read="COMPLEX_ABS", to="float32"):
    def make(f):
        shape = (*x.shape[:-1], 65)
        size = placed(f, length, 1) if isinstance(length, Tensor) else f.integers(length)
        y = made(f, "RFFT2D", [placed(f, x), size], Tensor(shape, "complex64"))
        return made(f, read, [y], Tensor(shape, to))

    return chain(make)


COMPLEX = of(1, 65, dtype="complex64")
FOURIER = [
    ("of an input", one("COMPLEX_ABS", COMPLEX, to=of(1, 65))),
    ("length is computed", waves(length=asked(2))),
    ("five axes", waves(of(1, 2, 15, 1, 128))),
    ("more than fits", waves(of(1, 1, 1 << 20), (1, 1 << 20))),
    ("to integers", waves(read="CAST", to="int32")),
    ("of products by others", chain(lambda f: made(
        f, "REAL", [made(f, "MUL", [placed(f, COMPLEX), placed(f, COMPLEX, 1)], COMPLEX)], of(1, 65)))),
]  # fmt: skip


def cumulated(x, axis):
    return one("CUMSUM", x, axis, to=x, exclusive=True)


CUMSUMS = [
    ("axis is computed", cumulated(of(1, 6, 8), asked())),
    ("64 bits", cumulated(of(1, 6, 8, dtype="int64"), numbers(1))),
    ("other axis", one("CUMSUM", of(1, 6, 8), numbers(1), to=of(1, 6, 8))),
]
NORMALIZATIONS = [
    ("16 bits", one("LOG_SOFTMAX", Tensor((1, 8), "int16", 0.1), to=Tensor((1, 8), "int16", 0.1))),
    ("with relu", one("L2_NORMALIZATION", of(1, 8), to=of(1, 8), table="L2NormOptions", fusedActivationFunction=RELU)),
]
RECTIFIERS = [
    ("floats", of(1, 8), of(1, 8)),
    ("16 bits", Tensor((1, 8), "int16", 0.1), Tensor((1, 8), "int16", 0.1)),
    ("bytes", Tensor((1, 8), "uint8", 0.1), Tensor((1, 8), "uint8", 0.1)),
    ("by channel", coded(1, 2, scale=BY_CHANNEL), coded(1, 2)),
]
IMAGES = [
    ("borders are computed", one("PAD", of(6, 8), asked(2, 2), to=of(7, 9))),
    ("borders of a sequence are computed", one("PAD", of(1, 6, 8), asked(3, 2), to=of(1, 7, 9))),
    ("number", one("PAD", of(), np.zeros((0, 2), "int32"), to=of())),
]

# --- the graph


def given_sum(f):
    """A sum of zeros that the file gives."""
    return made(f, "ADD", [placed(f, of(1, 8)), f.weights(np.zeros((1, 8), "float32"))], of(1, 8))


VECTOR, ZEROS = of(1, 8), np.zeros((1, 8), "float32")


def sum_of_zeros(x=VECTOR, zeros=ZEROS, to=VECTOR, activation=0):
    def make(f):
        sides = [placed(f, x), f.constant(zeros)]
        return made(f, "TANH", [made(f, "ADD", sides, to, fusedActivationFunction=activation)], to)

    return chain(make)


def computed_of(*constants, kind="TANH", to=VECTOR, given=False, **options):
    """What depends on no input, beside one."""

    def make(f):
        y = made(f, kind, [f.constant(x) for x in constants], to, **options)
        x = placed(f, to)
        return [made(f, "MUL", [x, y], to), *([y] if given else [])]

    return chain(make)


FOLDS = [
    ("given", computed_of(np.ones((1, 8), "float32"), given=True)),
    ("random", computed_of(numbers([1, 8]), kind="RANDOM_UNIFORM", table="RandomOptions")),
    ("large", computed_of(numbers([1, 2000000]), np.float32(1), kind="FILL", to=of(1, 2000000))),
    ("by channel", computed_of(np.ones((1, 2), "float32"), kind="QUANTIZE", to=coded(1, 2, scale=BY_CHANNEL))),
    ("sum is given", chain(given_sum)),
    ("sum with relu", sum_of_zeros(activation=RELU)),
    ("not all zero", sum_of_zeros(zeros=np.float32([[0, 0, 0, 0, 0, 0, 0, 1]]))),
    ("sum spreads", sum_of_zeros(x=of(1, 1))),
    ("integers", sum_of_zeros(asked(1, 8), np.zeros((1, 8), "int32"), asked(1, 8))),
]
RESHAPED = [
    ("once", one("RESHAPE", of(4, 6), numbers([2, 2, 6]), to=of(2, 2, 6), newShape=[2, 2, 6])),
    ("stored", one("RESHAPE", ones(4, 6), numbers([2, 12]), to=of(2, 12), newShape=[2, 12])),
]


def wide_integers(f):
    """Of 64 bits all through, from an input to an output."""
    x = placed(f, of(1, 8, dtype="int64"))
    return made(f, "ADD", [x, f.weights(np.ones((1, 8), "int64"))], of(1, 8, dtype="int64"))


def wide_sizes(f):
    """Of 64 bits as SHAPE gives them, which no rewrite changes."""
    sizes = made(f, "SHAPE", [placed(f, of(1, 8))], of(2, dtype="int64"), "ShapeOptions", outType=4)
    more = made(f, "ADD", [sizes, f.weights(np.ones(2, "int64"))], of(2, dtype="int64"))
    return made(f, "CAST", [more], of(2))


def far_below(f):
    wide = made(f, "CAST", [placed(f, of(1, 8))], of(1, 8, dtype="int64"))
    less = made(f, "MUL", [wide, f.constant(np.asarray(-(2**40)))], of(1, 8, dtype="int64"))
    return made(f, "CAST", [less], of(1, 8))


def sum_that_is_moved(f):
    total = made(f, "ADD", [placed(f, of(1, 8)), placed(f, of(1, 8), 1)], of(1, 8))
    return [made(f, "TANH", [made(f, "RESHAPE", [total, f.integers([8])], of(8), newShape=[8])], of(8)), total]


def twice(to):
    def make(f):
        y = made(f, "RESHAPE", [placed(f, to), f.integers(to.shape)], to, newShape=list(to.shape))
        return [y, y]

    return chain(make)


def case(rewrite, rows):
    return [Case(rewrite, f"stays: {name}", make, "PROVEN", stays=True) for name, make in rows]


TEXT = of(1, 6, dtype="string")
# What the rows are made from is changed where nothing stands against it.
NEAREST = [
    ("lower_indices", sliced(of(1, 6, 8), *ROW, of(1, 8), **TAKEN)),
    ("lower_scatter", one("SCATTER_ND", AT, of(3, 8), numbers([7, 8]), to=of(7, 8))),
    ("lower_one_hot", one_hot()),
    ("narrow_slice", sliced(of(*WHOLE), *FIVE, LESS)),
    ("merge_pixels", pixels()),
    ("crop_transposed", transposed(6)),
    ("keep_padding", padded_pool([], "MAX_POOL_2D")),
    ("keep_padding", padded_pool([("ADD", (ones(8),))], "MAX_POOL_2D")),
    ("pool_maxima", maxima((1, 3, 4, 8), (1, 2))),
    ("part_twins", twins(of(1, 6, 8))),
    ("drop_terms", terms()),
    ("nest_concatenations", joined()),
    ("multiply_matrices", matrices(of(2, 16, 8), of(8, 12), of(2, 16, 12))),
    ("lower_fourier", waves()),
    ("lower_sums", cumulated(of(1, 6, 8), ONE)),
    ("lower_relu", one("RELU", coded(1, 8), to=coded(1, 8))),
    ("fold_constants", sum_of_zeros()),
    ("fold_constants", computed_of(np.ones((1, 8), "float32"))),
]
EIGHT_BITS = {"lower_relu": "RELU", "lower_hard_swish": "HARD_SWISH"}
CASES = [
    *case("lower_indices", INDICES),
    *case("lower_reverse", REVERSALS),
    *case("lower_split", SPLITS),
    *case("lower_pack", [("other scale", chain(packed_twice))]),
    *case("lower_reshapes", [("texts", one("EXPAND_DIMS", TEXT, numbers(0), to=of(1, 1, 6, dtype="string")))]),
    *case("lower_gather", GATHERS),
    *case("lower_scatter", SCATTERS),
    *case("lower_one_hot", ONE_HOTS),
    *case("lower_broadcast", BROADCASTS),
    *case("align_selection", SELECTIONS),
    *case("narrow_transpose", TRANSPOSES),
    *case("narrow_elementwise", ELEMENTWISE),
    *case("narrow_reduction", REDUCTIONS),
    *case("narrow_slice", SLICES),
    *case("narrow_axis", AXES),
    *case("narrow_pad", PADS),
    *case("narrow_products", PRODUCTS),
    *case("cast_borders", ENDS),
    *case("narrow_borders", BORDERS),
    *case("narrow_integers", [("input to output", chain(wide_integers)), ("sizes", chain(wide_sizes)),
                              ("far below", chain(far_below))]),
    *case("copy_outputs", [("sum that is moved", chain(sum_that_is_moved)), ("texts", twice(TEXT)),
                           ("open", twice(of(1, 8, open=True)))]),
    *case("merge_pixels", PIXELS),
    *case("crop_transposed", CROPS),
    *case("keep_padding", KEPT),
    *case("pool_maxima", MAXIMA),
    *case("widen_pointwise", [("kernel is computed", convolution(8, (8, 1, 1, 4), "int8"))]),
    *case("merge_groups", [("kernel is computed", convolution(9, (9, 3, 3, 3)))]),
    *case("subsample_pointwise", [("rows alone", convolution(8, (8, 1, 1, 8), "int8", (2, 1)))]),
    *case("lower_average_pooling", AVERAGES),
    *case("lower_convolution_3d", VOLUMES),
    *case("part_twins", TWINS),
    *case("align_integers", INTEGERS),
    *case("align_ranks", RANKS),
    *case("pad_integers", INTEGER_PADS),
    *case("align_constants", SIDES),
    *case("spread_slopes", SLOPES),
    *case("drop_terms", TERMS),
    *case("nest_concatenations", JOINS),
    *case("multiply_matrices", MATRICES),
    *case("lower_dense", DENSE),
    *case("lower_fourier", FOURIER),
    *case("lower_sums", CUMSUMS),
    *case("lower_normalization", NORMALIZATIONS),
    *case("lower_add_n", [("64 bits", one("ADD_N", *[of(1, 8, dtype="int64")] * 3, to=of(1, 8, dtype="int64"))),
                          ("open", one("ADD_N", *[of(1, 8, open=True)] * 3, to=of(1, 8)))]),
    *case("lower_arg_min", [("integers", one("ARG_MIN", asked(1, 8), numbers(1), to=asked(1), table="ArgMinOptions"))]),
    *case("pad_classes", [("axis is computed", one("ARG_MAX", of(1, 4, 4, 3), asked(1), to=of(1, 4, 4, dtype="int32"))),
                          ("16 bits", one("ARG_MAX", of(1, 4, 4, 3, dtype="int16"), numbers(3),
                                          to=of(1, 4, 4, dtype="int32")))]),
    *case("lower_relu_0_to_1", [("16 bits", one("RELU_0_TO_1", *[RECTIFIERS[1][1]], to=RECTIFIERS[1][2]))]),
    *[
        row
        for name, kind in EIGHT_BITS.items()
        for row in case(name, [(why, one(kind, x, to=to)) for why, x, to in RECTIFIERS])
    ],
    *case("lower_pad", IMAGES),
    *case("fold_constants", FOLDS),
    *case("fold_reshapes", RESHAPED),
]  # fmt: skip
