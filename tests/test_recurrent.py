"""LSTM and GRU: step by step where the length is known, in words where it is not."""

import keras
import pytest
from keras import layers

from keraslayers.export import to_tflite
from tests.export_models import needs_gpu, samples

SEQUENCES = samples(16, (6, 5))


def network(kind, steps=6):
    x = keras.Input((steps, 5), name="x")
    if kind == "two":
        y = layers.GRU(4, name="last")(layers.LSTM(6, return_sequences=True, name="first")(x))
    elif kind == "bidirectional":
        y = layers.Bidirectional(layers.LSTM(4), merge_mode="sum", name="both")(x)
    elif kind == "backwards":
        y = layers.GRU(4, go_backwards=True, reset_after=False, name="back")(x)
    else:
        y = layers.SimpleRNN(4, name="simple")(x)
    return keras.Model(x, layers.Dense(3, name="classes")(y), name="net")


KINDS = ("two", "bidirectional", "backwards", "simple")


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("kind", KINDS)
def test_proven_on_phones(kind, precision):
    report = to_tflite(network(kind), target="gpu-fp32", precision=precision, samples=SEQUENCES).report
    assert report.proof("cpu").verdict == "PROVEN"
    if precision == "float32":
        report.require()
    assert "unroll_loops" in report.rewrites
    assert "WHILE" not in report.operators


def test_a_loop_in_floats_stays_on_the_cpu():
    report = to_tflite(network("two"), samples=SEQUENCES).report.require()
    assert "unroll_loops" not in report.rewrites


def test_a_long_loop_in_int8_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"in layer `first`: it has more than 256 steps.*precision='dynamic'"):
        to_tflite(network("two", 300), precision="int8", samples=samples(4, (300, 5)))
