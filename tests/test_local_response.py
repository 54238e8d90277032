"""What LocalResponseNormalization promises beyond the laws of every layer."""

import keras
import numpy as np
import pytest

from keraslayers import LocalResponseNormalization, local_response_normalization
from tests import backend, oracles
from tests.test_errors import check

IMAGE = np.random.default_rng(0).normal(scale=4, size=(2, 4, 5, 9)).astype("float32")


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"depth_radius": 2, "bias": 2.0, "alpha": 1e-4, "beta": 0.75},
        {"depth_radius": 0, "alpha": 0.3, "beta": 1.0},
        {"depth_radius": 20, "bias": 0.1, "alpha": 0.02, "beta": 0.6},
    ],
)
def test_means_what_tensorflow_means(options):
    import tensorflow as tf

    # Eight roundings: the exponential and the logarithm are off by a few, as is the power there.
    np.testing.assert_allclose(
        LocalResponseNormalization(**options)(IMAGE),
        tf.nn.local_response_normalization(IMAGE, **options),
        rtol=1e-6,
        atol=1e-6,
    )


def test_large_values_in_float16():
    x = (100 * IMAGE).astype("float16")
    outputs = LocalResponseNormalization(dtype="float16")(x)
    # The squares alone are beyond what float16 holds. Four of its roundings.
    expected = oracles.local_response_normalization(x.astype("float64"), [], {})
    np.testing.assert_allclose(outputs, expected, rtol=4e-3, atol=4e-3)


def test_zeros_stay_zeros_and_learn():
    x = np.zeros((1, 2, 2, 4), "float32")
    np.testing.assert_array_equal(local_response_normalization(x, bias=4.0), x)
    (gradient,) = backend.gradients(lambda x: keras.ops.sum(local_response_normalization(x, bias=4.0)), [x])
    np.testing.assert_allclose(gradient, np.full(x.shape, 0.5), rtol=1e-6)  # 1 / sqrt(bias)


CALLS = {
    "LocalResponseNormalization": lambda **options: LocalResponseNormalization(**options),
    "local_response_normalization": lambda **options: local_response_normalization(IMAGE, **options),
}


@pytest.mark.parametrize("who", CALLS)
@pytest.mark.parametrize(
    ("argument", "value", "error", "expected"),
    [
        ("depth_radius", -1, ValueError, "at least 0; got -1"),
        ("depth_radius", 2.0, TypeError, "a whole number; got 2.0"),
        ("bias", 0, ValueError, "above 0; got 0.0"),
        ("bias", "1", TypeError, "a number; got '1'"),
        ("alpha", -1e-4, ValueError, "at least 0; got -0.0001"),
        ("alpha", True, TypeError, "a number; got True"),
        ("beta", float("nan"), ValueError, "finite; got nan"),
        ("beta", None, TypeError, "a number; got None"),
    ],
)
def test_arguments_out_of_range(who, argument, value, error, expected):
    check(lambda: CALLS[who](**{argument: value}), error, f"`{who}`: `{argument}` must be {expected}.")


def test_shapes_that_do_not_fit():
    for who, make in (
        ("LocalResponseNormalization", LocalResponseNormalization()),
        ("local_response_normalization", local_response_normalization),
    ):
        message = (
            f"`{who}`: the channels must be known, which are axis -1 with data_format='channels_last'; "
            "got the shape (None, 4, 4, None)."
        )
        check(lambda make=make: make(keras.Input((4, 4, None))), ValueError, message)
        message = f"`{who}`: the input must have 2 or more axes, the batch included; got the shape (9,)."
        check(lambda make=make: make(IMAGE[0, 0, 0]), ValueError, message)


def test_unknown_data_format():
    message = "`{}`: `data_format` must be one of 'channels_last', 'channels_first'; got 'NHWC'."
    for who, make in CALLS.items():
        check(lambda make=make: make(data_format="NHWC"), ValueError, message.format(who))


def test_whole_numbers_become_floats():
    image = np.arange(-6, 6).reshape(1, 2, 6)
    for call in (local_response_normalization, LocalResponseNormalization()):
        np.testing.assert_array_equal(call(image.astype("int32")), call(image.astype("float32")))
        assert call(keras.KerasTensor(image.shape, "int32")).dtype == "float32"
