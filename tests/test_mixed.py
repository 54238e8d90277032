"""int8 files with layers in floats: which ones, what it costs, and the search for the fewest."""

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.export import to_tflite
from keraslayers.export.convert import converter
from keraslayers.export.convert.floats import in_floats
from keraslayers.export.convert.mixed import Calibrated, torn
from keraslayers.export.file import edit
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof.match import LOST
from tests.export_models import cnn, enliven, needs_gpu, samples
from tests.file_tools import Made

X = samples(32, (8, 8, 3))


def hostile():
    """A network in which one layer cannot live in 8 bits: a product of a tiny and of a huge channel."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, activation="relu", name="first")(image)
    x = layers.Rescaling([1e3] + [1.0] * 7, name="stretch")(x)
    x = layers.Conv2D(8, 3, activation="relu", name="second")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = enliven(keras.Model(image, layers.Dense(3, name="classes")(x), name="hostile"))
    kernel = model.get_layer("second").kernel.numpy()
    kernel[:, :, 0] *= 1e-3  # what was large is small again
    model.get_layer("second").kernel.assign(kernel)
    return model


def error(model, artifact):
    """The file's rms error over the outputs' spread, from its own run of LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=artifact.tflite)
    runner = interpreter.get_signature_runner()
    got = np.concatenate([next(iter(runner(**{model.inputs[0].name: x[None]}).values())) for x in X])
    wanted = model.predict(X, verbose=0)
    return np.sqrt(np.mean((got - wanted) ** 2)) / wanted.std()


@pytest.mark.parametrize("skip", [["squeeze_excite", "wide"], ["SqueezeExcite", "wide"]])
def test_skipped_layers_compute_in_floats(skip):
    artifact = to_tflite(cnn(), precision="int8", samples=X, skip=skip)
    assert artifact.report.require().float_layers == ("squeeze_excite", "wide")
    kernels = artifact.report.float_operators
    assert kernels["FULLY_CONNECTED"] == 1  # of two
    assert kernels["CONV_2D"] == 2  # of the stem and two
    assert kernels["MEAN"] == 1  # of two
    assert artifact.report.precision == "int8"


def test_a_class_and_inputs_of_integers():
    artifact = to_tflite(cnn(), precision="int8", samples=X, skip=[layers.Dense], io="uint8")
    assert artifact.report.require().float_layers == ("classes", "wide")
    graph = read_graph(artifact.tflite)
    assert [tensor.dtype for tensor in (*graph.inputs, *graph.outputs)] == ["uint8", "uint8"]


def test_a_skipped_layer_is_proven_on_the_gpu_and_found_behind_a_pass():
    image = keras.Input((8, 8, 8), name="image")
    x = layers.Conv2D(8, 3, name="conv", activation="hard_silu")(image)
    model = enliven(keras.Model(image, layers.Conv2D(4, 1, name="last")(x)))
    made = to_tflite(model, target="gpu-fp32", precision="int8", samples=samples(16, (8, 8, 8)), skip="conv")
    assert "split_hard_swish" in made.report.require().passes
    assert read_graph(made.tflite).float_operators == {"ADD": 1, "CONV_2D": 1, "MUL": 1}


@needs_gpu
@pytest.mark.parametrize("io", ["float32", "int8"])
def test_products_of_activations_stay_in_floats_on_phones(io):
    tokens = keras.Input((6, 8), name="tokens")
    x = layers.Dense(8, name="in")(tokens)
    scores = layers.Softmax(name="scores")(layers.Dot(2, name="products")([x, layers.Dense(8, name="keys")(x)]))
    model = enliven(keras.Model(tokens, layers.Dense(4, name="out")(layers.Dot((2, 1), name="mix")([scores, x]))))
    x = samples(16, (6, 8))
    report = to_tflite(model, target="gpu-fp32", precision="int8", io=io, samples=x).report.require()
    assert report.float_operators == {"ADD": 1, "BATCH_MATMUL": 2, "SOFTMAX": 1}  # and the bias of what these read
    assert report.proof("cpu").partitions == 1
    assert {entry["dtype"] for entry in report.inputs} == {io}
    report = to_tflite(model, target="micro", precision="int8", io=io, samples=x).report.require()
    assert report.float_operators == {}
    assert report.operators["BATCH_MATMUL"] == 2


def pooled_by_attention(image):
    """Channels summed over the places, weighted by a softmax over these."""
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    weights = layers.Softmax(name="weights")(layers.Reshape((1, 64))(layers.Conv2D(1, 1)(x)))
    return keras.ops.sum(x * layers.Reshape((8, 8, 1))(weights), axis=(1, 2), keepdims=True)


def selected_kernels(image):
    """Two branches, weighted for each channel by a softmax over the two (Li et al. 2019, arXiv:1903.06586)."""
    near, far = (layers.Conv2D(8, 3, padding="same", dilation_rate=rate, activation="relu")(image) for rate in (1, 2))
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(near + far)
    weights = layers.Softmax(name="weights")(layers.Reshape((8, 2))(layers.Conv2D(16, 1)(pooled)))
    return sum(x * layers.Reshape((1, 1, 8))(weights[:, :, i : i + 1]) for i, x in enumerate((near, far)))


@needs_gpu
@pytest.mark.parametrize("io", ["float32", "int8"])
@pytest.mark.parametrize("inside", [pooled_by_attention, selected_kernels])
def test_a_softmax_inside_stays_in_floats_on_phones(inside, io):
    image = keras.Input((8, 8, 3), name="image")
    model = enliven(keras.Model(image, layers.Conv2D(4, 1, name="out")(inside(image)), name="m"))
    report = to_tflite(model, target="gpu-fp32", precision="int8", io=io, samples=X).report.require()
    assert report.float_operators == {"SOFTMAX": 1}
    for proof in report.proofs:
        assert (proof.delegated, proof.partitions) == (proof.operators, 1)


@pytest.mark.parametrize("io", ["float32", "int8", "uint8"])
def test_a_softmax_at_the_end_is_none_of_these(io):
    report = to_tflite(cnn(), target="gpu-fp32", precision="int8", io=io, samples=X).report.require()
    assert report.operators["SOFTMAX"] == 1
    assert report.float_operators == {}


@needs_gpu
def test_a_softmax_at_the_end_goes_with_what_is_in_floats():
    image = keras.Input((8, 8, 3), name="image")
    x = layers.GlobalAveragePooling2D(keepdims=True)(layers.Conv2D(8, 3, activation="gelu")(image))
    model = enliven(keras.Model(image, layers.Conv2D(4, 1, activation="softmax", name="classes")(x), name="m"))
    for layer_errors in (False, True):  # which asks for another way to the same file
        made = to_tflite(model, target="gpu-fp32", precision="int8", samples=X, layer_errors=layer_errors)
        assert made.report.require().float_operators == {"GELU": 1, "MEAN": 1, "SOFTMAX": 1}
        proof = made.report.proof("cpu")
        assert (proof.delegated, proof.partitions) == (proof.operators, 1)


def test_a_softmax_that_is_given_and_used():
    image = keras.Input((8, 8, 3), name="image")
    classes = layers.Softmax(name="classes")(layers.Conv2D(4, 1)(image))
    model = enliven(keras.Model(image, [classes, layers.Conv2D(2, 1, name="then")(classes)], name="m"))
    report = to_tflite(model, precision="int8", samples=X).report.require()
    assert report.float_operators["SOFTMAX"] == 1
    assert (report.proof("cpu").delegated, report.proof("cpu").partitions) == (report.proof("cpu").operators, 1)


@pytest.mark.parametrize(
    "normalization",
    [
        layers.LayerNormalization,
        layers.RMSNormalization,
        layers.UnitNormalization,
        lambda: layers.GroupNormalization(4),
    ],
)
def test_normalizations_and_gelu_stay_in_floats_on_phones(normalization):
    image = keras.Input((6, 6, 8), name="image")
    x = normalization()(layers.Conv2D(8, 1, activation="gelu")(image))
    model = enliven(keras.Model(image, layers.Conv2D(4, 1, name="out")(x), name="m"))
    made = to_tflite(model, precision="int8", samples=samples(16, (6, 6, 8)))
    proof = made.report.require().proof("cpu")
    assert (proof.delegated, proof.partitions) == (proof.operators, 1)
    floats = read_graph(made.tflite).float_operators
    assert floats["GELU"] == 1
    assert "CONV_2D" not in floats


@pytest.mark.parametrize("precision", ["int8", "float16"])
def test_errors_of_what_says_the_same_of_every_input_are_a_part_of_its_size(precision):
    """As in a verdict: otherwise rounding a constant would be an error without end."""
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, name="deaf", kernel_initializer="zeros"), layers.Dense(2, name="classes")]
    )
    model.layers[0].bias.assign(np.linspace(0.5, 1, 8))
    report = to_tflite(model, precision=precision, samples=samples(16, (4,)), layer_errors=True).report
    # A step or two of 8 bits are as much as counts of a constant, a hundredth of its size.
    assert all(error.snr_db > -10 for error in report.layer_errors), report.layer_errors


@keras.saving.register_keras_serializable("keraslayers tests")
class Block(layers.Layer):
    """Somebody's layer: attention and a normalization inside, of which the Keras graph tells nothing."""

    def build(self, shape):
        self.attention, self.normalization = layers.MultiHeadAttention(2, 4), layers.LayerNormalization()
        self.hidden, self.out = layers.Dense(16, activation="gelu"), layers.Dense(shape[-1])

    def call(self, x):
        x = self.normalization(x + self.attention(x, x, use_causal_mask=True))
        return x + self.out(self.hidden(x / keras.ops.sqrt(keras.ops.mean(x**2, axis=-1, keepdims=True) + 1e-3)))


@pytest.fixture(scope="module")
def inside():
    tokens = keras.Input((6, 8), name="tokens")
    model = enliven(keras.Model(tokens, layers.Dense(4, name="out")(Block(name="block")(tokens)), name="m"))
    return to_tflite(model, precision="int8", samples=samples(16, (6, 8)))


def test_what_stays_in_floats_is_known_inside_of_layers(inside):
    proof = inside.report.require().proof("cpu")
    # A mask of -1e9 in 8 bits leaves no step to the scores beside it.
    assert proof.snr_db > 20
    assert proof.partitions <= 2  # and the causal mask's own comparison
    floats = read_graph(inside.tflite).float_operators
    assert floats["SOFTMAX"] == 1
    assert floats["BATCH_MATMUL"] == 2
    assert "FULLY_CONNECTED" not in floats


def test_a_normalization_is_found_whole_and_nothing_else():
    f = Made()
    x = f.new("ADD", (f.input((1, 6, 8)), f.input((1, 6, 8), name="z")), (1, 6, 8))
    mean = f.new("MEAN", (x, f.integers([2])), (1, 6, 1), keepDims=True)
    variance = f.new("MEAN", (f.new("SQUARED_DIFFERENCE", (x, mean), (1, 6, 8)), f.integers([2])), (1, 6, 1))
    root = f.new("RSQRT", (f.new("ADD", (variance, f.constant(np.float32(1e-3))), (1, 6, 1)),), (1, 6, 1))
    scale = f.new("MUL", (root, f.constant(np.ones(8, "float32"))), (1, 6, 8))
    shift = f.new("SUB", (f.constant(np.ones(8, "float32")), f.new("MUL", (mean, scale), (1, 6, 8))), (1, 6, 8))
    y = f.new("ADD", (f.new("MUL", (x, scale), (1, 6, 8)), shift), (1, 6, 8))
    gate = f.new("LOGISTIC", (y,), (1, 6, 8))
    f.done(f.new("MUL", (y, gate), (1, 6, 8)))
    first, *normalization, last, gated = f.graph.operators
    assert in_floats(f.graph, "float32") == {first, *normalization}  # the sum is read in floats
    assert {last.name, gated.name} == {"LOGISTIC", "MUL"}


def sums():
    """Two residual branches, what is read in floats behind them, and the operators that are to be in floats."""
    f = Made()
    kernel = f.constant(np.eye(8, dtype="float32"))
    x = f.input((1, 6, 8))
    first = f.new("ADD", (x, f.new("FULLY_CONNECTED", (x, kernel), (1, 6, 8))), (1, 6, 8))
    second = f.new("ADD", (first, f.new("FULLY_CONNECTED", (first, kernel), (1, 6, 8))), (1, 6, 8))
    return f, first, second


def test_sums_for_what_computes_in_floats_stay_in_floats():
    f, first, second = sums()
    moved = f.new("RESHAPE", (second, f.integers([1, 2, 3, 8])), (1, 2, 3, 8))
    pooled = f.new("MEAN", (moved, f.integers([1, 2])), (1, 8))
    gelu = f.new("GELU", (pooled,), (1, 8))
    gated = f.new("MUL", (gelu, f.constant(np.ones(8, "float32"))), (1, 8))
    last = f.new("RESHAPE", (gated, f.integers([8, 1])), (8, 1))
    f.done(f.new("FULLY_CONNECTED", (last, f.constant(np.eye(1, dtype="float32"))), (8, 1)))
    # What is moved from floats to floats stays so; what integers read is moved as integers.
    assert in_floats(f.graph, "float32") == {x.maker for x in (first, second, moved, pooled, gelu, gated)}


def test_sums_for_integers_are_integers():
    f, _, second = sums()
    gelu = f.new(
        "GELU", (f.new("FULLY_CONNECTED", (second, f.constant(np.eye(8, dtype="float32"))), (1, 6, 8)),), (1, 6, 8)
    )
    f.done(f.new("ADD", (gelu, second), (1, 6, 8)))
    assert in_floats(f.graph, "float32") == {gelu.maker}


@pytest.mark.parametrize(
    ("activation", "channels", "filters", "io", "stays"),
    [
        ("swish", 3, 128, "float32", True),
        ("swish", 1, 16, "float32", True),  # of one channel integers go one by one, too
        ("swish", 3, 64, "float32", False),  # 4 per cent of the products
        ("relu", 3, 128, "float32", False),  # rounded once
        ("swish", 3, 128, "int8", False),
    ],
)
def test_what_reads_the_image_stays_in_floats_with_the_curve_behind_it(activation, channels, filters, io, stays):
    image = keras.Input((16, 16, channels), name="image")
    x = layers.ZeroPadding2D(name="pad")(image)
    x = layers.Conv2D(8, 3, 2, activation=activation, name="first")(x)
    x = layers.Conv2D(filters, 3, padding="same", activation="swish", name="second")(x)
    x = layers.Dense(4, name="out")(layers.GlobalAveragePooling2D(name="pool")(x))
    made = to_tflite(enliven(keras.Model(image, x)), precision="int8", samples=samples(16, image.shape[1:]), io=io)
    made.report.require()
    floats = read_graph(made.tflite).float_operators
    assert floats == ({"PAD": 1, "CONV_2D": 1, "LOGISTIC": 1, "MUL": 1} if stays else {}), floats


def test_masks_and_scores_stay_in_floats_and_what_is_only_moved_does_not():
    f = Made()
    q, mask = f.input((1, 6, 8)), f.input((1, 6), name="mask")
    scores = f.new("BATCH_MATMUL", (q, q), (1, 6, 6), adjY=True)
    none = f.new(
        "SUB", (f.constant(np.float32(1)), f.new("RESHAPE", (mask, f.integers([1, 1, 6])), (1, 1, 6))), (1, 1, 6)
    )
    far = f.new("MUL", (none, f.constant(np.float32(-1e9))), (1, 1, 6))
    masked = f.new("ADD", (scores, far), (1, 6, 6))
    f.done(f.new("BATCH_MATMUL", (f.new("SOFTMAX", (masked,), (1, 6, 6), beta=1.0), q), (1, 6, 8)))
    assert in_floats(f.graph, "float32") == {op for op in f.graph.operators if op.name != "RESHAPE"}


def test_a_softmax_at_the_end_alone_is_in_integers():
    f = Made()
    f.done(f.new("SOFTMAX", (f.input((1, 6)),), (1, 6), beta=1.0))
    assert in_floats(f.graph, "float32") == set()


def test_a_file_of_integers_takes_one_conversion(monkeypatch):
    asked, ask = [], converter.ask
    monkeypatch.setattr(converter, "ask", lambda folder, do, **request: asked.append(do) or ask(folder, do, **request))
    to_tflite(cnn(), precision="int8", samples=X).report.require()
    assert asked == ["convert", "quantize"]


def lost():
    """A network of which 8 bits lose everything in one layer: numbers beside others a million times as large."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, activation="relu", name="first")(image)
    x = layers.Rescaling([1e6] + [1.0] * 7, name="stretch")(x)
    x = layers.Rescaling([1e-6] + [1.0] * 7, name="squeeze")(x)
    x = layers.Conv2D(8, 3, activation="relu", name="second")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return enliven(keras.Model(image, layers.Dense(3, name="classes")(x), name="lost"))


def test_numbers_that_8_bits_lose_come_back_with_the_layers_that_lose_them_in_floats():
    report = to_tflite(lost(), precision="int8", samples=X).report.require()
    assert "stretch" in report.float_layers
    assert not {"second", "classes"} & set(report.float_layers)
    assert "layers in floats: " in str(report)


def test_a_classifier_of_what_is_nearly_alike_is_seen_at_once(monkeypatch):
    """Averages of 10 that differ by 0.002: 8 bits of them say nothing, those of the numbers that are averaged do."""
    image = keras.Input((16, 16, 2), name="image")
    x = layers.Conv2D(2, 1, activation="relu", name="first")(image)
    x = layers.Dense(3, name="classes")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(image, x)
    kernel = np.random.default_rng(0).normal(size=(2, 3)) * 100
    model.set_weights([0.03 * np.eye(2)[None, None], np.full(2, 10.0), kernel, -10 * kernel.sum(0)])
    monkeypatch.setattr(Calibrated, "_decibels", lambda *args: pytest.fail("no layer need be measured"))
    report = to_tflite(model, precision="int8", samples=samples(24, (16, 16, 2))).report.require()
    assert report.float_layers == ("classes", "pool")


def test_microcontrollers_are_told_that_the_numbers_are_lost():
    report = to_tflite(lost(), target="micro", precision="int8", samples=X).report
    assert LOST in report.proof("micro").reason
    assert report.float_layers == ()


class Otherwise(layers.Layer):
    """Computes something else where it is written down as a graph."""

    def call(self, x):
        import tensorflow as tf

        return x if tf.executing_eagerly() else x * -1.0


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_what_is_wrong_in_floats_too_is_not_quantizations_fault(precision):
    tokens = keras.Input((6, 8), name="tokens")
    x = Otherwise()(layers.Dense(8)(tokens))
    model = enliven(keras.Model(tokens, layers.Dense(4, name="out")(x), name="m"))
    reason = to_tflite(model, precision=precision, samples=samples(16, (6, 8))).report.proof("cpu").reason
    assert LOST not in reason
    assert "it is not quantization that lost the numbers: of the file in floats output `out` is" in reason


def test_a_step_that_is_none_of_its_own_is_found():
    """keras-hub's D-FINE: a sigmoid whose numbers are stacked, put out and sliced took the scale of who moves them."""
    for step in (1 / 256, 0.0035):
        f = Made()
        x = f.input((1, 4), "int8", scale=0.1, zero_point=0)
        blob = f.done(f.new("LOGISTIC", (x,), (1, 4), "int8", scale=step, zero_point=-128))
        made = edit.read(blob).main.outputs[0].name
        assert torn(blob) == ([] if step == 1 / 256 else [made])


@pytest.mark.parametrize("kind", ["masked", "state", "images"])
def test_loops_in_integers(kind):
    steps = keras.Input((6, 4, 4, 2) if kind == "images" else (6, 8), name="steps")
    x = samples(16, steps.shape[1:])
    if kind == "masked":
        x[::2, 4:] = 0
        y = layers.Bidirectional(layers.LSTM(4))(layers.Masking()(steps))
    elif kind == "state":
        first = keras.Input((4,), name="first")
        y = layers.GRU(4)(steps, initial_state=first)
    else:
        y = layers.ConvLSTM2D(2, 3)(steps)
    inputs = [steps, first] if kind == "state" else steps
    model = enliven(keras.Model(inputs, layers.Dense(3, name="out")(y), name="m"))
    x = {"steps": x, "first": samples(16, (4,))} if kind == "state" else x
    report = to_tflite(model, precision="int8", samples=x).report.require()
    assert "unroll_loops" in report.rewrites
    assert "WHILE" not in report.operators


def test_errors_are_ranked_and_skipping_the_worst_helps():
    model = hostile()
    plain = to_tflite(model, precision="int8", samples=X, layer_errors=True)
    # What stretch makes is what 8 bits cannot hold; first, pool and classes harm nothing.
    assert "stretch" in [e.layer for e in plain.report.layer_errors[:2]]
    assert {e.layer for e in plain.report.layer_errors[-3:]} == {"first", "pool", "classes"}
    assert [e.snr_db for e in plain.report.layer_errors] == sorted(e.snr_db for e in plain.report.layer_errors)
    assert {e.layer for e in plain.report.layer_errors} == {"first", "stretch", "second", "pool", "classes"}
    # All in int8 it is 0.43 of the outputs' spread.
    helped = to_tflite(model, precision="int8", samples=X, skip=["first", "stretch", "second"])
    assert helped.report.float_layers == ("first", "second", "stretch")
    assert error(model, helped) < 0.1


def test_auto_leaves_in_floats_what_it_must():
    model = hostile()
    wanted = model.predict(X, verbose=0)

    def evaluate(predict):
        return -float(np.sqrt(np.mean((predict(X) - wanted) ** 2)) / wanted.std())

    bound = 0.1  # all in int8 it is 0.43
    made = to_tflite(model, precision="auto", samples=X, evaluate=evaluate, max_drop=bound)
    report = made.report.require()
    assert error(model, made) <= bound
    first, *_ = report.trials
    assert first.floats == ()
    assert first.score < -bound
    assert 0 < len(report.float_layers) < 4
    # One layer fewer was tried, and was not enough.
    scores = {len(trial.floats): trial.score for trial in report.trials}
    assert scores[len(report.float_layers) - 1] < -bound <= scores[len(report.float_layers)]
    assert report.trials[-1].size > 0


def test_the_report_shows_what_was_tried_and_what_it_costs(tmp_path):
    scores = iter([1.0, 0.0, 1.0, 1.0])
    options = {"evaluate": lambda predict: next(scores), "max_drop": 0.5}
    report = to_tflite(cnn(), precision="auto", samples=X, **options).report
    words = " ".join(str(report).split())
    (worst,) = report.float_layers
    assert f"layers in floats: {worst}" in words
    assert "0 layers in floats score 0 in" in words
    assert f"int8 costs most in: {worst}" in words
    report.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "What int8 costs, layer by layer" in page
    assert f"<code>{worst}</code> (in floats)" in page
    assert "Files tried" in page


def test_auto_is_int8_where_that_will_do():
    model = cnn()
    made = to_tflite(model, precision="auto", samples=X, evaluate=lambda predict: 1.0, max_drop=0.0)
    assert made.report.require().float_layers == ()
    assert made.tflite == to_tflite(model, precision="int8", samples=X, layer_errors=True).tflite
    assert len(made.report.trials) == 1


def test_auto_without_hope_says_so():
    scores = iter([1.0, *[0.0] * 99])
    with pytest.raises(
        RuntimeError, match=r"the Keras model scores 1 in `evaluate`, and the file with all layers in f"
    ):
        to_tflite(cnn(), precision="auto", samples=X, evaluate=lambda predict: next(scores), max_drop=0.5)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"skip": ["wode"]}, ValueError, "`skip` must be one of .*Did you mean 'wide'"),
        ({"skip": [3]}, TypeError, "`skip` must hold names or classes of layers; got 3"),
        ({"skip": layers.LSTM}, ValueError, "model 'cnn' has no layer of the class LSTM"),
        ({"skip": ["wide"], "precision": "float32"}, ValueError, "`skip` is for precision='int8'; got .*'float32'"),
        (
            {"layer_errors": True, "precision": "dynamic"},
            ValueError,
            "`layer_errors` is for precision='int8' or 'float16'",
        ),
        ({"max_drop": 1}, ValueError, "`evaluate` and `max_drop` are for precision='auto'; got precision='int8'"),
        ({"precision": "auto", "max_drop": 1}, TypeError, "precision='auto' needs `evaluate`, a function"),
        ({"precision": "auto", "evaluate": print}, ValueError, "needs `max_drop`, how far .* got None"),
        ({"precision": "auto", "evaluate": print, "max_drop": 0, "skip": "wide"}, ValueError, "'auto' finds the lay"),
        (
            {"precision": "auto", "evaluate": lambda p: "good", "max_drop": 0},
            TypeError,
            "must return a number; got str",
        ),
        ({"precision": "auto", "evaluate": lambda p: np.nan, "max_drop": 0}, ValueError, "a finite number; got nan"),
    ],
)
def test_what_does_not_fit(options, error, words):
    with pytest.raises(error, match=words):
        to_tflite(cnn(), **{"precision": "int8", "samples": X, **options})


def test_branches_are_one_convolution_in_integers_and_skipped_by_any_of_their_names():
    image = keras.Input((8, 8, 3), name="image")
    wide = layers.Conv2D(8, 3, padding="same", name="wide")(image)
    x = layers.Add(name="sum")([wide, layers.Conv2D(8, 1, name="narrow")(image)])
    model = enliven(keras.Model(image, layers.Dense(4, name="classes")(layers.Flatten()(layers.ReLU()(x)))))
    made = to_tflite(model, precision="int8", samples=X)
    report = made.report.require()
    assert report.operators["CONV_2D"] == 1
    assert "ADD" not in report.operators
    for name in ("wide", "narrow"):
        report = to_tflite(model, precision="int8", samples=X, skip=[name]).report.require()
        assert report.float_operators["CONV_2D"] == 1
        assert report.float_layers == (name,)


def preferred(prefer, scores, **options):
    """The report of a network whose files score `scores`: Keras first, then int8, then the others."""
    given = iter(scores)
    return to_tflite(
        cnn(), precision="auto", samples=X, evaluate=lambda predict: next(given), max_drop=0.1, prefer=prefer, **options
    ).report.require()


def test_auto_prefers_the_smallest_file_that_scores_well_enough():
    report = preferred("size", [1.0] * 6)
    tried = {trial.precision: trial.size for trial in report.trials}
    assert list(tried) == ["int8", "float32", "float16", "dynamic", "int4"]
    assert report.size == min(tried.values()) == tried[report.precision]
    smallest = report.precision
    scores = [1.0, *(0.8 if precision == smallest else 0.95 for precision in tried)]
    report = preferred("size", scores)
    assert report.precision == min(tried.keys() - {smallest}, key=tried.get)
    assert (report.trial.score, report.trial.size) == (0.95, report.size)


def test_auto_prefers_the_quickest_file(monkeypatch, tmp_path):
    monkeypatch.setattr("keraslayers.export.runtimes.child.TIMED", 0.05)
    report = preferred("latency", [1.0] * 6)
    times = {trial.precision: trial.latency_ms for trial in report.trials}
    assert times[report.precision] == min(times.values())
    assert f"{report.trial.latency_ms:.2f} ms" in " ".join(str(report).split())
    report.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert 'aria-label="score against latency_ms"' in page
    assert page.count('r="7"') == 2  # this file's ring, in each picture


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prefer": "bytes"}, "must be one of 'latency', 'size'"),
        ({"prefer": "size", "io": "int8"}, "need io='float32'; got 'int8'"),
        ({"prefer": "latency", "target": "gpu"}, "target 'gpu' begins with gpu"),
        (
            {"prefer": "size", "precision": "int8", "evaluate": None, "max_drop": None},
            "`prefer` is for precision='auto'",
        ),
    ],
)
def test_preferences_that_mean_nothing_are_refused(options, words):
    given = {"precision": "auto", "evaluate": lambda predict: 1.0, "max_drop": 0.1, **options}
    with pytest.raises(ValueError, match=words):
        to_tflite(cnn(), samples=X, **given)
