"""What ImageKernel2D promises beyond the laws of every layer, and its messages."""

import keras
import numpy as np
import pytest

from keraslayers import ImageKernel2D
from keraslayers.image_kernel import KERNELS
from tests.export_models import samples

# A step from dark to bright, to the right.
STEP = np.tile(np.array([0, 0, 0, 1, 1, 1], "float32"), (5, 1))[None, :, :, None]


def test_identity():
    x = samples(2, (4, 5, 3))
    np.testing.assert_array_equal(ImageKernel2D("identity")(x), x)


def test_sobel_is_positive_where_it_gets_brighter():
    right, down = ImageKernel2D("sobel_x", padding="valid"), ImageKernel2D("sobel_y", padding="valid")
    np.testing.assert_array_equal(right(STEP)[0, :, :, 0], [[0, 4, 4, 0]] * 3)
    np.testing.assert_array_equal(down(STEP), np.zeros((1, 3, 4, 1)))
    turned = np.swapaxes(STEP, 1, 2)
    np.testing.assert_array_equal(down(turned), np.swapaxes(right(STEP), 1, 2))
    np.testing.assert_array_equal(ImageKernel2D("sobel_x", padding="valid", flip=True)(STEP), -right(STEP))


@pytest.mark.parametrize("name", KERNELS)
def test_sums(name):
    """Blurs and sharpening keep the brightness of an even image, edge kernels see nothing in it."""
    even = np.full((1, 5, 6, 2), 3.0, "float32")
    expected = 3.0 if name in ("identity", "sharpen", "box_blur", "gaussian_blur") else 0.0
    for mode in ("reflect", "symmetric", "edge"):
        outputs = ImageKernel2D(name, padding_mode=mode)(even)
        np.testing.assert_allclose(outputs, np.full(even.shape, expected), atol=1e-6)


def test_flip_changes_sobel_alone():
    for name, kernel in KERNELS.items():
        same = np.array_equal(kernel, np.array(kernel)[::-1, ::-1])
        assert same == (not name.startswith("sobel"))


def test_sharpen_is_the_image_plus_edge_cross():
    assert np.array_equal(KERNELS["sharpen"], np.add(KERNELS["identity"], KERNELS["edge_cross"]))


def test_numbers_are_saved_as_plain_lists(tmp_path):
    layer = ImageKernel2D(np.array([[1, 2, 3]], "float16"), padding=(0, 1))
    assert layer.get_config()["kernel"] == [[1.0, 2.0, 3.0]]
    assert all(type(value) is float for value in layer.get_config()["kernel"][0])
    inputs = keras.Input((4, 5, 3))
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x = samples(2, (4, 5, 3))
    np.testing.assert_array_equal(loaded(x), model(x))
    assert model.count_params() == 0


def test_the_kernel_is_a_copy():
    numbers = np.ones((1, 1))
    layer = ImageKernel2D(numbers)
    numbers[:] = 5
    x = samples(1, (4, 5, 3))
    np.testing.assert_array_equal(layer(x), x)


NAMES = ", ".join(map(repr, KERNELS))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"kernel": "sobel"},
            ValueError,
            f"`ImageKernel2D`: `kernel` must be one of {NAMES}; got 'sobel'. Did you mean 'sobel_y' or 'sobel_x'?",
        ),
        (
            {"kernel": None},
            TypeError,
            f"`ImageKernel2D`: `kernel` must be one of {NAMES}, or numbers of shape (height, width); got None.",
        ),
        (
            {"kernel": [["a"]]},
            TypeError,
            f"`ImageKernel2D`: `kernel` must be one of {NAMES}, or numbers of shape (height, width); got [['a']].",
        ),
        (
            {"kernel": [[1, 2], [3]]},
            TypeError,
            f"`ImageKernel2D`: `kernel` must be one of {NAMES}, or numbers of shape (height, width); "
            "got [[1, 2], [3]].",
        ),
        (
            {"kernel": [1, 2]},
            ValueError,
            "`ImageKernel2D`: `kernel` must be of shape (height, width), one number at least; got the shape (2,).",
        ),
        (
            {"kernel": [[]]},
            ValueError,
            "`ImageKernel2D`: `kernel` must be of shape (height, width), one number at least; got the shape (1, 0).",
        ),
        (
            {"kernel": [[1, float("inf")]]},
            ValueError,
            "`ImageKernel2D`: `kernel` must hold finite numbers; got [[1.0, inf]].",
        ),
        ({"strides": 0}, ValueError, "`ImageKernel2D`: `strides` must be at least 1; got 0."),
        (
            {"strides": (1, 1, 1)},
            TypeError,
            "`ImageKernel2D`: `strides` must be a whole number or two, (height, width); got (1, 1, 1).",
        ),
        (
            {"strides": (1, 2)},
            ValueError,
            "`ImageKernel2D`: `strides` must be equal; got (1, 2). Take strides of 1 and a slice of the output.",
        ),
        ({"flip": 1}, TypeError, "`ImageKernel2D`: `flip` must be True or False; got 1."),
        (
            {"padding_mode": "wrap"},
            ValueError,
            "`ImageKernel2D`: `padding_mode` must be one of 'zeros', 'reflect', 'symmetric', 'edge'; got 'wrap'.",
        ),
        (
            {"padding": "sane"},
            ValueError,
            "`ImageKernel2D`: `padding` must be one of 'valid', 'same', 'full'; got 'sane'. Did you mean 'same'?",
        ),
        (
            {"data_format": "last"},
            ValueError,
            "`ImageKernel2D`: `data_format` must be one of 'channels_last', 'channels_first'; got 'last'. "
            "Did you mean 'channels_last'?",
        ),
    ],
    ids=str,
)
def test_messages_of_construction(options, error, message):
    with pytest.raises(error) as caught:
        ImageKernel2D(**{"kernel": "sobel_x", **options})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        (
            {"padding": "valid"},
            (4, 2, 3),
            "`ImageKernel2D`: the kernel spans 3 of the width; got a width of 2, with a padding of (0, 0). "
            "Pad more, or take a smaller kernel.",
        ),
        (
            {"padding": 4, "padding_mode": "reflect"},
            (8, 4, 3),
            "`ImageKernel2D`: `padding_mode`='reflect' mirrors at most 3 of a width of 4; the padding there is (4, 4). "
            "Pad less, or take padding_mode='edge' or 'zeros'.",
        ),
        ({}, (8, 3), "`ImageKernel2D`: the input must have 4 axes, the batch included; got the shape (None, 8, 3)."),
        (
            {},
            (8, 8, None),
            "`ImageKernel2D`: the channels must be known, which are axis -1 with data_format='channels_last'; "
            "got the shape (None, 8, 8, None).",
        ),
    ],
    ids=str,
)
def test_messages_of_building(options, shape, message):
    with pytest.raises(ValueError, match="ImageKernel2D") as caught:
        ImageKernel2D("sobel_x", **options)(keras.Input(shape))
    assert str(caught.value) == message


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_whole_numbers_become_floats(dtype):
    image = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3)).astype(dtype)
    layer = ImageKernel2D("sobel_x")
    assert layer(keras.KerasTensor(image.shape, dtype)).dtype == "float32"
    np.testing.assert_array_equal(layer(image), layer(image.astype("float32")))


def test_complex_kernels_are_refused():
    with pytest.raises(TypeError, match="or numbers of shape"):
        ImageKernel2D(np.ones((3, 3), complex))
