"""Every message of the export: who, which argument, what was expected, what came, and the remedy."""

import contextlib
import importlib.util
import os
import pathlib
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keraslayers._arguments import KERAS_2
from keraslayers.export import Report, Target, prove, to_tflite
from keraslayers.export.convert import converter, four_bits
from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import RUNTIMES, child, cpu, cpu_fp16, gpu, gpu_fp16
from tests.export_models import cnn, dense, enliven, samples

X = samples(4, (4,))


@pytest.fixture(autouse=True)
def nothing_is_written(tmp_path, monkeypatch):
    """An error leaves nothing in the folder, half-written or not."""
    monkeypatch.chdir(tmp_path)
    yield
    assert os.listdir(tmp_path) == []


@pytest.fixture
def no_work(monkeypatch):
    """What is knowable early is said before any work."""

    def worked(*args, **kwargs):
        raise AssertionError("it set to work before it looked")

    monkeypatch.setattr(converter, "start", worked)
    monkeypatch.setattr(child, "run_in_child", worked)


def check(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert type(caught.value) is error
    assert str(caught.value) == message


NAMES = ", ".join(map(repr, RUNTIMES))
TARGET = "`to_tflite`: `target` must be one of 'cpu', 'gpu', 'gpu-fp32', 'browser', 'browser-gpu', 'micro'; got "
PRECISION = (
    "`to_tflite`: `precision` must be one of 'float32', 'float16', 'dynamic', 'int8', 'int16x8', 'int4', 'auto'; got "
)
IO = "`to_tflite`: `io` must be one of 'float32', 'int8', 'uint8', 'int16'; got "


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "gpuu"}, ValueError, TARGET + "'gpuu'. Did you mean 'gpu' or 'cpu' or 'gpu-fp32'?"),
        ({"target": "npu"}, ValueError, TARGET + "'npu'. Did you mean 'gpu' or 'cpu'?"),
        ({"target": None}, ValueError, TARGET + "None."),
        ({"precision": "int 8"}, ValueError, PRECISION + "'int 8'. Did you mean 'int8' or 'int4' or 'int16x8'?"),
        ({"precision": "float"}, ValueError, PRECISION + "'float'. Did you mean 'float32' or 'float16'?"),
        ({"io": "uint"}, ValueError, IO + "'uint'. Did you mean 'uint8' or 'int8' or 'int16'?"),
        (
            {"io": "int8"},
            ValueError,
            "`to_tflite`: `io`='int8' needs precision='int8'; got precision='float32'.",
        ),
        (
            {"io": "int16", "precision": "int8"},
            ValueError,
            "`to_tflite`: `io`='int16' needs precision='int16x8'; got precision='int8'.",
        ),
        (
            {"io": "int8", "precision": "int16x8"},
            ValueError,
            "`to_tflite`: `io`='int8' needs precision='int8'; got precision='int16x8'.",
        ),
        ({"batch_size": 0}, ValueError, "`to_tflite`: `batch_size` must be at least 1; got 0."),
        ({"batch_size": None}, TypeError, "`to_tflite`: `batch_size` must be a whole number; got None."),
        ({"batch_size": 2.0}, TypeError, "`to_tflite`: `batch_size` must be a whole number; got 2.0."),
        (
            {"target": Target("t", ("cpu", "tpu"), "")},
            ValueError,
            f"`to_tflite`: `target 't': runtimes` must be one of {NAMES}; got 'tpu'. Did you mean 'gpu' or 'cpu'?",
        ),
        (
            {"target": Target("none", (), "")},
            ValueError,
            "`to_tflite`: `target` 'none' names no runtimes: nothing would be proven.",
        ),
    ],
)
def test_arguments(no_work, options, error, message):
    check(lambda: to_tflite(dense(), samples=X, **options), error, message)


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_integers_without_samples_say_what_to_give(no_work, precision):
    check(
        lambda: to_tflite(cnn(), precision=precision),
        ValueError,
        f"`to_tflite`: precision={precision!r} needs `samples` to measure ranges on: some hundred typical inputs, "
        "prepared as for training: samples=x_train[:200], an array of (samples, 8, 8, 3).",
    )


# --- models


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


class OfTwo(Subclassed):
    def call(self, x, y):
        return self.dense(x) + y


def built_by_hand():
    model = Subclassed()
    model.built = True
    return model


def called_with_two():
    model = OfTwo()
    model(X, X[:, :2])
    return model


NOT_BUILT = (
    "`to_tflite`: `model` {!r} is not built; give it an `Input`, call it on data, or `model.build((None, ...))` first."
)
UNKNOWN = (
    "`to_tflite`: `model` 'own' is a subclassed model of which Keras keeps no input shapes. Give arrays as `samples`, "
    "whose shapes it then takes, or wrap it: keras.Model(inputs, model(inputs))."
)
SEVERAL = (
    "`to_tflite`: `model` 'own' is a subclassed model whose `call` takes several tensors one by one, of which Keras "
    "keeps no shapes. Wrap it: keras.Model([a, b], model(a, b)), a and b being `keras.Input`s."
)
NO_MODEL = "`to_tflite`: `model` must be a `keras.Model`; got "
LOAD = "Load it by keras.models.load_model(path, compile=False)."


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: "model.keras", TypeError, NO_MODEL + f"builtins.str. {LOAD}"),
        (lambda: None, TypeError, NO_MODEL + "builtins.NoneType."),
        (lambda: layers.Dense(2), TypeError, NO_MODEL + "keras.src.layers.core.dense.Dense."),
        (lambda: keras.Sequential([layers.Dense(2)], name="s"), ValueError, NOT_BUILT.format("s")),
        (lambda: Subclassed(), ValueError, NOT_BUILT.format("own")),
        (built_by_hand, ValueError, UNKNOWN),
        (called_with_two, ValueError, SEVERAL),
    ],
)
def test_models(no_work, make, error, message):
    model = make()
    check(lambda: to_tflite(model), error, message)


def test_a_keras_2_model(no_work):
    old = type("Sequential", (), {"__module__": "tf_keras.src.engine.sequential"})()
    message = f"{NO_MODEL}tf_keras.src.engine.sequential.Sequential. It is a Keras 2 model: {KERAS_2}."
    check(lambda: to_tflite(old), TypeError, message)


def test_open_size_without_samples(no_work):
    image = keras.Input((None, None, 3), name="image")
    model = keras.Model(image, layers.Conv2D(2, 1)(image), name="m")
    check(
        lambda: to_tflite(model),
        ValueError,
        "`to_tflite`: `model` 'm' leaves the size of input `image` open: (None, None, None, 3). A file has one size: "
        "give `samples` of that size, or build the model with it.",
    )


def test_one_number_for_the_whole_batch():
    x = keras.Input((4,), name="x")
    model = keras.Model(x, ops.sum(layers.Dense(2)(x)), name="m")
    with pytest.raises(ValueError, match=r"of model 'm' is a single number for the whole batch; every output must"):
        to_tflite(model)


def diverged(kind):
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="c")], name="inner")
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(2, name="c")(inner(x)), name="m")
    kernel, bias = model.get_layer("inner").get_layer("c").get_weights()
    if kind == "weights":
        kernel[0, 0] = np.nan
    else:
        bias[0] = np.inf
    model.get_layer("inner").get_layer("c").set_weights([kernel, bias])
    return model


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_model_that_gives_no_numbers_is_told_before_the_conversion(monkeypatch, precision):
    monkeypatch.setattr(converter, "ask", None)
    check(
        lambda: to_tflite(diverged("weights"), precision=precision, samples=X),
        ValueError,
        "`to_tflite`: `model` 'm' has NaN among the weights of layer `inner/c`: its training went astray. Train it "
        "anew, with a smaller learning rate.",
    )
    with pytest.raises(ValueError, match=r"on the samples, first at layer `inner/c`. Look at what comes in there"):
        to_tflite(diverged("outputs"), precision=precision, samples=X)


def test_the_first_layer_without_numbers_is_named_beside_a_shortcut(monkeypatch):
    monkeypatch.setattr(converter, "ask", None)
    x = keras.Input((4,), name="x")
    bad = y = layers.Dense(4, bias_initializer=keras.initializers.Constant(np.inf), name="bad")(x)
    for _ in range(2):
        y = layers.Dense(4)(y)
    model = keras.Model(x, layers.Add()([bad, y]), name="m")
    with pytest.raises(ValueError, match=r"on the samples, first at layer `bad`\. Look at what comes in there"):
        to_tflite(model, samples=X)


def test_a_model_that_gives_nan_on_made_up_samples_alone(monkeypatch):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(2)(ops.log(x)), name="m")
    with monkeypatch.context() as patch:
        patch.setattr(converter, "ask", None)
        check(
            lambda: to_tflite(model),
            ValueError,
            f"`to_tflite`: `model` 'm' gives NaN on the samples, first at layer `{model.operations[1].name}`. Give "
            "typical `samples`; these were made up.",
        )
    assert to_tflite(model, samples=np.abs(X) + 0.1).report.ok


def test_what_the_converter_refuses_is_named():
    class Odd(layers.Layer):
        def call(self, x):
            return tf.math.betainc(tf.exp(x), tf.exp(x), tf.sigmoid(x))

    x = keras.Input((4,), name="x")
    with pytest.raises(RuntimeError) as caught:
        to_tflite(keras.Model(x, Odd()(x), name="m"))
    assert str(caught.value).startswith("`to_tflite`: the TFLite converter refused model 'm': Custom ops: Betainc. ")
    assert "no kernel for layer `odd` (Betainc): leave it out of the model" in str(caught.value)


def test_an_error_in_the_model_keeps_its_type_and_says_where():
    class Failing(layers.Layer):
        fails = False

        def call(self, x):
            if self.fails:
                raise ValueError("not today")
            return x

    x = keras.Input((4,), name="x")
    failing = Failing()
    model = keras.Model(x, failing(layers.Dense(2)(x)), name="m")
    failing.fails = True
    with pytest.raises(ValueError, match="not today") as caught:
        to_tflite(model)
    assert "`to_tflite`: model 'm' failed in Keras on the samples." in caught.value.__notes__


def test_another_backend(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    check(
        lambda: to_tflite(dense()),
        RuntimeError,
        "`to_tflite`: needs the TensorFlow backend, Keras runs on 'jax'. Save the model, then export it in a process "
        "with KERAS_BACKEND=tensorflow: `keraslayers export model.keras`.",
    )


# --- samples


def two():
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    return keras.Model([a, b], layers.Dense(2)(layers.Concatenate()([a, b])))


def with_bad(value, row=2):
    x = X.copy()
    x[row, 1] = value
    return x


def dataset(*values):
    return tf.data.Dataset.from_tensor_slices(values if len(values) > 1 else values[0])


SAMPLES = "`to_tflite`: `samples` for input `x` "
SHAPE = SAMPLES + "must have the shape (samples, 4); got "
BOTH = (
    "`to_tflite`: `samples` must hold one array for each of the 2 inputs ['a', 'b'], the first axis being the sample; "
)
UNFIT = "`to_tflite`: `samples`: the dataset must give batches or single samples for the inputs [('x', (None, 4))]; "


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (X[:, :3], ValueError, SHAPE + "(4, 3)."),
        (X[0], ValueError, SHAPE + "(4,). A single sample needs an axis in front: samples[None]."),
        (X[None], ValueError, SHAPE + "(1, 4, 4)."),
        (np.float32(1), ValueError, SHAPE + "()."),
        (X[:0], ValueError, SAMPLES + "are empty; give some dozens of typical inputs."),
        (
            (X * 100).astype("uint8"),
            TypeError,
            SAMPLES + "must be of dtype float32, as the model was trained; got uint8. If that is meant: "
            "samples.astype('float32').",
        ),
        (
            X > 0,
            TypeError,
            SAMPLES + "must be of dtype float32, as the model was trained; got bool. If that is meant: "
            "samples.astype('float32').",
        ),
        (X.astype("str"), TypeError, SAMPLES + "must be numbers of dtype float32; got dtype <U32."),
        (X.astype("complex64"), TypeError, SAMPLES + "must be numbers of dtype float32; got dtype complex64."),
        (object(), TypeError, SAMPLES + "must be numbers of dtype float32; got dtype object."),
        (iter(X), TypeError, SAMPLES + "must be numbers of dtype float32; got dtype object."),
        (with_bad(np.nan), ValueError, SAMPLES + "hold NaN or infinity in 1 of 4 samples."),
        (with_bad(-np.inf), ValueError, SAMPLES + "hold NaN or infinity in 1 of 4 samples."),
        (with_bad(1e30).astype("float64") * 1e30, ValueError, SAMPLES + "hold NaN or infinity in 1 of 4 samples."),
        ({"y": X}, ValueError, "`to_tflite`: `samples` must have the keys ['x']; got ['y']."),
        ({"x": X, "y": X}, ValueError, "`to_tflite`: `samples` must have the keys ['x']; got ['x', 'y']."),
        (dataset(X[:0]), ValueError, "`to_tflite`: `samples`: the dataset is empty."),
        (dataset({"y": X}), ValueError, "`to_tflite`: `samples` must have the keys ['x']; got ['y']."),
        (dataset(X).batch(2).batch(2), ValueError, UNFIT + "its elements are [(None, None, 4)]."),
        (
            tf.data.Dataset.from_generator(lambda: iter(X), tf.float32),
            ValueError,
            UNFIT + "its elements are ['of any rank'].",
        ),
        (dataset(X[:, :3]), ValueError, SHAPE + "(4, 3)."),
        (dataset(X, X[:, 0]).map(lambda x, y: (x[:2], y)), ValueError, SHAPE + "(4, 2)."),
    ],
)
def test_samples(no_work, given, error, message):
    check(lambda: to_tflite(dense(), samples=given), error, message)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (X, BOTH + "got a ndarray of shape (4, 4)."),
        ([X], BOTH + "got a list of 1."),
        ((X, X, X), BOTH + "got a tuple of 3."),
        ({"a": X}, "`to_tflite`: `samples` must have the keys ['a', 'b']; got ['a']."),
        (
            [X, X[:3, :2]],
            "`to_tflite`: `samples` must hold equally many samples for every input; got {'a': 4, 'b': 3}.",
        ),
        ([X[:, :2], X], "`to_tflite`: `samples` for input `a` must have the shape (samples, 4); got (4, 2)."),
    ],
)
def test_samples_of_two_inputs(no_work, given, message):
    check(lambda: to_tflite(two(), samples=given), ValueError, message)


def test_samples_of_several_sizes(no_work):
    with pytest.raises(ValueError, match=r"`samples` for input `x` must be one array of shape \(samples, 4\): "):
        to_tflite(dense(), samples=[X, X[:, :2]])


@pytest.mark.parametrize(
    ("dtype", "given", "error", "words"),
    [
        ("int32", X, TypeError, "must be of dtype int32, as the model was trained; got float32"),
        ("uint8", X, TypeError, "must be of dtype uint8, as the model was trained; got float32"),
        ("uint8", np.full((2, 4), 256), ValueError, r"must fit dtype uint8; got values from 256 to 256\."),
        ("uint8", np.full((2, 4), -1), ValueError, r"must fit dtype uint8; got values from -1 to -1\."),
        ("int32", np.full((2, 4), 2**40), ValueError, "must fit dtype int32"),
        ("bool", np.ones((2, 4), "int32"), TypeError, "must be of dtype bool"),
    ],
)
def test_samples_of_integer_inputs(no_work, dtype, given, error, words):
    x = keras.Input((4,), dtype=dtype, name="x")
    model = keras.Model(x, layers.Dense(2)(ops.cast(x, "float32")))
    with pytest.raises(error, match=words):
        to_tflite(model, samples=given)


# --- files to prove

FORMAT = (
    "`prove`: `tflite` 'model.tflite' is not a TFLite file: bytes 4 to 8 must be b'TFL3', got {!r}. Give a .tflite "
    "file; a .keras model becomes one with `keraslayers export`."
)


@pytest.fixture(scope="module")
def tflite():
    x = keras.Input((4,), name="x")
    return to_tflite(enliven(keras.Model(x, layers.Dense(3, name="y")(x), name="m"))).tflite


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "`prove`: `tflite` 'model.tflite' is not a TFLite file: it is empty."),
        (b"TFL3", FORMAT.format(b"")),
        (b"PK\3\4" + bytes(100), FORMAT.format(bytes(4))),
        (b"\x1c\0\0\0TFL2" + bytes(100), FORMAT.format(b"TFL2")),
    ],
)
def test_other_files(no_work, given, message):
    check(lambda: prove(given), ValueError, message)


def test_missing_and_misnamed_arguments(no_work, tflite, tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder")
    is_folder = f"`prove`: `tflite` must be a file; {str(folder)!r} is a folder."
    check(lambda: prove(folder), IsADirectoryError, is_folder)
    for path in ("none.tflite", folder / "none"):
        check(lambda path=path: prove(path), FileNotFoundError, f"`prove`: `tflite`: there is no file {str(path)!r}.")
    runtimes = f"`prove`: `runtimes` must be one of {NAMES}; got 'npu'. Did you mean 'gpu' or 'cpu'?"
    check(lambda: prove(tflite, "npu"), ValueError, runtimes)
    check(lambda: prove(tflite, ["cpu", "npu"]), ValueError, runtimes)
    nothing = f"`prove`: `runtimes` is empty: nothing would be proven. Give some of {', '.join(RUNTIMES)}."
    check(lambda: prove(tflite, []), ValueError, nothing)
    shape = "`prove`: `samples` for input `x` must have the shape (samples, 4); got (4, 3)."
    check(lambda: prove(tflite, "cpu", X[:, :3]), ValueError, shape)


def test_files_whose_borders_cannot_be_compared(no_work):
    def text():
        class Text(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec((1,), tf.string, "words")])
            def __call__(self, words):
                return {"same": tf.gather(words, [0])}

        module = Text()
        function = module.__call__.get_concrete_function()
        return tf.lite.TFLiteConverter.from_concrete_functions([function], module).convert()

    with pytest.raises(ValueError, match="input `words` is of type string; only numbers can be compared"):
        prove(text())


def test_damaged_files_give_an_error_or_a_report(tflite, monkeypatch):
    """Cut at many lengths, bytes turned at random: nothing but a ValueError or a Report comes, and comes soon."""
    random = np.random.default_rng(0)
    damaged = [tflite[:length] for length in range(0, len(tflite), 7)]
    for _ in range(400):
        other = bytearray(tflite)
        for place in random.integers(8 if random.random() < 0.9 else 0, len(other), random.integers(1, 6)):
            other[place] = random.integers(256)
        damaged.append(bytes(other))
    readable = []
    for blob in damaged:
        with contextlib.suppress(ValueError):
            read_graph(blob)
            readable.append(blob)
    assert len(damaged) - len(readable) > 100
    monkeypatch.setattr(child, "TIME_LIMIT", 20)
    for blob in readable[:: max(1, len(readable) // 25)]:  # each takes two processes
        with contextlib.suppress(ValueError):
            report = prove(blob, "cpu")
            assert isinstance(report, Report)
            assert report.ok or report.proofs[0].reason


# --- what is not installed


def test_litert_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cpu.available() == "LiteRT is not installed: pip install ai-edge-litert"
    assert gpu.available() == cpu_fp16.available() == cpu.available()


def test_an_old_litert_runs_files_on_the_cpu_alone(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name.endswith(".options") else find(name))
    assert cpu.available() == ""
    old = "the installed LiteRT is too old for this runtime: pip install --upgrade ai-edge-litert"
    assert gpu.available() == gpu_fp16.available() == cpu_fp16.available() == old


def test_the_quantizer_is_missing(no_work, monkeypatch):
    monkeypatch.setattr(four_bits.importlib.util, "find_spec", lambda name: None)
    check(
        lambda: to_tflite(dense(), precision="int4"),
        ImportError,
        "`to_tflite`: precision='int4' needs litert-quantizer, which is not installed: pip install "
        "'keraslayers[quantizer]'",
    )


def test_jinja_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    report = Report("m", 0, "", {}, (), (), (), ())
    with pytest.raises(ImportError, match=r"pip install 'keraslayers\[report\]'"):
        report.to_html(tmp_path / "report.html")


def test_a_report_of_nothing_is_not_ok():
    assert not Report("m", 0, "", {}, (), (), (), ()).ok


def test_the_package_under_another_name():
    import keraslayers.export as package

    source = compile(pathlib.Path(package.__file__).read_text(), package.__file__, "exec")
    module = types.ModuleType("export")
    with pytest.raises(ImportError, match=r"This package is `keraslayers\.export`, not `export`"):
        exec(source, module.__dict__)
