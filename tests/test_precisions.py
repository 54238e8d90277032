"""int16x8 and int4: what the files hold, where they are PROVEN, and files that are not what was asked for."""

import dataclasses
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import layers

import keraslayers
from keraslayers.export import PRECISIONS, Verdict, precisions, prove, to_tflite
from keraslayers.export.file.graph import read_graph
from keraslayers.export.precisions import IO, KERNELS, check_kernels
from tests.export_models import cnn, dense, enliven, needs_gpu, needs_micro, run_reference, samples


def mobile():
    """Every kind of operator with a kernel: ordinary, pointwise, depthwise, transposed, dense; and hard-swish."""
    image = keras.Input((8, 8, 8), name="image")
    x = layers.Conv2D(16, 3, padding="same", name="stem")(image)
    x = keraslayers.HardSwish(name="swish")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu6", name="depthwise")(x)
    x = layers.Conv2D(16, 1, 2, name="pointwise")(x)
    x = layers.Conv2DTranspose(8, 3, 2, padding="same", name="transposed")(x)
    x = layers.Flatten(name="flat")(layers.MaxPooling2D(4, name="pool")(x))
    return enliven(keras.Model(image, layers.Dense(6, name="scores")(x), name="mobile"))


@pytest.fixture(scope="module")
def made():
    cache = {}

    def make(precision, io="float32", target="cpu"):
        key = precision, io, target
        if key not in cache:
            cache[key] = to_tflite(mobile(), precision=precision, io=io, target=target, samples=samples(32, (8, 8, 8)))
        return cache[key]

    return make


EVERYWHERE = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


@pytest.mark.parametrize(
    ("precision", "kernels"),
    [
        ("float32", dict.fromkeys(EVERYWHERE, ("float32",))),
        ("float16", dict.fromkeys(EVERYWHERE, ("float16",))),
        ("int8", dict.fromkeys(EVERYWHERE, ("int8",))),
        ("int16x8", dict.fromkeys(EVERYWHERE, ("int8",))),
        ("int4", {**dict.fromkeys(EVERYWHERE, ("int4",)), "DEPTHWISE_CONV_2D": ("int8",), "TRANSPOSE_CONV": ("int8",)}),
    ],
)
def test_what_the_file_holds(made, precision, kernels):
    graph = read_graph(made(precision).tflite)
    if precision in KERNELS and precision != "int4":
        assert graph.float_operators == {}
        assert graph.integer
        assert not graph.hybrid
    else:
        assert graph.float_operators["CONV_2D"] == graph.operators["CONV_2D"]
        assert graph.hybrid == (precision == "int4")
    if "lower_hard_swish" in made(precision).report.passes:
        kernels = kernels | {"DEPTHWISE_CONV_2D": ("int8",)}
    assert graph.kernels == kernels


# --- int16x8


@pytest.mark.parametrize("io", ["float32", "int16"])
def test_16_bits_are_nearer_to_the_model_than_8(made, io):
    artifact, other = made("int16x8", io), made("int8")
    proof = artifact.report.require().proof("cpu")
    # Weights of 8 bits are all that is lost. Measured: 41 and 36 dB.
    assert proof.snr_db > other.report.require().proof("cpu").snr_db + 3
    assert proof.max_steps == 0  # no accelerator takes it: the built-in kernels compute
    assert proof.delegated == 0
    assert artifact.report.passes == {"lower_hard_swish": 1}  # of 16 bits there is no kernel
    (entry,), (exit_,) = artifact.report.inputs, artifact.report.outputs
    assert entry["dtype"] == exit_["dtype"] == io
    if io == "int16":
        assert entry["zero_point"] == exit_["zero_point"] == 0  # 16 bits are symmetric
        assert entry["scale"] == pytest.approx(np.max(np.abs(samples(32, (8, 8, 8)))) / 32767, rel=1e-3)


def test_16_bits_outside_are_those_of_an_independent_run(made):
    artifact = made("int16x8", "int16")
    (entry,), (exit_,) = artifact.report.inputs, artifact.report.outputs
    x = samples(32, (8, 8, 8))[:1]
    raw = run_reference(artifact.tflite, image=np.round(x / entry["scale"]).astype("int16"))["scores"]
    assert raw.dtype == "int16"
    wanted = mobile()(x)
    # Of the largest score: weights of 8 bits in six layers.
    np.testing.assert_allclose(raw * exit_["scale"], wanted, atol=0.05 * np.max(np.abs(wanted)))


def test_16_bits_of_layers_that_share_a_bias():
    """One layer used twice, two equal layers, and the steps of a loop: the scale of a bias depends on who reads it."""
    x = keras.Input((4, 6), name="x")
    twice, one, other = (layers.Dense(6, activation="relu", bias_initializer="ones") for _ in range(3))
    gru = layers.GRU(6, bias_initializer=keras.initializers.RandomNormal(stddev=1.0))
    again = keras.Model(x, twice(layers.Rescaling(9.0)(twice(x))))
    model = keras.Model(x, gru(layers.Concatenate()([again(x), other(layers.Rescaling(9.0)(one(x)))])))
    other.set_weights(one.get_weights())
    proof = to_tflite(model, precision="int16x8", samples=samples(32, (4, 6))).report.require().proof("cpu")
    # One bias for all gave 1 dB.
    assert proof.snr_db > 30


@pytest.mark.parametrize("read", [lambda x: layers.Embedding(20, 4)(x), layers.Rescaling(0.1)])
def test_16_bits_are_for_floats(read):
    x = keras.Input((4,), dtype="int32", name="ids")
    with pytest.raises(ValueError, match=r"Input `ids` of `model` .* is int32: take precision='int8'"):
        to_tflite(keras.Model(x, read(x)), precision="int16x8", samples=np.ones((4, 4), "int32"))


@needs_gpu
def test_16_bits_are_rejected_by_the_gpu(made):
    report = made("int16x8", target="gpu-fp32").report
    assert report.proof("cpu").verdict is Verdict.PROVEN
    assert report.proof("gpu").verdict is Verdict.REJECTED


# --- int4


@needs_gpu
def test_4_bits_are_proven_on_cpu_and_gpu_and_half_of_8(made):
    artifact = made("int4", target="gpu-fp32")
    report = artifact.report.require()
    assert [proof.runtime for proof in report.proofs] == ["gpu", "cpu"]
    assert report.proof("gpu").delegated == report.proof("gpu").operators
    assert report.weight_dtypes[0] == "int4"
    # By itself the file is right, too: how kernels round activations differs, and does not make it wrong.
    assert prove(artifact.tflite).require().proof("gpu").max_error > 0
    model = dense(256, 512, name="wide")
    size = {p: to_tflite(model, precision=p, samples=samples(8, (256,))).report.size for p in ("int8", "int4")}
    assert 0.5 < size["int4"] / size["int8"] < 0.55


def test_one_model_gives_one_file():
    model = cnn()
    for precision in ("int16x8", "int4"):
        first, second = (to_tflite(model, samples=samples(), precision=precision) for _ in range(2))
        assert first.report.sha256 == second.report.sha256
        assert first.report.inputs[0]["name"] == "image"
        assert first.report.outputs[0]["name"] == "classes"


def test_making_4_bits_says_nothing(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_tflite(dense(), precision="int4")
    assert capfd.readouterr() == ("", "")


def test_4_bits_need_no_tensorflow_of_their_own():
    from keraslayers.export.convert import four_bits

    tflite = to_tflite(dense()).tflite
    assert read_graph(four_bits.four_bits(tflite)).kernels == {"FULLY_CONNECTED": ("int4",)}
    assert "litert_quantizer" in sys.modules


# --- what is not what was asked for


def nobody(tensor):
    """Of no tensor the layer."""


@pytest.mark.parametrize("precision", KERNELS)
def test_kernels_that_stayed_floats_are_an_error(precision):
    graph = read_graph(to_tflite(dense()).tflite)
    wanted = "int4" if precision == "int4" else "int8"
    (made,) = graph.computed
    with pytest.raises(RuntimeError) as caught:
        check_kernels("to_tflite", graph, precision, (), {made.tensor: "y"}.get)
    assert str(caught.value) == (
        f"`to_tflite`: in precision {precision!r} the kernel of layer 'y' (FULLY_CONNECTED) must be {wanted}; the "
        "converter made it float32. Give this layer another form, `skip` it in int8, or choose another precision."
    )
    right = dataclasses.replace(made, kernel=wanted)
    check_kernels("to_tflite", dataclasses.replace(graph, computed=(right,)), precision, (), nobody)
    with pytest.raises(RuntimeError, match=f"{made.tensor!r} \\(FULLY_CONNECTED\\) must be {wanted}"):
        check_kernels("to_tflite", dataclasses.replace(graph, computed=(right, made)), precision, (), nobody)


def test_kernels_of_other_layers_than_those_left_in_floats_are_an_error():
    graph = read_graph(to_tflite(dense()).tflite)  # all in floats
    of_y = {graph.computed[0].tensor: "y"}.get
    check_kernels("to_tflite", graph, "int8", ("y",), of_y)
    check_kernels("to_tflite", graph, "int8", ("z",), nobody)  # whose it is nobody knows
    with pytest.raises(RuntimeError, match=r"the kernel of layer 'y' .* must be int8; the converter made it float32"):
        check_kernels("to_tflite", graph, "int8", ("z",), of_y)


@needs_micro
def test_a_float_that_no_plain_kernel_computes_runs_on_microcontrollers():
    image = keras.Input((4, 4, 4), name="image")
    x = layers.ELU(name="bend")(layers.Conv2D(4, 1)(image))
    model = enliven(keras.Model(image, layers.Conv2D(2, 1)(x), name="m"))
    report = to_tflite(model, target="micro", precision="int8", samples=samples(16, (4, 4, 4))).report.require()
    # LiteRT's reference kernels have no ELU; the built-in ones, with which it is compared then, do.
    assert report.float_operators == {"ELU": 1}


@needs_micro
def test_what_microcontrollers_have_no_kernel_for_is_told():
    image = keras.Input((4, 4, 4), name="image")
    model = keras.Model(image, layers.Conv2D(2, 1, activation="gelu")(image), name="m")
    proof = to_tflite(model, target="micro", precision="int8", samples=samples(16, (4, 4, 4))).report.proof("micro")
    assert proof.verdict is Verdict.REJECTED
    assert proof.reason == "Didn't find op for builtin opcode 'GELU': write another layer in its place"


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic"])
def test_others_promise_nothing_of_the_kind(precision):
    check_kernels("to_tflite", read_graph(to_tflite(dense(), precision=precision).tflite), precision, (), nobody)


def test_floats_in_an_integer_file_are_listed(tmp_path):
    x = keras.Input((6, 6, 4), name="x")
    table = keraslayers.TableActivation("sigmoid", -6, 6, 64, name="table")
    model = enliven(keras.Model(x, layers.Conv2D(3, 1)(table(layers.Conv2D(4, 1)(x)))))
    report = to_tflite(model, precision="int8", samples=samples(16, (6, 6, 4))).report.require()
    # The converter leaves positions in a table to floats without a word.
    assert set(report.float_operators) >= {"FLOOR", "MINIMUM"}
    assert "in floats: FLOOR" in str(report)
    report.to_html(tmp_path / "page.html")
    assert "In floats: <code>FLOOR</code>" in (tmp_path / "page.html").read_text()
    assert to_tflite(model).report.float_operators == {}  # of a file in floats that goes without saying


def test_the_tables_of_precisions_agree():
    assert set(KERNELS) | {"float32", "float16", "dynamic"} == set(PRECISIONS)
    assert {wanted for wanted in IO.values() if wanted} <= set(precisions.INTEGER) <= set(PRECISIONS)
