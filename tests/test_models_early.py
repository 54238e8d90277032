"""Networks up to Inception: equal to keras.applications with the same weights."""

import inspect

import keras
import numpy as np
import pytest

import keraslayers
from keraslayers import models
from tests.model_tools import assert_close, image, outputs, randomize

BUILDERS = [models.GoogLeNet, models.InceptionV3, models.AlexNet, models.VGG11, models.NiN, models.SqueezeNet]


def copied_both_ways(ours, theirs, x):
    randomize(theirs, seed=2)
    ours.set_weights(theirs.get_weights())
    assert_close(outputs(ours, x), outputs(theirs, x))
    randomize(ours, seed=3)
    theirs.set_weights(ours.get_weights())
    assert_close(outputs(theirs, x), outputs(ours, x))


@pytest.mark.sweep
@pytest.mark.parametrize("builder", [models.VGG16, models.VGG19])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((32, 32, 3), {"classes": 11, "classifier_activation": None}),
        # An odd and an even side: the odd one loses a row in the pooling.
        ((33, 64, 3), {"include_top": False, "pooling": "avg"}),
    ],
)
def test_vgg_equals_keras_applications(builder, shape, options):
    common = {"input_shape": shape, "weights": None, **options}
    theirs = getattr(keras.applications, builder.__name__)(**common)
    copied_both_ways(builder(**common), theirs, image(shape))


def test_inception_v3_equals_keras_applications():
    common = {"input_shape": (75, 96, 3), "weights": None, "classes": 11, "classifier_activation": None}
    theirs = keras.applications.InceptionV3(**common)
    copied_both_ways(models.InceptionV3(scale=False, **common), theirs, image((75, 96, 3)))


# Sizes on the way, and what stands where


def sides(model, names):
    return [model.get_layer(name).output.shape[1] for name in names]


@pytest.mark.parametrize(
    ("builder", "options", "names", "expected"),
    [
        # The pools reach over the end, as in Caffe: 54 -> 27 -> 13 -> 6 where TensorFlow's own gives 26.
        (models.NiN, {}, ["stage1_conv", "stage2_pool", "stage3_pool", "stage4_pool"], [54, 27, 13, 6]),
        (models.NiN, {"version": "cifar10"}, ["stage1_conv", "stage2_pool", "stage3_pool"], [32, 16, 8]),
        (models.SqueezeNet, {}, ["stem_conv", "stage1_pool", "stage2_pool", "stage3_pool"], [109, 54, 27, 13]),
        (
            models.GoogLeNet,
            {},
            ["stem_conv", "stage2_pool", "stage3_pool", "stage4_pool", "stage5_pool"],
            [112, 56, 28, 14, 7],
        ),
        (
            models.InceptionV3,
            {},
            ["stage1_pool", "stage2_pool", "stage3_unit1_pool", "stage4_unit1_pool"],
            [73, 35, 17, 8],
        ),
        (models.AlexNet, {"units": 8}, ["stage1_conv1", "stage2_pool", "stage3_pool", "stage4_pool"], [55, 27, 13, 6]),
        (
            models.AlexNet,
            {"units": 8, "grouped": True},
            ["stage1_conv1", "stage2_pool", "stage3_pool", "stage4_pool"],
            [55, 27, 13, 6],
        ),
    ],
)
def test_sides_of_the_maps(builder, options, names, expected):
    assert sides(builder(**options), names) == expected


@pytest.mark.parametrize(
    ("builder", "options", "names"),
    [
        (models.AlexNet, {"grouped": True, "units": 4}, ["stage1_lrn", "stage2_lrn"]),
        (models.GoogLeNet, {}, ["stage2_lrn1", "stage2_lrn2"]),
        (models.AlexNet, {"units": 4}, []),
        (models.GoogLeNet, {"batch_norm": True}, []),
    ],
)
def test_local_response_normalization_is_that_of_caffe(builder, options, names):
    model = builder(input_shape=(67, 67, 3), **options)
    found = [layer for layer in model.layers if isinstance(layer, keraslayers.LocalResponseNormalization)]
    assert [layer.name for layer in found] == names
    for layer in found:
        # k = 1, local_size = 5, alpha = 1e-4 of the mean, beta = 0.75
        assert (layer.depth_radius, layer.bias, layer.alpha, layer.beta) == (2, 1.0, 1e-4 / 5, 0.75)


def test_average_pooling_of_inception_v3_counts_the_padding_if_symmetric():
    ones = np.ones((1, 35, 35, 192), "float32")
    for padding, corner in (("same", 1), ("symmetric", 4 / 9)):
        model = models.InceptionV3(padding=padding, include_top=False)
        pooled = keras.Model(model.get_layer("stage2_pool").output, model.get_layer("stage2_unit1_pool").output)
        y = pooled(ones)
        assert y.shape == ones.shape
        np.testing.assert_allclose(y[0, 0, 0], corner, rtol=1e-6)
        np.testing.assert_allclose(y[0, 4, 4], 1, rtol=1e-6)


def test_inception_v3_without_heads_is_smaller():
    assert models.InceptionV3(input_shape=(75, 75, 1), classes=2).output_shape == (None, 2)
    with pytest.raises(ValueError, match=r"`InceptionV3`: the smallest `input_shape` is \(75, 75, 1\)"):
        models.InceptionV3(input_shape=(74, 75, 1))


def test_units_and_dropout():
    model = models.VGG11(input_shape=(32, 32, 3), units=7, dropout_rate=0.25)
    assert [model.get_layer(name).units for name in ("fc1", "fc2")] == [7, 7]
    assert [model.get_layer(f"{name}_dropout").rate for name in ("fc1", "fc2")] == [0.25, 0.25]
    rates = {builder: inspect.signature(builder).parameters["dropout_rate"].default for builder in BUILDERS}
    assert rates == {models.GoogLeNet: 0.4, models.InceptionV3: 0.2, **dict.fromkeys(BUILDERS[2:], 0.5)}


# Auxiliary heads


@pytest.mark.parametrize(("builder", "side", "weight"), [(models.GoogLeNet, 79, 0.3), (models.InceptionV3, 107, 0.4)])
def test_auxiliary_heads_train_with_weights_of_their_losses(builder, side, weight):
    model = builder(input_shape=(side, side, 1), classes=3, aux_heads=True)
    heads = [f"aux{head}" for head in range(1, len(model.outputs))]
    assert model.output_names == ["predictions", *heads]
    assert all(isinstance(model.get_layer(head), keraslayers.AuxiliaryOutput) for head in heads)
    # As in the docstring.
    count = len(model.outputs)
    assert (
        f'["sparse_categorical_crossentropy"] * {count}, loss_weights={[1.0, *[weight] * len(heads)]}'
        in builder.__doc__
    )
    model.compile(
        "sgd",
        ["sparse_categorical_crossentropy"] * count,
        loss_weights=[1.0, *[weight] * len(heads)],
        jit_compile=False,
    )
    model.run_eagerly = True  # sooner than a graph is made
    y = np.array([0, 2])
    found = model.evaluate(image((side, side, 1)), [y] * count, return_dict=True, verbose=0)
    parts = found["predictions_loss"] + weight * sum(found[f"{head}_loss"] for head in heads)
    assert found["loss"] == pytest.approx(parts, rel=1e-4)


def test_the_head_of_inception_v3_sees_all_of_its_maps():
    for side, kernel in ((299, (5, 5)), (107, (1, 1))):
        model = models.InceptionV3(input_shape=(side, side, 3), aux_heads=True)
        conv = model.get_layer("aux1_conv2")
        assert (conv.kernel_size, conv.output.shape[1:3]) == (kernel, (1, 1))


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: models.NiN(version="cifar"),
            r"`NiN`: `version` must be one of 'imagenet', 'cifar10'; got 'cifar'\. Did",
        ),
        (lambda: models.SqueezeNet(version=1.1), r"`SqueezeNet`: `version` must be one of '1\.0', '1\.1'; got 1\.1"),
        (lambda: models.VGG13(units=0), r"`VGG13`: `units` must be at least 1; got 0"),
        (lambda: models.AlexNet(units=0), r"`AlexNet`: `units` must be at least 1; got 0"),
        *(
            (lambda builder=builder: builder(dropout_rate=1), rf"`{builder.__name__}`: `dropout_rate` must be below 1")
            for builder in BUILDERS
        ),
        (
            lambda: models.GoogLeNet(input_shape=(None, None, 3), aux_heads=True),
            r"`GoogLeNet`: `input_shape` must have a known height and width",
        ),
        (
            lambda: models.AlexNet(input_shape=(66, 67, 3), grouped=True),
            r"`AlexNet`: the smallest `input_shape` is \(67, 67, 3\)",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
