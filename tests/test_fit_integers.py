"""Integers fitted to samples: ranges, kernels whose errors make up for each other, and biases; against plain sums."""

import itertools

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from keraslayers.export import Verdict, to_tflite
from keraslayers.export.convert import mixed, observe
from keraslayers.export.convert.functions import function_behind
from keraslayers.export.convert.narrow_ranges import narrow_ranges, narrowed_range
from keraslayers.export.convert.observe import Observed
from keraslayers.export.convert.observe_worker import TOGETHER, Powers, parted, repeats, rounded
from keraslayers.export.file import edit
from keraslayers.export.file.quantized import ranged
from keraslayers.export.measures import snr_db
from tests.export_models import enliven
from tests.file_tools import Made


def images(count, channels=4, side=9):
    """Far from zero, as what comes out of a ReLU is: there rounded kernels move every output."""
    random = np.random.default_rng(0)
    return random.uniform(0.5, 1.5, (count, side, side, channels)).astype("float32")


def built(layer, channels=4, side=9):
    keras.utils.set_random_seed(0)
    image = keras.Input((side, side, channels), name="image")
    return enliven(keras.Model(image, layer(image)))


LAYERS = {
    "valid": lambda: layers.Conv2D(6, 3, name="conv"),
    "same": lambda: layers.Conv2D(6, 5, padding="same", name="conv"),
    "strided": lambda: layers.Conv2D(6, 3, strides=2, padding="same", name="conv"),
    "dilated": lambda: layers.Conv2D(6, 3, dilation_rate=2, padding="same", name="conv"),
    "groups": lambda: layers.Conv2D(6, 3, groups=2, name="conv"),
    "depthwise": lambda: layers.DepthwiseConv2D(3, padding="same", name="conv"),
    "several": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, name="conv"),
    "dense": lambda: layers.Dense(6, name="conv"),
}


def outputs(blob, x):
    interpreter = Interpreter(model_content=blob)
    runner = interpreter.get_signature_runner()
    return np.concatenate([next(iter(runner(image=one[None]).values())) for one in x]).astype("float64")


@pytest.mark.sweep
@pytest.mark.parametrize("name", LAYERS)
def test_no_output_is_off_on_the_average(name, monkeypatch):
    """By how much the channels are off on the average, beside the file with the biases as they were."""
    model, x = built(LAYERS[name]()), images(16)
    wanted = model.predict(x, verbose=0).astype("float64")
    off = {}
    for corrected in (True, False):
        if not corrected:
            monkeypatch.setattr(mixed, "fit_integers", lambda blob, fitted: blob)
        got = outputs(to_tflite(model, precision="int8", samples=x).tflite, x)
        moved = np.abs((got - wanted).mean(axis=tuple(range(wanted.ndim - 1)))).mean()
        off[corrected] = moved / (np.ptp(wanted) / 255)  # in steps
    assert off[True] < 0.03
    assert off[False] > 0.06


def test_a_deep_network_comes_nearer(monkeypatch):
    keras.utils.set_random_seed(0)
    x = image = keras.Input((16, 16, 3), name="image")
    for _ in range(4):
        x = layers.ReLU(6)(layers.Conv2D(16, 1, bias_initializer="ones")(x))
        x = layers.ReLU(6)(layers.DepthwiseConv2D(3, padding="same", bias_initializer="ones")(x))
    model = enliven(keras.Model(image, x))
    random = np.random.default_rng(0)
    x = (random.normal(size=(32, 16, 16, 3)) + random.normal(size=(32, 1, 1, 3))).astype("float32")
    wanted = model.predict(x, verbose=0)
    after = to_tflite(model, precision="int8", samples=x[:16])
    monkeypatch.setattr(mixed, "fit_integers", lambda blob, fitted: blob)
    before = to_tflite(model, precision="int8", samples=x[:16])
    # On samples that no mean was taken of.
    assert snr_db(wanted[16:], after.predict(x[16:])) > snr_db(wanted[16:], before.predict(x[16:])) + 0.7


def test_a_layer_that_is_called_twice_has_a_bias_for_each_call():
    image = keras.Input((8, 8, 4), name="image")
    layer = layers.Conv2D(4, 3, padding="same", bias_initializer="ones")
    keras.utils.set_random_seed(0)
    model = keras.Model(image, layer(layers.ReLU()(layer(image)) * 3.0))
    x = images(8, side=8)
    file = edit.read(to_tflite(model, precision="int8", samples=x).tflite)
    first, second = (op.inputs[2] for op in file.main.operators if op.name == "CONV_2D")
    assert first.buffer is not second.buffer
    assert not np.array_equal(first.values, second.values)


def test_a_kernel_of_very_many_numbers_is_rounded_to_the_nearest(monkeypatch):
    monkeypatch.setattr(observe, "MOST_NUMBERS", 100)
    model = built(lambda x: layers.Conv2D(5, 3, name="large")(layers.Conv2D(3, 1, name="small")(x)), channels=3, side=8)
    file = edit.read(to_tflite(model, precision="int8", samples=images(8, 3, 8)).tflite)
    kernel = [op.inputs[1] for op in file.main.operators if op.name == "CONV_2D"][-1]
    weights = model.get_layer("large").get_weights()[0].transpose(3, 0, 1, 2)
    nearest = np.round(weights / np.asarray(kernel.quantization.scale)[:, None, None, None])
    assert np.abs(kernel.values - nearest).max() == 0


def test_other_constants_keep_their_bytes():
    """A bias of zeros is written once for all that is as many zeros, where a slice begins among them."""
    image = keras.Input((8, 8, 3), name="image")
    part = layers.Cropping2D(((0, 2), (0, 2)))(image)  # from 0, 0, 0, 0
    model = keras.Model(image, [layers.Conv2D(4, 3)(part), layers.Conv2D(4, 3)(image)])
    made = to_tflite(model, precision="int8", samples=images(8, 3, 8)).report
    assert made.proof("cpu").verdict is Verdict.PROVEN, made


def test_a_file_that_does_not_run_here_has_the_ranges_of_the_converter(monkeypatch):
    monkeypatch.setattr(mixed, "observe", lambda *args: Observed())
    model, x = built(LAYERS["valid"]()), images(4)
    assert to_tflite(model, precision="int8", samples=x).report.ok


def together(places, inputs):
    """What an output reads, much of which goes up and down together, far from zero."""
    random = np.random.default_rng(0)
    return (3 + random.normal(size=(places, 2)) @ random.normal(size=(2, inputs))).astype("float32") + random.normal(
        0, 0.1, (places, inputs)
    ).astype("float32")


@pytest.mark.parametrize("around", [True, False])
def test_errors_of_inputs_make_up_for_each_other(around):
    """Kernels of 6 inputs, against the best of all 64 ways to round them up or down, and against the nearest."""
    rows, read = np.random.default_rng(1).uniform(-9, 9, (20, 6)), together(2000, 6)
    powers = Powers()
    powers.add(read[None])
    found = rounded(rows, powers.products_of_two(around))
    assert np.array_equal(found, np.round(found))

    def cost(integers, row):
        off = read.astype("float64") @ (integers - row)
        return np.var(off) if around else np.mean(off**2)

    best = [min(cost(np.floor(row) + up, row) for up in itertools.product((0, 1), repeat=6)) for row in rows]
    nearest = [cost(np.round(row), row) for row in rows]
    costs = [cost(*each) for each in zip(found, rows, strict=True)]
    assert np.mean(costs) < 0.3 * np.mean(nearest)
    assert np.mean(costs) < 4 * np.mean(best)


def test_zeros_stay_and_what_repeats_is_left_alone():
    rows = np.random.default_rng(1).uniform(-9, 9, (20, 12)) * np.tile([1, 0, 1], 4)
    powers = Powers()
    powers.add(together(2000, 12)[None])
    found = rounded(rows, powers.products_of_two(True))
    assert not found[rows == 0].any()
    assert np.count_nonzero(found != np.round(rows)) > 10
    assert not repeats(rows)
    assert repeats(np.random.default_rng(1).choice([-2.5, 0, 0.3, 1.7], (20, 12)))


def test_what_reads_one_input_is_rounded_to_the_nearest():
    rows = np.random.default_rng(1).uniform(-130, 130, (50, 1))
    powers = Powers()
    powers.add(together(100, 1)[None])
    assert np.array_equal(rounded(rows, powers.products_of_two(True)), np.clip(np.round(rows), -127, 127))


def test_many_inputs_are_rounded_in_parts():
    """Each of which is what it is alone: three of equal size, but for zeros at the end of the last."""
    width = 2 * TOGETHER + 6
    inside = -(-width // 3)
    rows, read = np.random.default_rng(1).uniform(-9, 9, (3, width)), together(200, width)
    powers = Powers()
    powers.add(parted(read[None]))
    found = rounded(rows, powers.products_of_two(True))
    assert found.shape == rows.shape
    for start in range(0, width, inside):
        part, missing = slice(start, start + inside), max(start + inside - width, 0)
        alone = Powers()
        alone.add(np.pad(read[:, part], ((0, 0), (0, missing)))[None])
        wanted = rounded(np.pad(rows[:, part], ((0, 0), (0, missing))), alone.products_of_two(True))
        assert np.array_equal(found[:, part], wanted[:, : inside - missing])


# How a file holds a kernel: Keras's of its values, each channel's by its scale.
HELD = {
    "conv": (layers.Conv2D, lambda values, scale: (values * scale[:, None, None, None]).transpose(1, 2, 3, 0)),
    "depthwise": (layers.DepthwiseConv2D, lambda values, scale: (values * scale)[0][..., None]),
    "dense": (lambda filters, size, name: layers.Dense(filters, name=name), lambda values, scale: values.T * scale),
}


@pytest.mark.parametrize("name", HELD)
def test_kernels_of_a_file_vary_as_those_in_floats_do(name, monkeypatch):
    """Of neighbours that are much alike: Keras with the kernel of the file, fitted and to the nearest."""
    make, held = HELD[name]
    x = np.random.default_rng(0).normal(size=(16, 12, 12, 8))
    x = (np.cumsum(np.cumsum(np.cumsum(x, 1), 2), 3) / 16).astype("float32")
    model = built(make(6, 3, name=name) if name != "depthwise" else make(3, name=name), channels=8, side=12)
    wanted, errors = model.predict(x, verbose=0), []
    for fit in (mixed.fit_integers, lambda blob, fitted: blob):
        monkeypatch.setattr(mixed, "fit_integers", fit)
        file = edit.read(to_tflite(model, precision="int8", samples=x).tflite)
        (kernel,) = (op.inputs[1] for op in file.main.operators if len(op.inputs) > 2)
        twin = keras.models.clone_model(model)
        twin.set_weights([held(kernel.values, np.asarray(kernel.quantization.scale)), model.get_weights()[1]])
        errors.append(np.var(twin.predict(x, verbose=0) - wanted, axis=(0, 1, 2)).mean())
    assert errors[0] < 0.7 * errors[1]


def test_a_range_is_that_of_the_numbers_and_of_no_others():
    """LiteRT multiplies in place; the converter's calibrator takes what comes of it for what the convolution made."""
    image = keras.Input((9, 9, 4), name="image")
    x = layers.Conv2D(6, 3, activation="relu", name="conv")(image) * 16.0
    model = enliven(keras.Model(image, layers.Conv2D(2, 3)(layers.Concatenate()([x, layers.ReLU()(x - 3.0)]))))
    made = to_tflite(model, precision="int8", samples=images(8))
    largest = keras.Model(model.input, model.get_layer("conv").output).predict(images(8), verbose=0).max()
    (conv, *_) = (op for op in edit.read(made.tflite).main.operators if op.name == "CONV_2D")
    assert 0.4 * largest < 255 * conv.output.scale <= 1.01 * largest


def plain_cost(numbers, low, high):
    """What a range costs, number by number; zeros cost nothing."""
    inside = np.clip(numbers, low, high)
    rounding = np.where((inside == numbers) & (numbers != 0), ((high - low) / 255) ** 2 / 12, 0)
    return np.sum((numbers - inside) ** 2 + rounding)


@pytest.mark.parametrize("relu", [True, False])
def test_a_range_leaves_out_what_is_rare(relu):
    numbers = np.random.default_rng(0).laplace(size=400_000)
    numbers = np.maximum(numbers, 0) if relu else numbers
    low, high = min(numbers.min(), 0), numbers.max()
    counts = np.histogram(numbers, 2048, (low, high))[0]
    found = narrowed_range(counts, low, high, 0)
    cost = plain_cost(numbers, *found)
    ends = np.linspace(0.2, 1, 17)
    best = min(plain_cost(numbers, low * a, high * b) for a in (ends if low else [1]) for b in ends)
    assert cost < 0.9 * plain_cost(numbers, low, high)
    assert cost < 1.05 * best
    even = np.histogram(np.linspace(-1, 1, 4000), 2048, (-1, 1))[0]
    assert narrowed_range(even, -1.0, 1.0) == (-1.0, 1.0)


FUNCTIONS = {
    "hard-swish": (lambda f, x: f.new("HARD_SWISH", (x,), x.shape), lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "swish of two": (
        lambda f, x: f.new("MUL", (x, f.new("LOGISTIC", (x,), x.shape)), x.shape),
        lambda x: x / (1 + np.exp(-x)),
    ),
    "sums, products and limits": (
        lambda f, x: f.new(
            "MUL",
            (f.new("ADD", (x, f.weights([3.0])), x.shape, fusedActivationFunction=3), f.weights([1 / 6])),
            x.shape,
        ),
        lambda x: np.clip(x + 3, 0, 6) / 6,
    ),
    "gelu": (lambda f, x: f.new("GELU", (x,), x.shape), lambda x: np.asarray(keras.ops.gelu(x, approximate=False))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_range_is_that_of_what_becomes_of_numbers(name):
    """The cost of a range is what an activation makes of its errors, number by number."""
    layer, function = FUNCTIONS[name]
    f = Made()
    x = f.new("ABS", (f.input((1, 8)),), (1, 8))
    y = layer(f, x)
    f.done(f.new("SOFTMAX", (y,), (1, 8), beta=1.0))
    numbers = np.random.default_rng(0).normal(size=100_000) * 4
    np.testing.assert_allclose(function_behind(f.graph, x)(numbers), function(numbers), atol=1e-9)
    x.quantize(ranged(numbers.min(), numbers.max()))
    counts = np.histogram(numbers, 2048, (numbers.min(), numbers.max()))[0]
    assert narrow_ranges(f.graph, {x.name: counts}, 0) == 1

    def cost(low, high):
        step = (high - low) / 255
        rounded = np.clip(np.round((numbers - low) / step), 0, 255) * step + low
        return np.mean((function(rounded) - function(numbers)) ** 2)

    ends = [(low, high) for low in np.linspace(0.05, 1, 20) for high in np.linspace(0.05, 1, 20)]
    best = min(cost(numbers.min() * low, numbers.max() * high) for low, high in ends)
    found = cost(float(x.quantization.min[0]), float(x.quantization.max[0]))
    plain = narrowed_range(counts, numbers.min(), numbers.max(), 0)
    assert found < 1.1 * best
    assert found < 0.8 * cost(*plain)


def test_what_several_read_has_no_function():
    """Nor what is multiplied by other numbers, by one for each channel, or is an output."""
    f = Made()
    x = f.new("ABS", (f.input((1, 8)),), (1, 8))
    y = f.new("TANH", (x,), (1, 8))
    z = f.new("LOGISTIC", (y,), (1, 8))
    both = f.new("MUL", (y, z), (1, 8))
    scaled = f.new("MUL", (both, f.weights(np.ones(8))), (1, 8))
    last = f.new("TANH", (scaled,), (1, 8))
    f.done(scaled, f.new("SOFTMAX", (last,), (1, 8), beta=1.0), f.new("SOFTMAX", (z,), (1, 8), beta=1.0))
    assert function_behind(f.graph, x)(np.array([2.0])) == np.tanh(2.0)  # and ends where two read it
    for tensor in (y, z, both, scaled, last):
        assert function_behind(f.graph, tensor) is None


def test_ranges_of_outputs_and_of_what_is_compared_stay():
    """And those of which little is known; beside each one that does become narrower."""
    f = Made()
    x = f.input((1, 8))
    hidden = f.new("ABS", (x,), (1, 8))
    score = f.new("ABS", (hidden,), (1, 8))
    moved = f.new("RESHAPE", (score, f.integers([2, 4])), (2, 4))
    rare = f.new("ABS", (hidden,), (1, 8))
    f.done(f.new("SOFTMAX", (moved,), (2, 4), beta=1.0), f.new("ABS", (rare,), (1, 8)))
    tensors = [tensor for op in f.graph.operators for tensor in op.outputs]
    for tensor in tensors:
        tensor.quantize(ranged(0.0, 30.0))
    counts = np.histogram(np.abs(np.random.default_rng(0).normal(size=9000)), 2048, (0, 30))[0]
    histograms = {tensor.name: counts for tensor in tensors} | {rare.name: counts // 50}
    narrow_ranges(f.graph, histograms, 0)
    assert [tensor.quantization.max[0] < 30 for tensor in tensors] == [tensor is hidden for tensor in tensors]
