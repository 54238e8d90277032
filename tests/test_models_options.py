"""What every builder makes of its arguments: whole numbers of NumPy, unknown and missing options, a single class."""

import inspect

import keras
import numpy as np
import pytest

from keraslayers import models
from tests.cases_models import MODELS

SPECS = [models.spec(name) for name in models.names()]
every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
every_model = pytest.mark.parametrize("case", MODELS, ids=lambda case: case.name)


@pytest.mark.sweep
@every_model
def test_whole_numbers_of_numpy(case):
    numbers = {
        name: np.int64(value)
        for name, value in case.options.items()
        if isinstance(value, int) and not isinstance(value, bool)
    }
    plain = case.make(classes=3)
    made = case.make(input_shape=tuple(np.array(case.input_shape)), classes=np.int64(3), **numbers)
    assert made.get_config() == plain.get_config()


def test_whole_numbers_of_numpy_in_networks_for_texts():
    for builder in (models.TextCNN, models.DPCNN):
        options = {"tokens": 9, "embedding_dim": 4, "filters": 5}
        made = builder(np.int64(7), np.int32(3), **{name: np.int64(value) for name, value in options.items()})
        assert made.get_config() == builder(7, 3, **options).get_config()
    assert models.TextCNN(7, filters=2, kernel_sizes=(np.int64(2),)).get_layer("conv2").kernel_size == (2,)


@every_spec
def test_unknown_options_name_the_nearest(spec):
    who = spec.builder.__name__
    with pytest.raises(TypeError, match=rf"^`{who}`: '{who}' has no option `clases`; its .*Did you mean `classes`\?$"):
        spec.builder(clases=3)


def test_missing_options_are_named():
    for build in (models.TextCNN, lambda: models.create("text_cnn")):
        with pytest.raises(
            TypeError, match=r"^`TextCNN`: `vocabulary` must be given, as in TextCNN\(vocabulary=\.\.\.\)"
        ):
            build()


def test_builders_keep_their_names_and_arguments():
    assert models.LeNet5.__name__ == "LeNet5"
    assert list(inspect.signature(models.TextCNN).parameters)[:2] == ["vocabulary", "classes"]


@pytest.mark.sweep
@every_model
def test_one_class_behind_a_softmax_is_refused(case):
    with pytest.raises(ValueError, match=rf"^`{case.builder.__name__}`: `classes` must be 2 or more behind a softmax"):
        case.make(classes=1)


def test_one_class_is_no_matter_behind_a_sigmoid_and_without_top():
    assert models.LeNet5(classes=1, classifier_activation="sigmoid").output_shape == (None, 1)
    assert models.LeNet5(classes=1, include_top=False).output_shape == (None, 5, 5, 16)


def test_one_class_behind_a_softmax_is_refused_for_texts():
    for builder in (models.TextCNN, models.DPCNN):
        with pytest.raises(ValueError, match=rf"^`{builder.__name__}`: `classes` must be 2 or more behind a softmax"):
            builder(7, 1)
        assert builder(7, 1, classifier_activation="sigmoid").output_shape == (None, 1)


def test_kernel_sizes_differ():
    with pytest.raises(ValueError, match=r"`TextCNN`: `kernel_sizes` must differ; got \(3, 3\)\. For more filters"):
        models.TextCNN(7, kernel_sizes=(3, 3))


@pytest.mark.parametrize(
    ("given", "meant"), [("NiN", "nin"), ("TextCNN", "text_cnn"), ("VGG-16", "vgg16"), ("ResNeXt-50", "resnext50")]
)
def test_names_are_suggested_whatever_their_capitals_and_hyphens(given, meant):
    with pytest.raises(ValueError, match=rf"got '{given}'\. Did you mean '{meant}'\?$"):
        models.create(given)


# features


def test_features_of_a_sequential_model():
    layers = [keras.layers.Conv2D(4, 3, 2, padding="same", name=f"stage{stage}_conv") for stage in (1, 2, 3)]
    model = keras.Sequential([keras.Input((64, 64, 3)), *layers])
    assert [maps.shape[1] for maps in models.features(model).outputs] == [16, 8]
    with pytest.raises(ValueError, match=r"`features`: `model` 'sequential.*' has no stage of stride 16; its stages"):
        models.features(model, (4, 16))


def test_features_of_a_model_with_fine_maps_alone():
    model = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Conv2D(4, 3, 2, name="stage1_conv")])
    assert [maps.shape[1] for maps in models.features(model).outputs] == [31]


@pytest.mark.parametrize("builder", [models.DPCNN, models.TextCNN])
def test_features_of_texts_are_refused(builder):
    with pytest.raises(
        ValueError, match=r"`features`: `model` must take images, of 4 axes; '\w+' takes \(None, None\)"
    ):
        models.features(builder(9))


def test_features_of_a_model_without_stages_are_refused():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="first")])
    with pytest.raises(ValueError, match=r"`features`: `model` .* has no layers named `stage1_\.\.\.`"):
        models.features(model)
