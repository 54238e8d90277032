"""Networks that say of every pixel what it belongs to: counts, outputs beside plain NumPy, files, refusals."""

import inspect
import re

import keras
import numpy as np
import pytest
from keras import layers

import keraslayers
from keraslayers import export, models
from keraslayers.export.file.graph import read_graph
from keraslayers.models import segmentation
from tests.export_models import enliven, needs_gpu


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def backbone(builder=models.MobileNetV2, side=64, **options):
    return builder(input_shape=(side, side, 3), include_top=False, **options)


LARGE = {"builder": models.MobileNetV3Large, "padding": "symmetric", "output_stride": 16}
# torchvision publishes num_params with a head (FCNHead) on inner maps, which trains DeepLabV3 alone: a 3x3 convolution
# to a quarter of the channels, its normalization, and a 1x1 convolution to 21 classes.
AUXILIARY = {number: number * (number // 4) * 9 + number // 2 + (number // 4 + 1) * 21 for number in (40, 1024)}


def test_counts_are_those_published():
    """torchvision.models.segmentation: num_params of its weights."""
    large = backbone(**LARGE)
    assert large.output_shape == (None, 4, 4, 960)
    assert trainable(segmentation.LRASPP(large, classes=21)) == 3_221_538
    assert trainable(segmentation.DeepLabV3(large, classes=21)) == 11_029_328 - AUXILIARY[40]
    resnet = backbone(models.ResNet50, output_stride=8)
    assert resnet.output_shape == (None, 8, 8, 2048)
    assert trainable(segmentation.DeepLabV3(resnet, classes=21)) == 42_004_074 - AUXILIARY[1024]


def test_the_code_of_its_docstring_runs():
    """torchvision's, which takes the finer maps from within their stage."""
    (block,) = re.findall(r"^```python\n(.*?)^```", inspect.getdoc(segmentation.LRASPP), re.MULTILINE | re.DOTALL)
    names = {"keras": keras, "keraslayers": keraslayers}
    exec(compile(block, "LRASPP", "exec"), names)
    assert trainable(names["model"]) == 3_221_538


def test_u_net_is_the_papers():
    """arXiv:1505.04597, figure 1: 23 convolutions, of which 4 grow; two 3x3 ones at each of nine places."""
    model = segmentation.UNet(classes=2, input_shape=(32, 32, 1))
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D | layers.Conv2DTranspose)]
    assert len(convolutions) == 23
    widths, before, count = (64, 128, 256, 512, 1024), 1, 0
    for width in widths:
        count += 9 * before * width + width + 9 * width * width + width
        before = width
    for width in widths[-2::-1]:
        count += 4 * 2 * width * width + width  # which grows, from twice the channels
        count += 9 * 2 * width * width + width + 9 * width * width + width
    assert trainable(model) == count + 64 * 2 + 2 == 31_030_658
    assert model.output_shape == (None, 32, 32, 2)


STRIDED = [
    (models.MobileNetV2, {"alpha": 0.35}),
    (models.ResNet18, {"alpha": 0.125}),
    *[(models.ResNet50, {"alpha": 0.125, "version": version}) for version in ("1", "1.5", "2", "2-keras")],
]


@pytest.mark.parametrize(("builder", "options"), STRIDED)
def test_a_dilated_backbone_gives_what_the_strided_one_does_and_more_between(builder, options):
    """Padded as in PyTorch, every output of the strided network is one of the dilated one, to the border."""
    strided = enliven(backbone(builder, padding="symmetric", **options))
    dilated = backbone(builder, padding="symmetric", output_stride=8, **options)
    dilated.set_weights(strided.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    wanted, found = (keras.ops.convert_to_numpy(model(x)) for model in (strided, dilated))
    assert found.shape[1] == 4 * wanted.shape[1] == 8
    np.testing.assert_allclose(found[:, ::4, ::4], wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())
    assert {layer.dilation_rate[0] for layer in dilated.layers if hasattr(layer, "dilation_rate")} == {1, 2, 4}


NETWORKS = {
    "lraspp": lambda: segmentation.LRASPP(backbone(alpha=0.35), classes=5),
    "lraspp dilated": lambda: segmentation.LRASPP(
        backbone(models.MobileNetV3Small, alpha=0.35, scale_all=True, output_stride=16), classes=5
    ),
    "deeplab": lambda: segmentation.DeepLabV3(backbone(alpha=0.35), classes=5, rates=(1, 2), filters=16),
    "deeplab+": lambda: segmentation.DeepLabV3Plus(
        backbone(alpha=0.35), classes=5, rates=(1, 2), filters=16, separable=True
    ),
    "u-net": lambda: segmentation.UNet(classes=5, input_shape=(64, 64, 3), filters=(4, 8, 16)),
    "u-net on a backbone": lambda: segmentation.UNet(backbone(alpha=0.35), classes=5, batch_norm=True),
}


@needs_gpu
@pytest.mark.sweep
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_files_give_the_class_map(name, precision):
    keras.utils.set_random_seed(0)
    model = enliven(NETWORKS[name]())
    assert model.output_shape == (None, 64, 64, 5)
    x = np.random.default_rng(0).normal(size=(16, 64, 64, 3)).astype("float32")
    mapped = segmentation.end_in(model, "class_map")
    made = export.to_tflite(mapped, target="gpu", precision=precision, samples=x)
    made.report.require()
    (output,) = read_graph(made.tflite).outputs
    assert (output.dtype, tuple(output.shape)) == ("int32", (1, 64, 64))
    classes = keras.ops.convert_to_numpy(model(x)).argmax(-1)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(mapped(x)), classes)


def test_what_a_network_ends_in():
    model = segmentation.LRASPP(backbone(alpha=0.35), classes=3)
    x = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    logits = keras.ops.convert_to_numpy(model(x))
    assert segmentation.end_in(model, "logits") is model
    found = keras.ops.convert_to_numpy(segmentation.end_in(model, "probabilities")(x))
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    np.testing.assert_allclose(found, powers / powers.sum(-1, keepdims=True), atol=1e-6)
    single = segmentation.UNet(classes=1, input_shape=(16, 16, 3), filters=(2, 4))
    x = x[:, :16, :16]
    last = single.get_layer("classes")
    last.bias.assign([-np.median(keras.ops.convert_to_numpy(single(x)))])
    logits = keras.ops.convert_to_numpy(single(x))
    assert 0 < (logits > 0).mean() < 1
    found = keras.ops.convert_to_numpy(segmentation.end_in(single, "probabilities")(x))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits)), atol=1e-6)
    yes = segmentation.end_in(single, "class_map")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(yes(x)), (logits > 0)[..., 0])
    again = keras.models.clone_model(yes)  # by its config, `ClassMap` too
    assert again.output.dtype == "int32"
    assert isinstance(again.layers[-1], segmentation.ClassMap)


def test_lraspp_is_the_papers_formula():
    """In plain NumPy from the backbone's maps on; resizing is judged with `Resample2D`."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    fine = layers.Conv2D(4, 1)(layers.AveragePooling2D(8)(image))
    coarse = layers.Conv2D(6, 1)(fine)  # of the same size, so that nothing grows
    body = enliven(keras.Model(image, [fine, coarse]))
    model = segmentation.LRASPP(body, classes=3, filters=8)
    x = np.random.default_rng(0).normal(size=(1, 16, 16, 3)).astype("float32")
    low, high = (keras.ops.convert_to_numpy(maps) for maps in body(x))
    names = ("lraspp", "lraspp_weight", "classes_fine", "classes_coarse")
    weights = {name: model.get_layer(name).get_weights() for name in names}
    scaled = np.maximum(high @ weights["lraspp"][0][0, 0] / np.sqrt(1 + 1e-5), 0)
    gate = 1 / (1 + np.exp(-(high.mean((1, 2), keepdims=True) @ weights["lraspp_weight"][0][0, 0])))
    places = [low @ weights["classes_fine"][0][0, 0], (scaled * gate) @ weights["classes_coarse"][0][0, 0]]
    wanted = sum(places) + weights["classes_fine"][1] + weights["classes_coarse"][1]
    found = keras.ops.convert_to_numpy(keras.Model(model.input, model.get_layer("classes").output)(x))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_losses_of_keras_train_it():
    """On masks as ones and zeros, by soft Dice and the focal loss."""
    keras.utils.set_random_seed(0)
    model = segmentation.UNet(classes=2, input_shape=(8, 8, 1), filters=(4, 8))
    model = segmentation.end_in(model, "probabilities")
    x = np.random.default_rng(0).uniform(size=(8, 8, 8, 1)).astype("float32")
    y = segmentation.one_hot((x[..., 0] > 0.5).astype("int32"), 2)
    np.testing.assert_array_equal(y[..., 1], x[..., 0] > 0.5)
    np.testing.assert_array_equal(y.sum(-1), 1)
    for loss in (keras.losses.Dice(axis=(0, 1, 2)), keras.losses.CategoricalFocalCrossentropy()):
        model.compile(keras.optimizers.Adam(1e-2), loss)
        before, *_, after = model.fit(x, y, epochs=20, verbose=0).history["loss"]
        assert after < before


def test_masks_of_other_classes_are_refused():
    with pytest.raises(ValueError, match="`one_hot`: `masks` must hold classes of 0 to 1; got numbers of 0 to 255"):
        segmentation.one_hot(np.array([[[0, 255]]]), 2)
    with pytest.raises(ValueError, match="got numbers of -1 to 0"):
        segmentation.one_hot(np.array([[[0, -1]]]), 2)
    with pytest.raises(ValueError, match=r"must be of \(images, height, width\); got the shape \(2, 2\)"):
        segmentation.one_hot(np.zeros((2, 2), "int32"), 2)
    with pytest.raises(TypeError, match="`masks` must be whole numbers, one a pixel; got an array of float64"):
        segmentation.one_hot(np.zeros((1, 2, 2)), 2)


def test_backbones_without_the_maps_are_refused():
    small = models.SqueezeNet(input_shape=(64, 64, 3), include_top=False)
    plain = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)])
    for build in (segmentation.LRASPP, segmentation.DeepLabV3, segmentation.DeepLabV3Plus, segmentation.UNet):
        who = build.__name__
        if build is not segmentation.DeepLabV3:  # which takes the last maps of any
            with pytest.raises(ValueError, match=rf"`{who}`: `backbone` 'sequential.*' has no layers named `stage1_"):
                build(plain, classes=2)
        with pytest.raises(TypeError, match=rf"`{who}`: `backbone` must be a Keras model; got str"):
            build("mobilenet_v2", classes=2)
        with pytest.raises(ValueError, match=rf"`{who}`: `backbone` must take images of a known size"):
            build(models.MobileNetV2(input_shape=(None, None, 3), include_top=False, alpha=0.35), classes=2)
        with pytest.raises(TypeError, match=rf"`{who}`: `classes` must be a whole number; got 2\.5"):
            build(small, classes=2.5)
        with pytest.raises(ValueError, match=rf"`{who}`: `output` must be one of .*; got 'mask'"):
            build(small, classes=2, output="mask")
        with pytest.raises(TypeError, match=rf"`{who}`: `classes` must be given"):
            build(small)
    with pytest.raises(ValueError, match="`LRASPP`: `backbone` must take one image; 'text_cnn' takes"):
        segmentation.LRASPP(models.TextCNN(vocabulary=9), classes=2)
    lenet = models.LeNet5(input_shape=(32, 32, 1), include_top=False)
    with pytest.raises(ValueError, match="`LRASPP`: `backbone` 'lenet5' has no stage of stride 8; its stages have"):
        segmentation.LRASPP(lenet, classes=2)
    image = keras.Input((8, 8, 3))
    swapped = keras.Model(image, [layers.AveragePooling2D(2)(image), image])
    with pytest.raises(ValueError, match=r"must give one output, or up to 2 maps .* the finest first"):
        segmentation.LRASPP(swapped, classes=2)


def test_other_arguments_are_refused():
    with pytest.raises(ValueError, match=r"`UNet`: `input_shape` must have sides divisible by 16.*got \(40, 48, 1\)"):
        segmentation.UNet(classes=2, input_shape=(40, 48, 1))
    with pytest.raises(TypeError, match="`UNet`: `filters` must be whole numbers, two at least"):
        segmentation.UNet(classes=2, filters=64)
    with pytest.raises(TypeError, match="`DeepLabV3`: `rates` must be a list of whole numbers"):
        segmentation.DeepLabV3(backbone(alpha=0.35), classes=2, rates=6)
    with pytest.raises(ValueError, match="`MobileNetV2`: `output_stride` must be one of None, 8, 16; got 4"):
        backbone(output_stride=4)
    classifier = models.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35)
    with pytest.raises(ValueError, match=r"`end_in`: `model` must end in logits of \(batch, height, width, classes\)"):
        segmentation.end_in(classifier, "class_map")
