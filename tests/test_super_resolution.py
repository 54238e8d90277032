"""Networks that make images larger: their counts, what they compute, their files, and large images by tiles."""

import functools
import math
import re

import keras
import numpy as np
import pytest

import keraslayers
from keraslayers import models, reparameterize
from keraslayers.export import to_tflite
from keraslayers.models import super_resolution as sr
from tests.export_models import enliven, needs_gpu
from tests.multiply_adds import multiply_adds

REFERENCES = [
    pytest.param(spec, reference, id="-".join([spec.name, *map(str, reference.options.values())]))
    for spec in sr.SPECS
    for reference in spec.references
]
# As published, in thousands of parameters: arXiv:2103.09404, tables 1 and 2.
PUBLISHED = {
    "m3": (8.91, 13.71),
    "m5": (13.52, 18.32),
    "m7": (18.12, 22.92),
    "m11": (27.34, 32.14),
    "xl": (105.37, 114.97),
}


@pytest.mark.parametrize(("spec", "reference"), REFERENCES)
def test_counts_equal_the_reference(spec, reference):
    with keras.StatelessScope(initialize_variables=False):
        model = spec.builder(**reference.options, input_shape=spec.input_shape)
    keras.utils.clear_session(free_memory=False)
    assert model.count_params() == reference.parameters
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == reference.trainable_parameters
    found = keraslayers.analyze(model)
    assert found.multiply_adds == multiply_adds(model) == reference.multiply_adds
    assert found.unknown == ()
    assert model.name == spec.name
    height, width, channels = spec.input_shape
    scale = reference.options.get("scale", 2)
    assert model.output_shape == (None, scale * height, scale * width, channels)


def test_counts_of_the_papers():
    for spec in sr.SPECS:
        if spec.name.startswith("sesr"):
            found = [math.floor(reference.parameters / 10) / 100 for reference in spec.references]
            assert tuple(found) == PUBLISHED[spec.name[5:]]
    assert {spec.builder.__name__ for spec in sr.SPECS} == set(sr.__all__) - {"SPECS", "enlarge", "reach"}


def shuffled(x, scale):
    """Pixels of channels, one by one."""
    rows, columns, channels = x.shape[0], x.shape[1], x.shape[2] // scale**2
    y = np.zeros((scale * rows, scale * columns, channels), x.dtype)
    for row, column, color in np.ndindex(y.shape):
        within = (row % scale) * scale + column % scale
        y[row, column, color] = x[row // scale, column // scale, within * channels + color]
    return y


def convolved(x, kernel, bias=0.0):
    """By sums over windows, of images with zeros around."""
    size = len(kernel)
    around = np.pad(x, ((size // 2, size // 2), (size // 2, size // 2), (0, 0)))
    y = np.zeros((*x.shape[:2], kernel.shape[-1]))
    for row, column in np.ndindex(x.shape[:2]):
        y[row, column] = np.tensordot(around[row : row + size, column : column + size], kernel, 3)
    return y + bias


def weights_of(model):
    return {layer.name: [np.asarray(weight) for weight in layer.get_weights()] for layer in model.layers}


def image(shape, seed=0):
    return np.random.default_rng(seed).random(shape).astype("float32")


def espcn(x, w, scale):
    for name in ("conv1", "conv2"):
        x = np.tanh(convolved(x, *w[name]))
    return shuffled(convolved(x, *w["conv3"]), scale)


def quicksrnet(x, w, scale):
    y = x
    for name in sorted((name for name in w if re.fullmatch(r"conv\d+", name)), key=lambda name: int(name[4:])):
        y = np.clip(convolved(y, *w[name]), 0, 1)
    y = convolved(y, *w["last"])
    return shuffled(np.clip(y + convolved(x, *w["anchor"]) if "anchor" in w else y, 0, 1), scale)


def sesr(x, w, scale):
    y = first = convolved(x - 0.5, *w["first"])
    for place in (1, 2, 3):
        y = convolved(y, *w[f"block{place}"])
        y = np.where(y > 0, y, w[f"block{place}_prelu"][0] * y)
    y = convolved(y + first, *w["last"]) + np.concatenate([x] * scale**2, axis=-1)
    return shuffled(np.clip(y, 0, 1), scale)


@pytest.mark.parametrize(
    ("build", "scale", "oracle"),
    [
        (sr.ESPCN, 3, espcn),
        (sr.QuickSRNetSmall, 2, quicksrnet),
        (sr.QuickSRNetLarge, 3, quicksrnet),
        (functools.partial(sr.SESRM3, deploy=True), 2, sesr),
    ],
    ids=["espcn", "quicksrnet_small", "quicksrnet_large", "sesr_m3"],
)
def test_what_the_networks_compute(build, scale, oracle):
    model = build(scale=scale, input_shape=(None, None, 3))
    for weight in model.weights:  # about the size at which pixels stay within 0 and 1
        weight.assign(weight + 0.05 * np.random.default_rng(1).normal(size=weight.shape))
    x = image((6, 7, 3))
    found = keras.ops.convert_to_numpy(model(x[None]))[0]
    np.testing.assert_allclose(found, oracle(x.astype("float64"), weights_of(model), scale), rtol=1e-4, atol=1e-5)


def test_quicksrnet_begins_near_the_image_itself():
    keras.utils.set_random_seed(0)
    x = image((1, 12, 13, 3))
    found = keras.ops.convert_to_numpy(sr.QuickSRNetSmall(scale=2)(x))
    assert np.corrcoef(found.ravel(), x.repeat(2, 1).repeat(2, 2).ravel())[0, 1] > 0.5
    start = sr.quicksrnet.NearIdentity(4, random=False)
    alone = keras.layers.Conv2D(12, 3, padding="same", kernel_initializer=start)
    larger = keras.ops.depth_to_space(alone(x), 2)
    np.testing.assert_array_equal(larger, x.repeat(2, 1).repeat(2, 2))
    assert sr.quicksrnet.NearIdentity(**start.get_config()).get_config() == start.get_config()


@pytest.mark.parametrize("activation", ["prelu", "relu"])
def test_sesr_becomes_what_deploy_builds(activation):
    options = {"input_shape": (None, None, 2), "scale": 3, "activation": activation}
    wide = enliven(sr.SESRM3(**options, expansion=24))
    narrow, built = reparameterize(wide), sr.SESRM3(**options, deploy=True)
    assert [layer.name for layer in narrow.layers] == [layer.name for layer in built.layers]
    assert narrow.count_params() == built.count_params() < wide.count_params()
    built.set_weights(narrow.get_weights())
    x = image((2, 9, 8, 2))
    wanted = keras.ops.convert_to_numpy(wide(x))
    assert wanted.std() > 0.1
    for model in (narrow, built):
        np.testing.assert_allclose(model(x), wanted, atol=1e-5)


@needs_gpu
@pytest.mark.parametrize(
    ("name", "precision"),
    [("ESPCN", "float16"), ("SESRM3", "float16"), ("SESRM3", "int8"), ("QuickSRNetSmall", "int8")],
)
def test_files(name, precision):
    options = {"deploy": True} if name == "SESRM3" else {}
    model = getattr(sr, name)(scale=2, input_shape=(None, None, 3), **options)
    for weight in model.weights:
        weight.assign(weight + 0.02 * np.random.default_rng(1).normal(size=weight.shape))
    report = to_tflite(model, target="gpu", precision=precision, samples=image((8, 10, 8, 3))).report
    report.require()
    if name == "QuickSRNetSmall":  # the ends of its activations are those of the integers
        assert (report.proof("cpu").partitions, report.proof("cpu").operators) == (1, 7)


@pytest.fixture(scope="module")
def small():
    return enliven(sr.ESPCN(scale=2))


@pytest.mark.parametrize(("size", "tile"), [((31, 40), 20), ((20, 20), 20), ((21, 57), (20, 30)), ((50, 24), (13, 24))])
def test_tiles_give_what_the_whole_gives(small, size, tile):
    photo = image((*size, 1))
    whole = keras.ops.convert_to_numpy(small(photo[None]))[0]
    assert sr.reach(small) == 4
    found = sr.enlarge(small.predict_on_batch, photo, tile=tile, overlap=4)
    # The same products, which convolutions of other sizes may add up in another order.
    np.testing.assert_allclose(found, whole, atol=1e-5)
    if size != (20, 20):
        assert np.abs(sr.enlarge(small.predict_on_batch, photo, tile=tile, overlap=3) - whole).max() > 1e-3


def test_tiles_through_a_file(small):
    photo = image((30, 25, 1))
    made = to_tflite(small, samples=image((4, 20, 20, 1)))
    whole = keras.ops.convert_to_numpy(small(photo[None]))[0]
    np.testing.assert_allclose(sr.enlarge(made.predict, photo, tile=20, overlap=sr.reach(small)), whole, atol=1e-5)


def test_reach_of_what_moves_pixels():
    x = keras.Input((None, None, 4))
    before = keras.layers.Conv2D(4, 3, padding="same")(keras.ops.depth_to_space(x, 2))
    assert sr.reach(keras.Model(x, before)) == 1
    after = keras.layers.Conv2D(4, 3, padding="same")(keras.ops.space_to_depth(x, 2))
    # Three blocks of two pixels are six: three to one side of a pixel at most.
    assert sr.reach(keras.Model(x, after)) == 3


def check(make, message, error=ValueError):
    with pytest.raises(error, match=re.escape(message)):
        make()


@pytest.mark.parametrize("name", ["ESPCN", "QuickSRNetSmall", "SESRM5"])
def test_what_builders_refuse(name):
    build = getattr(sr, name)
    check(lambda: build(scale=1), f"`{name}`: `scale` must be at least 2; got 1.")
    check(lambda: build(scale=1.5), f"`{name}`: `scale` must be a whole number; got 1.5.", TypeError)
    check(lambda: build(input_shape=(32, 32)), f"`{name}`: `input_shape` must be (height, width, channels)")
    check(lambda: build(input_shape=(32, 32, None)), f"`{name}`: `input_shape` must be (height, width, channels)")
    check(lambda: build(classes=3), f"`{name}`: '{name}' has no option `classes`", TypeError)


def test_what_sesr_refuses():
    check(lambda: sr.SESRM3(expansion=0), "`SESRM3`: `expansion` must be at least 1; got 0.")
    check(lambda: sr.SESRM3(activation="tanh"), "`SESRM3`: `activation` must be one of 'prelu', 'relu'; got 'tanh'.")


def test_what_tiles_refuse(small):
    def enlarged(predict=small.predict_on_batch, shape=(30, 30, 1), tile=20, overlap=4):
        return lambda: sr.enlarge(predict, image(shape), tile=tile, overlap=overlap)

    check(enlarged(shape=(30, 30)), "`enlarge`: `image` must have the shape (height, width, channels); got (30, 30).")
    check(enlarged(overlap=10), "`enlarge`: `overlap` must leave something of a tile, which has it at two sides; got")
    check(enlarged(overlap=-1), "`enlarge`: `overlap` must be at least 0; got -1.")
    check(enlarged(tile=0), "`enlarge`: `tile` must be at least 1; got 0.")
    check(enlarged(shape=(19, 30, 1)), "`image` must be no smaller than a tile; got 19 x 30 pixels for tiles of 20 x")
    wrong = "`enlarge`: `predict` must give images enlarged by a whole factor; of "
    check(enlarged(predict=lambda x: x[:, :7]), wrong + "(4, 20, 20, 1) it gave (4, 7, 20, 1).")
    check(enlarged(predict=lambda x: x.repeat(2, 1)), wrong + "(4, 20, 20, 1) it gave (4, 40, 20, 1).")
    check(enlarged(predict=lambda x: x.mean((1, 2))), wrong + "(4, 20, 20, 1) it gave (4, 1).")


def test_what_reach_refuses():
    check(lambda: sr.reach(3), "`reach`: `model` must be a Keras model; got int.", TypeError)
    whole = models.create("mobilenet_v3_small", input_shape=(64, 64, 3), include_top=False)
    check(lambda: sr.reach(whole), "`reach`: `model` 'mobilenet_v3_small' must look at a part of the image; its output")


def test_an_image_of_another_kind_than_the_file(small):
    made = to_tflite(small, samples=image((4, 20, 20, 1)))
    with pytest.raises(ValueError, match=r"`Artifact.predict`"):
        sr.enlarge(made.predict, image((30, 30, 3)), tile=20, overlap=4)
    with pytest.raises(ValueError, match=r"`Artifact.predict`"):
        sr.enlarge(made.predict, image((30, 30, 1)), tile=24, overlap=4)


def test_what_an_older_keras_has_not(monkeypatch):
    monkeypatch.delattr(keras.ops, "depth_to_space")
    with pytest.raises(RuntimeError, match=r"keras\.ops\.depth_to_space, which Keras .* has not: pip install"):
        sr.ESPCN(scale=2)
