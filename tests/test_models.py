import importlib.util
import inspect
import math

import keras
import numpy as np
import pytest

from keraslayers import models
from tests import oracles_models
from tests.multiply_adds import multiply_adds

pytestmark = [
    pytest.mark.filterwarnings("error"),
    # Keras saves a TensorFlow variable through np.array, which NumPy 2 remarks on; not ours to change.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

SPECS = [models.spec(name) for name in models.names()]
REFERENCES = [
    pytest.param(spec, reference, id="-".join([spec.name, *map(str, reference.options.values())]))
    for spec in SPECS
    for reference in spec.references
]
BUILDERS = [pytest.param(spec.builder, id=spec.name) for spec in SPECS]
MOBILENETS = [models.MobileNetV3Small, models.MobileNetV3Large]


def randomize(model, seed=0):
    """Gives every weight a value that shows: no statistic is 0 or 1, no bias is 0."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            if weight.name in ("gamma", "moving_variance"):
                values.append(random.uniform(0.5, 1.5, weight.shape))
            elif len(weight.shape) == 1:
                values.append(random.normal(0, 0.2, weight.shape))
            else:
                # Keeps the scale of what passes through, with the gain of ReLU.
                inputs = math.prod(weight.shape[:2] if "depthwise" in layer.name else weight.shape[:-1])
                values.append(random.normal(0, math.sqrt(2 / inputs), weight.shape))
        layer.set_weights(values)


def image(shape, batch=2, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, *shape)).astype("float32")


def outputs(model, x):
    return np.asarray(model(x, training=False))


def assert_close(actual, expected):
    # float32 sums in another order; 1e-4 of the largest output where an output is near zero.
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


# Reference counts


@pytest.mark.parametrize(("spec", "reference"), REFERENCES)
def test_counts_equal_the_reference(spec, reference):
    model = models.create(spec.name, **reference.options)
    assert model.input_shape == (None, *spec.input_shape)
    assert model.count_params() == reference.parameters
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == reference.trainable_parameters
    # Sources differ in whether they count the convolutions of squeeze-and-excitation, below 1 %.
    assert multiply_adds(model) == pytest.approx(reference.multiply_adds, rel=0.01)
    names = [operation.name for operation in model.operations]
    assert len(set(names)) == len(names)


# Outputs


@pytest.mark.parametrize("options", [{}, {"alpha": 0.75}, {"minimalistic": True}], ids=str)
@pytest.mark.parametrize("builder", MOBILENETS)
def test_mobilenet_v3_equals_keras_applications(builder, options):
    # An odd and an even side: TensorFlow pads them differently.
    common = {"input_shape": (65, 96, 3), "classes": 11, "classifier_activation": None, **options}
    ours = builder(**common)
    theirs = getattr(keras.applications, builder.__name__)(weights=None, include_preprocessing=False, **common)
    x = image((65, 96, 3))
    randomize(theirs, seed=2)
    ours.set_weights(theirs.get_weights())
    assert_close(outputs(ours, x), outputs(theirs, x))
    randomize(ours, seed=3)
    theirs.set_weights(ours.get_weights())
    assert_close(outputs(theirs, x), outputs(ours, x))


@pytest.mark.parametrize("alpha", [0.35, 1.3])
@pytest.mark.parametrize("builder", MOBILENETS)
def test_mobilenet_v3_has_the_widths_of_keras_applications(builder, alpha):
    theirs = getattr(keras.applications, builder.__name__)(
        input_shape=(32, 32, 3), weights=None, include_preprocessing=False, alpha=alpha
    )
    ours = builder(input_shape=(32, 32, 3), alpha=alpha)
    assert [weight.shape for weight in ours.get_weights()] == [weight.shape for weight in theirs.get_weights()]


@pytest.mark.parametrize("builder", MOBILENETS)
def test_mobilenet_v3_normalizes_as_keras_applications(builder):
    model = builder(input_shape=(32, 32, 3))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(1e-3, 0.999)}


@pytest.mark.parametrize("shape", [(32, 32, 3), (45, 38, 1)], ids=str)
def test_shufflenet_v2_equals_the_oracle(shape):
    model = models.ShuffleNetV2(input_shape=shape, classes=7, classifier_activation=None, alpha=0.5)
    randomize(model)
    x = image(shape)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    assert_close(outputs(model, x), oracles_models.shufflenet_v2(x, weights))


@pytest.mark.parametrize("modern", [False, True])
def test_lenet5_equals_the_oracle(modern):
    model = models.LeNet5(classifier_activation=None, modern=modern)
    randomize(model)
    x = image((32, 32, 1))
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    assert_close(outputs(model, x), oracles_models.lenet5(x, weights, modern))


@pytest.mark.parametrize("builder", BUILDERS)
def test_classifier_activation_acts_on_the_logits(builder):
    x = image((32, 32, 3))
    logits = builder(input_shape=(32, 32, 3), classes=4, classifier_activation=None)
    randomize(logits)
    softmax = builder(input_shape=(32, 32, 3), classes=4)
    softmax.set_weights(logits.get_weights())
    expected = np.exp(outputs(logits, x))
    # float32 against float32
    np.testing.assert_allclose(outputs(softmax, x), expected / expected.sum(-1, keepdims=True), rtol=1e-5, atol=1e-7)


# Use


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_fit_step_changes_every_weight(builder, tmp_path):
    keras.utils.set_random_seed(0)
    model = builder(input_shape=(32, 32, 1), classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    before = model.get_weights()
    history = model.fit(image((32, 32, 1), batch=8), np.arange(8) % 3, batch_size=8, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    unchanged = [w.path for w, old in zip(model.weights, before, strict=True) if np.array_equal(w.numpy(), old)]
    assert unchanged == []

    # Loaded in Keras's safe mode, and as weights into a new model.
    x = image((32, 32, 1))
    expected = outputs(model, x)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(loaded, x), expected)
    assert [operation.name for operation in loaded.operations] == [operation.name for operation in model.operations]
    for path in (tmp_path / "model.keras", str(tmp_path / "model.weights.h5")):
        again = builder(input_shape=(32, 32, 1), classes=3, weights=path)
        np.testing.assert_array_equal(outputs(again, x), expected)


@pytest.mark.parametrize(
    ("builder", "maps"),
    [
        (models.LeNet5, (5, 5, 16)),
        (models.MobileNetV3Small, (1, 1, 576)),
        (models.MobileNetV3Large, (1, 1, 960)),
        (models.ShuffleNetV2, (1, 1, 1024)),
    ],
)
def test_without_top_and_with_unknown_sizes(builder, maps):
    features = builder(input_shape=(32, 32, 3), include_top=False)
    assert features.output_shape == (None, *maps)
    x = image((32, 32, 3))
    expected = outputs(features, x)
    for pooling, take in (("avg", np.mean), ("max", np.max)):
        pooled = builder(input_shape=(None, None, 3), include_top=False, pooling=pooling)
        assert pooled.output_shape == (None, maps[-1])
        pooled.set_weights(features.get_weights())
        # a mean in another order
        np.testing.assert_allclose(outputs(pooled, x), take(expected, (1, 2)), rtol=1e-5, atol=1e-7)
    if builder is not models.LeNet5:
        assert builder(input_shape=(None, None, 3), classes=5).output_shape == (None, 5)


@pytest.mark.parametrize(
    ("builder", "side"),
    [
        (models.LeNet5, 16),
        (models.MobileNetV3Small, 1),
        (models.MobileNetV3Large, 1),
        (models.ShuffleNetV2, 1),
    ],
)
def test_smallest_size(builder, side):
    model = builder(input_shape=[side, side, 1], classes=2)
    assert np.isfinite(outputs(model, image((side, side, 1)))).all()


def test_dropout_rate():
    model = models.MobileNetV3Small(input_shape=(32, 32, 3), dropout_rate=0.5)
    assert model.get_layer("dropout").rate == 0.5
    assert models.MobileNetV3Small(input_shape=(32, 32, 3)).get_layer("dropout").rate == 0.2  # section 6.1.1: 0.8 kept


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_shufflenet_v2_slices_are_named_after_their_place(alpha):
    model = models.ShuffleNetV2(input_shape=(32, 32, 3), alpha=alpha)
    slices = {operation.name for operation in model.operations if type(operation).__name__ == "GetItem"}
    expected = {
        f"stage{stage}_unit{unit}_{half}"
        for stage, units in ((2, 4), (3, 8), (4, 4))
        for unit in range(2, units + 1)
        for half in ("keep", "change")
    }
    assert slices == expected


# Names


def test_names():
    assert models.names() == ["lenet5", "mobilenet_v3_large", "mobilenet_v3_small", "shufflenet_v2"]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_spec_is_complete(spec):
    assert getattr(models, spec.builder.__name__) is spec.builder
    assert spec.builder.__name__ in models.__all__
    assert spec.builder.__name__.lower() == spec.name.replace("_", "")
    assert spec.paper
    assert 1990 < spec.year < 2030
    assert spec.url.startswith("https://")
    assert spec.references
    assert all(reference.source for reference in spec.references)
    assert all(reference.top1 is None or 50 < reference.top1 < 100 for reference in spec.references)
    parameters = inspect.signature(spec.builder).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    assert [parameter.name for parameter in parameters][:7] == [
        "input_shape",
        "classes",
        "include_top",
        "weights",
        "pooling",
        "classifier_activation",
        "name",
    ]


def test_create_passes_options_on():
    model = models.create("lenet5", input_shape=(20, 24, 2), classes=3, modern=True, name="reader")
    assert model.name == "reader"
    assert model.input_shape == (None, 20, 24, 2)
    assert model.output_shape == (None, 3)
    assert models.create("lenet5").name == "lenet5"


def test_a_name_twice_is_refused():
    with pytest.raises(ValueError, match="two specs have the name 'lenet5'"):
        models._table((models.spec("lenet5"), models.spec("lenet5")))


def test_another_import_name_is_refused():
    location = importlib.util.spec_from_file_location("models", models.__file__)
    module = importlib.util.module_from_spec(location)
    with pytest.raises(ImportError, match=r"it was imported as `models`\. Write `from keraslayers import models`"):
        location.loader.exec_module(module)


# Errors

LENET, SMALL, LARGE, SHUFFLE = models.LeNet5, models.MobileNetV3Small, models.MobileNetV3Large, models.ShuffleNetV2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: models.create("lenet"), ValueError, r"`create`: `name` must be .*'lenet'\. Did you mean 'lenet5'"),
        (lambda: models.spec("shufflenet"), ValueError, r"`spec`: `name` must be one of .*got 'shufflenet'"),
        (
            lambda: models.create("lenet5", clases=3),
            TypeError,
            r"`create`: 'lenet5' has no option `clases`; its options are .*`modern`\. Did you mean `classes`\?",
        ),
        (lambda: LENET(input_shape=(32, 32)), ValueError, r"`LeNet5`: `input_shape` must be \(height, width, chan"),
        (lambda: LENET(input_shape=32), ValueError, r"`LeNet5`: `input_shape` must be .*got 32"),
        (lambda: SMALL(input_shape=(32, 32, None)), ValueError, r"of which height and width may be None; got"),
        (lambda: SMALL(input_shape=(0, 32, 3)), ValueError, r"`MobileNetV3Small`: `input_shape` must be at least 1"),
        (lambda: SMALL(input_shape=(32.0, 32, 3)), TypeError, r"`input_shape` must be a whole number; got 32\.0"),
        (lambda: LENET(input_shape=(32, 15, 1)), ValueError, r"the smallest `input_shape` is \(16, 16, 1\).*32, 15, 1"),
        (lambda: LENET(input_shape=(None, 32, 1)), ValueError, r"`LeNet5`.*known height and width.*include_top=False"),
        (lambda: LARGE(classes=0), ValueError, r"`MobileNetV3Large`: `classes` must be at least 1; got 0"),
        (lambda: LARGE(classes="10"), TypeError, r"`classes` must be a whole number; got '10'"),
        (lambda: SHUFFLE(pooling="mean"), ValueError, r"`ShuffleNetV2`: `pooling` must be one of None, 'avg', 'max'"),
        (lambda: SHUFFLE(alpha=0.75), ValueError, r"`ShuffleNetV2`: `alpha` must be one of 0\.5, 1\.0, 1\.5, 2\.0"),
        (lambda: SMALL(alpha=0), ValueError, r"`MobileNetV3Small`: `alpha` must be above 0; got 0"),
        (lambda: SMALL(alpha="1"), TypeError, r"`alpha` must be a number above 0; got '1'"),
        (
            lambda: LARGE(dropout_rate=1),
            ValueError,
            r"`MobileNetV3Large`: `dropout_rate` must be within \[0, 1\); got 1",
        ),
        (lambda: LENET(weights="imagenet"), ValueError, r"`LeNet5`: `weights` .*'imagenet'\. No published weights are"),
        (lambda: LENET(weights=3), TypeError, r"`LeNet5`: `weights` must be None or the path of a file; got 3"),
        (lambda: LENET(weights="no.keras"), FileNotFoundError, r"`LeNet5`: `weights` names a file that does not exist"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("builder", BUILDERS)
def test_channels_first_is_refused(builder):
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match=r"set_image_data_format\('channels_last'\)"):
            builder()
    finally:
        keras.config.set_image_data_format("channels_last")
