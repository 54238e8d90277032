"""Networks that find points, the layer that tells where maps are high, and the metric of both."""

import re

import keras
import numpy as np
import pytest

from keraslayers import SoftArgmax, models
from keraslayers.export import to_tflite
from keraslayers.models.keypoints import PCK, SimpleBaseline
from tests.export_models import enliven, needs_gpu, samples


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def check(make, message, error=ValueError):
    with pytest.raises(error, match=re.escape(message)):
        make()


# --- SoftArgmax, beyond the laws of every layer


def test_one_place_is_told_to_the_middle_of_its_pixel():
    maps = np.full((1, 4, 6, 2), -100.0, "float32")
    maps[0, 1, 5, 0] = maps[0, 3, 0, 1] = 100
    np.testing.assert_allclose(SoftArgmax()(maps)[0], [[5.5 / 6, 1.5 / 4], [0.5 / 6, 3.5 / 4]], rtol=1e-6)
    np.testing.assert_allclose(SoftArgmax(size=(8, 60))(maps)[0], [[55, 3], [5, 7]], rtol=1e-6)
    # Of two places the middle.
    maps[0, 1, 1, 0] = 100
    np.testing.assert_allclose(SoftArgmax(size=(4, 6))(maps)[0, 0], [3.5, 1.5], rtol=1e-6)


def test_maps_of_any_size():
    x = keras.Input((None, None, 3))
    model = keras.Model(x, SoftArgmax(size=(32, 48))(x))
    maps = samples(2, (5, 7, 3))
    assert model.output_shape == (None, 3, 2)
    np.testing.assert_allclose(model(maps), SoftArgmax(size=(32, 48))(maps), rtol=1e-5)


def test_large_maps_overflow_nothing():
    maps = 1e4 * samples(2, (5, 7, 3))
    assert np.isfinite(array(SoftArgmax(size=10)(maps))).all()


def test_what_soft_argmax_refuses():
    check(lambda: SoftArgmax(size=0), "`SoftArgmax`: `size` must be at least 1; got 0.")
    check(lambda: SoftArgmax(size=1.5), "`SoftArgmax`: `size` must be a whole number; got 1.5.", TypeError)
    check(lambda: SoftArgmax(size=(1, 2, 3)), "`size` must be a whole number or two, (height, width)", TypeError)
    check(lambda: SoftArgmax()(np.zeros((4, 5, 6))), "`SoftArgmax`: the input must have 4 axes, the batch")
    check(lambda: SoftArgmax()(keras.Input((4, 5, None))), "`SoftArgmax`: the channels must be known, which are")


# --- the network


@pytest.mark.parametrize(("name", "published"), [("resnet50", 34.0), ("resnet101", 53.0), ("resnet152", 68.6)])
def test_counts_of_the_paper(name, published):
    """arXiv:1804.06208, table 2, in millions: ResNet and three transposed convolutions for 17 points."""
    with keras.StatelessScope(initialize_variables=False):
        backbone = models.create(name, input_shape=(256, 192, 3), include_top=False)
        model = SimpleBaseline(backbone, 17)
    keras.utils.clear_session(free_memory=False)
    assert model.output_shape == (None, 64, 48, 17)
    assert round(sum(np.prod(weight.shape) for weight in model.trainable_weights) / 1e6, 1) == published
    # By hand: kernels of 4x4, gammas and betas, maps of 1x1 with biases.
    head = 16 * 256 * (2048 + 256 + 256) + 3 * 2 * 256 + 257 * 17
    own = {id(weight) for weight in backbone.weights}
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights if id(weight) not in own) == head


@pytest.mark.parametrize(("strides", "size"), [((32, 4), (16, 16)), ((8, 4), (16, 16)), ((16, 2), (32, 32))])
@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
def test_maps_of_any_backbone(strides, size, upsampling):
    backbone = models.create("mobilenet_v3_small", input_shape=(64, 64, 3), include_top=False)
    model = SimpleBaseline(backbone, 5, strides=strides, filters=8, upsampling=upsampling)
    assert model.output_shape == (None, *size, 5)
    assert sum(layer.name.endswith("_relu") and layer.name.startswith("up") for layer in model.layers) == int(
        np.log2(strides[0] // strides[1])
    )
    stem = backbone.layers[2].name
    assert model.get_layer(stem) is backbone.get_layer(stem)


def points_of(size=16):
    """A backbone of two layers, as GPUs' shaders take seconds for each more."""
    x = image = keras.Input((size, size, 3), name="image")
    for stage, filters in enumerate((8, 12), start=1):
        name = f"stage{stage}_conv"
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu", name=name)(x)
    maps = SimpleBaseline(keras.Model(image, x), 4, strides=(4, 2), filters=8, upsampling="bilinear")
    return keras.Model(image, SoftArgmax(size, name="points")(maps.output))


def test_it_learns_where_a_bright_place_is():
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    image = keras.Input((16, 16, 1))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    model = keras.Model(image, SoftArgmax(16)(keras.layers.Conv2D(1, 3, padding="same")(x)))
    places = random.integers(2, 14, (128, 1, 2))
    images = 0.1 * random.random((128, 16, 16, 1)).astype("float32")
    for one, (x, y) in zip(images, places[:, 0], strict=True):
        one[y, x] = 1
    model.compile(keras.optimizers.Adam(0.02), "mae")
    model.fit(images, places + 0.5, epochs=12, batch_size=16, verbose=0)
    assert np.abs(model.predict(images, verbose=0) - places - 0.5).max() < 0.5


@needs_gpu
@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_files(precision):
    model = enliven(points_of())
    kernel = model.get_layer("maps").kernel
    kernel.assign(4 * kernel)  # narrower peaks than numbers at random make
    made = to_tflite(model, target="gpu", precision=precision, samples=samples(24, (16, 16, 3)))
    made.report.require()


def test_what_the_network_refuses():
    who = "`SimpleBaseline`: "
    backbone = models.create("mobilenet_v3_small", input_shape=(64, 64, 3), include_top=False)
    check(lambda: SimpleBaseline(3, 4), who + "`model` must be a Keras model; got int.", TypeError)
    check(lambda: SimpleBaseline(backbone, 0), who + "`points` must be at least 1; got 0.")
    check(lambda: SimpleBaseline(backbone, 4, filters=0), who + "`filters` must be at least 1; got 0.")
    check(lambda: SimpleBaseline(backbone, 4, upsampling="nearest"), who + "`upsampling` must be one of 'transposed'")
    for strides in ((4, 32), (32, 32), (32, 5), (24, 4), 32):
        message = who + "`strides` must be that of the maps to begin with and a smaller one, which doublings lead to"
        check(lambda strides=strides: SimpleBaseline(backbone, 4, strides=strides), message)
    message = "`SimpleBaseline`: `backbone` 'mobilenet_v3_small' has no stage of stride 64"
    check(lambda: SimpleBaseline(backbone, 4, strides=(64, 4)), message)


# --- the metric


def test_pck_by_hand():
    truth = np.array([[[0, 0], [10, 0], [10, 20], [0, 20]], [[5, 5], [6, 5], [6, 6], [5, 6]]], "float32")
    found = truth.copy()
    found[0, 0] += (1.2, 1.6)  # 2 away, of 0.1 * 20
    found[0, 1] += (1.3, 1.6)
    found[1, 2] += (0, 0.09)
    found[1, 3] += (0, 0.11)
    assert float(PCK(0.1)(truth, found)) == pytest.approx(6 / 8)
    metric = PCK(0.1)
    metric.update_state(truth[:1], found[:1])
    metric.update_state(truth[1:], found[1:])
    assert float(metric.result()) == pytest.approx(6 / 8)
    assert float(PCK(0.1)(truth, found, sample_weight=[[1, 0, 1, 1], [1, 1, 1, 0]])) == 1
    assert float(PCK(0.1)(truth, found, sample_weight=[1, 0])) == pytest.approx(3 / 4)
    assert float(PCK(0.2)(truth, found)) == 1
    twin = PCK.from_config(PCK(0.3, name="near").get_config())
    assert (twin.alpha, twin.name) == (0.3, "near")
    assert keras.saving.get_registered_name(PCK) == "keraslayers>PCK"


def test_what_pck_refuses():
    check(lambda: PCK(0), "`PCK`: `alpha` must be above 0; got 0.0.")
    check(lambda: PCK("0.1"), "`PCK`: `alpha` must be a number; got '0.1'.", TypeError)
    message = "`PCK`: points must have the shape (images, points, 2), the true ones and those found; got (2, 4, 2) and "
    check(lambda: PCK()(np.zeros((2, 4, 2)), np.zeros((2, 3, 2))), message + "(2, 3, 2).")
    check(lambda: PCK()(np.zeros((2, 4, 2)), np.zeros((2, 8))), message + "(2, 8).")
