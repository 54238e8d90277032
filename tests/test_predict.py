"""What a file gives of many inputs, and its evaluation beside the Keras model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keraslayers.export import Artifact, Evaluation, predict, to_tflite
from keraslayers.export.proof import run_file

SIDE, CLASSES = 6, 3


def network(**outputs):
    image = keras.Input((SIDE, SIDE, 1), name="image")
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(image))
    scores = keras.layers.Dense(CLASSES, activation="softmax", name="scores")(x)
    return keras.Model(image, {"scores": scores, "size": keras.layers.Dense(1)(x)} if outputs else scores)


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    return random.normal(size=(70, SIDE, SIDE, 1)).astype("float32"), random.integers(0, CLASSES, 70)


@pytest.fixture(scope="module")
def compiled():
    keras.utils.set_random_seed(0)
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def made(compiled, data):
    return to_tflite(compiled, precision="int8", samples=data[0])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Several children and batches for few samples."""
    for module in (predict, run_file):
        monkeypatch.setattr(module, "AT_ONCE", 32)


def by_litert(blob, x):
    """Call by call, in this process."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=blob).get_signature_runner()
    return np.concatenate([next(iter(runner(image=one[None]).values())) for one in x])


def test_it_gives_what_litert_gives_of_all(made, data):
    got = made.predict(data[0])
    assert got.shape == (70, CLASSES)
    np.testing.assert_array_equal(got, by_litert(made.tflite, data[0]))
    batches = tf.data.Dataset.from_tensor_slices(data).batch(16)
    np.testing.assert_array_equal(made.predict(batches), got)
    np.testing.assert_array_equal(made.predict({"image": data[0]}), got)


def test_a_runtime_that_takes_long_is_asked_again(made, data, monkeypatch):
    whole, run = made.predict(data[0]), run_file.RUNTIMES["cpu"].run

    def few(blob, graph, inputs):
        return run(blob, graph, {name: values[:16] for name, values in inputs.items()})

    monkeypatch.setattr(run_file.RUNTIMES["cpu"], "run", few)
    np.testing.assert_array_equal(made.predict(data[0]), whole)


def test_several_outputs_come_by_name(data):
    model = network(size=True)
    got = to_tflite(model).predict(data[0][:5])
    wanted = model.predict(data[0][:5], verbose=0)
    assert set(got) == {"scores", "size"}
    for name, values in wanted.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-5, atol=1e-6)


def test_metrics_are_those_of_keras_and_of_the_file(made, compiled, data):
    x, y = data
    found = made.evaluate(x, y)
    wanted = compiled.evaluate(x, y, verbose=0, return_dict=True)
    assert isinstance(found, Evaluation)
    assert found.samples == 70
    assert found.keras == pytest.approx(wanted, rel=1e-5)
    scores = by_litert(made.tflite, x)
    assert found.file["accuracy"] == pytest.approx(np.mean(scores.argmax(-1) == y))
    # The loss of a probability that is rounded to zero is Keras's own bound.
    likely = np.clip(scores[np.arange(70), y] / scores.sum(-1), keras.config.epsilon(), 1)
    assert found.file["loss"] == pytest.approx(-np.mean(np.log(likely)), rel=1e-4)
    same = np.mean(scores.argmax(-1) == compiled.predict(x, verbose=0).argmax(-1))
    assert found.agreement == pytest.approx(same)
    differing = compiled.predict(x, verbose=0).astype("float64")
    noise = np.sum((scores - differing) ** 2)
    assert found.snr_db == pytest.approx(10 * np.log10(np.sum((differing - differing.mean(0)) ** 2) / noise), abs=0.01)
    assert "accuracy" in str(found)
    assert "70 samples" in str(found)


def test_a_data_set_brings_labels_and_weights(made, compiled, data):
    weights = np.linspace(0, 1, 70).astype("float32")
    batches = tf.data.Dataset.from_tensor_slices((*data, weights)).batch(14)
    found, wanted = made.evaluate(batches), compiled.evaluate(batches, verbose=0, return_dict=True)
    assert found.keras == pytest.approx(wanted, rel=1e-4)


def test_without_labels_it_tells_how_far_it_is(made, data):
    found = made.evaluate(data[0])
    assert (found.keras, found.file) == ({}, {})
    assert found.agreement > 0.9
    assert found.snr_db > 20


def test_what_does_not_fit_is_refused(made, data):
    with pytest.raises(ValueError, match=r"`Artifact\.predict`: `samples` for input `image` must have the shape"):
        made.predict(data[0][:, 1:])
    with pytest.raises(ValueError, match=r"`Artifact\.predict`: `runtime` must be one of"):
        made.predict(data[0], runtime="tpu")
    with pytest.raises(ValueError, match="`y` goes with arrays"):
        made.evaluate(tf.data.Dataset.from_tensor_slices(data).batch(7), data[1])
    with pytest.raises(ValueError, match="not made of a Keras model by `to_tflite`"):
        Artifact(made.tflite, made.report).evaluate(*data)
