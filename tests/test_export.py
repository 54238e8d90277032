"""From a Keras model to a proven file: every precision and target, names, models and samples of every form."""

import hashlib
import json
import platform
from importlib.metadata import version

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops

import keraslayers
from keraslayers.export import PRECISIONS, TARGETS, Artifact, Proof, Report, Target, Verdict, to_tflite
from tests.export_models import cnn, dense, enliven, needs_gpu, needs_micro, run_reference, samples


@pytest.fixture(scope="module")
def made():
    """The network in every precision and for every target, each made once."""
    cache = {}

    def make(precision, target="gpu-fp32", io="float32"):
        if (precision, target, io) not in cache:
            keras.utils.set_random_seed(0)
            model = cnn()
            artifact = to_tflite(model, target=target, precision=precision, samples=samples(), io=io)
            cache[precision, target, io] = model, artifact
        return cache[precision, target, io]

    return make


# By runtime the precisions that it has no kernels for; docs/targets.md says so, too. Of browsers test_browser.py tells.
REFUSED = {
    "cpu": (),
    "gpu": ("int16x8",),
    "gpu-fp16": ("int16x8",),
    "micro": ("float16", "dynamic", "int4"),
}
NEEDS = {"gpu": needs_gpu, "gpu-fp16": needs_gpu, "micro": needs_micro}


@pytest.mark.sweep
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(name, marks=[NEEDS[runtime] for runtime in target.runtimes if runtime != "cpu"])
        for name, target in TARGETS.items()
        if {*target.runtimes} <= {*REFUSED}
    ],
)
def test_every_precision_on_every_target(made, precision, target):
    artifact = made(precision, target)[1]
    assert isinstance(artifact, Artifact)
    report = artifact.report
    assert isinstance(report, Report)
    assert [proof.runtime for proof in report.proofs] == list(TARGETS[target].runtimes)
    assert (report.target, report.precision, report.io, report.name) == (target, precision, "float32", "cnn")
    assert all(isinstance(proof, Proof) for proof in report.proofs)
    refused = [precision in REFUSED[proof.runtime] for proof in report.proofs]
    verdicts = [Verdict.REJECTED if no else Verdict.PROVEN for no in refused]
    assert [proof.verdict for proof in report.proofs] == verdicts
    assert all(proof.reason for proof, no in zip(report.proofs, refused, strict=True) if no)
    assert report.ok == (not any(refused))
    if report.ok:
        assert report.require() is report


@needs_gpu
def test_lower_precision_is_smaller(made):
    size = {precision: made(precision)[1].report.size for precision in PRECISIONS}
    # 12,000 parameters, of which nearly all are 4, 2 or 1 bytes long; the graph itself is some 7,000 bytes.
    assert 0.4 * size["float32"] < size["float16"] < 0.8 * size["float32"]
    assert size["dynamic"] < 0.65 * size["float32"]
    assert size["int8"] < 0.65 * size["float32"]
    assert size["int8"] < size["int16x8"] < 0.8 * size["float32"]
    assert size["int4"] < 0.4 * size["float32"]
    first = {precision: made(precision)[1].report.weight_dtypes[0] for precision in PRECISIONS}
    assert first == dict(zip(PRECISIONS, ("float32", "float16", "int8", "int8", "int8", "int4"), strict=True))


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_report(made, precision):
    model, artifact = made(precision)
    report = artifact.report
    assert report.size == len(artifact.tflite)
    assert report.sha256 == hashlib.sha256(artifact.tflite).hexdigest()
    assert report.parameters == model.count_params()
    assert report.passes == {}
    assert report.host == f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    others = ("keras", "tensorflow", "ai-edge-litert", "tflite-micro", "litert-quantizer", "numpy")
    packages = {name: told for name, told in report.tools.items() if name != "@litertjs/core"}  # which is npm's
    assert packages == {"keraslayers": keraslayers.__version__, **{name: version(name) for name in others}}
    (entry,), (exit_,) = report.inputs, report.outputs
    assert (entry["name"], entry["shape"], entry["dtype"]) == ("image", (1, 8, 8, 3), "float32")
    assert (exit_["name"], exit_["shape"], exit_["dtype"]) == ("classes", (1, 5), "float32")
    assert entry["scale"] is exit_["scale"] is None  # floats outside
    # Softmax in int8 is 1/256 by definition of the operator.
    assert exit_["step"] == (pytest.approx(1 / 256) if precision == "int8" else None)
    assert report.operators["CONV_2D"] == 3
    assert report.operators["SOFTMAX"] == 1
    assert ("QUANTIZE" in report.operators) == (precision == "int8")
    gpu, cpu = report.proof("gpu"), report.proof("cpu")
    assert gpu.delegated == gpu.operators == sum(report.operators.values())
    assert cpu.operators == gpu.operators
    assert "thread" in cpu.device
    assert gpu.device
    for proof in report.proofs:
        assert proof.latency_ms > 0
        assert proof.samples == 24
        assert proof.reference == "the Keras model"
        assert proof.agreement >= (1 if precision == "float32" else 0.95)
        # Of the largest probability: float32 differs in roundings, int8 in a step or two of 1/256.
        assert proof.max_error < (1e-6 if precision == "float32" else 3 / 256)
        assert proof.snr_db is None or proof.snr_db > (100 if precision == "float32" else 25)
        assert (proof.max_steps is not None) == (precision == "int8")
    told = json.loads(report.to_json())
    assert told["ok"] is True
    assert told["sha256"] == report.sha256
    assert [proof["verdict"] for proof in told["proofs"]] == ["PROVEN", "PROVEN"]
    for word in ("cnn", "gpu", "cpu", "PROVEN", "image", "classes", f"{report.size:,}"):
        assert word in str(report)


def test_figures_are_those_of_an_independent_run(made):
    model, artifact = made("int8", "cpu")
    x = samples()
    wanted = model.predict(x, verbose=0).astype("float64")
    got = np.concatenate([run_reference(artifact.tflite, image=one[None])["classes"] for one in x]).astype("float64")
    proof = artifact.report.proof("cpu")
    # XNNPACK may round a step away from the reference kernels.
    assert proof.max_error == pytest.approx(np.max(np.abs(got - wanted)), abs=1.5 / 256)
    assert proof.agreement == pytest.approx(np.mean(got.argmax(-1) == wanted.argmax(-1)), abs=1.5 / len(x))


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_integers_outside(made, io):
    model, artifact = made("int8", "cpu", io)
    report = artifact.report.require()
    (entry,), (exit_,) = report.inputs, report.outputs
    assert (report.io, entry["dtype"], exit_["dtype"]) == (io, io, io)
    assert exit_["scale"] == pytest.approx(1 / 256)
    assert exit_["zero_point"] == {"int8": -128, "uint8": 0}[io]
    x = samples()
    # The range of the inputs spread over 255 steps.
    assert entry["scale"] == pytest.approx(np.ptp(x) / 255, rel=1e-3)
    for one in x[:4]:
        limits = np.iinfo(io)
        integers = np.clip(np.round(one / entry["scale"]) + entry["zero_point"], limits.min, limits.max).astype(io)
        raw = run_reference(artifact.tflite, image=integers[None])["classes"]
        assert raw.dtype == io
        real = (raw.astype("float64") - exit_["zero_point"]) * exit_["scale"]
        # Four steps: roundings of seven integer layers, at probabilities far from zero and one.
        np.testing.assert_allclose(real, model.predict(one[None], verbose=0), atol=4 / 256)


def test_one_model_gives_one_file():
    model = cnn()
    for options in ({}, {"precision": "int8"}):
        first, second = (to_tflite(model, samples=samples(), **options) for _ in range(2))
        assert first.report.sha256 == second.report.sha256


def test_a_saved_and_loaded_model_gives_the_same_names(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="y")])
    model.save(tmp_path / "model.keras")
    for each in (model, keras.saving.load_model(tmp_path / "model.keras")):
        report = to_tflite(each).report.require()
        assert [entry["name"] for entry in report.inputs] == ["input"]


# --- names


def two_inputs(structure=list, names=("left", "right")):
    left, right = (keras.Input((size,), name=name) for name, size in zip(names, (3, 4), strict=True))
    joined = layers.Concatenate(name="joined")([left, right])
    one, two = layers.Dense(2, name="one")(joined), layers.Dense(5, name="two")(left)
    inputs = [left, right] if structure is list else {"right": right, "left": left}
    outputs = [one, two] if structure is list else {"second": two, "first": one}
    return enliven(keras.Model(inputs, outputs))


def values(count=6):
    return {"left": samples(count, (3,)), "right": samples(count, (4,), seed=1)}


def entries(tensors):
    return {entry["name"]: entry["shape"] for entry in tensors}


@needs_gpu
@pytest.mark.parametrize("structure", [list, dict])
def test_names_of_several_inputs_and_outputs(structure):
    model, x = two_inputs(structure), values()
    artifact = to_tflite(model, target="gpu-fp32", samples=x)
    report = artifact.report.require()
    assert entries(report.inputs) == {"left": (1, 3), "right": (1, 4)}
    outputs = ("one", "two") if structure is list else ("first", "second")
    assert entries(report.outputs) == dict(zip(outputs, [(1, 2), (1, 5)], strict=True))
    assert report.proof("cpu").agreement is None  # there is no one list of classes
    one = {name: value[:1] for name, value in x.items()}
    wanted = model([one["left"], one["right"]] if structure is list else one)
    wanted = dict(zip(outputs, wanted, strict=True)) if structure is list else wanted
    got = run_reference(artifact.tflite, **one)
    for name in outputs:
        # Another order of summing seven products of about 1.
        np.testing.assert_allclose(got[name], wanted[name], rtol=1e-5, atol=1e-6)


def test_samples_of_several_inputs_go_by_order_or_name():
    model, x = two_inputs(), values()
    sums = set()
    for given in (x, dict(reversed(x.items())), list(x.values()), tuple(x.values())):
        sums.add(to_tflite(model, precision="int8", samples=given).report.require().sha256)
    assert len(sums) == 1


@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")  # Keras would have the names equal the keys
def test_keys_are_names_where_inputs_have_none():
    model = two_inputs(dict, (None, None))
    report = to_tflite(model, samples=values()).report.require()
    assert entries(report.inputs) == {"left": (1, 3), "right": (1, 4)}


def test_inputs_without_names():
    report = to_tflite(two_inputs(list, (None, None)), samples=list(values().values())).report.require()
    assert entries(report.inputs) == {"input_0": (1, 3), "input_1": (1, 4)}


def test_a_shared_layer_gives_two_outputs():
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    shared = layers.Dense(2, name="shared")
    model = enliven(keras.Model([left, right], [shared(left), shared(right)]))
    artifact = to_tflite(model, samples=[samples(4, (3,)), samples(4, (3,), 1)])
    assert list(entries(artifact.report.require().outputs)) == ["shared", "shared_1"]
    got = run_reference(artifact.tflite, left=np.ones((1, 3), "float32"), right=np.zeros((1, 3), "float32"))
    np.testing.assert_allclose(got["shared_1"][0], shared.bias, rtol=1e-6)  # zeros leave the bias


class Both(layers.Layer):
    def call(self, x):
        return ops.maximum(x, 0.0), ops.minimum(x, 0.0)


def test_a_layer_of_two_outputs_and_without_config():
    x = keras.Input((4,), name="x")
    model = enliven(keras.Model(x, Both(name="both")(layers.Dense(4)(x))))
    report = to_tflite(model, samples=samples(6, (4,))).report.require()
    assert list(entries(report.outputs)) == ["both", "both_1"]


class NoConfig(layers.Layer):
    def __init__(self, table):
        super().__init__()
        self.table = table

    def call(self, x):
        return x * self.table


def test_a_layer_that_cannot_be_saved():
    image = keras.Input((4, 4, 3))
    x = keraslayers.HardSwish()(NoConfig(np.float32([1, 2, 3]))(image))
    model = keras.Model(image, layers.Conv2D(2, 1)(x))
    with pytest.raises(NotImplementedError):
        model.get_layer("no_config").get_config()
    report = to_tflite(model, precision="int8", samples=samples(16, (4, 4, 3))).report.require()
    assert report.passes == {"lower_hard_swish": 1}


# --- models


def test_sequential_and_nested():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])
    outer = enliven(keras.Sequential([keras.Input((8, 8, 3), name="image"), inner, layers.Dense(3, name="scores")]))
    artifact = to_tflite(outer, samples=samples())
    assert entries(artifact.report.require().inputs) == {"image": (1, 8, 8, 3)}
    assert entries(artifact.report.outputs) == {"scores": (1, 3)}
    called = keras.Sequential([layers.Dense(3)])  # built by its first data
    called(samples(2, (4,)))
    assert to_tflite(called, samples=samples(8, (4,))).report.ok


class One(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(4, name="first"), layers.Dense(2, name="second")

    def call(self, x, training=False):
        return self.second(self.first(x))


class ByName(One):
    def call(self, x):
        return {"small": self.second(self.first(x["right"])), "large": self.first(x["right"]) + x["left"]}


class InOrder(One):
    def call(self, x):
        return self.second(self.first(x[0]) + x[1]), self.first(x[0])


@pytest.mark.parametrize(
    ("kind", "x", "outputs"),
    [
        (One, samples(6, (3,)), {"output": (1, 2)}),
        # The keys stand against the alphabet: Keras sorts them, and sizes tell a mix-up.
        (ByName, {"right": samples(6, (3,)), "left": samples(6, (4,), 1)}, {"small": (1, 2), "large": (1, 4)}),
        (InOrder, [samples(6, (3,)), samples(6, (4,), 1)], {"output_0": (1, 2), "output_1": (1, 4)}),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_subclassed(kind, x, outputs, precision):
    model = kind()
    model(x)
    report = to_tflite(enliven(model), precision=precision, samples=x).report.require()
    assert entries(report.outputs) == outputs


def test_open_sizes_come_from_the_samples():
    image = keras.Input((None, None, 3), name="image")
    model = keras.Model(image, layers.Conv2D(2, 3, name="y")(image))
    report = to_tflite(enliven(model), samples=samples(4, (6, 9, 3))).report.require()
    assert entries(report.inputs) == {"image": (1, 6, 9, 3)}
    assert entries(report.outputs) == {"y": (1, 4, 7, 2)}


@needs_gpu
@pytest.mark.parametrize(("precision", "count"), [("float32", 10), ("int8", 10)])  # the last call is half empty
def test_batches(precision, count):
    report = to_tflite(
        cnn(), target="gpu-fp32", precision=precision, samples=samples(count), batch_size=4
    ).report.require()
    assert entries(report.inputs) == {"image": (4, 8, 8, 3)}
    assert [proof.samples for proof in report.proofs] == [count, count]


def under(policy, make):
    """What `make()` gives under a dtype policy."""
    keras.config.set_dtype_policy(policy)
    try:
        return make()
    finally:
        keras.config.set_dtype_policy("float32")


def mixed_net():
    """Inverted residuals in a nested model that is called twice, and, as Keras advises, a last layer in float32."""
    inner_input = keras.Input((8, 8, 8))
    x = layers.Conv2D(16, 1, name="expand")(inner_input)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    inner = keras.Model(inner_input, inner_input + layers.Conv2D(8, 1, name="project")(x), name="inner")
    image = keras.Input((8, 8, 3), name="image")
    x = inner(inner(layers.Conv2D(8, 3, padding="same", activation="relu", name="expand")(image)))
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(image, [layers.Dense(5, dtype="float32", name="classes")(x), x], name="net")


@needs_gpu
@pytest.mark.parametrize(
    ("policy", "precision"), [("mixed_float16", "int8"), ("mixed_bfloat16", "float32"), ("float64", "float32")]
)
def test_models_of_other_floats_become_float32(policy, precision):
    model = enliven(under(policy, mixed_net))
    report = to_tflite(model, target="gpu-fp32", precision=precision, samples=samples()).report.require()
    assert report.passes["in_float32"] >= 6
    assert entries(report.outputs) == {"classes": (1, 5), "features": (1, 8)}
    assert {"expand", "project"} <= set(report.layer_sizes)
    # The same weights under float32 give the same file.
    own = under("float32", mixed_net)
    own.set_weights(model.get_weights())
    again = to_tflite(own, target="gpu-fp32", precision=precision, samples=samples()).report
    assert again.passes.get("in_float32") is None
    assert report.operators == again.operators
    for one, other in zip(report.proofs, again.proofs, strict=True):
        assert one.max_error == pytest.approx(other.max_error, rel=1e-3, abs=1e-6)  # one float32 rounding
    assert model.get_layer("classes").compute_dtype == "float32"
    assert model.get_layer("expand").compute_dtype == policy.removeprefix("mixed_")


def test_training_in_float16_may_still_be_set():
    """Layers that a pass makes, and preprocessing, are in float32 all the same."""

    def make():
        image = keras.Input((8, 8, 3), name="image")
        x = layers.Conv2D(4, 3, activation="hard_silu")(image)
        return keras.Sequential([keras.Input((8, 8, 3)), keras.Model(image, layers.UpSampling2D()(x))], name="net")

    def export():
        scaled = layers.Rescaling(1 / 255)
        x = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3)).astype("float32")
        return to_tflite(make(), precision="int8", samples=x, preprocessing=scaled).report

    report = under("mixed_float16", export)
    assert report.require().passes["in_float32"] == 2
    assert keras.config.dtype_policy().name == "float32"


def test_a_subclassed_model_of_other_floats_is_refused_with_the_remedy():
    class Own(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.dense = layers.Dense(3)

        def call(self, x):
            return self.dense(x)

    model = under("mixed_float16", Own)
    model(np.ones((1, 4), "float32"))
    with pytest.raises(
        ValueError, match=r"computes in float16, .* a subclassed model: .* Build it anew under the dtype"
    ):
        to_tflite(model)


def test_a_model_that_overflows_in_float16_alone_is_told():
    model = under("mixed_float16", lambda: keras.Sequential([keras.Input((4,)), layers.Rescaling(1e6)], name="net"))
    with pytest.raises(ValueError, match=r"model 'net' gives NaN or infinity .* too large for the 16 bits"):
        to_tflite(model, samples=np.ones((4, 4), "float32"))


def odd_net():
    """Names that TensorFlow takes for no scope, two of which must not become one."""
    image = keras.Input((8, 8, 3), name="my inp\u00fct")
    x = layers.Conv2D(8, 3, name="my conv 1")(image)
    x = layers.ReLU(name="_under")(layers.BatchNormalization(name="a:0;b")(x))
    x = layers.Conv2D(4, 1, name="my..20.conv..20.1")(x)
    x = layers.Conv2D(4, 1, name="my_conv_1", activation="tanh")(x)
    x = layers.GlobalAveragePooling2D(name="StatefulPartitionedCall:0")(x)
    other = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="my conv 1")], name="in ner")(x)
    return keras.Model(image, {"out put \u00e9": layers.Dense(2, name="-")(x), "2/3": other}, name="mo del \u00e9")


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_names_of_any_characters(precision):
    model = enliven(odd_net())
    before = [(layer.name, weight.name, weight.path) for layer in model._flatten_layers() for weight in layer.weights]
    artifact = to_tflite(
        model, target="gpu-fp32", precision=precision, samples=samples(), layer_errors=precision == "int8"
    )
    report = artifact.report.require()
    assert entries(report.inputs) == {"my inp\u00fct": (1, 8, 8, 3)}
    assert entries(report.outputs) == {"out put \u00e9": (1, 2), "2/3": (1, 3)}
    run = Interpreter(model_content=artifact.tflite).get_signature_runner()
    x = samples()[:1]
    for name, value in run(**{"my inp\u00fct": x}).items():
        # int8: a few of 255 steps; float32: roundings.
        wanted = keras.ops.convert_to_numpy(model(x)[name])
        assert np.abs(value - wanted).max() < (0.1 * np.ptp(wanted) + 0.05 if precision == "int8" else 1e-4)
    own = {"my..20.conv..20.1", "my_conv_1", "-", "in ner/my conv 1"}
    assert own <= set(report.layer_sizes) <= {*own, "my conv 1", "_under", "a:0;b", "StatefulPartitionedCall:0", ""}
    if precision == "int8":
        assert own <= {error.layer for error in report.layer_errors}
    after = [(layer.name, weight.name, weight.path) for layer in model._flatten_layers() for weight in layer.weights]
    assert after == before


def test_a_skipped_layer_of_an_odd_name_and_one_in_a_nested_model():
    for skip in ("my..20.conv..20.1", "in ner/my conv 1"):
        report = to_tflite(enliven(odd_net()), precision="int8", samples=samples(), skip=skip).report.require()
        assert report.float_layers == (skip,)
        assert report.float_operators


def test_inputs_and_outputs_called_like_arguments_and_like_made_up_ones():
    file, made_up = keras.Input((4,), name="file"), keras.Input((4,))
    first = keras.Input((4,), name="input_1")
    x = layers.Dense(3, name="self")(layers.Concatenate()([file, made_up, first]))
    shared = layers.Dense(2, name="x")
    last = layers.Dense(2, name="x_1")
    outputs = [last(x), shared(x), shared(x * 2.0)]
    x = [samples(16, (4,)) for _ in range(3)]
    report = to_tflite(keras.Model([file, made_up, first], outputs), precision="int8", samples=x).report.require()
    assert len(entries(report.inputs)) == 3
    assert {"file", "input_1"} < set(entries(report.inputs))
    assert entries(report.outputs) == {"x_1": (1, 2), "x": (1, 2), "x_2": (1, 2)}


def test_integer_inputs():
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(10, 4)(tokens))
    model = enliven(keras.Model(tokens, layers.Dense(2)(x)))
    numbers = np.random.default_rng(0).integers(0, 10, (12, 5))
    for options in ({}, {"samples": numbers}, {"samples": numbers, "precision": "int8"}):
        (entry,) = to_tflite(model, **options).report.require().inputs
        assert entry["dtype"] == "int32"


def test_a_target_of_ones_own():
    report = to_tflite(dense(), target=Target("board", ("cpu",), "a single-board computer")).report.require()
    assert report.target == "board"


def test_the_users_model_stays_as_it_is():
    image = keras.Input((8, 8, 3), name="image")
    x = keraslayers.HardSwish(name="act")(layers.Conv2D(4, 3, name="conv")(image))
    x = layers.Dropout(0.5, name="drop")(layers.BatchNormalization(name="norm")(x))
    model = keras.Model(image, layers.Dense(2, name="y")(layers.GlobalAveragePooling2D(name="pool")(x)))
    model.compile("adam", "mse", metrics=["mae"])
    x = samples(16)
    model.fit(x, np.zeros((16, 2)), verbose=0)
    model.evaluate(x, np.zeros((16, 2)), verbose=0)  # makes attributes
    model.predict(x, verbose=0)

    def state():
        return {
            "weights": [weight.tobytes() for weight in model.get_weights()],
            "optimizer": [np.asarray(variable).tobytes() for variable in model.optimizer.variables],
            "config": model.get_config(),
            "nodes": {each.name: (len(each._inbound_nodes), len(each._outbound_nodes)) for each in model.layers},
            "losses": len(model.losses),
            "compiled": model.get_compile_config(),
            "trainable": [each.trainable for each in model.layers],
            "attributes": sorted(vars(model)),
            "predictions": model.predict(x, verbose=0).tobytes(),
            "evaluation": model.evaluate(x, np.zeros((16, 2)), verbose=0),
        }

    before = state()
    given = x.copy()
    assert to_tflite(model, precision="int8", samples=x).report.require().passes == {"lower_hard_swish": 1}
    assert to_tflite(model, samples=x).report.ok
    after = state()
    for part, value in before.items():
        assert after[part] == value, f"the export changed the model's {part}"
    np.testing.assert_array_equal(x, given)
    model.fit(x, np.zeros((16, 2)), verbose=0)  # it trains on


# --- samples


def datasets():
    x, y = samples(20, (4,)), np.zeros(20)
    plain = tf.data.Dataset.from_tensor_slices(x)
    labelled = tf.data.Dataset.from_tensor_slices((x, y))
    weighted = tf.data.Dataset.from_tensor_slices((x, y, y))
    by_name = tf.data.Dataset.from_tensor_slices(({"x": x}, y))
    return {
        "array": x,
        "list of one array": [x],
        "list of rows": list(x),
        "dict": {"x": x},
        "tensor": tf.constant(x),
        "float64": x.astype("float64"),
        "dataset": plain,
        "dataset of batches": plain.batch(6),
        "labelled": labelled,
        "labelled batches": labelled.batch(6),
        "weighted batches": weighted.batch(6),
        "by name": by_name,
        "by name in batches": by_name.batch(6),
    }


def test_samples_of_every_form_mean_the_same():
    model = dense()
    sums = {
        form: to_tflite(model, precision="int8", samples=given).report.require().sha256
        for form, given in datasets().items()
    }
    assert set(sums.values()) == {sums["array"]}, sums


def test_an_endless_dataset_ends():
    endless = tf.data.Dataset.from_tensor_slices(samples(20, (4,))).repeat()
    for dataset in (endless, endless.batch(7)):
        assert to_tflite(dense(), precision="int8", samples=dataset).report.ok


def test_a_dataset_of_several_inputs():
    x = values(8)
    by_name = tf.data.Dataset.from_tensor_slices((dict(reversed(x.items())), np.zeros(8)))
    in_order = tf.data.Dataset.from_tensor_slices((tuple(x.values()), np.zeros(8)))
    for dataset in (by_name, by_name.batch(3), in_order, in_order.batch(3)):
        assert to_tflite(two_inputs(), precision="int8", samples=dataset).report.ok


def test_calibration_sees_every_sample_and_the_proof_64():
    x = samples(140, (4,))
    x[1] = 5.0  # which is not among those of the proof
    report = to_tflite(dense(), precision="int8", samples=x, io="int8").report
    assert report.proof("cpu").samples == 64
    (entry,) = report.inputs
    assert entry["scale"] == pytest.approx((5 - x.min()) / 255, rel=1e-3)
