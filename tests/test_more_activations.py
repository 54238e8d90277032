"""What ShiftLeakyReLU, Maxout, TableActivation and the functions of tensors promise beyond the laws of every layer."""

import keras
import numpy as np
import pytest

from keraslayers import (
    HardSigmoid,
    Maxout,
    ShiftLeakyReLU,
    TableActivation,
    channel_shuffle,
    hard_sigmoid,
    local_response_normalization,
    maxout,
)
from tests import backend
from tests.test_errors import check

IMAGE = np.zeros((2, 4, 5, 6), "float32")


def test_the_slope_is_a_whole_number_over_a_power_of_two():
    assert float(ShiftLeakyReLU()(np.float32([-128.0]))[0]) == -13.0
    assert float(ShiftLeakyReLU(3, 0)(np.float32([-2.0]))[0]) == -6.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0,), ValueError, "`multiplier` must be at least 1; got 0."),
        ((0.1,), TypeError, "`multiplier` must be a whole number; got 0.1."),
        ((13, -1), ValueError, "`shift` must be at least 0; got -1."),
        ((13, 7.0), TypeError, "`shift` must be a whole number; got 7.0."),
        ((13, 32), ValueError, "`shift` must be 31 at most; got 32."),
    ],
)
def test_shift_leaky_relu_out_of_range(arguments, error, message):
    check(lambda: ShiftLeakyReLU(*arguments), error, f"`ShiftLeakyReLU`: {message}")


def test_maxout_learns_an_absolute_value():
    # The paper's figure 1: two pieces make |x|.
    x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    inputs = keras.Input((1,))
    model = keras.Model(inputs, Maxout(2)(keras.layers.Dense(2)(inputs)))
    model.layers[1].set_weights([np.float32([[1.5, -0.5]]), np.float32([0.1, -0.1])])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    loss = model.fit(x, np.abs(x), epochs=30, verbose=0).history["loss"][-1]
    assert loss < 1e-3  # a straight line's is 0.08


@pytest.mark.parametrize(
    ("who", "make"), [("Maxout", lambda *a: Maxout(*a)(IMAGE)), ("maxout", lambda *a: maxout(IMAGE, *a))]
)
def test_maxout_of_what_does_not_fit(who, make):
    check(lambda: make(4), ValueError, f"`{who}`: `pieces` must divide the channels; got pieces=4 for 6 channels.")
    check(lambda: make(0), ValueError, f"`{who}`: `pieces` must be at least 1; got 0.")
    check(lambda: make("2"), TypeError, f"`{who}`: `pieces` must be a whole number; got '2'.")
    formats = "`data_format` must be one of 'channels_last', 'channels_first'; got 'NHWC'."
    check(lambda: make(2, "NHWC"), ValueError, f"`{who}`: {formats}")


@pytest.mark.parametrize(("who", "make"), [("Maxout", Maxout(2)), ("maxout", lambda x: maxout(x, 2))])
def test_maxout_of_unknown_channels(who, make):
    message = f"`{who}`: the channels must be known, which are axis -1 with data_format='channels_last'; got the shape "
    check(lambda: make(keras.Input((4, None))), ValueError, f"{message}(None, 4, None).")


def test_an_output_shape_is_not_asked_of_channels_that_do_not_fit():
    message = "`Maxout`: `pieces` must divide the channels; got pieces=4 for 6 channels."
    check(lambda: Maxout(4).compute_output_shape((None, 6)), ValueError, message)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("name", "curvature"),
    # The largest second derivatives: 1 / (6 sqrt(3)) of the sigmoid, 4 / (3 sqrt(3)) of tanh, 1/2 of silu.
    [("sigmoid", 3**-0.5 / 6), ("tanh", 4 * 3**-0.5 / 3), ("silu", 0.5)],
)
@pytest.mark.parametrize("entries", [17, 256])
def test_the_error_bound(name, curvature, entries):
    x = np.linspace(-8, 8, 10_001)
    table, function = TableActivation(name, entries=entries, dtype="float64"), keras.activations.get(name)
    error = np.abs(np.array(table(x)) - np.array(function(keras.ops.convert_to_tensor(x))))
    bound = 16**2 / (8 * (entries - 1) ** 2) * curvature
    # 1e-6: the entries are rounded to float32. The bound is not slack either: a table with a fault would pass.
    assert 0.4 * bound < np.max(error) < bound + 1e-6


def test_the_entries_are_exact_and_the_ends_hold_on():
    places = np.linspace(-8, 8, 17).astype("float32")
    table = TableActivation("tanh", entries=17)
    np.testing.assert_allclose(table(places), np.tanh(places), rtol=1e-6)
    np.testing.assert_array_equal(table(np.float32([-1e9, -np.inf, 1e9, np.inf])), table(np.float32([-8, -8, 8, 8])))


def test_the_gradient_is_that_of_the_lines():
    layer, x = TableActivation("tanh", low=-2, high=2, entries=5), np.float32([-9.0, 0.25, 0.75, 1.5, 9.0])
    (gradient,) = backend.gradients(lambda x: keras.ops.sum(layer(x)), [x])
    slopes = np.diff(np.tanh([-2, -1, 0, 1, 2]))
    np.testing.assert_allclose(gradient, [0, slopes[2], slopes[2], slopes[3], 0], rtol=1e-6)


@keras.saving.register_keras_serializable("tests")
def bump(x):
    return keras.ops.exp(-x * x)


@pytest.mark.parametrize("function", [bump, HardSigmoid("keras2")])
def test_a_function_of_ones_own(function, tmp_path):
    inputs = keras.Input((8,))
    model = keras.Model(inputs, TableActivation(function, low=-3, high=3)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x = np.random.default_rng(0).normal(size=(4, 8)).astype("float32")
    np.testing.assert_array_equal(loaded(x), model(x))
    # Steps of 6 / 255, second derivatives up to 2; at its kinks the hard sigmoid is off by 0.05 of a step.
    np.testing.assert_allclose(model(x), function(x), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"function": "sigmoidd"}, ValueError, "`function` must be the name of a Keras activation or a callable; got "),
        ({"function": 3}, ValueError, "`function` must be the name of a Keras activation or a callable; got 3."),
        ({"function": "softmax"}, ValueError, "`function` must work element by element; softmax does not."),
        ({"function": keras.ops.log}, ValueError, "`function` must be finite from `low` to `high`; log is nan at -8."),
        ({"low": 2, "high": 2}, ValueError, "`high` must be above `low`; got low=2.0 and high=2.0."),
        ({"low": "0"}, TypeError, "`low` must be a number; got '0'."),
        ({"high": float("inf")}, ValueError, "`high` must be finite; got inf."),
        ({"entries": 1}, ValueError, "`entries` must be at least 2; got 1."),
        ({"entries": 2.0}, TypeError, "`entries` must be a whole number; got 2.0."),
    ],
)
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
def test_table_arguments_that_do_not_fit(options, error, message):
    with pytest.raises(error) as caught:
        TableActivation(**{"function": "sigmoid", **options})
    assert str(caught.value).startswith(f"`TableActivation`: {message}")


def test_what_is_not_a_number_stays_so():
    outputs = np.array(TableActivation("tanh")(np.float32([np.nan, 1.0])))
    assert np.isnan(outputs[0])
    assert outputs[1] == pytest.approx(np.tanh(1), abs=1e-3)  # the table's own error is 4e-4


@pytest.mark.parametrize("function", [channel_shuffle, maxout], ids=lambda function: function.__name__)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32"])
def test_symbolic_tensors_keep_their_dtype(function, dtype):
    assert function(keras.KerasTensor((None, 4), dtype), 2).dtype == dtype


def test_functions_take_lists():
    np.testing.assert_array_equal(channel_shuffle([[1.0, 2.0, 3.0, 4.0]], 2), [[1, 3, 2, 4]])
    np.testing.assert_array_equal(maxout([[1.0, 2.0, 4.0, 3.0]], 2), [[2, 4]])
    np.testing.assert_array_equal(hard_sigmoid([-3.0, 0.0, 3.0]), [0, 0.5, 1])
    np.testing.assert_allclose(local_response_normalization([[3.0]], 0), [[3 / 10**0.5]], rtol=1e-6)  # four roundings
