"""Whatever a model holds: a file with its proof, or words that say what to do."""

import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops

import keraslayers
from keraslayers._arguments import load_model
from keraslayers.export import prove, to_tflite
from keraslayers.export.convert import converter
from keraslayers.export.convert.converter import ConverterDeathError
from keraslayers.export.convert.deadly import deadly_layer
from keraslayers.export.convert.mixed import MOST_GROUPS, Calibrated
from keraslayers.export.convert.refusals import refused_node
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof import blame
from keraslayers.export.runtimes import cpu
from keraslayers.export.runtimes.child import Outcome
from keraslayers.export.source.interface import interface_of
from keraslayers.export.source.layer_names import namer
from tests.export_models import enliven, samples

# What has kernels of integers.
SKIP = {"conv2d", "multiply"}
ROUNDED = ("CONV_2D", "MUL", "FULLY_CONNECTED")


def by_number(tflite, *arrays):
    """What a program computes that takes inputs and outputs by their numbers, sample by sample."""
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    rows = []
    for parts in zip(*arrays, strict=True):
        for entry, part in zip(interpreter.get_input_details(), parts, strict=True):
            interpreter.set_tensor(entry["index"], part[None])
        interpreter.invoke()
        rows.append([interpreter.get_tensor(entry["index"])[0] for entry in interpreter.get_output_details()])
    return [np.stack(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_inputs_and_outputs_stand_in_the_models_order(precision):
    y, b = keras.Input((4,), name="y"), keras.Input((3,), name="b")
    zz = layers.Dense(2, name="zz")(layers.Concatenate()([y, b]))
    model = enliven(keras.Model([y, b], [zz, layers.Dense(5, name="aa")(b)]))
    x = [samples(16, (4,)), samples(16, (3,))]
    got = by_number(to_tflite(model, precision=precision, samples=x).tflite, *x)
    for part, wanted in zip(got, model(x), strict=True):
        # 8 bits of outputs that spread over less than 16: a step of 0.06, and a few of them.
        np.testing.assert_allclose(part, wanted, atol=1e-5 if precision == "float32" else 0.4)


def unnamed():
    """As people write it: Keras makes up all names."""
    x = keras.Input((6, 6, 4), name="x")
    y = layers.Conv2D(4, 3, activation="relu")(x)
    y = ops.sin(layers.Conv2D(4, 3)(y) + 1.0)
    return keras.Model(x, layers.Dense(3)(ops.sin(2.0 * y)), name="net")


def test_every_operator_is_told_by_the_name_that_keras_gave():
    keras.backend.clear_session()
    model = enliven(unnamed())
    layer_of = namer(model)
    graph = read_graph(to_tflite(model).tflite)
    wanted = [("CONV_2D", "conv2d"), ("CONV_2D", "conv2d_1"), ("SIN", "sin"), ("MUL", "multiply"), ("SIN", "sin_1")]
    got = [(made.operator, layer_of(made.tensor)) for made in graph.computed]
    assert got[:5] == wanted
    assert "call" not in vars(model.operations[3])  # the user's own operation is as it was


def test_what_is_skipped_is_what_was_named():
    keras.backend.clear_session()
    model, x = enliven(unnamed()), samples(16, (6, 6, 4))
    layer_of = namer(model)
    graph = read_graph(to_tflite(model, precision="int8", samples=x, skip=SKIP).tflite)
    assert {layer_of(made.tensor) for made in graph.computed if made.floats and made.operator in ROUNDED} == SKIP


def test_float16_is_blamed_as_float32_is(monkeypatch):
    """The kernels of a float16 file pass through DEQUANTIZE, which no runtime computes."""
    x = keras.Input((6, 8), name="x")
    y = ops.cumsum(layers.Dense(8, name="before")(x), axis=-1)
    model = enliven(keras.Model(x, layers.Dense(4, name="behind")(y)))
    blob, run = to_tflite(model, precision="float16").tflite, cpu.run

    def refuses(blob, graph, inputs):
        return Outcome(reason="no CUMSUM") if "CUMSUM" in graph.operators else run(blob, graph, inputs)

    monkeypatch.setattr(cpu, "run", refuses)
    culprit = blame.find_culprit(blob, "cpu", model=model)
    assert (culprit.layer, culprit.operator) == ("cumsum", "CUMSUM")


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), AttributeError("none")], ids=repr)
def test_whatever_goes_wrong_in_blame_leaves_the_artifact(monkeypatch, error):
    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr(blame, "find_culprit", fails)
    monkeypatch.setattr(cpu, "run", lambda *args: Outcome(reason="no memory"))
    (proof,) = to_tflite(enliven(keras.Sequential([keras.Input((3,)), layers.Dense(2)]))).report.proofs
    assert proof.reason == (
        f"no memory. The operator that it begins at could not be looked for ({type(error).__name__}: {error})"
    )


def finer_than_16_bits():
    """A difference of large weights, 2000.49, which is 2000 in 11 bits, and 2000."""
    x = keras.Input((2,), name="x")
    model = keras.Model(x, layers.Dense(1, use_bias=False, name="fine")(layers.Dense(2, name="plain")(x)))
    model.set_weights([np.eye(2), np.zeros(2), np.array([[2000.49], [-2000.0]])])
    return model, samples(16, (1,)) * np.float32([1, 1.001])


def finer_than_8_bits():
    """Numbers beside others a million times as large."""
    x = keras.Input((8, 8, 3), name="x")
    y = layers.Conv2D(8, 3, activation="relu", name="first")(x)
    y = layers.Rescaling([1e6] + [1.0] * 7, name="stretch")(y)
    y = layers.Rescaling([1e-6] + [1.0] * 7, name="squeeze")(y)
    y = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(8, 3, activation="relu", name="second")(y))
    return enliven(keras.Model(x, layers.Dense(3, name="classes")(y))), samples()


@pytest.mark.parametrize(
    ("make", "precision", "target", "words"),
    [
        (finer_than_16_bits, "float16", "cpu", "Layer `fine` loses most, .* Take precision='float32'"),
        (
            finer_than_8_bits,
            "int8",
            "micro",
            r"Layer `(\w+)` loses most, .*`skip=\['\1'\]`.*'auto'.*quantize_aware",
        ),
    ],
)
def test_where_bits_are_too_few_the_reason_says_what_to_do(make, precision, target, words):
    model, x = make()
    (proof,) = to_tflite(model, target=target, precision=precision, samples=x).report.proofs
    assert proof.verdict == "WRONG"
    assert re.search(f"quantization that lost the numbers. {words}", proof.reason), proof.reason


def test_of_many_layers_the_worst_is_found_in_the_worst_group(monkeypatch):
    """A run of each of a thousand layers would take an hour, to name one."""
    x = y = keras.Input((6,), name="x")
    for i in range(70):
        turned = keras.initializers.Orthogonal(seed=i)
        y = layers.LeakyReLU(0.95)(layers.Dense(6, kernel_initializer=turned, name=f"dense_{i}")(y))
        if i == 40:
            y = layers.LeakyReLU(0.95, name="large")(layers.Rescaling([1e6] + [1.0] * 5, name="stretch")(y))
            y = layers.Rescaling([1e-6] + [1.0] * 5, name="squeeze")(y)
    model, measured = keras.Model(x, y), []
    decibels = Calibrated._decibels
    monkeypatch.setattr(Calibrated, "_decibels", lambda self, names: measured.append(names) or decibels(self, names))
    (proof,) = to_tflite(model, target="micro", precision="int8", samples=samples(16, (6,))).report.proofs
    assert re.search(r"Layer `(stretch|large|squeeze)` loses most", proof.reason), proof.reason
    assert len(measured) <= MOST_GROUPS + 3


class Code(keras.Model):
    """A subclassed model of a Dense layer and a function."""

    def __init__(self, function):
        super().__init__(name="code")
        self.dense, self.function = layers.Dense(2, name="dense"), function

    def call(self, x):
        return self.function(self.dense(x))


def scaled_by_numpy(x):
    return x * float(np.mean(x))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: sum(row for row in x)[None] * ops.ones_like(x), "loops over a tensor, or unpacks one: .*unstack"),
        (lambda x: x if ops.sum(x) > 0 else -x, "decides by a tensor: write `keras.ops.where`"),
        (scaled_by_numpy, "hands a tensor to NumPy: write the function of `keras.ops`"),
        (lambda x: x * x.numpy().mean(), "asks a tensor for its numbers: write functions of `keras.ops`"),
    ],
    ids=["loop", "bool", "numpy", "numbers"],
)
def test_code_that_asks_for_numbers_is_told_what_to_write(function, words):
    model, x = Code(function), samples(8, (3,))
    model(x)
    with pytest.raises(Exception, match=r".") as caught:
        to_tflite(model, samples=x)
    assert any(re.search(f"Its code {words}", note) for note in caught.value.__notes__), caught.value.__notes__


def test_what_is_written_instead_converts():
    """Each way that a message offers, in one model."""
    x = keras.Input((8, 8, 4), name="x")
    y = 0.9 * ops.tanh(x)
    column = y[:, 0, 0]
    ways = {
        "acos": ops.arctan2(ops.sqrt(1 - y * y), y),
        "asin": ops.arctan2(y, ops.sqrt(1 - y * y)),
        "atan": ops.arctan2(x, ops.ones_like(x)),
        "cosh": (ops.exp(x) + ops.exp(-x)) / 2,
        "crop": ops.image.resize(x[:, 1:5, 2:7], (6, 6)),
        "product": ops.exp(ops.cumsum(ops.log(y + 1), axis=-1)),
        "count": ops.sum(ops.one_hot(ops.cast(column > 0, "int32"), 2), axis=1),
        "gelu": keras.activations.gelu(x),
        "patches": ops.image.extract_patches(x, 3, strides=2, padding="same"),
        "digits": ops.digitize(column, np.array([0.0, 0.5, 1.0], "float32")),
        "maxima": keraslayers.MaxPoolWithIndices2D(2)(x)[0],
        "resize": ops.image.resize(x, (16, 16), "bilinear"),
        "sinh": (ops.exp(x) - ops.exp(-x)) / 2,
        "tan": ops.sin(y) / ops.cos(y),
    }
    to_tflite(keras.Model(x, ways)).report.require()
    exact = keras.Model(x, [ways["acos"], ways["asin"], ways["tan"], ways["product"]]).predict(samples(8, (8, 8, 4)))
    y = 0.9 * np.tanh(samples(8, (8, 8, 4)))
    for got, wanted in zip(exact, [np.arccos(y), np.arcsin(y), np.tan(y), np.cumprod(y + 1, -1)], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)  # float32


def test_the_way_out_is_named_for_an_operation_of_a_graph():
    x = keras.Input((8, 8, 4), name="x")
    patches = layers.Lambda(lambda x: tf.image.extract_patches(x, (1, 3, 3, 1), (1, 2, 2, 1), (1, 1, 1, 1), "SAME"))
    with pytest.raises(RuntimeError, match=r"\(ExtractImagePatches\): write keras.ops.image.extract_patches"):
        to_tflite(keras.Model(x, patches(x)))
    with pytest.raises(RuntimeError, match=r"no kernel for layer `arctan` \(Atan\): write keras.ops.arctan2\(x, 1\)"):
        to_tflite(keras.Model(x, ops.arctan(ops.sin(x))))


class Words(Code):
    """A subclassed model of word ids, which keeps their shape and not their dtype."""

    def __init__(self, inside=lambda x: x, **options):
        super().__init__(lambda x: x)
        self.inside, self.embed = inside, layers.Embedding(20, 3, **options)

    def call(self, x):
        return self.dense(self.embed(self.inside(x)))


IDS = np.random.default_rng(0).integers(0, 20, (8, 6)).astype("int32")


@pytest.mark.parametrize(
    ("make", "given", "ids"),
    [
        (Words, IDS, None),
        (lambda: Words(mask_zero=True), IDS, None),
        (lambda: Words(lambda x: x["ids"]), {"ids": IDS}, None),
        (Words, IDS, {"input": IDS}),
        (Words, IDS, IDS.astype("uint8")),
        (Words, IDS, IDS.tolist()),
        (lambda: Words(lambda x: tf.gather(np.arange(20), x)), IDS, None),
    ],
    ids=["alone", "mask", "dict", "named", "bytes", "list", "table"],
)
def test_ids_of_a_subclassed_model_stay_integers(make, given, ids):
    model = make()
    model(given)
    assert [entry.dtype for entry in interface_of("test", model, ids).inputs] == ["int32"]


def test_pixels_of_a_subclassed_model_stay_floats():
    model, x = Code(lambda x: x), np.random.default_rng(0).integers(0, 255, (8, 3)).astype("uint8")
    model(x.astype("float32"))
    assert [entry.dtype for entry in interface_of("test", model).inputs] == ["float32"]
    with pytest.raises(TypeError, match="must be of dtype float32, as the model was trained; got uint8"):
        to_tflite(model, samples=x)


class Suppress(layers.Layer):
    """Boxes that do not overlap, as people write it behind a detector."""

    def __init__(self, padded=False, threshold=float("-inf")):
        super().__init__(name="suppress")
        self.padded, self.threshold = padded, threshold

    def call(self, boxes, scores):
        options = {"iou_threshold": 0.3, "score_threshold": self.threshold}
        if self.padded:
            return tf.image.non_max_suppression_padded(boxes[0], scores[0], 4, pad_to_max_output_size=True, **options)[
                0
            ][None]
        return tf.image.non_max_suppression(boxes[0], scores[0], 4, **options)


def detector(**options):
    boxes, scores = keras.Input((12, 4), name="boxes"), keras.Input((12,), name="scores")
    return keras.Model([boxes, scores], Suppress(**options)(boxes, scores), name="detector")


def detections():
    random = np.random.default_rng(0)
    corners = random.uniform(0, 1, (8, 12, 2))
    boxes = np.concatenate([corners, corners + random.uniform(0.1, 0.4, (8, 12, 2))], -1)
    return [boxes.astype("float32"), random.uniform(size=(8, 12)).astype("float32")]


@pytest.mark.parametrize(("threshold", "error"), [(float("-inf"), RuntimeError), (0.7, ValueError)])
def test_as_many_boxes_as_there_are_is_refused_and_the_padded_form_is_proven(threshold, error):
    with pytest.raises(
        error, match=r"output `suppress` of model 'detector' has as many .*non_max_suppression_padded\("
    ):
        to_tflite(detector(threshold=threshold), samples=detections())


def test_boxes_padded_to_their_most_are_proven():
    to_tflite(detector(padded=True), samples=detections()).report.require()


def test_the_layer_is_named_whose_ranges_cannot_be_measured():
    """ConvLSTM3D in int8 slices six axes, of which kernels take five."""
    model = unnamed()
    blob, words = to_tflite(model).tflite, "StridedSlice op only supports 1D-5D. Node number {} ({}) failed to prepare."
    said = refused_node(words.format(1, "CONV_2D"), blob, model)
    assert said.startswith(f" It is layer `{model.layers[2].name}`: take precision='dynamic'")
    assert refused_node(words.format(1, "MUL"), blob, model) == refused_node("no kernel", blob, model) == ""
    assert refused_node(words.format(1, "CONV_2D"), None, model) == ""


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")
@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`:UserWarning")
def test_models_of_keras_2_and_older_formats_are_told_the_way(tmp_path):
    import tf_keras

    old = tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(4,)), tf_keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"It is a Keras 2 model: let it write old.save\('old.h5'\)"):
        to_tflite(old)
    h5, new = tmp_path / "old.h5", tmp_path / "old.keras"
    old.save(new)
    with pytest.raises(ValueError, match=r"it is of Keras 2. Load it by tf_keras, and let it write old.save"):
        load_model("export", new)
    old.save(h5)
    with pytest.raises(ValueError, match=r"load_model\('x.h5', compile=False\).save\('x.keras'\)"):
        load_model("export", h5)
    with pytest.raises(TypeError, match=r"got pathlib.PosixPath. Load it by keras.models.load_model"):
        to_tflite(h5)
    x = samples(4, (4,))
    np.testing.assert_allclose(keras.models.load_model(h5, compile=False)(x), old(x), rtol=1e-5)  # float32


def test_a_file_with_open_sizes_is_told_to_be_made_for_some():
    x = keras.Input((None, None, 3), name="x")
    model = keras.Model(x, layers.Conv2D(2, 3, name="wide")(x))
    served = tf.function(model, input_signature=[tf.TensorSpec((1, None, None, 3), name="x")]).get_concrete_function()
    blob = tf.lite.TFLiteConverter.from_concrete_functions([served], model).convert()
    with pytest.raises(ValueError, match=r"does not run at the file's sizes, `x` \(1, 1, 1, 3\)\. The file leaves"):
        prove(blob, model=model, runtimes="cpu")
    with pytest.raises(ValueError, match=r"\(samples, 1, 1, 3\); got \(4, 8, 8, 3\)\. The file leaves sizes open"):
        prove(blob, samples=samples(4, (8, 8, 3)), model=model, runtimes="cpu")
    x = samples(4, (8, 8, 3))
    assert prove(to_tflite(model, samples=x).tflite, samples=x, model=model, runtimes="cpu").ok


def test_a_gru_with_dropout_is_proven_in_int8():
    model = enliven(keras.Sequential([keras.Input((16, 16)), layers.GRU(8, dropout=0.2), layers.Dense(4)]))
    to_tflite(model, precision="int8", samples=samples(32, (16, 16))).report.require()


def test_a_map_of_classes_is_the_models_in_every_precision():
    random, colours = np.random.default_rng(0), np.random.default_rng(5).normal(size=(5, 3))
    classes = random.integers(0, 5, (48, 4, 4)).repeat(4, 1).repeat(4, 2)
    x = (colours[classes] + random.normal(0, 0.2, (48, 16, 16, 3))).astype("float32")
    image = keras.Input((16, 16, 3), name="image")
    scores = layers.Conv2D(5, 1, activation="softmax")(layers.Conv2D(8, 3, padding="same", activation="relu")(image))
    trained = keras.Model(image, scores)
    trained.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
    trained.fit(x, classes, epochs=6, batch_size=8, verbose=0)
    model = keras.Model(image, ops.argmax(scores, -1))
    assert np.mean(model(x) == classes) > 0.9  # it has learned something
    for precision in ("float32", "float16", "int8"):
        made = to_tflite(model, precision=precision, samples=x)
        (found,) = by_number(made.tflite, x)
        assert np.mean(found == model(x)) > 0.99


def test_the_layer_that_the_converter_dies_of_is_named(monkeypatch):
    ask = converter.ask

    def deadly(folder, do, **request):
        if b"Cumsum" in (pathlib.Path(folder) / "saved_model.pb").read_bytes():
            raise ConverterDeathError("the converter died (SIGSEGV)")
        return ask(folder, do, **request)

    monkeypatch.setattr(converter, "ask", deadly)
    x, other = keras.Input((4, 3), name="x"), keras.Input((4, 3), name="other")
    y = layers.Dense(3)(layers.Concatenate()([x, other]))
    y = layers.Flatten()(layers.Lambda(lambda y: tf.cumsum(y, axis=1), name="sums")(y))
    model = keras.Model([x, other], [layers.Dense(2)(y), layers.Dense(3)(other)], name="m")
    with pytest.raises(RuntimeError, match=r"died \(SIGSEGV\)\. It dies of layer `sums`: write it in another way"):
        to_tflite(model)


@pytest.mark.parametrize("number", range(4))
def test_the_layer_that_the_converter_dies_of_is_found_beside_a_shortcut(number):
    x = keras.Input((3,), name="x")
    first = y = layers.Dense(3, name="layer0")(x)
    for i in (1, 2):
        y = layers.Dense(3, name=f"layer{i}")(y)
    model = keras.Model(x, layers.Add(name="layer3")([first, y]))

    def dies(part):
        return f"layer{number}" in {layer.name for layer in part.layers}

    assert deadly_layer(model, model, dies) == f"layer{number}"


def test_a_causal_language_model_is_proven_in_int8():
    """Under the names that Keras makes up, of which a normalization took the blame for a Dense layer."""
    keras.backend.clear_session()
    ids = keras.Input((8,), dtype="int32", name="ids")
    x = layers.Embedding(30, 16)(ids) + layers.Embedding(8, 16)(ops.arange(8))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(2, 8)(y, y, use_causal_mask=True)
        y = layers.Dense(32, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(16)(y)
    model = enliven(keras.Model(ids, layers.Dense(30)(layers.LayerNormalization()(x))))
    given = np.random.default_rng(0).integers(0, 30, (32, 8)).astype("int32")
    to_tflite(model, precision="int8", samples=given).report.require()
