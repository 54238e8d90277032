"""Networks for text: counts, an oracle in plain numpy, training, files."""

import keras
import numpy as np
import pytest

from benchmarks.models import settle
from keraslayers import models
from keraslayers.export import to_tflite
from tests.export_models import enliven, needs_gpu
from tests.model_tools import assert_close, outputs

pytestmark = [
    # Keras saves a TensorFlow variable through np.array, which NumPy 2 remarks on; not ours to change.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TEXTS = [models.TextCNN, models.DPCNN]
every_builder = pytest.mark.parametrize("builder", TEXTS, ids=lambda builder: builder.__name__)
NARROW = {"embedding_dim": 12, "filters": 8}


def small(builder, **options):
    return enliven(builder(50, 3, **NARROW, **options))


def texts(count=24, tokens=17, seed=0):
    return np.random.default_rng(seed).integers(0, 50, (count, tokens)).astype("int32")


@pytest.mark.parametrize(("builder", "parameters"), [(models.TextCNN, 360_902), (models.DPCNN, 2_854_252)])
def test_parameters_beside_the_word_vectors(builder, parameters):
    model = builder(7)
    assert model.count_params() - 7 * 300 == parameters


# Oracles


def relu(x):
    return np.maximum(x, 0)


def convolve(x, kernel, bias):
    """Windows of the text against every filter, without padding."""
    size = len(kernel)
    windows = [x[:, start : start + size] for start in range(x.shape[1] - size + 1)]
    return np.stack([np.einsum("bkc,kcf->bf", window, kernel) + bias for window in windows], 1)


def convolve_same(x, kernel, bias):
    return convolve(np.pad(x, ((0, 0), (1, 1), (0, 0))), kernel, bias)


def text_cnn(x, weights):
    vectors = weights["embedding"][0][x]
    maxima = [relu(convolve(vectors, *weights[f"conv{size}"])).max(1) for size in (3, 4, 5)]
    kernel, bias = weights["predictions"]
    return np.concatenate(maxima, -1) @ kernel + bias


def halve(x):
    """The largest of three places, at every second one; at the borders of those that are there."""
    length = x.shape[1]
    out = -(-length // 2)
    before = max((out - 1) * 2 + 3 - length, 0) // 2
    ranges = [(max(2 * i - before, 0), min(2 * i - before + 3, length)) for i in range(out)]
    return np.stack([x[:, start:stop].max(1) for start, stop in ranges], 1)


def dpcnn(x, weights, blocks):
    x = convolve_same(weights["embedding"][0][x], *weights["region"])
    for block in range(1, blocks + 1):
        if block > 1:
            x = halve(x)
        y = convolve_same(relu(x), *weights[f"stage{block}_conv1"])
        x = x + convolve_same(relu(y), *weights[f"stage{block}_conv2"])
    kernel, bias = weights["predictions"]
    return x.max(1) @ kernel + bias


def weights_of(model):
    return {layer.name: layer.get_weights() for layer in model.layers}


@pytest.mark.parametrize("tokens", [5, 17])
def test_text_cnn_equals_the_oracle(tokens):
    model = small(models.TextCNN, classifier_activation=None)
    x = texts(4, tokens)
    assert_close(outputs(model, x), text_cnn(x, weights_of(model)))


@pytest.mark.parametrize("tokens", [1, 16, 17])
def test_dpcnn_equals_the_oracle(tokens):
    model = small(models.DPCNN, classifier_activation=None, blocks=3)
    x = texts(4, tokens)
    assert_close(outputs(model, x), dpcnn(x, weights_of(model), 3))


# Use


@every_builder
def test_trains_and_loads(builder, tmp_path):
    model = small(builder, tokens=17)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    before = model.get_weights()
    model.fit(texts(), np.arange(24) % 3, epochs=1, verbose=0)
    unchanged = [w.path for w, old in zip(model.weights, before, strict=True) if np.array_equal(w.numpy(), old)]
    assert unchanged == []
    expected = outputs(model, texts())
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(keras.saving.load_model(tmp_path / "model.keras"), texts()), expected)
    again = builder(50, 3, **NARROW, weights=tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(again, texts()), expected)


@pytest.mark.sweep
@needs_gpu
@every_builder
@pytest.mark.parametrize(("precision", "target"), [("float32", "gpu"), ("float16", "cpu"), ("int8", "gpu")])
def test_proven(builder, precision, target):
    # Logits: a softmax hides errors where one class has nearly all of it.
    model = small(builder, classifier_activation=None)
    settle(model, texts(16))
    report = to_tflite(model, target=target, precision=precision, samples=texts(64)).report.require()
    assert report.proof(target).samples == 64


@every_builder
def test_replace_classifier(builder):
    model = small(builder)
    made = models.replace_classifier(model, 5)
    assert made.output_shape == (None, 5)
    np.testing.assert_array_equal(made.get_layer("embedding").get_weights(), model.get_layer("embedding").get_weights())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: models.TextCNN(0), ValueError, r"`TextCNN`: `vocabulary` must be at least 1; got 0"),
        (lambda: models.TextCNN(9, tokens=4), ValueError, r"`TextCNN`: `tokens` must be at least 5; got 4"),
        (lambda: models.TextCNN(9, kernel_sizes=3), TypeError, r"`TextCNN`: `kernel_sizes` must be a list of whole"),
        (lambda: models.TextCNN(9, kernel_sizes=(0,)), ValueError, r"`kernel_sizes` must be at least 1; got 0"),
        (lambda: models.TextCNN(9, filters=0), ValueError, r"`TextCNN`: `filters` must be at least 1"),
        (lambda: models.DPCNN(9, blocks=0), ValueError, r"`DPCNN`: `blocks` must be at least 1; got 0"),
        (lambda: models.DPCNN(9, dropout_rate=1), ValueError, r"`DPCNN`: `dropout_rate` must be below 1; got 1\.0"),
        (lambda: models.DPCNN(9, classes=0), ValueError, r"`DPCNN`: `classes` must be at least 1; got 0"),
        (lambda: models.DPCNN(9, embedding_dim=0), ValueError, r"`DPCNN`: `embedding_dim` must be at least 1"),
        (lambda: models.DPCNN(9, weights="imagenet"), ValueError, r"`DPCNN`: `weights` must be None, a"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
