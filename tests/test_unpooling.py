"""What MaxPoolWithIndices2D and MaxUnpool2D promise beyond what the laws ask of both together."""

import keras
import numpy as np
import pytest

from keraslayers import MaxPoolWithIndices2D, MaxUnpool2D
from keraslayers.export import Verdict, to_tflite
from tests import backend, oracles
from tests.export_models import enliven, needs_gpu, samples
from tests.test_errors import check

IMAGE = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")
TIES = np.random.default_rng(1).integers(-1, 2, (2, 6, 6, 3)).astype("float32")


@pytest.mark.parametrize(
    "image", [IMAGE, TIES, np.full((1, 4, 4, 2), -np.inf, "float32")], ids=["image", "ties", "inf"]
)
@pytest.mark.parametrize("pool_size", [1, 2, (3, 2), (1, 4), (4, 1)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pooling_equals_the_oracle(image, pool_size, data_format):
    if data_format == "channels_first":
        image = np.moveaxis(image, -1, 1)
    layer = MaxPoolWithIndices2D(pool_size, data_format=data_format)
    pooled, indices = layer(image)
    wanted, places = oracles.max_pool_with_indices(image, {"pool_size": pool_size, "data_format": data_format})
    np.testing.assert_array_equal(pooled, wanted)
    np.testing.assert_array_equal(indices, places)
    symbolic = layer(keras.Input(image.shape[1:]))
    assert [(tensor.shape[1:], tensor.dtype) for tensor in symbolic] == [
        (pooled.shape[1:], "float32"),
        (indices.shape[1:], "int32"),
    ]
    assert layer.compute_output_shape(image.shape) == (pooled.shape, indices.shape)


@pytest.mark.tensorflow
def test_indices_are_those_of_tensorflow_over_the_channels():
    import tensorflow as tf

    pooled, indices = MaxPoolWithIndices2D(2)(IMAGE)
    theirs, places = tf.nn.max_pool_with_argmax(IMAGE, 2, 2, "VALID")
    np.testing.assert_array_equal(pooled, theirs)
    np.testing.assert_array_equal(indices, places.numpy() // IMAGE.shape[-1])


@pytest.mark.parametrize("output_size", [None, (4, 6), (5, 7), (4, 7)])
def test_unpooling_equals_the_oracle(output_size):
    options = {"pool_size": 2, "output_size": output_size}
    # Indices of another image, and of no image: what lies outside of its window is dropped.
    indices = np.random.default_rng(2).integers(-3, 40, (2, 2, 3, 3)).astype("int32")
    values = IMAGE[:, :2, :3]
    layer = MaxUnpool2D(**options)
    np.testing.assert_array_equal(layer([values, indices]), oracles.max_unpool(values, indices, options))
    assert layer.compute_output_shape([values.shape, indices.shape]) == layer([values, indices]).shape


def test_the_gradient_goes_to_the_first_of_equal_maxima():
    x = np.ones((1, 2, 4, 1), "float32")
    (gradient,) = backend.gradients(lambda x: keras.ops.sum(MaxPoolWithIndices2D(2)(x)[0]), [x])
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[1, 0, 1, 0], [0, 0, 0, 0]])


def autoencoder(output_size=(7, 7)):
    """A little SegNet: what pooling forgot comes back in the decoder, under layers that change the values."""
    image = keras.Input((7, 7, 3), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="encode")(image)
    x, indices = MaxPoolWithIndices2D(2, name="pool")(x)
    x = keras.layers.Conv2D(8, 1, name="middle")(x)
    x = MaxUnpool2D(2, output_size=output_size, name="unpool")([x, indices])
    return enliven(keras.Model(image, keras.layers.Conv2D(2, 3, name="decode")(x)))


def test_saves_loads_and_learns(tmp_path):
    model, x = autoencoder(), samples(16, (7, 7, 3))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x), model(x))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    losses = model.fit(x, np.zeros((16, 5, 5, 2)), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_mixed_precision_keeps_whole_indices():
    pooled, indices = MaxPoolWithIndices2D(2, dtype="mixed_float16")(np.zeros((1, 100, 100, 1), "float32"))
    assert [keras.backend.standardize_dtype(tensor.dtype) for tensor in (pooled, indices)] == ["float16", "int32"]
    assert int(indices[0, -1, -1, 0]) == 98 * 100 + 98  # float16 holds whole numbers up to 2048
    unpooled = MaxUnpool2D(2, dtype="mixed_float16")([pooled, indices])
    assert keras.backend.standardize_dtype(unpooled.dtype) == "float16"


@pytest.mark.tensorflow
@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_an_autoencoder_is_proven(precision):
    report = to_tflite(autoencoder(), target="gpu-fp32", precision=precision, samples=samples(64, (7, 7, 3))).report
    report.require()
    gpu = report.proof("gpu")
    assert (gpu.delegated, gpu.partitions) == (gpu.operators, 1)


@pytest.mark.tensorflow
@needs_gpu
def test_both_outputs_are_proven():
    image = keras.Input((6, 4, 3), name="image")
    x = keras.layers.Conv2D(4, 1, name="before")(image)
    pooled, indices = MaxPoolWithIndices2D(2, name="pool")(x)
    model = enliven(keras.Model(image, {"pooled": pooled, "indices": indices}))
    report = to_tflite(model, target="gpu-fp32", samples=samples(16, (6, 4, 3))).report
    assert {proof.runtime: proof.verdict for proof in report.proofs} == dict.fromkeys(("gpu", "cpu"), Verdict.PROVEN)


STRIDES = "`strides` must be `pool_size`, since a pixel in two windows has no single way back; got "


@pytest.mark.parametrize("layer", [MaxPoolWithIndices2D, MaxUnpool2D])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pool_size": 3, "strides": 2}, ValueError, f"{STRIDES}strides=(2, 2) for pool_size=(3, 3)."),
        ({"pool_size": (2, 3), "strides": (3, 2)}, ValueError, f"{STRIDES}strides=(3, 2) for pool_size=(2, 3)."),
        ({"pool_size": 0}, ValueError, "`pool_size` must be at least 1; got 0."),
        ({"pool_size": 2.0}, TypeError, "`pool_size` must be a whole number; got 2.0."),
        (
            {"pool_size": (2, 2, 2)},
            TypeError,
            "`pool_size` must be a whole number or two, (height, width); got (2, 2, 2).",
        ),
        (
            {"data_format": "NHWC"},
            ValueError,
            "`data_format` must be one of 'channels_last', 'channels_first'; got 'NHWC'.",
        ),
    ],
)
def test_arguments_that_do_not_fit(layer, options, error, message):
    check(lambda: layer(**options), error, f"`{layer.__name__}`: {message}")


def test_strides_that_are_the_pool_size():
    assert MaxPoolWithIndices2D(2, strides=(2, 2)).get_config()["strides"] == (2, 2)


AXES = "the input must have 4 axes, the batch included; got the shape"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxPoolWithIndices2D(2)(IMAGE[0]), f"`MaxPoolWithIndices2D`: {AXES} (5, 7, 3)."),
        (
            lambda: MaxPoolWithIndices2D(6)(IMAGE),
            "`MaxPoolWithIndices2D`: the input must hold a window of `pool_size`=(6, 6) at least; got the shape "
            "(2, 5, 7, 3) with data_format='channels_last'.",
        ),
        (
            lambda: MaxPoolWithIndices2D(2)(keras.Input((4, 4, None))),
            "`MaxPoolWithIndices2D`: the channels must be known, which are axis -1 with data_format='channels_last'; "
            "got the shape (None, 4, 4, None).",
        ),
        (
            lambda: MaxUnpool2D(2)(IMAGE),
            "`MaxUnpool2D`: the input must be the pair [values, indices]; got the shape (2, 5, 7, 3).",
        ),
        (lambda: MaxUnpool2D(2)([IMAGE[0], IMAGE[0]]), f"`MaxUnpool2D`: {AXES} (5, 7, 3)."),
        (
            lambda: MaxUnpool2D(2)([IMAGE, IMAGE[:, :4]]),
            "`MaxUnpool2D`: values and indices must have one shape; got (2, 5, 7, 3) and (2, 4, 7, 3).",
        ),
        (
            lambda: MaxUnpool2D(2, output_size=(11, 16))([IMAGE, IMAGE]),
            "`MaxUnpool2D`: `output_size` must be what pooling made the values of: of 7 windows of 2, 14 to 15; "
            "got output_size=(11, 16).",
        ),
    ],
)
def test_inputs_that_do_not_fit(make, message):
    check(make, ValueError, message)


def test_an_output_size_of_another_type():
    message = "`MaxUnpool2D`: `output_size` must be a whole number; got 5.0."
    check(lambda: MaxUnpool2D(2, output_size=(5.0, 7)), TypeError, message)
