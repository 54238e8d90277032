"""LSTM and GRU: step by step where the length is known, in words where it is not."""

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.export import to_tflite
from keraslayers.export.passes import unroll_recurrent
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


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers_step_by_step(kind):
    model = network(kind)
    made, count = unroll_recurrent(model)
    assert count == (2 if kind == "two" else 1)
    # Sums in another order.
    np.testing.assert_allclose(made(SEQUENCES), model(SEQUENCES), rtol=1e-5, atol=1e-6)
    assert unroll_recurrent(made) == (made, 0)
    assert unroll_recurrent(network(kind, None))[1] == 0
    assert unroll_recurrent(network(kind, 200))[1] == 0


def test_a_state_and_a_mask_stay():
    x, state = keras.Input((6, 5)), keras.Input((4,))
    mask = keras.Input((6,), dtype="bool")
    gru = layers.GRU(4)
    assert unroll_recurrent(keras.Model([x, state], gru(x, initial_state=state)))[1] == 0
    assert unroll_recurrent(keras.Model([x, mask], gru(x, mask=mask)))[1] == 0
    assert unroll_recurrent(keras.Model(x, layers.GRU(4, unroll=True)(x)))[1] == 0


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("kind", KINDS)
def test_proven_on_phones(kind, precision):
    report = to_tflite(network(kind), target="gpu", precision=precision, samples=SEQUENCES).report
    assert report.proof("cpu").verdict == "PROVEN"
    if precision == "float32":
        report.require()
    assert report.passes["unroll_recurrent"] >= 1
    assert "WHILE" not in report.operators


def test_a_loop_in_floats_stays_on_the_cpu():
    report = to_tflite(network("two"), samples=SEQUENCES).report.require()
    assert "unroll_recurrent" not in report.passes


def test_a_long_loop_in_int8_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"in layer `first`: it has more than 256 steps.*precision='dynamic'"):
        to_tflite(network("two", 300), precision="int8", samples=samples(4, (300, 5)))
