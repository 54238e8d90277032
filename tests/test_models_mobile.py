"""Networks made for phones: equal to keras.applications with the same weights."""

import inspect
from functools import partial

import keras
import numpy as np
import pytest

from keraslayers import models
from tests.model_tools import assert_close, image, outputs, randomize

V3 = [models.MobileNetV3Small, models.MobileNetV3Large]
EFFICIENTNETS = [getattr(models, f"EfficientNetB{index}") for index in range(8)]


def theirs_of(builder, **options):
    """The network of the same name in keras.applications, to be given images in the scale that ours expects."""
    if builder in V3:
        options["include_preprocessing"] = False
    model = getattr(keras.applications, builder.__name__)(weights=None, **options)
    if builder in EFFICIENTNETS:
        # Rescaling, then a Normalization that only published weights would fill.
        model = keras.Model(model.layers[2].output, model.output)
        assert not any(isinstance(layer, keras.layers.Normalization) for layer in model.layers)
    return model


def copy_weights(source, target):
    """In the order of the layers; a classifier may be Dense here and a 1x1 convolution there."""
    values = source.get_weights()
    for index, weight in enumerate(target.weights[-2:], start=len(values) - 2):
        assert [n for n in values[index].shape if n > 1] == [n for n in weight.shape if n > 1]
        values[index] = values[index].reshape(weight.shape)
    target.set_weights(values)


def assert_equal_both_ways(ours, theirs):
    x = image(ours.input_shape[1:])
    randomize(theirs, seed=2)
    copy_weights(theirs, ours)
    assert_close(outputs(ours, x), outputs(theirs, x))
    randomize(ours, seed=3)
    copy_weights(ours, theirs)
    assert_close(outputs(theirs, x), outputs(ours, x))


# keras.applications


@pytest.mark.sweep
@pytest.mark.parametrize("options", [{}, {"alpha": 0.75}, {"minimalistic": True}], ids=str)
@pytest.mark.parametrize("builder", V3)
def test_mobilenet_v3_equals_keras_applications(builder, options):
    # An odd and an even side: TensorFlow pads them differently.
    common = {"input_shape": (65, 96, 3), "classes": 11, "classifier_activation": None, **options}
    assert_equal_both_ways(builder(**common), theirs_of(builder, **common))


@pytest.mark.parametrize("alpha", [1.0, 0.35])
def test_mobilenet_v2_equals_keras_applications(alpha):
    common = {"input_shape": (65, 96, 3), "classes": 11, "classifier_activation": None, "alpha": alpha}
    assert_equal_both_ways(models.MobileNetV2(**common), theirs_of(models.MobileNetV2, **common))


@pytest.mark.parametrize("alpha", [1.0, 0.25])
def test_mobilenet_equals_keras_applications(alpha):
    # No odd side, which is padded at its end only there.
    common = {"input_shape": (64, 96, 3), "classes": 11, "classifier_activation": None, "alpha": alpha}
    assert_equal_both_ways(models.MobileNet(**common), theirs_of(models.MobileNet, **common))


@pytest.mark.parametrize("builder", EFFICIENTNETS[:5:3])  # the others differ in numbers, which the counts tell
def test_efficientnet_equals_keras_applications(builder):
    # The larger ones see small images, for their time.
    sides = (65, 96) if builder is models.EfficientNetB0 else (33, 32)
    common = {"input_shape": (*sides, 3), "classes": 11, "classifier_activation": None}
    assert_equal_both_ways(builder(**common), theirs_of(builder, **common))


def test_efficientnet_v2_equals_keras_applications():
    common = {"input_shape": (33, 40, 3), "classes": 11, "classifier_activation": None}
    theirs = keras.applications.EfficientNetV2B0(weights=None, include_preprocessing=False, **common)
    assert_equal_both_ways(models.EfficientNetV2B0(**common), theirs)


def test_convnext_equals_keras_applications():
    common = {"input_shape": (33, 40, 3), "classes": 11, "classifier_activation": None}
    theirs = keras.applications.ConvNeXtTiny(weights=None, include_preprocessing=False, **common)
    ours = models.ConvNeXtTiny(**common)
    randomize(theirs)
    # Its depthwise convolutions are grouped ones, whose kernels have the channels last.
    pairs = zip(theirs.get_weights(), ours.weights, strict=True)
    ours.set_weights([value if value.shape == own.shape else value.transpose(0, 1, 3, 2) for value, own in pairs])
    x = image((33, 40, 3))
    assert_close(outputs(ours, x), outputs(theirs, x))


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("builder", "alpha"),
    [
        *((models.MobileNet, alpha) for alpha in (0.5, 0.75, 1.3)),
        *((models.MobileNetV2, alpha) for alpha in (0.5, 0.75, 1.3, 1.4)),
        *((builder, alpha) for builder in V3 for alpha in (0.35, 1.3)),
        *((builder, None) for builder in EFFICIENTNETS[1:5]),
    ],
)
def test_layers_are_those_of_keras_applications(builder, alpha):
    options = {} if alpha is None else {"alpha": alpha}
    ours, theirs = (
        made(input_shape=(32, 32, 3), classes=2, **options) for made in (builder, partial(theirs_of, builder))
    )
    assert [weight.shape for weight in ours.weights[:-2]] == [weight.shape for weight in theirs.weights[:-2]]
    norms, dropouts = (
        [[values(layer) for layer in model.layers if isinstance(layer, kind)] for model in (ours, theirs)]
        for kind, values in (
            (keras.layers.BatchNormalization, lambda layer: (layer.epsilon, layer.momentum)),
            (keras.layers.Dropout, lambda layer: (layer.rate, layer.noise_shape)),
        )
    )
    assert norms[0] == norms[1]
    # Keras's MobileNetV2 has no dropout, the published code has.
    assert dropouts[0] == dropouts[1] or (builder is models.MobileNetV2 and dropouts == [[(0.2, None)], []])


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (models.MobileNet, keras.applications.mobilenet.preprocess_input),
        (models.MobileNetV2, keras.applications.mobilenet_v2.preprocess_input),
        (models.MobileNetV3Small, keras.applications.mobilenet_v2.preprocess_input),
        # What weights="imagenet" of keras.applications does by its Rescaling and Normalization.
        (
            models.EfficientNetB0,
            lambda x: (x / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225]),
        ),
        (models.EfficientNetLite0, lambda x: (x - 127) / 128),
        (models.EfficientNetV2S, lambda x: (x - 128) / 128),
    ],
)
def test_preprocessing(builder, expected):
    model = builder(input_shape=(32, 32, 3), preprocessing=True)
    x = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    # float32, of values up to 3
    np.testing.assert_allclose(model.get_layer("preprocessing")(x), expected(x.copy()), rtol=1e-5, atol=1e-6)


# Options


@pytest.mark.parametrize("builder", [models.MobileNet, models.MobileNetV2, models.MobileNetV3Small])
def test_dropout_rate(builder):
    model = builder(input_shape=(32, 32, 3), alpha=0.5, dropout_rate=0.5)
    assert model.get_layer("dropout").rate == 0.5


def test_drop_connect_rate():
    def rates(**options):
        model = models.EfficientNetLite0(input_shape=(32, 32, 3), width=0.25, depth=0.5, **options)
        return [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]

    # 1, 1, 1, 2, 2, 2 and 1 units, of which the last before the stride has a shortcut.
    np.testing.assert_allclose(rates(drop_connect_rate=0.4, dropout_rate=0.6), [0.16, 0.24, 0.32, 0.6])
    assert rates(drop_connect_rate=0, dropout_rate=0) == []


def test_scale_all_scales_the_stem_the_table_and_the_features():
    plain, scaled = (models.MobileNetV3Large(alpha=0.5, scale_all=scale_all) for scale_all in (False, True))
    for name, unscaled, half in (
        ("stem", 16, 8),
        ("stage2_unit1_project", 16, 16),
        ("features", 1280, 640),
    ):
        assert [model.get_layer(name).filters for model in (plain, scaled)] == [unscaled, half]
    for options in ({}, {"alpha": 1.3}):
        shapes = [
            [weight.shape for weight in models.MobileNetV3Small(scale_all=scale_all, **options).weights]
            for scale_all in (False, True)
        ]
        assert (shapes[0] == shapes[1]) == (not options)


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


def test_the_stem_of_shufflenet_is_a_multiple_of_its_groups():
    widths = {(8, 0.5): 16, (3, 0.5): 12, (3, 2.0): 48, (1, 0.25): 6}
    for (groups, alpha), filters in widths.items():
        model = models.ShuffleNet(input_shape=(32, 32, 3), groups=groups, alpha=alpha)
        assert model.get_layer("stem").filters == filters


def test_regnets_are_those_of_the_published_tables():
    published = {
        models.RegNetX400MF: ((1, 2, 7, 12), (32, 64, 160, 384)),
        models.RegNetX1600MF: ((2, 4, 10, 2), (72, 168, 408, 912)),
        models.RegNetY200MF: ((1, 1, 4, 7), (24, 56, 152, 368)),
        models.RegNetY1600MF: ((2, 6, 17, 2), (48, 120, 336, 888)),
    }
    for build, (units, channels) in published.items():
        parameters = inspect.signature(build).parameters
        assert (parameters["units"].default, parameters["channels"].default) == (units, channels)


def test_a_share_of_the_units_is_spread_over_the_stage():
    model = models.PPLCNet(input_shape=(32, 32, 3), depth=0.5)
    units = [layer for layer in model.layers if layer.name.startswith("stage4") and "kernel_size" in layer.get_config()]
    # Of six units the first, third and fifth.
    assert [layer.kernel_size[0] for layer in units if layer.name.endswith("depthwise")] == [3, 5, 5]


def test_branches_that_train_leave_no_trace_in_what_is_deployed():
    options = {"input_shape": (32, 32, 3), "units": (1,), "channels": (8,)}
    trained, deployed = (models.MobileOneS0(deploy=deploy, **options) for deploy in (False, True))
    kinds = [{type(layer).__name__ for layer in model.layers} for model in (trained, deployed)]
    assert kinds[0] - kinds[1] == {"BatchNormalization", "Add"}
    assert trained.get_layer("stage1_unit1_pointwise_branch4").kernel_size == (1, 1)


def test_a_mobilevit_that_attends_to_nothing_takes_images_of_any_size():
    model = models.MobileViTXXS(input_shape=(None, None, 3), units=(1,), channels=(8,), blocks=(0,), dims=(0,))
    assert model.input_shape == (None, None, None, 3)


# Errors


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: models.MobileNet(alpha=0), ValueError, r"`MobileNet`: `alpha` must be above 0; got 0\.0"),
        (
            lambda: models.MobileNet(dropout_rate=1),
            ValueError,
            r"`MobileNet`: `dropout_rate` must be below 1; got 1\.0",
        ),
        (lambda: models.MobileNetV2(alpha="1"), TypeError, r"`MobileNetV2`: `alpha` must be a number; got '1'"),
        (
            lambda: models.MobileNetV2(dropout_rate=-1),
            ValueError,
            r"`MobileNetV2`: `dropout_rate` must be at least 0; got -1",
        ),
        (
            lambda: models.MobileNetV3Small(heads=2),
            TypeError,
            r"`MobileNetV3Small`: .* has no option `heads`; its options are .*`scale_all`, `minimalistic`",
        ),
        (
            lambda: models.ShuffleNet(groups=5),
            ValueError,
            r"`ShuffleNet`: `groups` must be one of 1, 2, 3, 4, 8; got 5",
        ),
        (lambda: models.ShuffleNet(alpha=0), ValueError, r"`ShuffleNet`: `alpha` must be above 0"),
        (
            lambda: models.ShuffleNet(groups=2, alpha=0.75),
            ValueError,
            r"`alpha` must give stage 2 a multiple of 8 channels.*got alpha=0\.75, which makes 150 of 200",
        ),
        (
            lambda: models.RegNetX200MF(channels=(24, 56, 152, 370)),
            ValueError,
            r"`RegNetX200MF`: `channels` must be multiples of `group_width`; got \(24, 56, 152, 370\) and 8",
        ),
        (
            lambda: models.RepVGGA0(units=(1, 2)),
            ValueError,
            r"`RepVGGA0`: `units` and `channels` must have one number a stage; got \(1, 2\) and \(48, 96, 192, 1280\)",
        ),
        (lambda: models.RepVGGA0(units=3), TypeError, r"`RepVGGA0`: `units` must be a list of whole numbers.*got 3"),
        (lambda: models.MobileOneS4(branches=0), ValueError, r"`MobileOneS4`: `branches` must be at least 1; got 0"),
        (lambda: models.MobileOneS4(gated=(0, 0, -1, 0)), ValueError, r"`MobileOneS4`: `gated` must be at least 0"),
        (
            lambda: models.MobileNetV4ConvS(depth=1.5),
            ValueError,
            r"`MobileNetV4ConvS`: `depth` must be within \(0, 1\]",
        ),
        (
            lambda: models.MobileNetV4HybridM(input_shape=(32, 40, 3)),
            ValueError,
            r"`MobileNetV4HybridM`: the smallest `input_shape` is \(33, 33, 3\), since too little is left",
        ),
        (
            lambda: models.MobileViTS(input_shape=(64, 80, 3)),
            ValueError,
            r"`MobileViTS`: the smallest `input_shape` is \(65, 65, 3\), since too little is left",
        ),
        (
            lambda: models.MobileViTXS(input_shape=(None, 80, 3)),
            ValueError,
            r"`MobileViTXS`: `input_shape` must have a known height and width, by which tokens are counted",
        ),
        (
            lambda: models.MobileViTXXS(heads=3),
            ValueError,
            r"`MobileViTXXS`: `dims` must be multiples of `heads` where `blocks` are, .*64, 80, 96\) for 3 heads",
        ),
        (
            lambda: models.FastViTT8(channels=(48, 96, 200, 384)),
            ValueError,
            r"`FastViTT8`: `channels` must be multiples of those of the stage before",
        ),
        (lambda: models.RepViTM1(units=(2, 2)), ValueError, r"`RepViTM1`: `units` and `channels` must have one number"),
        (lambda: models.ConvNeXtAtto(blocks=(2, 2)), ValueError, r"`ConvNeXtAtto`: `blocks` and `channels` must have"),
        (lambda: models.EfficientNetB3(width=0), ValueError, r"`EfficientNetB3`: `width` must be above 0"),
        (lambda: models.EfficientNetLite1(depth=0), ValueError, r"`EfficientNetLite1`: `depth` must be above 0"),
        (
            lambda: models.EfficientNetB0(drop_connect_rate=1),
            ValueError,
            r"`EfficientNetB0`: `drop_connect_rate` must be below 1",
        ),
        (
            lambda: models.EfficientNetB0(input_shape=(32, 32, 1), preprocessing=True),
            ValueError,
            r"`EfficientNetB0`: preprocessing=True takes images of 3 channels",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
