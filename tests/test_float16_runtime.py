"""Proof on the GPU in 16-bit floats: what is lost there is WRONG there, and right in 32 bits.

The files are built operator by operator, so that nothing mends them.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from keraslayers.export import prove
from keraslayers.export.file.graph import Tensor
from keraslayers.export.proof import match
from keraslayers.export.runtimes import gpu, gpu_fp16
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


@pytest.mark.parametrize(
    ("blob", "x", "verdict", "words"),
    [
        (reduced("SUM"), numbers((112, 112, 4), 10), "WRONG", "NaN or infinity"),
        (reduced("SUM"), numbers((112, 112, 4), 1), "PROVEN", ""),
        (reduced("MEAN"), numbers((112, 112, 4), 10), "PROVEN", ""),
        (pooled(), numbers((112, 112, 4), 10), "PROVEN", ""),
        (normalized(), numbers((4, 4, 32)), "PROVEN", ""),
        (normalized(), numbers((4, 4, 32), 0, 300), "WRONG", "dB over its error"),
        (normalized(), numbers((4, 4, 32), 800), "WRONG", "dB over its error"),
    ],
    ids=["sum of 10", "sum of 1", "mean", "pooling", "normal", "normal of 300", "normal at 800"],
)
def test_what_16_bits_lose(blob, x, verdict, words):
    """The table of what was measured: all is right in 32 bits."""
    report = prove(blob, RUNTIMES, samples=x)
    assert {p.runtime: str(p.verdict) for p in report.proofs} == {"gpu": "PROVEN", "gpu-fp16": verdict}
    assert words in report.proof("gpu-fp16").reason


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
