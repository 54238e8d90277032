"""Where numbers are taken from and put: slices, parts, indices, one-hot vectors, repetitions, choices, outputs."""

import numpy as np

from keraslayers.export.file.edit import Operator
from keraslayers.export.file.schema import schema
from tests.file_tools import Made
from tests.rewrite_cases import Case

RANDOM = np.random.default_rng(3)
TABLE = RANDOM.normal(size=(2, 8)).astype("float32")
SCALE = 0.05


def file_of(make, shape=(1, 6, 8), dtype="float32"):
    """A file with one input, and the outputs that `make(file, x)` gives; integers of 8 bits have a scale."""

    def made():
        f = Made()
        x = f.input(shape, dtype, scale=SCALE if dtype == "int8" else None)
        found = make(f, x)
        return f.done(*(found if isinstance(found, list | tuple) else [found]))

    return made


def relu(f, x):
    return like(f, "RELU", (x,), x.shape, x)


def like(f, kind, inputs, shape, x, dtype=None, **options):
    """The output of an operator, quantized as `x`."""
    return f.new(kind, inputs, shape, dtype, x.scale if dtype is None else None, x.zero_point, **options)


def several(f, kind, inputs, shapes, options, x):
    """The outputs of an operator that makes several."""
    outputs = [f.tensor(shape, x) for shape in shapes]
    for i, output in enumerate(outputs):
        output.name = f"part_{i}"
    f.graph.insert(Operator(kind, inputs, outputs, options))
    return outputs


def floats(f, x):
    return f.cast(x, "float32")


# Slices


def strided(begin, end, steps, shape, **masks):
    def make(f, x):
        bounds = tuple(f.integers(values) for values in (begin, end, steps))
        return relu(f, like(f, "STRIDED_SLICE", (x, *bounds), shape, x, **masks))

    return make


ONES = (1, 1, 1)
FIRST = strided((0, 0, 0), (0, 1, 0), ONES, (1, 8), beginMask=5, endMask=5, shrinkAxisMask=2)
LAST = strided((0, -1, 2), (0, 0, 5), ONES, (1, 3), beginMask=1, endMask=1, shrinkAxisMask=2)
NUMBER = strided((0, 2, -3), (0, 0, 0), ONES, (1,), beginMask=1, endMask=1, shrinkAxisMask=6)
BACKWARDS = strided((0, 0, 0), (0, 0, 0), (1, -1, 1), (1, 6, 8), beginMask=7, endMask=7)
SOME_BACKWARDS = strided((0, 4, 7), (0, 0, 0), (1, -2, -1), (1, 2, 7), beginMask=1, endMask=1)
WITH_STEPS = strided((0, 1, 0), (0, 6, 8), (1, 2, 3), (3, 3), beginMask=1, endMask=1, shrinkAxisMask=1)
NEW_AXIS = strided((0, 0, 2), (0, 0, 5), ONES, (1, 1, 3, 8), beginMask=3, endMask=3, newAxisMask=2)
DOTS = strided((0, 0, 3), (0, 0, 0), ONES, (1, 6, 1), ellipsisMask=1, newAxisMask=2, shrinkAxisMask=4)
BEYOND = strided((0, 2, 0), (1, 2**31 - 1, 8), ONES, (1, 4, 8))
FEWER = strided((0, 2), (1, 5), (1, 1), (1, 3, 8))
PLAIN = strided((0, 1, -8), (0, -1, 8), (1, 2, 3), (1, 2, 3), beginMask=1, endMask=1)


def five_axes_dropped(f, x):
    wide = like(f, "RESHAPE", (x, f.integers((1, 2, 3, 2, 4))), (1, 2, 3, 2, 4), x, newShape=[1, 2, 3, 2, 4])
    bounds = f.integers((0, 1, 0, 0, 0)), f.integers((0,) * 5), f.integers((1,) * 5)
    part = like(f, "STRIDED_SLICE", (wide, *bounds), (1, 3, 2, 4), x, beginMask=29, endMask=29, shrinkAxisMask=2)
    return relu(f, part)


def turned(*axes):
    return lambda f, x: relu(f, like(f, "REVERSE_V2", (x, f.integers(axes)), x.shape, x))


# Parts


def split(f, x, count, axis=-1):
    axis %= len(x.shape)
    shape = [size // count if i == axis else size for i, size in enumerate(x.shape)]
    options = schema().SplitOptionsT(numSplits=count)
    return several(f, "SPLIT", (f.constant(np.int32(axis)), x), [shape] * count, options, x)


def unpack(f, x, axis):
    shape = [size for i, size in enumerate(x.shape) if i != axis]
    options = schema().UnpackOptionsT(num=x.shape[axis], axis=axis)
    return several(f, "UNPACK", (x,), [shape] * x.shape[axis], options, x)


def swapped(f, x):
    a, b = split(f, relu(f, x), 2)
    return relu(f, f.concatenate((b, a), -1))


def swapped_input(f, x):
    a, b = split(f, x, 2, 1)
    return relu(f, f.concatenate((b, a), 1))


def cut_unevenly(f, x):
    sizes, axis = f.integers((1, 5, 2)), f.constant(np.int32(-1))
    shapes = [(*x.shape[:-1], size) for size in (1, 5, 2)]
    a, b, c = several(f, "SPLIT_V", (relu(f, x), sizes, axis), shapes, schema().SplitVOptionsT(numSplits=3), x)
    return relu(f, f.concatenate((c, a, b), -1))


def with_an_empty_part(f, x):
    sizes, axis = f.integers((4, 0, 4)), f.constant(np.int32(-1))
    shapes = [(*x.shape[:-1], size) for size in (4, 0, 4)]
    a, _, b = several(f, "SPLIT_V", (relu(f, x), sizes, axis), shapes, schema().SplitVOptionsT(numSplits=3), x)
    return f.new("SUB", (a, b), a.shape)


def turned_by_packing(f, x):
    parts = unpack(f, relu(f, x), 1)
    return relu(f, like(f, "PACK", parts[::-1], x.shape, x, valuesCount=len(parts), axis=1))


def gated_unit(f, x):
    """GELU(a) * b, as in the dense layers of transformers."""
    a, b = split(f, relu(f, x), 2)
    return like(f, "MUL", (like(f, "TANH", (a,), a.shape, x), b), a.shape, x)


def gated(f, x):
    a, b = split(f, x, 2)
    return like(f, "MUL", (a, f.new("TANH", (b,), b.shape)), a.shape, x)


def packed_twice(f, x):
    y = relu(f, x)
    return relu(f, like(f, "PACK", (y, y), (1, 2, 6, 8), x, valuesCount=2, axis=1))


def packed_to_five(f, x):
    y = like(f, "PACK", (x, relu(f, x)), (1, 2, 6, 2, 4), x, valuesCount=2, axis=-2)
    return relu(f, f.new("RESHAPE", (y, f.integers((1, 12, 8))), (1, 12, 8), scale=x.scale, newShape=[1, 12, 8]))


def packed(f, x):
    return like(f, "PACK", (x, relu(f, x)), (1, 6, 2, 8), x, valuesCount=2, axis=2)


def expanded(f, x):
    y = like(f, "EXPAND_DIMS", (relu(f, x), f.integers(1)), (1, 1, 6, 8), x)
    return like(f, "SQUEEZE", (relu(f, y),), (6, 8), x, squeezeDims=[0, 1])


def expanded_truth(f, x):
    mask = f.new("GREATER", (x, f.constant(np.float32(0))), x.shape, "bool")
    return floats(f, f.new("EXPAND_DIMS", (mask, f.integers(-1)), (1, 6, 8, 1)))


def truth_of(f, x):
    return f.new("GREATER", (x, f.constant(np.float32(0))), x.shape, "bool")


def part_of_truth(step):
    def make(f, x):
        bounds = f.integers((0, 1, 0)), f.integers((1, 6, 8)), f.integers((1, step, 1))
        return floats(f, f.new("STRIDED_SLICE", (truth_of(f, x), *bounds), (1, 5 if step == 1 else 3, 8)))

    return make


def integers_apart(f, x):
    a, b = split(f, x, 2)
    return f.new("SUB", (a, b), a.shape)


def truth_apart(f, x):
    parts = unpack(f, truth_of(f, x), 1)
    return floats(f, f.new("LOGICAL_OR", parts[:2], parts[0].shape))


def padded(value=None):
    def make(f, x):
        given = x if value is None else truth_of(f, x)
        inputs = given, f.integers([[0, 0], [1, 2], [0, 3]])
        kind = "PAD" if value is None else "PADV2"
        made = f.new(kind, inputs if value is None else (*inputs, f.constant(value)), (1, 9, 11))
        return made if value is None else floats(f, made)

    return make


# Indices


def tokens(shape, dtype="int32", table=TABLE, **options):
    def make(f, x):
        shape = (*x.shape, *table.shape[1:])
        return f.new("GATHER", (f.constant(table), x), shape, "float32", axis=0, **options)

    return file_of(make, shape, dtype)


def quantized_tokens(f, x):
    table = f.weights(RANDOM.integers(-128, 128, (2, 8)).astype("int8"), SCALE)
    return f.new("GATHER", (table, x), (1, 5, 8), "int8", SCALE, axis=0)


def taken(places, shape, axis, batched=0):
    def make(f, x):
        places_given = f.constant(np.asarray(places))
        return relu(f, like(f, "GATHER", (x, places_given), shape, x, axis=axis, batchDims=batched))

    return make


def taken_by_sample(shape, axis, out):
    """One row of places for each of the batch, computed."""

    def make(f, x):
        y = f.input(shape, name="y")
        return f.new("GATHER", (y, x), out, "float32", axis=axis, batchDims=1)

    return make


def at(places, shape):
    def make(f, x):
        return relu(f, like(f, "GATHER_ND", (x, f.constant(np.asarray(places))), shape, x))

    return make


def at_computed(f, x):
    y = f.input((2, 2, 8), name="y")
    return f.new("GATHER_ND", (y, x), (3, 8), "float32")


# Places to put rows at, and segments


def scattered(places, shape):
    def make(f, x):
        inputs = f.integers(places), relu(f, x), f.integers(shape)
        return relu(f, f.new("SCATTER_ND", inputs, shape, x.dtype, x.scale))

    return make


def segments(kind, belongs, count, made="UNSORTED_SEGMENT"):
    def make(f, x):
        inputs = (relu(f, x), f.integers(belongs), f.constant(np.int32(count)))
        return relu(f, f.new(f"UNSORTED_SEGMENT_{kind}", inputs, (count, *x.shape[1:]), x.dtype))

    return make


# One-hot vectors


def one_hot(shape, dtype="float32", axis=-1, on=1, off=0):
    def make(f, x):
        values = f.constant(np.int32(4)), f.constant(np.dtype(dtype).type(on)), f.constant(np.dtype(dtype).type(off))
        made = f.new("ONE_HOT", (x, *values), shape, dtype, axis=axis)
        return made if dtype == "float32" else floats(f, made)

    return make


# Repetitions and choices


def broadcast(shape):
    return lambda f, x: relu(f, like(f, "BROADCAST_TO", (x, f.integers(shape)), shape, x))


def broadcast_truth(f, x):
    mask = f.new("GREATER", (x, f.constant(np.float32(0))), x.shape, "bool")
    return floats(f, f.new("BROADCAST_TO", (mask, f.integers((1, 4, 6, 8))), (1, 4, 6, 8)))


def tiled_truth(f, x):
    mask = f.new("GREATER", (x, f.constant(np.float32(0))), x.shape, "bool")
    return floats(f, f.new("TILE", (mask, f.integers((1, 2, 1))), (1, 12, 8)))


def tiled_five(f, x):
    """What Keras's `repeat` and nearest up-sampling make."""
    wide = f.new("RESHAPE", (x, f.integers((1, 3, 2, 1, 8))), (1, 3, 2, 1, 8), newShape=[1, 3, 2, 1, 8])
    more = f.new("TILE", (wide, f.integers((1, 2, 1, 3, 1))), (1, 6, 2, 3, 8))
    return relu(f, f.new("RESHAPE", (more, f.integers((1, 36, 8))), (1, 36, 8), newShape=[1, 36, 8]))


def tiled(f, x):
    return f.new("TILE", (x, f.integers((1, 2, 1))), (1, 12, 8))


def chosen(side, kind="SELECT_V2", of=None):
    def make(f, x):
        mask = f.new("GREATER", (x, f.constant(np.float32(0))), x.shape, "bool")
        if of is not None:
            mask = f.slice(mask, (0,) * 3, of)
            mask = f.reshape(mask, [size for size in of if size > 1])
        other = f.constant(side) if isinstance(side, np.ndarray) else f.slice(relu(f, x), (0,) * 3, side)
        return f.new(kind, (mask, x, other), x.shape, "float32")

    return make


# Outputs


def itself(f, x):
    return [x, relu(f, x)]


def twice(f, x):
    y = relu(f, x)
    return [y, y, x, x]


def sum_and_its_mean(f, x):
    total = f.new("ADD", (x, f.new("TANH", (x,), x.shape)), x.shape)
    return [f.new("MEAN", (total, f.integers([2])), (1, 6, 1), keepDims=True), total]


def dense(f, x):
    kernel, bias = (
        f.constant(np.linspace(-1, 1, n, dtype="float32").reshape(shape)) for n, shape in ((40, (5, 8)), (5, 5))
    )
    return f.new("FULLY_CONNECTED", (x, kernel, bias), (*x.shape[:-1], 5), keepNumDims=True)


def pointwise(f, x):
    kernel, bias = (
        f.constant(np.linspace(-1, 1, n, dtype="float32").reshape(s)) for n, s in ((64, (8, 1, 1, 8)), (8, 8))
    )
    steps = dict.fromkeys(("strideH", "strideW", "dilationHFactor", "dilationWFactor"), 1)
    return f.new("CONV_2D", (x, kernel, bias), x.shape, **steps)


def moved(f, x, kind):
    return f.new(kind, (x, f.constant(np.linspace(1, 2, 8, dtype="float32"))), x.shape)


def constant_before(kind, convolve=dense):
    """What a constant makes is an output, and a convolution reads it."""

    def make(f, x):
        y = moved(f, relu(f, x), kind)
        return [convolve(f, y), y]

    return make


def constant_behind(kind):
    def make(f, x):
        y = pointwise(f, relu(f, x))
        return [moved(f, y, kind), y]

    return make


def once(f, x):
    y = relu(f, x)
    return [y, f.new("TANH", (y,), y.shape)]


# Integers


def beside(kind, constant, dtype="int32"):
    """Integers, or which of them are above 0, beside a constant."""

    def make(f, x):
        given = x if dtype == "int32" else f.new("GREATER", (x, f.constant(np.int32(0))), x.shape, "bool")
        shape = np.broadcast_shapes(x.shape, constant.shape)
        made = f.new(kind, (given, f.constant(constant)), shape, "bool" if kind in TRUTHS else None)
        return f.cast(made, "float32") if made.dtype == "bool" else made

    return make


TRUTHS = ("EQUAL", "LESS", "LOGICAL_AND", "LOGICAL_OR")


def with_itself(kind, dtype="float32"):
    def make(f, x):
        y = relu(f, x)
        z = relu(f, f.cast(f.new(kind, (y, y), x.shape, "bool" if kind in TRUTHS else None), "float32"))
        return f.new("ADD", (z, x), x.shape)  # so that outputs differ from sample to sample where z is constant

    return make


def classes_of_64(f, x):
    """Rows of a table by the largest of some numbers, counted in 64 bits."""
    found = f.new("ARG_MAX", (x, f.constant(np.int64(1))), (6,), "int64", outputType=schema().TensorType.INT64)
    capped = f.new("MINIMUM", (found, f.constant(np.int64(4))), (6,))
    return f.new("GATHER", (f.constant(RANDOM.normal(size=(8, 3)).astype("float32")), capped), (6, 3), "float32")


def casts_of_64(f, x):
    x = f.new("MUL", (x, f.weights(np.float32(8))), x.shape)
    wide = f.new("CAST", (x,), x.shape, "int64", inDataType=0, outDataType=4)
    more = f.new("ADD", (wide, f.constant(np.int64(7))), x.shape)
    narrow = f.new("CAST", (more,), x.shape, "int32", inDataType=4, outDataType=2)
    return f.new("ADD", (narrow, f.constant(np.int32(1))), x.shape)


def bounds_of_64(f, x):
    bounds = f.constant(np.int64((0, 2, 0))), f.constant(np.int64((1, 4, 8)))
    return relu(f, f.new("SLICE", (x, *bounds), (1, 4, 8)))


def beyond_32_bits(f, x):
    wide = f.new("CAST", (x,), x.shape, "int64", inDataType=0, outDataType=4)
    more = f.new("MUL", (wide, f.constant(np.int64(2**40))), x.shape)
    return f.new("CAST", (more,), x.shape, "float32", inDataType=4, outDataType=0)


def given_in_64(f, x):
    return f.new("ARG_MAX", (x, f.constant(np.int32(2))), (1, 6), "int64", outputType=schema().TensorType.INT64)


def joined(count):
    def make(f, x):
        parts = [like(f, "LEAKY_RELU", (x,), x.shape, x, alpha=(i + 1) / 16) for i in range(count)]
        return like(f, "CONCATENATION", parts, (1, 6, 8 * count), x, axis=-1)

    return make


def _cases():
    def case(rewrite, name, make, without="REJECTED", shape=(1, 6, 8), dtype="float32", **options):
        made = make if shape is None else file_of(make, shape, dtype)
        return Case(rewrite, name, made, without, **options)

    def both(rewrite, name, make, *args, **options):
        yield case(rewrite, name, make, *args, **options)
        yield case(rewrite, f"{name}_int8", make, *args, dtype="int8", **options)

    rows = RANDOM.normal(size=8).astype("float32")
    whole = RANDOM.normal(size=(1, 6, 8)).astype("float32")
    yield from both("lower_indices", "first", FIRST)
    yield case("lower_indices", "last", LAST)
    yield case("lower_indices", "number", NUMBER)
    yield from both("lower_indices", "backwards", BACKWARDS)
    yield case("lower_indices", "some_backwards", SOME_BACKWARDS)
    yield case("lower_indices", "with_steps", WITH_STEPS)
    yield case("lower_indices", "new_axis", NEW_AXIS)
    yield case("lower_indices", "dots", DOTS)
    yield case("lower_indices", "beyond", BEYOND)
    yield case("lower_indices", "fewer_bounds", FEWER)
    yield case("lower_reverse", "channels", turned(-1), "WRONG", shape=(1, 6, 7))
    yield case("lower_reverse", "channels_and_rows", turned(1, 2), "WRONG", shape=(1, 6, 7))
    yield case("lower_reverse", "four_channels", turned(1, 2), "PROVEN", stays=True)
    yield case("lower_reverse", "rows", turned(1), "PROVEN", shape=(1, 6, 7), stays=True)
    yield case("lower_reverse", "int8", turned(-1), "PROVEN", shape=(1, 6, 7), dtype="int8", stays=True)
    yield case("lower_indices", "integers", first_of_integers, dtype="int32")
    yield case("lower_indices", "truth", part_of_truth(1))
    yield case("lower_indices", "truth_with_steps", part_of_truth(2))
    yield case("lower_indices", "plain", PLAIN, "PROVEN", stays=True)
    yield case("lower_split", "swapped", swapped, "WRONG")
    yield case("lower_split", "swapped_int8", swapped, "PROVEN", dtype="int8", stays=True)
    yield case("lower_split", "swapped_input", swapped_input)
    yield case("lower_split", "cut_unevenly", cut_unevenly, "WRONG")
    yield case("lower_split", "turned_by_packing", turned_by_packing, "WRONG")
    yield case("lower_split", "empty_part", with_an_empty_part)
    yield case("lower_split", "integers", integers_apart, dtype="int32")
    yield case("lower_split", "truth", truth_apart)
    yield case("pad_integers", "integers", padded(), "WRONG", dtype="int32")
    yield case("pad_integers", "truth", padded(np.asarray(True)))
    yield case("pad_integers", "floats", padded(), "PROVEN", stays=True)
    yield case("lower_split", "gated", gated, "PROVEN")
    yield case("lower_split", "gated_unit", gated_unit, "WRONG")
    yield from both("lower_pack", "twice", packed_twice)
    yield case("lower_pack", "to_five", packed_to_five, shape=(1, 6, 2, 4))
    yield case("lower_pack", "plain", packed, "PROVEN", stays=True)
    yield from both("lower_reshapes", "expanded", expanded)
    yield case("lower_reshapes", "truth", expanded_truth)
    yield Case("lower_gather", "tokens", tokens((1, 5)))
    yield Case("lower_gather", "one_token", tokens(()))
    yield Case("lower_gather", "tokens_of_three_axes", tokens((1, 3, 2)))
    yield case("lower_gather", "tokens_int8", quantized_tokens, shape=(1, 5), dtype="int32")
    yield from both("lower_gather", "one_place", taken(np.int32(3), (1, 8), 1))
    yield case("lower_gather", "places", taken(np.int32([[5, 0], [2, 2]]), (1, 2, 2, 8), 1))
    yield case("lower_gather", "places_of_64_bits", taken(np.int64([5, 0, 1]), (1, 6, 3), 2))
    yield case("lower_gather", "places_by_sample", taken(np.int32([[5, 0, 1]]), (1, 3, 8), 1, 1))
    yield case("lower_gather", "several_samples", taken(np.int32([[5, 0], [1, 3]]), (2, 2, 8), 1, 1), shape=(2, 6, 8))
    one, many = taken_by_sample((1, 6, 8), 1, (1, 3, 8)), taken_by_sample((2, 4, 6, 3), 2, (2, 4, 5, 3))
    yield case("lower_gather", "computed_by_sample", one, shape=(1, 3), dtype="int32")
    yield case("lower_gather", "computed_between", many, shape=(2, 5), dtype="int32")
    yield from both("lower_gather", "coordinates", at(np.int32([[0, 5], [0, 1], [0, 1]]), (3, 8)))
    yield case("lower_gather", "coordinates_64", at(np.int64([[[0, 5, 2], [0, 1, 7]]]), (1, 2)))
    yield case("lower_gather", "coordinates_computed", at_computed, shape=(3, 2), dtype="int32")
    yield Case("lower_gather", "row_of_tokens", tokens((5,)), "PROVEN", stays=True)
    yield Case("lower_gather", "computed_64", tokens((1, 5), "int64"), stays=True)
    yield from both("lower_scatter", "rows", scattered([[5], [0], [2]], (7, 8)), shape=(3, 8))
    yield case("lower_scatter", "all_places", scattered([[1], [0], [2]], (3, 8)), shape=(3, 8))
    yield case("lower_scatter", "pixels", scattered([[0, 1, 1], [0, 2, 0]], (1, 3, 2, 4)), shape=(2, 4))
    # Sums in another order are within rounding.
    yield case("lower_scatter", "added", scattered([[1], [4], [1]], (5, 8)), shape=(3, 8), exact=False)
    yield case("lower_scatter", "sums", segments("SUM", [0, 2, 2, 0, -1, 2], 4), shape=(6, 8), exact=False)
    yield case("lower_scatter", "maxima", segments("MAX", [0, 2, 2, 0, 1, 2], 3), shape=(6, 8))
    yield case("lower_scatter", "minima", segments("MIN", [0, 2, 2, 0, 2, 2], 3), shape=(6, 8))
    yield case("lower_one_hot", "four_axes", one_hot((1, 5, 2, 4)), "WRONG", shape=(1, 5, 2), dtype="int32")
    yield case("lower_one_hot", "other_axis", one_hot((1, 4, 5), axis=1), shape=(1, 5), dtype="int32")
    yield case("lower_one_hot", "truth", one_hot((1, 5, 4), "bool"), shape=(1, 5), dtype="int32")
    yield case("lower_one_hot", "integers", one_hot((1, 4, 5), "int32", 1), shape=(1, 5), dtype="int32")
    yield case("lower_one_hot", "plain", one_hot((1, 5, 4)), "PROVEN", shape=(1, 5), dtype="int32", stays=True)
    yield from both("lower_broadcast", "rows", broadcast((1, 6, 8)), shape=(1, 1, 8))
    yield case("lower_broadcast", "more_axes", broadcast((1, 3, 6, 8)), shape=(6, 1))
    yield case("lower_broadcast", "truth", broadcast_truth)
    yield case("lower_broadcast", "tiled_truth", tiled_truth)
    yield case("lower_broadcast", "tiled_five", tiled_five)
    yield case("lower_broadcast", "tiled", tiled, "PROVEN", stays=True)
    yield case("align_selection", "constant_row", chosen(rows))
    yield case("align_selection", "constant_number", chosen(rows[:1].reshape(1, 1, 1)))
    yield case("align_selection", "computed_row", chosen((1, 1, 8)))
    yield case("align_selection", "mask_of_a_row", chosen(whole, of=(1, 1, 8)))
    yield case("align_selection", "plain", chosen(whole), "PROVEN", stays=True)
    yield case("align_selection", "scalar", chosen(np.asarray(rows[0])), "PROVEN", stays=True)
    some = np.int32([0, 1, 1, 0, 1, 0, 0, 1])
    yield case("align_integers", "row", beside("EQUAL", some), "WRONG", dtype="int32")
    yield case("align_integers", "classes", beside("ADD", some[:4]), "WRONG", shape=(1, 6, 1), dtype="int32")
    yield case("align_integers", "truth", beside("LOGICAL_AND", some > 0, "bool"), "WRONG", dtype="int32")
    yield case("align_integers", "one_truth", beside("LOGICAL_OR", np.asarray(False), "bool"), dtype="int32")
    yield case("align_integers", "number", beside("LESS", np.asarray(np.int32(1))), "PROVEN", dtype="int32", stays=True)
    yield case("align_integers", "floats", lambda f, x: f.new("ADD", (x, f.constant(rows)), x.shape), stays=True)
    yield case("part_twins", "maximum", with_itself("MAXIMUM"))
    yield case("part_twins", "equal", with_itself("EQUAL"))
    yield case("part_twins", "difference", with_itself("SUB"))
    yield case("part_twins", "square", with_itself("MUL"), "PROVEN", stays=True)
    yield case("narrow_integers", "classes", classes_of_64, shape=(6, 8))
    yield case("narrow_integers", "casts", casts_of_64)
    yield case("narrow_integers", "bounds", bounds_of_64)
    yield case("narrow_integers", "beyond_32_bits", beyond_32_bits, stays=True)
    yield case("narrow_integers", "given", given_in_64, stays=True)
    yield Case("narrow_integers", "input", tokens((1, 5), "int64"), stays=True)
    yield from both("nest_concatenations", "six", joined(6), "PROVEN", runtime="cpu")
    yield case("nest_concatenations", "twelve", joined(12), "PROVEN", runtime="cpu")
    yield case("nest_concatenations", "five", joined(5), "PROVEN", runtime="cpu", stays=True)
    yield case("copy_outputs", "itself", itself, "WRONG")
    yield case("copy_outputs", "twice", twice)
    yield case("copy_outputs", "sum_and_its_mean", sum_and_its_mean, "WRONG")
    yield case("copy_outputs", "sum_before_a_dense_layer", constant_before("ADD"), "WRONG")
    yield case(
        "copy_outputs", "product_before_a_convolution", constant_before("MUL", pointwise), "WRONG", shape=(1, 6, 4, 8)
    )
    yield case("copy_outputs", "sum_behind_a_convolution", constant_behind("ADD"), "WRONG", shape=(1, 6, 4, 8))
    yield case("copy_outputs", "product_behind_a_convolution", constant_behind("MUL"), "WRONG", shape=(1, 6, 4, 8))
    yield case("copy_outputs", "quotient_behind", constant_behind("DIV"), "PROVEN", shape=(1, 6, 4, 8), stays=True)
    yield case("copy_outputs", "difference_before", constant_before("SUB"), "PROVEN", stays=True)
    yield case("copy_outputs", "once", once, "PROVEN", stays=True)


def first_of_integers(f, x):
    bounds = f.integers((0, 1, 0)), f.integers((0, 2, 0)), f.integers((1, 1, 1))
    part = f.new("STRIDED_SLICE", (x, *bounds), (1, 8), beginMask=5, endMask=5, shrinkAxisMask=2)
    return f.new("ADD", (part, f.constant(np.int32(3))), (1, 8))


CASES = list(_cases())
