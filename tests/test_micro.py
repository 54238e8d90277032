"""Files for microcontrollers: PROVEN in the memory they say, REJECTED in the runtime's own words."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import keraslayers
from keraslayers import models
from keraslayers.export import Target, Verdict, prove, to_tflite
from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import child, micro
from tests.export_models import cnn, dense, enliven, needs_micro, run_reference, samples


def separable():
    """A depthwise-separable network such as keyword spotting and person detection use."""
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False)(image)
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    for filters, strides in ((16, 1), (24, 2), (32, 1)):
        x = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x)
        x = layers.ReLU(6)(layers.BatchNormalization()(x))
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.ReLU(6)(layers.BatchNormalization()(x))
    # An average over noise would be the same for every image.
    x = layers.Flatten()(layers.MaxPooling2D(2)(x))
    model = enliven(keras.Model(image, layers.Dense(5, activation="softmax", name="classes")(x), name="separable"))
    kernel = model.get_layer("classes").kernel
    kernel.assign(8 * kernel)  # as sure of its classes as a trained one
    return model


def arena(report):
    return report.proof("micro").arena_bytes


@pytest.fixture(scope="module")
def small():
    return separable()


def export(model, precision="int8", **options):
    x = samples(24, model.input_shape[1:])
    return to_tflite(model, target="micro", precision=precision, samples=x, **options)


@needs_micro
@pytest.mark.parametrize("make", [separable, cnn, lambda: enliven(models.LeNet5(modern=True))])
def test_small_networks_are_proven_in_integers(make):
    model = make()
    artifact = export(model, io="int8")
    report = artifact.report.require()
    (proof,) = report.proofs
    assert (proof.runtime, proof.operators) == ("micro", sum(report.operators.values()))
    assert proof.delegated is proof.partitions is None  # there is nothing to delegate to
    assert proof.max_steps <= 2  # the reference kernels, but for the rounding of dense layers
    assert proof.agreement > 0.9
    assert proof.latency_ms > 0
    assert report.float_operators == {}
    # The activations of the widest layer, and no weights, which stay in flash.
    assert max(np.prod(t["shape"]) for t in report.inputs) < proof.arena_bytes < report.size
    assert proof.arena_bytes % micro.GRAIN == 0


@needs_micro
def test_its_numbers_are_those_of_an_independent_run(small):
    artifact = export(small, io="int8")
    graph, x = read_graph(artifact.tflite), samples(3, (16, 16, 3))
    integers = np.stack([graph.inputs[0].quantize(one[None]) for one in x])
    outcome = micro.run(artifact.tflite, graph, {"image": integers})
    for each, got in zip(integers, outcome.outputs["classes"], strict=True):
        wanted = run_reference(artifact.tflite, image=each)["classes"]
        np.testing.assert_allclose(got.astype(int), wanted.astype(int), atol=1)


@needs_micro
def test_the_memory_is_the_least_there_is(small):
    artifact = export(small, io="int8")
    needs = arena(artifact.report)
    graph = read_graph(artifact.tflite)
    inputs = {"image": np.zeros((1, 1, 16, 16, 3), "int8")}

    def run(most):
        options = {"most": most, "grain": micro.GRAIN}
        return child.run_in_child(micro.__file__, artifact.tflite, graph, inputs, options=options)

    outcome, _ = run(needs)
    assert outcome.arena_bytes == needs
    # One grain less is refused, or kills the process: the runtime does not look before it writes there.
    outcome, _ = run(needs - micro.GRAIN)
    assert outcome.outputs is None
    assert outcome.reason
    # 16 bits take up to twice the room of 8, floats four times.
    wider = [arena(export(small, precision).report) for precision in ("int16x8", "float32")]
    assert needs < wider[0] < wider[1] < 4 * needs


@needs_micro
def test_the_report_tells_the_memory(small, tmp_path):
    report = export(small).report
    assert json.loads(report.to_json())["proofs"][0]["arena_bytes"] == arena(report)
    words = f"runs in {arena(report):,} bytes of memory"
    lines = str(report).splitlines()
    assert any(words in line for line in lines)
    assert max(map(len, lines)) <= 88
    report.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert words in page
    assert f'<td class="number" data-label="operators">{report.proof("micro").operators}</td>' in page


# The place in a network where a layer stands, and what lowers it there; each has a kernel of its own on the runtime.
LAYERS = [
    keraslayers.ChannelShuffle(2),
    keraslayers.SqueezeExcite(),
    keraslayers.HardSwish(),
    keraslayers.ReLU6(),
    keraslayers.ShiftLeakyReLU(),
    keraslayers.Maxout(2),
    keraslayers.Resample2D(scale=2),
    keraslayers.PaddedConv2D(8, 3, padding=1, padding_mode="symmetric"),
    layers.AveragePooling2D(2),
    layers.UpSampling2D(2),
    layers.Conv2DTranspose(8, 3, 2, activation="relu"),
]


def between(layer):
    image = keras.Input((8, 8, 8), name="image")
    x = layers.Conv2D(8, 1, name="before")(image)
    return enliven(keras.Model(image, layers.Conv2D(3, 1, name="after")(layer(x))))


@pytest.mark.sweep
@needs_micro
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_layers_are_proven(layer):
    (proof,) = export(between(layer.from_config(layer.get_config()))).report.require().proofs
    assert proof.max_steps == 0  # convolutions round alike
    assert proof.snr_db > 25  # measured: 29 and more


@needs_micro
def test_hard_swish_has_a_kernel_of_8_bits_there():
    model = between(keraslayers.HardSwish())
    report = export(model).report.require()
    assert report.passes == {}
    assert report.operators["HARD_SWISH"] == 1
    # What suits XNNPACK costs memory here.
    lowered = to_tflite(
        model, target=Target("both", ("cpu", "micro"), ""), precision="int8", samples=samples(24, (8, 8, 8))
    )
    assert lowered.report.require().passes == {"lower_hard_swish": 1}
    assert arena(report) < arena(lowered.report)
    report = export(model, "int16x8").report.require()
    assert report.passes == {"lower_hard_swish": 1}


@needs_micro
def test_several_inputs_and_outputs_find_their_places():
    left, right = keras.Input((3,), name="left"), keras.Input((4,), name="right")
    joined = layers.Concatenate(name="joined")([right, left])
    model = keras.Model([left, right], [layers.Dense(2, name="zeta")(joined), layers.Dense(5, name="alpha")(left)])
    x = {"right": samples(20, (4,)), "left": samples(20, (3,), 1)}
    report = to_tflite(enliven(model), target="micro", precision="int8", samples=x).report.require()
    assert {each["name"]: each["shape"] for each in report.outputs} == {"zeta": (1, 2), "alpha": (1, 5)}


# --- what it refuses


HYBRID = "It computes with weights in float32, or with integers all through: export with precision='int8'"


@needs_micro
@pytest.mark.parametrize(
    ("precision", "words"),
    [
        ("float16", "Node DEQUANTIZE (number 0) failed to prepare"),
        ("dynamic", "Input type: FLOAT32 with filter type: INT8 not supported.; Node FULLY_CONNECTED"),
        ("int4", "Hybrid models are not supported on TFLite Micro.; Node CONV_2D (number 0)"),
    ],
)
def test_floats_beside_narrow_weights_are_rejected_with_the_remedy(precision, words):
    report = export(cnn(), precision).report
    (proof,) = report.proofs
    assert proof.verdict is Verdict.REJECTED
    assert words in proof.reason
    assert proof.reason.endswith(HYBRID)
    assert "tensorflow/lite" not in proof.reason  # whose folder that is helps nobody
    assert proof.arena_bytes is None
    assert proof.operators == sum(report.operators.values())


@needs_micro
def test_an_operator_it_lacks_is_named():
    model = between(keraslayers.LocalResponseNormalization())
    assert export(model, "float32").report.ok
    (proof,) = export(model).report.proofs
    assert proof.verdict is Verdict.REJECTED
    assert "Node EXP (number" in proof.reason
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(3, activation="gelu")(x))
    (proof,) = to_tflite(enliven(model), target="micro").report.proofs
    assert proof.verdict is Verdict.REJECTED
    assert "Didn't find op for builtin opcode 'GELU'" in proof.reason


@needs_micro
def test_any_file_is_proven_there_if_asked_for():
    tflite = to_tflite(dense(), precision="int8", samples=samples(16, (4,))).tflite
    assert [each.runtime for each in prove(tflite).proofs] == ["cpu", "gpu", "gpu-fp16"]  # a phone's
    (proof,) = prove(tflite, "micro").require().proofs
    assert proof.reference == "LiteRT's built-in kernels"
    assert proof.max_steps <= 1
    assert proof.arena_bytes > 0


def test_without_the_wheel_it_is_untested(monkeypatch):
    monkeypatch.setattr(micro.importlib.util, "find_spec", lambda name: None)
    assert micro.available() == (
        "TensorFlow Lite for Microcontrollers is not installed: pip install 'keraslayers[micro]'"
    )
    monkeypatch.setattr(micro, "available", lambda: "not there")
    (proof,) = to_tflite(dense(), target="micro").report.proofs
    assert (proof.verdict, proof.reason) == (Verdict.UNTESTED, "not there")
