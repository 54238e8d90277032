"""Weights of torchvision's detectors and segmenters, by their names and shapes: all of them go into one layer each.

That the outputs are torchvision's too, `make test-zoo` tests.
"""

import json
from collections import OrderedDict
from pathlib import Path

import keras
import numpy as np
import pytest

from keraslayers import models
from keraslayers.models import detection, segmentation
from tests import torch_files

STATES = json.loads(Path(__file__).with_name("torchvision_states.json").read_text())
SSD, LRASPP, DEEPLAB, DEEPLAB_RESNET = STATES
AUXILIARY = "aux_classifier."  # of which only training has need
SIDE = 64


def file_of(name, folder, drop=(), **more):
    """A file of all tensors of a network, each of which has one number all over: 1, 2, ... in their order."""
    tensors, storages = OrderedDict(), []
    for number, (tensor, shape) in enumerate({**STATES[name], **more}.items(), start=1):
        if tensor not in drop:
            storages.append(torch_files.Numbers(str(number), np.array([number], "float32")))
            tensors[tensor] = torch_files.Tensor(storages[-1], tuple(shape), (0,) * len(shape))
    path = folder / f"{name}.pth"
    torch_files.save(path, tensors, storages)
    return path


def large(side=SIDE, **options):
    options = {"padding": "symmetric", **options}
    return models.MobileNetV3Large(input_shape=(side, side, 3), include_top=False, **options)


def finer(backbone, unit=1):
    return keras.Model(backbone.input, [backbone.get_layer(f"stage3_unit{unit}_project_bn").output, backbone.output])


@pytest.fixture(scope="module")
def backbones():
    """By network what torchvision's stands on."""
    dilated = large(output_stride=16)
    return {
        SSD: large(96, reduced_tail=True),
        LRASPP: finer(dilated),
        DEEPLAB: dilated,
        DEEPLAB_RESNET: models.ResNet50(input_shape=(SIDE, SIDE, 3), include_top=False, output_stride=8),
    }


BUILDERS = {
    SSD: detection.SSDLite,
    LRASPP: segmentation.LRASPP,
    DEEPLAB: segmentation.DeepLabV3,
    DEEPLAB_RESNET: segmentation.DeepLabV3,
}
CLASSES = {SSD: 90, LRASPP: 21, DEEPLAB: 21, DEEPLAB_RESNET: 21}

PLACES = {
    SSD: {
        "backbone.features.0.13.0.weight": "stage5_unit1_expand/kernel",
        "backbone.features.1.2.block.1.0.weight": "stage5_unit3_depthwise/kernel",
        "backbone.extra.2.1.0.weight": "extra3_depthwise/kernel",
        "head.classification_head.module_list.4.0.0.weight": "classes5_depthwise/kernel",
        "head.regression_head.module_list.3.1.bias": "offsets4_end/bias",
    },
    LRASPP: {
        "backbone.6.block.2.fc1.weight": "stage3_unit3_squeeze_excite/squeeze/kernel",
        "classifier.low_classifier.bias": "classes_fine/bias",
        "classifier.high_classifier.bias": "classes_coarse/bias",
    },
    DEEPLAB: {f"classifier.0.convs.{n}.0.weight": f"aspp{n + 1}/kernel" for n in (1, 2, 3)},
    DEEPLAB_RESNET: {
        "backbone.layer3.4.conv2.weight": "stage3_unit5_conv/kernel",
        "classifier.0.convs.4.2.bias": "aspp_average_conv_bn/beta",
    },
}


@pytest.mark.parametrize("name", STATES)
def test_every_tensor_goes_into_one_weight(name, backbones, tmp_path):
    model = BUILDERS[name](backbones[name], classes=CLASSES[name], weights=file_of(name, tmp_path))
    found = {}
    for weight in model.weights:
        values = np.unique(weight.numpy())
        assert values.size == 1, weight.path
        found[int(values[0])] = weight
    wanted = [number for number, tensor in enumerate(STATES[name], start=1) if not tensor.startswith(AUXILIARY)]
    assert sorted(found) == wanted
    assert len(model.weights) == len(wanted)
    # Of equal shapes.
    for tensor, path in PLACES[name].items():
        assert found[list(STATES[name]).index(tensor) + 1].path == path
    # What of a normalization is which.
    parts = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    for number, tensor in enumerate(STATES[name], start=1):
        if number in found and found[number].name in parts:
            assert tensor.endswith(f".{parts[found[number].name]}")


@pytest.mark.parametrize(
    ("name", "layers", "numbers"),
    [
        (SSD, [f"classes{n}_end" for n in range(1, 7)], "546 numbers in place of 18"),
        (LRASPP, ["classes_fine", "classes_coarse"], "21 numbers in place of 2"),
        (DEEPLAB, ["classes"], "21 numbers in place of 2"),
    ],
)
def test_other_classes(name, layers, numbers, backbones, tmp_path):
    """What tells classes is trained anew, all else is there."""
    path = file_of(name, tmp_path)
    with pytest.warns(
        UserWarning, match=f"{layers[0]!r}.* ke.*ps? .* initial weights, .* other classes, of {numbers}"
    ) as told:
        model = BUILDERS[name](backbones[name], classes=2, weights=path)
    assert len(told) == 1
    anew = [layer.name for layer in model.layers for weight in layer.weights[:1] if np.unique(weight.numpy()).size > 1]
    assert sorted(anew) == sorted(layers)
    for layer in layers:
        assert repr(layer) in str(told[0].message)


def test_a_trained_model_gives_its_weights(backbones, tmp_path):
    """As it is, or as Keras saved it."""
    trained = segmentation.LRASPP(backbones[LRASPP], classes=3, weights=None)
    trained.save_weights(tmp_path / "x.weights.h5")
    expected = trained.get_weights()
    for given in (keras.models.clone_model(trained), tmp_path / "x.weights.h5"):
        if isinstance(given, keras.Model):
            given.set_weights(expected)
        trained.set_weights([np.zeros_like(array) for array in expected])
        again = segmentation.LRASPP(backbones[LRASPP], classes=3, weights=given, output="class_map")
        for one, other in zip(again.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(one, other)


# Errors

BUILD = "`weights` of torchvision give their outputs with "


@pytest.mark.parametrize(
    ("name", "build", "message"),
    [
        (SSD, lambda b, w: detection.SSDLite(b[SSD], 90, smallest=0.1, weights=w),
         rf"`SSDLite`: {BUILD}the anchors of smallest=0\.2, largest=0\.95, ratios=\(2, 3\), which this model is not"),
        (SSD, lambda b, w: detection.SSDLite(b[SSD], 90, padding="same", weights=w),
         rf"`SSDLite`: {BUILD}padding='symmetric', bn_epsilon=0\.001; the model has padding='same', bn_epsilon=0\.001, "
         r"got .*Build it and its backbone with these options"),
        (SSD, lambda b, w: detection.SSDLite(large(96, reduced_tail=True, bn_epsilon=1e-5), 90, weights=w),
         rf"{BUILD}.*; the model has padding='symmetric', bn_epsilon=1e-05"),
        (SSD, lambda b, w: detection.SSDLite(large(96), 90, weights=w),
         r"`SSDLite`: `weights` must hold the weights of this model; got .*'stage5_unit1_project' has \(1, 1, 672,"),
        (LRASPP, lambda b, w: segmentation.LRASPP(b[DEEPLAB], classes=21, weights=w),
         rf"`LRASPP`: {BUILD}the finer maps of 'stage3_unit1_project_bn', as in the docstring, which this"),
        (LRASPP, lambda b, w: segmentation.LRASPP(finer(large(output_stride=8)), classes=21, weights=w),
         rf"{BUILD}a backbone of output_stride=16, which this model is not built with"),
        (DEEPLAB, lambda b, w: segmentation.DeepLabV3(b[DEEPLAB], classes=21, rates=(6, 12, 18), weights=w),
         rf"`DeepLabV3`: {BUILD}rates=\(12, 24, 36\), which"),
        (DEEPLAB, lambda b, w: segmentation.DeepLabV3(b[DEEPLAB], classes=21, rates=(12, 24), weights=w),
         r"the file's 'classifier\.0\.convs\.3\.0\.weight' is not in the model"),
        (DEEPLAB, lambda b, w: segmentation.DeepLabV3(b[DEEPLAB_RESNET], classes=21, weights=w),
         r"`DeepLabV3`: `weights` must hold the weights of this model; got .*'stem' has \(7, 7, 3, 64\), in the"),
        (DEEPLAB_RESNET, lambda b, w: segmentation.DeepLabV3(
            models.ResNet50(input_shape=(SIDE, SIDE, 3), include_top=False, output_stride=16), classes=21, weights=w),
         rf"{BUILD}a backbone of output_stride=8, which"),
        (LRASPP, lambda b, w: segmentation.DeepLabV3(b[DEEPLAB], classes=21, weights=w),
         r"`DeepLabV3`: `weights` must hold the weights of this model; got .*the file has no 'class.*options\.$"),
        (DEEPLAB, lambda b, w: segmentation.LRASPP(b[LRASPP], classes=21, weights=w),
         r"`LRASPP`: `weights` must be torchvision's, with 'classifier\.low_classifier'; got .*, with 'backbone\.0"),
        (SSD, lambda b, w: detection.SSDLite(b[SSD], 90, weights="imagenet"),
         r"`SSDLite`: `weights` must be None, a file or an address, since no published weights of ImageNet are known"),
    ],
)  # fmt: skip
def test_of_networks_with_other_options(name, build, message, backbones, tmp_path):
    with pytest.raises(ValueError, match=message):
        build(backbones, file_of(name, tmp_path))


def test_files_that_have_less_and_more(backbones, tmp_path):
    for changes, message in (
        ({"drop": ("backbone.extra.1.1.0.weight",)},
         r"the file has no 'backbone\.extra\.1\.1\.0\.weight' for 'extra2_depthwise'"),
        ({"head.more.weight": (2, 3)}, r"the file's 'head\.more\.weight' is not in the model"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            detection.SSDLite(backbones[SSD], 90, weights=file_of(SSD, tmp_path, **changes))
    with pytest.raises(FileNotFoundError, match="`SSDLite`: `weights` names a file that does not exist"):
        detection.SSDLite(backbones[SSD], 90, weights=tmp_path / "none.pth")
    with pytest.raises(TypeError, match="`LRASPP`: `weights` must be None, the path or address"):
        segmentation.LRASPP(backbones[LRASPP], classes=21, weights=3)
