"""The laws of a layer, over every row of cases.py."""

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase as Harness

from tests import backend
from tests.cases import CASES, FUNCTIONS

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_function = pytest.mark.parametrize("case", FUNCTIONS, ids=lambda case: case.name)

# The distance from 1 to the next number.
STEP = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def randomise(layer, scale=1.0):
    """Gives every weight a value, since zeros and ones (biases, gains) hide what is done with them."""
    random = np.random.default_rng(1)
    layer.set_weights([(scale * random.normal(size=weight.shape)).astype(weight.dtype) for weight in layer.weights])


def built(case, **more):
    layer = case.make(**more)
    layer.build((None, *case.input_shape))
    randomise(layer, case.weight_scale)
    return layer


def functional(case, shape=None):
    inputs = keras.Input(shape or case.input_shape)
    model = keras.Model(inputs, case.make(name="judged")(inputs))
    randomise(model.get_layer("judged"), case.weight_scale)
    return model


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor).astype("float64")


def close(actual, expected, case, dtype="float32"):
    """Exact for layers that only move or clip; else four roundings of the result, or of a sum of inputs of about 4."""
    step = 0.0 if case.exact else STEP[dtype]
    absolute = 4 * 4 * step * case.terms**0.5
    np.testing.assert_allclose(numpy(actual), np.asarray(expected, "float64"), rtol=4 * step, atol=absolute)


def judged(case, x, layer):
    return case.oracle(x, [keras.ops.convert_to_numpy(weight) for weight in layer.weights], case.options)


def refusal(case, dtype):
    """The error with which this machine refuses Keras's own layer of the kind in a dtype; None where it takes it."""
    if case.stock is None:
        return None
    layer = case.stock(kernel_size=3, data_format="channels_first", dtype=f"mixed_{dtype}")
    try:
        layer(np.ones((1, 3, 4, 5), dtype))
    except backend.UNIMPLEMENTED as error:
        return type(error)
    return None


PLACES = 24  # at which a gradient is measured


@every_case
def test_equals_the_oracle(case):
    layer, x = built(case), case.inputs()
    close(layer(x), judged(case, x, layer), case)


@pytest.mark.sweep
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", [case for case in CASES if case.stock is None], ids=lambda case: case.name)
def test_gradients_equal_numeric_ones(case):
    layer = built(case, dtype="float64")
    start = case.inputs().astype("float64")
    for kink in case.kinks:
        start[np.abs(start - kink) < 1e-2] = kink + 0.1
    towards = np.random.default_rng(2).normal(size=case.outputs_shape())
    values = [start, *layer.get_weights()]
    assert len(layer.trainable_variables) == len(layer.weights) == case.weights
    loss = backend.compiled(backend.loss_of(layer, towards))
    for which, (value, gradient) in enumerate(zip(values, backend.gradients(loss, values), strict=True)):
        assert gradient is not None, f"no gradient reaches value {which}"
        # Some places of each stand for all: every place takes two runs.
        places = np.random.default_rng(which).permutation(list(np.ndindex(value.shape)))[:PLACES]
        numeric = np.array(gradient)
        for place in map(tuple, places):
            ends = []
            for step in (1e-5, -1e-5):
                moved = value.copy()
                moved[place] += step
                ends.append(float(numpy(loss(*values[:which], moved, *values[which + 1 :]))))
            numeric[place] = (ends[0] - ends[1]) / 2e-5
        # The loss is about 1e2 and rounds at 1e-14, which the division by 2e-5 makes 1e-9; step**2 adds 1e-10.
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)


@every_case
def test_gradients_are_finite_at_the_kinks(case):
    for gradient in backend.gradients_of(built(case), case.inputs(), np.ones(case.outputs_shape())):
        assert np.isfinite(gradient).all()


FIRST = [case for case in CASES if case.options.get("data_format") == "channels_first"]


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.name)
def test_gradients_of_channels_first_are_those_of_channels_last(case):
    x, towards = case.inputs(), np.random.default_rng(2).normal(size=case.outputs_shape())
    layer = built(case)
    twin = case.layer(**{**case.options, "data_format": "channels_last"})
    twin.build(np.moveaxis(x, 1, -1).shape)
    twin.set_weights(layer.get_weights())
    along = np.moveaxis(towards, 1, -1) if towards.ndim == x.ndim else towards  # points are no images
    image, *weights = backend.gradients_of(twin, np.moveaxis(x, 1, -1), along)
    for ours, theirs in zip(
        backend.gradients_of(layer, x, towards), [np.moveaxis(image, -1, 1), *weights], strict=True
    ):
        # Sums of some hundred products in another order, of inputs of about 4.
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


@every_case
def test_symbolic_shape_equals_eager_shape(case):
    expected = case.outputs_shape()
    x = case.inputs()
    assert tuple(built(case)(x).shape) == expected
    assert tuple(case.make()(keras.KerasTensor(x.shape)).shape) == expected
    assert tuple(functional(case).output.shape) == (None, *expected[1:])
    for shape in (x.shape, list(x.shape)):
        assert case.make().compute_output_shape(shape) == expected
    assert case.layer.compute_output_shape is not keras.layers.Layer.compute_output_shape


@every_case
def test_config_round_trip(case):
    layer, x = built(case), case.inputs()
    config = layer.get_config()
    for name, value in case.options.items():
        assert config[name] == value, f"{name} is not in the configuration as it was given"
    twin = case.layer.from_config(config)
    assert twin.get_config() == config
    twin.build((None, *case.input_shape))
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(numpy(twin(x)), numpy(layer(x)))  # the same computation twice


@every_case
def test_file_round_trip(case, tmp_path):
    model, x = functional(case), case.inputs()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(loaded.get_layer("judged")) is case.layer
    assert loaded.get_layer("judged").get_config() == model.get_layer("judged").get_config()
    np.testing.assert_array_equal(numpy(loaded(x)), numpy(model(x)))  # the same computation twice


@pytest.mark.sweep
@every_case
def test_unknown_batch(case):
    model, x = functional(case), case.inputs(4)
    close(model.predict(x, verbose=0, batch_size=3), judged(case, x, model), case)  # of three, and of one


@pytest.mark.sweep
@every_case
def test_unknown_size(case):
    shape = list(case.input_shape)
    known = None if case.channel_axis is None else case.channel_axis % len(shape)
    unknown = [size if axis == known else None for axis, size in enumerate(shape)]
    if case.known_size:
        with pytest.raises(ValueError, match=rf"`{case.layer.__name__}`: height, width and channels must be known"):
            functional(case, unknown)
        return
    model = functional(case, unknown)
    run = backend.of_any_size(model)
    for more in (0,) if case.fixed_size else (0, 2):
        x = case.inputs(shape=[size if axis == known else size + more for axis, size in enumerate(shape)])
        close(run(x), judged(case, x, model), case)


@every_case
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision(case, dtype):
    half, full = built(case, dtype=f"mixed_{dtype}"), built(case)
    # Both start from the same values, rounded to what 16 bits can hold.
    x = keras.ops.cast(keras.ops.cast(case.inputs(), dtype), "float32")
    for ours, theirs in zip(half.weights, full.weights, strict=True):
        assert ours.dtype == "float32"
        theirs.assign(keras.ops.cast(keras.ops.cast(ours, dtype), "float32"))
    if refused := refusal(case, dtype):
        with pytest.raises(refused):
            half(x)
        return
    outputs = half(x)
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype
    close(outputs, numpy(full(x)), case, dtype)


@pytest.mark.parametrize(
    "case", {case.layer: case for case in reversed(CASES)}.values(), ids=lambda case: case.layer.__name__
)
def test_trains_in_mixed_precision(case):
    inputs = keras.Input(case.input_shape)
    x = keras.layers.Dense(case.input_shape[-1], name="before")(inputs)
    x = keras.layers.Flatten()(case.make(dtype="mixed_float16")(x))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile("sgd", "mse", jit_compile=backend.JIT)
    before = model.get_layer("before").get_weights()[0]
    x = np.random.default_rng(3).normal(size=(4, *case.input_shape)).astype("float32")
    assert np.isfinite(model.fit(x, np.ones((4, 1)), verbose=0).history["loss"]).all()
    # It learns only through the layer.
    after = model.get_layer("before").get_weights()[0]
    assert np.isfinite(after).all()
    assert not np.array_equal(before, after)


@pytest.mark.sweep
@every_case
def test_xla(case):
    layer, x = built(case), case.inputs()
    close(backend.jitted(layer)(x), numpy(layer(x)), case)


@pytest.mark.sweep
@every_case
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")  # the harness trains from a generator
@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")  # nor has the layer alone
def test_keras_harness(case):
    Harness().run_layer_test(
        case.layer,
        init_kwargs=case.options,
        input_shape=(2, *case.input_shape),
        expected_output_shape=case.outputs_shape(),
        expected_num_trainable_weights=case.weights,
        expected_num_non_trainable_weights=0,
        expected_num_seed_generators=0,
        expected_num_losses=0,
        supports_masking=case.masks,
        # What is refused, and how, `test_mixed_precision` asserts.
        run_mixed_precision_check=refusal(case, "float16") is None,
    )


@pytest.mark.parametrize("case", [case for case in CASES if case.masks], ids=lambda case: case.name)
def test_mask_passes_through(case):
    mask = np.array([[True, False], [True, True]])
    layer = built(case)
    x = keras.ops.convert_to_tensor(case.inputs())
    keras.src.backend.set_keras_mask(x, mask)
    np.testing.assert_array_equal(keras.src.backend.get_keras_mask(layer(x)), mask)


@pytest.mark.sweep
@every_case
def test_training_lowers_the_loss(case):
    # A teacher of the same form makes the targets, so that they can be met. The head stays as it is: whatever is
    # learnt is learnt through the layer.
    def network():
        inputs = keras.Input(case.input_shape)
        outputs = case.make(name="judged")(keras.layers.Dense(case.input_shape[-1], name="before")(inputs))
        outputs = keras.layers.Dense(4, trainable=False)(keras.layers.Flatten()(outputs))
        return keras.Model(inputs, outputs)

    teacher, pupil = network(), network()
    pupil.layers[-1].set_weights(teacher.layers[-1].get_weights())
    x = np.random.default_rng(3).normal(size=(32, *case.input_shape)).astype("float32")
    before = [weight.numpy() for weight in pupil.get_layer("judged").trainable_weights]
    pupil.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=backend.JIT)
    losses = pupil.fit(x, numpy(teacher(x)), batch_size=16, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    for old, weight in zip(before, pupil.get_layer("judged").trainable_weights, strict=True):
        assert not np.array_equal(old, weight.numpy()), f"{weight.path} learns nothing"


@every_function
def test_function_equals_the_oracle(case):
    x = case.inputs()
    expected = case.oracle(x, [], case.options)
    close(case(x), expected, case)
    close(case(keras.ops.convert_to_tensor(x)), expected, case)


@every_function
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("dtype", STEP)
def test_function_keeps_the_dtype(case, dtype):
    x = keras.ops.cast(case.inputs(), dtype)
    outputs = case(x)
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype
    close(outputs, case.oracle(numpy(x), [], case.options), case, dtype)


@every_function
def test_function_builds_a_functional_model(case, tmp_path):
    x = case.inputs()
    inputs = keras.Input(case.input_shape)
    outputs = case(inputs)
    assert tuple(outputs.shape) == (None, *case.outputs_shape()[1:])
    # Before 3.14 Keras took no input for an output, which an identity gives.
    model = keras.Model(inputs, keras.layers.Identity()(outputs) if outputs is inputs else outputs)
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    close(model(x), case.oracle(x, [], case.options), case)


@pytest.mark.parametrize("layer", sorted({case.layer for case in CASES}, key=lambda layer: layer.__name__))
def test_a_subclass_may_make_weights_of_its_own(layer):
    case = next(case for case in CASES if case.layer is layer)

    class Scaled(layer):
        def build(self, input_shape):
            super().build(input_shape)
            self.weight_of_its_own = self.add_weight(shape=(), initializer="ones")

    scaled = Scaled(**case.options)
    scaled(case.inputs())
    assert len(scaled.weights) == case.weights + 1
