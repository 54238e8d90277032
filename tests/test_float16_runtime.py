"""Proof on the GPU in 16-bit floats: what is lost there is WRONG there, and right in 32 bits.

The files are built operator by operator, so that nothing mends them.
"""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keraslayers.export import NotProvenError, pipeline, prove, to_tflite
from keraslayers.export.file.graph import Tensor, read_graph
from keraslayers.export.proof import half, match
from keraslayers.export.runtimes import gpu, gpu_fp16
from keraslayers.export.runtimes.child import Outcome
from tests.export_models import as_converted
from tests.file_tools import Made

RUNTIMES = ("gpu", "gpu-fp16")


def numbers(shape, mean=0.0, deviation=1.0):
    return (mean + deviation * np.random.default_rng(0).normal(size=(8, *shape))).astype("float32")


def reduced(kind, side=112):
    """SUM or MEAN over an image, its size taken out again."""
    made = Made()
    x = made.input((1, side, side, 4))
    y = made.new(kind, [x, made.integers([1, 2])], (1, 1, 1, 4), keepDims=True)
    if kind == "SUM":
        y = made.new("MUL", [y, made.weights(np.float32([1 / side**2]))], (1, 1, 1, 4))
    return made.done(y)


def normalized():
    """LayerNormalization of 32 channels, as the converter writes Keras's."""
    made = Made()
    shape, one = (1, 4, 4, 32), (1, 4, 4, 1)
    x = made.input(shape)
    mean = made.new("MEAN", [x, made.integers([-1])], one, keepDims=True)
    negative = made.new("NEG", [mean], one)
    square = made.new("SQUARED_DIFFERENCE", [x, mean], shape)
    variance = made.new("MEAN", [square, made.integers([-1])], one, keepDims=True)
    root = made.new("RSQRT", [made.new("ADD", [variance, made.weights(np.float32([1e-3]))], one)], one)
    scale = made.new("MUL", [root, made.weights(np.ones((1, 1, 1, 32), "float32"))], shape)
    scaled, shift = made.new("MUL", [x, scale], shape), made.new("MUL", [negative, scale], shape)
    return made.done(made.new("ADD", [scaled, shift], shape))


def pooled(side=112):
    made = Made()
    x = made.input((1, side, side, 4))
    options = {"filterWidth": side, "filterHeight": side, "strideW": side, "strideH": side, "padding": 1}
    return made.done(made.new("AVERAGE_POOL_2D", [x], (1, 1, 1, 4), **options))


ENDS, COARSE = ("16-bit floats end at 65504", "16-bit floats are 0.5 apart")


@pytest.mark.parametrize(
    ("blob", "x", "lost"),
    [
        (reduced("SUM"), numbers((112, 112, 4), 10), ("NaN or infinity", "at SUM", "up to 1.26e+05", ENDS)),
        (reduced("SUM"), numbers((112, 112, 4), 1), ()),
        (reduced("MEAN"), numbers((112, 112, 4), 10), ()),
        (pooled(), numbers((112, 112, 4), 10), ()),
        (normalized(), numbers((4, 4, 32)), ()),
        (normalized(), numbers((4, 4, 32), 0, 300), ("dB over", "at SQUARED_DIFFERENCE", "up to 1.24e+06", ENDS)),
        (normalized(), numbers((4, 4, 32), 800), ("dB over", "at SQUARED_DIFFERENCE", "up to 803", COARSE)),
    ],
    ids=["sum of 10", "sum of 1", "mean", "pooling", "normal", "normal of 300", "normal at 800"],
)
def test_what_16_bits_lose(blob, x, lost):
    """All is right in 32 bits; the report says where 16 lose it, and how an app gets 32."""
    report = prove(blob, RUNTIMES, samples=x)
    verdicts = {proof.runtime: str(proof.verdict) for proof in report.proofs}
    assert verdicts == {"gpu": "PROVEN", "gpu-fp16": "WRONG" if lost else "PROVEN"}
    reason = report.proof("gpu-fp16").reason
    assert all(words in reason for words in lost)
    asked = ("In 32-bit floats it is PROVEN", "GpuOptions.Precision.FP32", "isPrecisionLossAllowed = false")
    assert all(words in reason for words in asked) == bool(lost)


def test_a_target_says_which_floats_must_hold(monkeypatch):
    as_converted(monkeypatch)  # nothing mends it
    monkeypatch.setattr(pipeline, "BLAME", True)
    image = keras.Input((4, 4, 32), name="image")
    model = keras.Model(image, keras.layers.LayerNormalization(name="normal")(image), name="m")
    x = numbers((4, 4, 32), 0, 300)
    with pytest.warns(UserWarning, match="float16, in which phones' GPUs compute, ends at 65504"):
        report = to_tflite(model, samples=x, target="gpu").report
    assert [(p.runtime, str(p.verdict)) for p in report.proofs] == [
        ("gpu", "PROVEN"),
        ("gpu-fp16", "WRONG"),
        ("cpu", "PROVEN"),
    ]
    assert "It begins at layer `normal` (SQUARED_DIFFERENCE): numbers of up to" in report.proof("gpu-fp16").reason
    with pytest.raises(NotProvenError, match=r"gpu-fp16: WRONG.*target='gpu-fp32' is for such apps"):
        report.require()
    with pytest.warns(UserWarning, match="65504"):
        to_tflite(model, samples=x, target="gpu-fp32").report.require()


def test_what_16_bit_floats_cannot_hold():
    assert half.beyond([np.float32([1, -7e4]), np.float32([1e-9])]).startswith("numbers of up to 7e+04 stand there")
    assert half.beyond([np.float32([1, 2]), np.float32([1e-8])]).startswith("numbers of 1e-08 stand there")
    assert not half.beyond([np.float32([0, 1, 2, 1e-9, np.inf]), np.int32([10**6]), np.zeros(0, "float32")])
    coarse = half.rounding([np.float32([-3000, 1]), np.int32([10**6])])
    assert coarse == "numbers of up to 3e+03 stand there, where 16-bit floats are 2 apart"
    assert half.rounding([np.zeros(3, "float32")]) == half.rounding([]) == ""


def test_a_driver_without_16_bit_floats_proves_nothing_in_them(monkeypatch):
    swiftshader = next(manifest for manifest in gpu.SWIFTSHADER if manifest.exists())
    monkeypatch.setenv("VK_ICD_FILENAMES", str(swiftshader))
    monkeypatch.setattr(gpu, "SWIFTSHADER", [])  # so that nobody knows it by its name
    proof = prove(reduced("MEAN", 4), "gpu-fp16", samples=numbers((4, 4, 4))).proof("gpu-fp16")
    assert proof.verdict == "UNTESTED"
    assert proof.reason.startswith("the Vulkan driver has no 16-bit floats (SwiftShader")
    assert gpu_fp16.REMEDY in proof.reason


def verdict_of(got, wanted, against_model, **tensor):
    """What is wrong with an output that was computed in 16-bit floats; empty if it is PROVEN."""
    output = Tensor("y", 0, wanted.shape, **{"dtype": "float32", **tensor})
    graph = SimpleNamespace(outputs=(output,), operators={}, integer=False, hybrid=False)
    meaning = None if against_model else {"y": wanted}
    precision = "float32" if against_model else None
    return match.fault({"y": got}, {"y": wanted}, meaning, graph, precision, plain=False, floats=16)


@pytest.mark.parametrize("against_model", [True, False])
def test_limits_of_16_bit_floats(against_model):
    random = np.random.default_rng(0)
    wanted, noise = random.normal(size=(64, 8)), random.normal(size=(64, 8))
    assert verdict_of(wanted + noise * 10 ** (-(match.HALF[0] + 1) / 20), wanted, against_model) == ""
    far = verdict_of(wanted + noise * 10 ** (-(match.HALF[0] - 1) / 20), wanted, against_model)
    assert f"float32 in 16-bit floats must reach {match.HALF[0]:.0f} dB" in far
    assert (match.KERNELS in far) is not against_model
    assert "NaN" in verdict_of(np.where(wanted > 2, np.nan, wanted), wanted, against_model)
    assert "dB over its error" in verdict_of(np.zeros_like(wanted), wanted, against_model)
    small = wanted * np.where(np.arange(8) == 3, 0.1, 1)
    assert verdict_of(small + 0.01 * noise, small, against_model) == ""
    # A channel is found again however small it is beside the noise of the others.
    for lost in (0, np.roll(small[:, 3], 1)):
        got = small + 0.2 * noise * (np.arange(8) != 3)
        got[:, 3] = lost
        assert "part 3 of 8 along axis 1 has nothing to do with" in verdict_of(got, small, against_model)
    scaled = small * np.where(np.arange(8) == 3, 1.2, 1)
    assert "part 3 of 8 along axis 1 is 1.200 times" in verdict_of(scaled, small, against_model)


def test_class_ids_of_16_bit_floats():
    ids = np.arange(200) % 4
    for wrong, said in ((10, ""), (30, "equals the Keras model's in 85.0% of its elements; float32 must reach 90%")):
        got = np.where(np.arange(200) < wrong, (ids + 1) % 4, ids)
        assert verdict_of(got, ids, True, dtype="int32").endswith(said)
        assert bool(verdict_of(got, ids, True, dtype="int32")) == bool(said)


@pytest.mark.parametrize("later", ["right", "late"])
def test_shaders_that_compile_for_too_long_are_given_a_second_run(monkeypatch, later):
    blob = reduced("MEAN", 4)
    late = Outcome(reason="TensorBufferWrapper error: code=7, Failed to lock custom tensor buffer")
    outcomes = [late, late if later == "late" else Outcome(outputs={})]
    monkeypatch.setattr("keraslayers.export.runtimes.child.run_in_child", lambda *_, **__: (outcomes.pop(0), ""))
    monkeypatch.setattr(gpu, "drivers", lambda: [{}])
    found = gpu.run(blob, read_graph(blob), {})
    assert not outcomes
    if later == "right":
        assert found.outputs == {}
    else:
        assert found.missing
        assert "took too long to compile the shaders" in found.reason
