"""The laws of models, over every row of cases_models.py; then names and errors."""

import importlib.util
import inspect

import keras
import numpy as np
import pytest

from keraslayers import models
from tests.cases_models import MODELS
from tests.model_tools import image, outputs, randomize

pytestmark = [
    pytest.mark.filterwarnings("error"),
    # Keras saves a TensorFlow variable through np.array, which NumPy 2 remarks on; not ours to change.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

SPECS = [models.spec(name) for name in models.names()]
IMAGE_SPECS = [spec for spec in SPECS if len(spec.input_shape) == 3]
# The first row of each file of builders: training takes long.
FAMILIES = list({case.builder.__module__ + str(case.outputs): case for case in reversed(MODELS)}.values())
every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
every_image_spec = pytest.mark.parametrize("spec", IMAGE_SPECS, ids=lambda spec: spec.name)


def first(y):
    """The main output; the others are auxiliary."""
    return y[0] if isinstance(y, list) else y


def gray(case):
    """The row's input shape with one channel."""
    return (*case.input_shape[:2], 1)


@pytest.fixture(scope="module", params=MODELS, ids=lambda case: case.name)
def case(request):
    """A row; of one after the other every law is tested, as pytest orders what has a parameter of the module."""
    return request.param


@pytest.fixture(scope="module")
def network(case):
    """The network of a row, of five classes, with weights at random; the tests leave it as it is."""
    model = case.make(classes=5)
    randomize(model)
    return model


# Use


@pytest.mark.sweep
@pytest.mark.parametrize("one", FAMILIES, ids=lambda case: case.name)
def test_a_fit_step_changes_every_weight(one, tmp_path):
    case = one
    keras.utils.set_random_seed(0)
    model = case.make(input_shape=gray(case), classes=3)
    loss = ["sparse_categorical_crossentropy"] * case.outputs
    # To trace a training function takes longer than its one step.
    model.compile("sgd", loss if case.outputs > 1 else loss[0], run_eagerly=True)
    before = model.get_weights()
    labels = [np.arange(8) % 3] * case.outputs
    history = model.fit(image(gray(case), batch=8), labels if case.outputs > 1 else labels[0], batch_size=8, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    unchanged = [w.path for w, old in zip(model.weights, before, strict=True) if np.array_equal(w.numpy(), old)]
    assert unchanged == []

    # Loaded in Keras's safe mode, and as weights into a new model; test_models_weights has files of weights alone.
    x = image(gray(case))
    expected = np.array(first(model(x, training=False)))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(first(loaded(x, training=False)), expected)
    assert [operation.name for operation in loaded.operations] == [operation.name for operation in model.operations]
    again = case.make(input_shape=gray(case), classes=3, weights=tmp_path / "model.keras")
    np.testing.assert_array_equal(first(again(x, training=False)), expected)


@pytest.mark.sweep
def test_without_top_and_with_unknown_sizes(case, network):
    # What normalizations divide by goes through, too.
    normalizes = "bn_epsilon" in inspect.signature(case.builder).parameters
    options = {"bn_epsilon": 0.125} if normalizes else {}
    maps = case.make(include_top=False, **options)
    assert maps.output_shape == (None, *case.maps)
    norms = [layer for layer in maps.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert not normalizes or {norm.epsilon for norm in norms} <= {0.125}
    randomize(maps)
    x = image(case.input_shape)
    expected = outputs(maps, x)
    # One of the two a row: to make a network takes seconds.
    pooling, take = (("avg", np.mean), ("max", np.max))[MODELS.index(case) % 2]
    sides = (None, None) if case.open_maps else case.input_shape[:2]
    pooled = case.make(input_shape=(*sides, case.input_shape[2]), include_top=False, pooling=pooling, **options)
    assert pooled.output_shape == (None, case.maps[-1])
    pooled.set_weights(maps.get_weights())
    # a mean in another order, after convolutions that sum in another order
    np.testing.assert_allclose(
        outputs(pooled, x), take(expected, (1, 2)), rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )
    if case.channels:  # of open sizes, without top: the same stages
        ends = [
            [tensor._keras_history.operation.name for tensor in models.features(model, list(case.channels)).outputs]
            for model in (network, pooled)
        ]
        assert ends[0] == ends[1]
    if case.open_size:
        open_size = case.make(input_shape=(None, None, case.input_shape[2]), classes=5)
        assert first(open_size.output_shape) == (None, 5) or open_size.output_shape == (None, 5)
        open_size.set_weights(network.get_weights())
        np.testing.assert_allclose(
            first(open_size(x, training=False)), first(network(x, training=False)), rtol=1e-3, atol=1e-6
        )
    else:
        with pytest.raises(ValueError, match=rf"`{case.builder.__name__}`: `input_shape` must have a known height"):
            case.make(input_shape=(None, None, 3))
    if not case.open_maps:
        with pytest.raises(ValueError, match=rf"`{case.builder.__name__}`: `input_shape` must have a known height"):
            case.make(input_shape=(None, None, 3), include_top=False)
    if normalizes:
        with pytest.raises(ValueError, match=rf"`{case.builder.__name__}`: `bn_epsilon` must be above 0"):
            case.make(bn_epsilon=0)


@pytest.mark.sweep
def test_smallest_size(case):
    side = case.smallest
    model = case.make(input_shape=[side, side, 1], classes=2)
    assert np.isfinite(np.array(first(model(image((side, side, 1)), training=False)))).all()
    if side > 1:
        for sides in ((side - 1, side), (side, side - 1)):
            with pytest.raises(ValueError, match=rf"`{case.builder.__name__}`: the smallest `input_shape` is \({side}"):
                case.make(input_shape=(*sides, 1))


@pytest.mark.sweep
def test_preprocessing_scales_pixels_and_the_activation_acts_on_logits(case, network):
    model = case.make(classes=5, preprocessing=True, classifier_activation=None)
    model.set_weights(network.get_weights())
    x = np.random.default_rng(2).integers(0, 256, (2, *case.input_shape)).astype("float32")
    scaled = np.array(model.get_layer("preprocessing")(x))
    assert 0.99 < scaled.max() - scaled.min() < 6
    expected = np.array(first(model(x, training=False)))
    expected = np.exp(expected - expected.max(-1, keepdims=True))
    # logits of some tens or hundreds, in float32
    np.testing.assert_allclose(
        first(network(scaled, training=False)), expected / expected.sum(-1, keepdims=True), rtol=1e-4, atol=1e-7
    )


@pytest.mark.sweep
def test_padding(case):
    if "padding" in inspect.signature(case.builder).parameters:
        x = image(case.input_shape)
        same, symmetric = (case.make(padding=padding, include_top=False) for padding in ("same", "symmetric"))
        randomize(same)
        symmetric.set_weights(same.get_weights())
        assert same.output_shape == symmetric.output_shape
        assert not np.allclose(outputs(same, x), outputs(symmetric, x), rtol=1e-3)
        with pytest.raises(ValueError, match=rf"`{case.builder.__name__}`: `padding` must be one of 'same', 'symmet"):
            case.make(padding="valid")


# Features and classifiers


@pytest.mark.sweep
def test_features_are_the_ends_of_the_stages(case, network):
    if not case.channels:
        return  # its stages hold tokens
    strides = list(case.channels)
    found = models.features(network, strides)
    assert {stride: maps.shape[-1] for stride, maps in zip(strides, found.outputs, strict=True)} == case.channels
    assert found.layers[1] is network.layers[1]
    default = [maps.shape[-1] for maps in models.features(network).outputs]
    assert default == [case.channels[stride] for stride in (4, 8, 16, 32) if stride in case.channels]
    with pytest.raises(ValueError, match=r"`features`: `model` .* has no stage of stride 64; its stages have the str"):
        models.features(network, (64,))


@pytest.mark.sweep
def test_replace_classifier_keeps_every_other_weight(case, network):
    before = network.get_weights()
    made = models.replace_classifier(network, 3)
    for output in made.outputs:
        assert output.shape == (None, 3)
    changed = []
    for old, new in zip(network.weights, made.weights, strict=True):
        if old.shape != new.shape or not np.array_equal(old.numpy(), new.numpy()):
            changed.append(old.path.split("/")[-1])
    # one kernel and one bias an output
    assert sorted(changed) == sorted(["bias", "kernel"] * case.outputs)
    assert [layer.name for layer in made.layers] == [layer.name for layer in network.layers]
    assert all(np.array_equal(old, new) for old, new in zip(before, network.get_weights(), strict=True))
    assert np.isfinite(np.array(first(made(image(case.input_shape), training=False)))).all()


def test_replace_classifier_of_a_network_of_keras():
    # A Reshape with the number of classes in it stands behind the classifier.
    theirs = keras.applications.MobileNet(input_shape=(32, 32, 3), weights=None, classes=7)
    made = models.replace_classifier(theirs, 3)
    assert made.output_shape == (None, 3)
    nested = keras.Sequential([keras.Input((32, 32, 3)), theirs])
    assert models.replace_classifier(nested, 4).output_shape == (None, 4)


# Names


@every_spec
def test_spec_is_complete(spec):
    assert getattr(models, spec.builder.__name__) is spec.builder
    assert spec.builder.__name__ in models.__all__
    assert spec.builder.__name__.lower() == spec.name.replace("_", "")
    assert spec.paper
    assert 1990 < spec.year < 2030
    assert spec.url.startswith("https://")
    assert spec.references
    # The first is what the builder makes by itself.
    parameters = inspect.signature(spec.builder).parameters
    given = {name: value for name, value in spec.references[0].options.items() if name not in spec.needed}
    assert given == {name: parameters[name].default for name in given}
    assert set(spec.needed) <= set(spec.references[0].options)
    assert all(reference.source for reference in spec.references)
    assert all(reference.top1 is None or 40 < reference.top1 < 100 for reference in spec.references)


@every_image_spec
def test_arguments_are_those_of_keras_applications(spec):
    parameters = inspect.signature(spec.builder).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    assert [parameter.name for parameter in parameters][:8] == [
        "input_shape",
        "classes",
        "include_top",
        "weights",
        "pooling",
        "classifier_activation",
        "name",
        "preprocessing",
    ]


@pytest.mark.sweep
def test_every_builder_has_a_row_of_its_family(case):
    assert case.builder in [spec.builder for spec in SPECS]


@every_image_spec
def test_every_family_has_a_row(spec):
    assert spec.builder.__module__ in {case.builder.__module__ for case in MODELS}


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
        (lambda: models.spec("shufflenet_v3"), ValueError, r"`spec`: `name` must be one of .*got 'shufflenet_v3'"),
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
        (lambda: SMALL(alpha="1"), TypeError, r"`MobileNetV3Small`: `alpha` must be a number; got '1'"),
        (lambda: LARGE(dropout_rate=1), ValueError, r"`MobileNetV3Large`: `dropout_rate` must be below 1; got 1"),
        (lambda: LENET(weights="imagenet"), ValueError, r"`LeNet5`: `weights` .*no published.*'imagenet'\."),
        (lambda: LENET(weights=3), TypeError, r"`LeNet5`: `weights` must be None, the path.*got 3"),
        (lambda: LENET(weights="no.keras"), FileNotFoundError, r"`LeNet5`: `weights` names a file that does not exist"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@every_image_spec
def test_channels_first_is_refused(spec):
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match=r"set_image_data_format\('channels_last'\)"):
            spec.builder()
    finally:
        keras.config.set_image_data_format("channels_last")
