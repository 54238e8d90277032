"""ResNet and its kin: equal to keras.applications with the same weights, and what they promise beyond the laws."""

import keras
import pytest

from keraslayers import models
from tests.model_tools import assert_close, image, outputs, randomize

KERAS = {"bn_epsilon": 1.001e-5}  # of its ResNets and DenseNets


def assert_parity(ours, theirs, shape):
    """With random weights of either in the other."""
    assert epsilons(ours) == epsilons(theirs)
    x = image(shape, batch=1)
    for seed, (one, other) in enumerate([(theirs, ours), (ours, theirs)]):
        randomize(one, seed)
        other.set_weights(one.get_weights())
        assert_close(outputs(ours, x), outputs(theirs, x))


def epsilons(model):
    return {layer.epsilon for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}


# A deeper one sees small images, for its time; the others have more of the same blocks, which the counts tell.
@pytest.mark.sweep
@pytest.mark.parametrize(
    ("builder", "theirs", "options", "shape"),
    [
        (models.ResNet50, "ResNet50", {"version": "1-keras", **KERAS}, (65, 96, 3)),
        (models.ResNet101, "ResNet101", {"version": "1-keras", **KERAS}, (33, 32, 3)),
        (models.ResNet50, "ResNet50V2", {"version": "2-keras", **KERAS}, (65, 96, 3)),
        (models.DenseNet121, "DenseNet121", KERAS, (65, 96, 3)),
        (models.Xception, "Xception", {}, (71, 96, 3)),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_equals_keras_applications(builder, theirs, options, shape):
    common = {"input_shape": shape, "classes": 5, "classifier_activation": None}
    assert_parity(builder(**common, **options), getattr(keras.applications, theirs)(weights=None, **common), shape)


# Versions of ResNet


def layers_of(model):
    return [(layer.name, layer.get_config()) for layer in model.layers]


def strided(model):
    return [layer.name for layer in model.layers if getattr(layer, "strides", (1, 1)) == (2, 2)]


@pytest.mark.parametrize(
    ("version", "units", "convolution", "shortcut"),
    [
        # Units by stage, the first of each is strided.
        ("1", (3, 4, 6, 3), "reduce", keras.layers.Conv2D),
        ("1.5", (3, 4, 6, 3), "conv", keras.layers.Conv2D),
        ("2", (3, 4, 6, 3), "reduce", keras.layers.Conv2D),
        ("1-keras", (3, 4, 6, 3), "reduce", keras.layers.Conv2D),
        # The last of three, four and six units halves the size, and so belongs to the next stage.
        ("2-keras", (2, 4, 6, 4), "conv", keras.layers.MaxPooling2D),
    ],
)
def test_where_each_version_strides(version, units, convolution, shortcut):
    model = models.ResNet50(input_shape=(32, 32, 3), version=version, alpha=0.125)
    names = [f"stage{stage}_unit1_{place}" for stage in (2, 3, 4) for place in ("shortcut", convolution)]
    assert set(strided(model)) == {"stem", "stem_pool", *names}
    assert {type(model.get_layer(f"stage{stage}_unit1_shortcut")) for stage in (2, 3, 4)} == {shortcut}
    adds = [layer.name for layer in model.layers if layer.name.endswith("_add")]
    expected = [f"stage{stage}_unit{unit}_add" for stage in (1, 2, 3, 4) for unit in range(1, units[stage - 1] + 1)]
    assert adds == expected


def test_version_1_and_1_5_are_the_same_without_bottlenecks():
    one, other = (models.ResNet18(input_shape=(32, 32, 3), version=version, alpha=0.25) for version in ("1", "1.5"))
    assert layers_of(one) == layers_of(other)


def test_pre_activation_leaves_the_sum_as_it_is():
    model = models.ResNet18(input_shape=(32, 32, 3), version="2", alpha=0.25)
    after = {node.operation.name for node in model.get_layer("stage1_unit1_add")._outbound_nodes}
    assert after == {"stage1_unit2_bn", "stage1_unit2_add"}
    assert model.get_layer("head_bn").input is model.get_layer("stage4_unit2_add").output


def test_preprocessing_is_what_the_weights_of_each_version_expect():
    white = keras.ops.full((1, 32, 32, 3), 255.0)
    for version, expected in (("2", (1 - 0.485) / 0.229), ("2-keras", 1.0)):
        model = models.ResNet50(input_shape=(32, 32, 3), version=version, preprocessing=True, alpha=0.125)
        assert float(model.get_layer("preprocessing")(white)[0, 0, 0, 0]) == pytest.approx(expected, rel=1e-5)


# ResNeXt


def test_resnext_of_one_wide_group_is_resnet():
    # arXiv:1611.05431, table 1: ResNet-50 is ResNeXt-50 (1x64d).
    resnet = models.ResNet50(input_shape=(32, 32, 3))
    resnext = models.ResNeXt50(input_shape=(32, 32, 3), groups=1, width_per_group=64)
    assert layers_of(resnet) == layers_of(resnext)


def test_resnext_groups():
    model = models.ResNeXt101(input_shape=(32, 32, 3), include_top=False)
    convolutions = [layer for layer in model.layers if layer.name.endswith("_conv")]
    assert len(convolutions) == 33
    assert {layer.groups for layer in convolutions} == {32}
    assert convolutions[0].kernel.shape == (3, 3, 8, 256)  # 32x8d


# Errors


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: models.ResNet50(version="v2"),
            ValueError,
            r"`ResNet50`: `version` must be one of '1', '1\.5', '2', '1-keras', '2-keras'; got 'v2'\. Did you mean '2'",
        ),
        (
            lambda: models.ResNet34(version="2-keras"),
            ValueError,
            r"`ResNet34`: `version` must be one of '1', '1\.5', '2'; got '2-keras'",
        ),
        (
            lambda: models.ResNet101(version="1-keras", preprocessing=True),
            ValueError,
            r"`ResNet101`: `preprocessing` must be False with version='1-keras', whose weights expect blue first",
        ),
        (lambda: models.ResNet18(alpha=0), ValueError, r"`ResNet18`: `alpha` must be above 0; got 0"),
        (lambda: models.ResNet18(width=2), TypeError, r"`ResNet18`: 'ResNet18' has no option `width`; its options are"),
        (lambda: models.ResNeXt50(groups=0), ValueError, r"`ResNeXt50`: `groups` must be at least 1; got 0"),
        (
            lambda: models.ResNeXt101(width_per_group=1.5),
            TypeError,
            r"`ResNeXt101`: `width_per_group` must be a whole number; got 1\.5",
        ),
        (lambda: models.DenseNet201(growth_rate=0), ValueError, r"`DenseNet201`: `growth_rate` must be at least 1"),
        (lambda: models.Xception(dropout_rate=1), ValueError, r"`Xception`: `dropout_rate` must be below 1; got 1"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
