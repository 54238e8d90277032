"""What Resample2D promises beyond the laws of every layer."""

import keras
import numpy as np
import pytest

from keraslayers import Resample2D
from tests.test_errors import check

IMAGE = np.random.default_rng(0).normal(size=(2, 7, 10, 3)).astype("float32")


@pytest.mark.parametrize("method", ["bilinear", "nearest", "antialias"])
@pytest.mark.parametrize("size", [(7, 10), (14, 20), (21, 50), (3, 4), (1, 1), (5, 23), (8, 9), (7, 30), (14, 110)])
def test_means_what_keras_means(method, size):
    options = {"antialias": True} if method == "antialias" else {"method": method}
    wanted = keras.ops.image.resize(
        IMAGE, size, interpolation=options.get("method", "bilinear"), antialias=method == "antialias"
    )
    # Sums of up to 70 products in another order, and coordinates that TensorFlow rounds to float32.
    np.testing.assert_allclose(Resample2D(size=size, **options)(IMAGE), wanted, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@pytest.mark.parametrize("options", [{}, {"antialias": True}, {"method": "nearest"}], ids=str)
def test_whole_numbers_stay_whole(options, dtype):
    image = np.random.default_rng(0).integers(0, 256, (2, 7, 10, 3)).astype(dtype)
    layer = Resample2D(size=(3, 4), **options)
    wanted = keras.ops.image.resize(
        image.astype("float32"),
        (3, 4),
        interpolation=options.get("method", "bilinear"),
        antialias="antialias" in options,
    )
    outputs = layer(image)
    assert keras.backend.standardize_dtype(outputs.dtype) == layer(keras.KerasTensor(image.shape, dtype)).dtype == dtype
    # Half for the rounding, the rest for sums in another order.
    np.testing.assert_allclose(np.array(outputs, "float64"), wanted, atol=0.5001)


def test_the_size_it_has_is_left_alone():
    x = keras.ops.convert_to_tensor(IMAGE)
    assert Resample2D(size=(7, 10), antialias=True)(x) is x
    assert Resample2D(scale=1, method="nearest")(x) is x


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [(100, 0.29, 29), (98, 1 / 49, 2), (10, 1 / 3, 3), (7, 1.5, 10), (9, 2, 18), (224, 0.4375, 98), (1, 7.9, 7)],
)
def test_sizes_from_a_scale(size, scale, expected):
    layer = Resample2D(scale=scale)
    assert layer.compute_output_shape((None, size, size, None)) == (None, expected, expected, None)


@pytest.mark.parametrize("options", [{"method": "nearest"}, {}, {"antialias": True}])
@pytest.mark.parametrize("scale", [2, (0.5, 1.7)])
def test_a_scale_of_unknown_sizes(options, scale):
    inputs = keras.Input((None, None, 3))
    layer = Resample2D(scale=scale, **options)
    model = keras.Model(inputs, layer(inputs))
    assert model.output.shape == (None, None, None, 3)
    for image in (IMAGE, IMAGE[:, :4, 1:]):
        # Weights from float32 in place of float64.
        np.testing.assert_allclose(model.predict(image, verbose=0), layer(image), rtol=1e-5, atol=1e-6)


def test_the_first_argument_is_the_scale():
    assert Resample2D(2)(IMAGE).shape == (2, 14, 20, 3)
    with pytest.raises(TypeError, match="positional argument"):
        Resample2D(2, (14, 20))


def test_arguments_become_pairs():
    assert Resample2D(size=5).get_config()["size"] == (5, 5)
    assert Resample2D(size=[5, np.int64(6)]).get_config()["size"] == (5, 6)
    assert Resample2D(scale=np.float32(0.5)).get_config()["scale"] == (0.5, 0.5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "give either `scale` or `size`; got scale=None and size=None."),
        ({"size": 2, "scale": 2}, ValueError, "give either `scale` or `size`; got scale=2 and size=2."),
        ({"size": (2, 0)}, ValueError, "`size` must be at least 1; got 0."),
        ({"size": 2.5}, TypeError, "`size` must be a whole number; got 2.5."),
        ({"size": (1, 2, 3)}, TypeError, "`size` must be a whole number or two, (height, width); got (1, 2, 3)."),
        ({"scale": 0}, ValueError, "`scale` must be above 0; got 0.0."),
        ({"scale": "2"}, TypeError, "`scale` must be a number; got '2'."),
        ({"scale": [1.5]}, TypeError, "`scale` must be a number or two, (height, width); got [1.5]."),
        (
            {"size": 2, "method": "bicubic"},
            ValueError,
            "`method` must be one of 'bilinear', 'nearest'; got 'bicubic'.",
        ),
        (
            {"size": 2, "method": "nearest", "antialias": True},
            ValueError,
            "`antialias` needs method='bilinear': nearest takes single pixels and averages nothing.",
        ),
        (
            {"size": 2, "data_format": "NHWC"},
            ValueError,
            "`data_format` must be one of 'channels_last', 'channels_first'; got 'NHWC'.",
        ),
    ],
)
def test_arguments_that_do_not_fit(options, error, message):
    check(lambda: Resample2D(**options), error, f"`Resample2D`: {message}")


def test_images_that_do_not_fit():
    message = "`Resample2D`: `scale` must leave a pixel at least; got scale=(0.5, 0.09) for an image of 7 x 10 pixels."
    check(lambda: Resample2D(scale=(0.5, 0.09))(IMAGE), ValueError, message)
    message = "`Resample2D`: the input must have 4 axes, the batch included; got the shape (7, 10, 3)."
    check(lambda: Resample2D(2)(IMAGE[0]), ValueError, message)
