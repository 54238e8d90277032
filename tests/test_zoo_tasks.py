"""Detectors and segmenters built of files of torchvision's state dicts give its outputs; `make test-zoo` runs this.

The weights are drawn at random, at the networks' own widths; every one goes over by its name.
"""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from torchvision.models import get_model_weights
from torchvision.models.detection.image_list import ImageList

from keraslayers import models
from keraslayers.models import detection, segmentation
from tests.model_tools import image
from tests.zoo import CLASSES, STATES, TASKS, near, saved, states


def theirs(name, classes):
    build, more = TASKS[name]
    return build(weights=None, weights_backbone=None, num_classes=classes, **more)


def turned(x):
    return torch.from_numpy(x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(("size", "kind"), [((320, 320), "pth"), ((192, 256), "safetensors")])
def test_ssdlite(size, kind, tmp_path):
    """Its logits, offsets and boxes, before anything is left out or suppressed."""
    network = theirs("ssdlite320_mobilenet_v3_large", 1 + CLASSES)
    path = saved(network, tmp_path, kind)
    backbone = models.MobileNetV3Large(
        input_shape=(*size, 3), include_top=False, reduced_tail=True, padding="symmetric"
    )
    ours = detection.SSDLite(backbone, CLASSES, weights=path)(image((*size, 3)), training=False)
    x = turned(image((*size, 3)))
    with torch.no_grad():
        maps = list(network.backbone(x).values())
        heads = network.head(maps)
        anchors, _ = network.anchor_generator(ImageList(x, [size] * 2), maps)
        boxes = [network.box_coder.decode_single(offsets, anchors) for offsets in heads["bbox_regression"]]
    near(ours["classes"], heads["cls_logits"])
    near(ours["offsets"], heads["bbox_regression"])
    near(ours["boxes"], torch.stack(boxes))


def test_what_is_found_is_what_torchvision_finds(tmp_path):
    """With torchvision's thresholds, of which a box may have several classes, and its boxes within the image."""
    network = theirs("ssdlite320_mobilenet_v3_large", 1 + CLASSES)
    path = saved(network, tmp_path)
    backbone = models.MobileNetV3Large(
        input_shape=(320, 320, 3), include_top=False, reduced_tail=True, padding="symmetric"
    )
    ours = detection.detector(detection.SSDLite(backbone, CLASSES, weights=path))
    pixels = np.random.default_rng(0).uniform(0, 1, (1, 320, 320, 3)).astype("float32")
    told = ours(2 * pixels - 1, training=False)
    boxes, scores = (keras.ops.convert_to_numpy(told[name])[0] for name in ("boxes", "scores"))
    with torch.no_grad():
        (found,) = network(turned(pixels))
    assert len(found["scores"]) > 20
    for box, label, score in zip(found["boxes"], found["labels"], found["scores"], strict=True):
        near_boxes = np.abs(boxes - box.numpy()).max(-1) < 0.05  # pixels
        assert np.abs(scores[near_boxes, label - 1] - score.item()).min() < 1e-4


def built(name, size, **options):
    """Ours of torchvision's name."""
    shape = {"input_shape": (*size, 3), "include_top": False}
    if name.endswith("resnet50"):
        return segmentation.DeepLabV3(models.ResNet50(output_stride=8, **shape), classes=CLASSES, **options)
    backbone = models.MobileNetV3Large(output_stride=16, padding="symmetric", **shape)
    if name.startswith("deeplab"):
        return segmentation.DeepLabV3(backbone, classes=CLASSES, **options)
    maps = [backbone.get_layer("stage3_unit1_project_bn").output, backbone.output]
    return segmentation.LRASPP(keras.Model(backbone.input, maps), classes=CLASSES, **options)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lraspp_mobilenet_v3_large", "pth"),
        ("deeplabv3_mobilenet_v3_large", "safetensors"),
        ("deeplabv3_resnet50", "pth"),
    ],
)
def test_segmentation(name, kind, tmp_path):
    """Logits as the head gives them, and as they are grown to the image."""
    network = theirs(name, CLASSES)
    size = (96, 160)
    ours = built(name, size, weights=saved(network, tmp_path, kind))
    x = image((*size, 3))
    with torch.no_grad():
        maps = network.backbone(turned(x))
        small = network.classifier(maps if name.startswith("lraspp") else maps["out"])
        whole = network(turned(x))["out"]
    near(ours(x, training=False), whole.numpy().transpose(0, 2, 3, 1))
    inner = keras.Model(ours.input, ours.get_layer("classes").output)
    near(inner(x, training=False), small.numpy().transpose(0, 2, 3, 1))


def test_the_tests_without_torch_know_its_names():
    """If these change, `python -m tests.zoo` writes them."""
    assert json.loads(STATES.read_text()) == states()


def test_the_page_has_its_addresses():
    page = (Path(__file__).parent.parent / "docs" / "weights.md").read_text()
    for name in TASKS:
        told = get_model_weights(name)["DEFAULT"]
        (row,) = re.findall(rf"^\| `{name}` .*", page, re.MULTILINE)
        (digest,) = re.findall(r"-([0-9a-f]{8})\.pth$", told.url)
        assert f"`{told.url}#sha256={digest}`" in row
        (metrics,) = told.meta["_metrics"].values()
        assert f"| {metrics.get('box_map', metrics.get('miou'))} " in row
