"""Biases that make up for the rounding of kernels, against plain sums."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from keraslayers.export import to_tflite
from keraslayers.export.convert import correct_biases as module
from keraslayers.export.file import edit
from keraslayers.export.measures import snr_db
from tests.export_models import enliven


def images(count, channels=4, side=9):
    """Far from zero, as what comes out of a ReLU is: there rounded kernels move every output."""
    random = np.random.default_rng(0)
    return random.uniform(0.5, 1.5, (count, side, side, channels)).astype("float32")


def built(layer, channels=4, side=9):
    keras.utils.set_random_seed(0)
    image = keras.Input((side, side, channels), name="image")
    return enliven(keras.Model(image, layer(image)))


LAYERS = {
    "valid": lambda: layers.Conv2D(6, 3, name="conv"),
    "same": lambda: layers.Conv2D(6, 5, padding="same", name="conv"),
    "strided": lambda: layers.Conv2D(6, 3, strides=2, padding="same", name="conv"),
    "dilated": lambda: layers.Conv2D(6, 3, dilation_rate=2, padding="same", name="conv"),
    "groups": lambda: layers.Conv2D(6, 3, groups=2, name="conv"),
    "depthwise": lambda: layers.DepthwiseConv2D(3, padding="same", name="conv"),
    "several": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, name="conv"),
    "dense": lambda: layers.Dense(6, name="conv"),
}


def outputs(blob, x):
    interpreter = Interpreter(model_content=blob)
    runner = interpreter.get_signature_runner()
    return np.concatenate([next(iter(runner(image=one[None]).values())) for one in x]).astype("float64")


@pytest.mark.parametrize("name", LAYERS)
def test_no_output_is_off_on_the_average(name, monkeypatch):
    """By how much the channels are off on the average, beside the file with the biases as they were."""
    model, x = built(LAYERS[name]()), images(16)
    wanted = model.predict(x, verbose=0).astype("float64")
    off = {}
    for corrected in (True, False):
        if not corrected:
            monkeypatch.setattr("keraslayers.export.convert.mixed.correct_biases", lambda blob, known: blob)
        got = outputs(to_tflite(model, precision="int8", samples=x).tflite, x)
        moved = np.abs((got - wanted).mean(axis=tuple(range(wanted.ndim - 1)))).mean()
        off[corrected] = moved / (np.ptp(wanted) / 255)  # in steps
    assert off[True] < 0.03
    assert off[False] > 0.06


def test_a_deep_network_comes_nearer(monkeypatch):
    keras.utils.set_random_seed(0)
    x = image = keras.Input((16, 16, 3), name="image")
    for _ in range(4):
        x = layers.ReLU(6)(layers.Conv2D(16, 1, bias_initializer="ones")(x))
        x = layers.ReLU(6)(layers.DepthwiseConv2D(3, padding="same", bias_initializer="ones")(x))
    model = keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))
    x = np.random.default_rng(0).normal(size=(32, 16, 16, 3)).astype("float32")
    wanted = model.predict(x, verbose=0)
    after = to_tflite(model, precision="int8", samples=x[:16])
    monkeypatch.setattr("keraslayers.export.convert.mixed.correct_biases", lambda blob, known: blob)
    before = to_tflite(model, precision="int8", samples=x[:16])
    # On samples that no mean was taken of.
    assert snr_db(wanted[16:], after.predict(x[16:])) > snr_db(wanted[16:], before.predict(x[16:])) + 1


def test_a_layer_that_is_called_twice_has_a_bias_for_each_call():
    image = keras.Input((8, 8, 4), name="image")
    layer = layers.Conv2D(4, 3, padding="same", bias_initializer="ones")
    keras.utils.set_random_seed(0)
    model = keras.Model(image, layer(layers.ReLU()(layer(image)) * 3.0))
    x = images(8, side=8)
    file = edit.read(to_tflite(model, precision="int8", samples=x).tflite)
    first, second = (op.inputs[2] for op in file.main.operators if op.name == "CONV_2D")
    assert first.buffer is not second.buffer
    assert not np.array_equal(first.values, second.values)


def test_a_file_that_does_not_run_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(module.cpu, "means", lambda *args: {})
    model, x = built(LAYERS["valid"]()), images(4)
    assert to_tflite(model, precision="int8", samples=x).report.ok
