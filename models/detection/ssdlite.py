"""SSDLite: boxes by offsets from anchors on six maps, each predicted by a separable convolution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from keraslayers import _checks, _rewrite
from keraslayers.models import _blocks
from keraslayers.models import weights as _weights
from keraslayers.models._variants import Weights, builder
from keraslayers.models.detection._maps import image_size
from keraslayers.models.detection.anchor_boxes import AnchorBoxes
from keraslayers.models.features import seen

EXTRA = (512, 256, 256, 128)  # filters of the maps behind the backbone's two
EPSILON = 1e-3
EXPANDED = re.compile(r"stage\d+_unit\d+_expand_act")
MOMENTUM = 0.97  # of torchvision's SSDLite, which writes 0.03 for it


@builder
def SSDLite(
    backbone: keras.Model,
    classes: int,
    *,
    levels: int = 6,
    ratios: Sequence[float] = (2, 3),
    smallest: float = 0.2,
    largest: float = 0.95,
    threshold: float = 0.5,
    padding: Literal["symmetric", "same"] = "symmetric",
    momentum: float = MOMENTUM,
    weights: Weights | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a detector with anchors on a backbone: SSDLite.

    It is trained as it is, on `targets`, by `losses`; what an app needs is `detector` of it. Of backbones of inverted
    residuals the first map is what the first block of stride 32 expands to, and the second the convolution behind
    the last stage, as in the papers; of others both are the last maps of stride 16 and 32. On
    MobileNetV3Large(input_shape=(320, 320, 3), include_top=False, reduced_tail=True, padding="symmetric"), with 90
    classes, it is torchvision's ssdlite320_mobilenet_v3_large, of 3,440,060 parameters, with whose weights it gives the
    same logits, offsets and boxes; images are of -1 to 1 there.

    Args:
        backbone: a model of images, whose layers are named by stage as those of `keraslayers.models` are, of a known
            height and width. Its layers are shared.
        classes: number of classes, without the background, which is another one.
        levels: maps, 2 to 6.
        ratios: of width to height of the anchors, beside squares.
        smallest, largest: scale of the anchors of the first map and of the last, in sides of the image.
        threshold: an anchor is trained for the box with which it shares so much, intersection over union.
        padding: of convolutions of strides 2: `"symmetric"` as PyTorch, or `"same"` as TensorFlow.
        momentum: of the batch normalization of the heads.
        weights: of backbone and heads, as of every builder of `keraslayers.models`: of torchvision's state dict, of
            another model or a file of it; None leaves them as they are.
        name: of the model.

    Returns:
        A keras.Model with outputs by name, of as many anchors as there are: `"offsets"` (batch, anchors, 4) from them;
        `"classes"` (batch, anchors, 1 + classes), logits, of which the first is of the background; and, without a loss
        of its own, `"boxes"` (batch, anchors, 4), x1, y1, x2, y2 in pixels.

    Raises:
        TypeError: if `backbone` is no model, or a number is none.
        ValueError: if the backbone has no such maps, or its images no known size, a number is out of its range, or
            `weights` are of another network, or of one that was built with other options.

    Source: Sandler et al. 2018, arXiv:1801.04381, section 6.2; Howard et al. 2019, arXiv:1905.02244, section 6.3; Liu
    et al. 2016, arXiv:1512.02325.
    """
    who = "SSDLite"
    classes = _checks.positive_int(who, "classes", classes)
    levels = _checks.positive_int(who, "levels", levels)
    if not 2 <= levels <= 2 + len(EXTRA):
        raise ValueError(f"`{who}`: `levels` must be 2 to {2 + len(EXTRA)}; got {levels}.")
    padding = _checks.choice(who, "padding", padding, _blocks.PADDINGS)
    norm = {"epsilon": EPSILON, "momentum": _checks.rate(who, "momentum", momentum)}
    _weights.check(who, weights)
    size = image_size(who, backbone)
    maps = _two(who, backbone)
    for number, filters in enumerate(EXTRA[: levels - 2]):
        maps.append(_next(maps[-1], filters, padding, norm, f"extra{number + 1}"))
    boxes = AnchorBoxes(
        size, [tuple(x.shape[1:3]) for x in maps], smallest, largest, ratios, threshold, dtype="float32", name="boxes"
    )
    outputs = {}
    for head, numbers in (("offsets", 4), ("classes", 1 + classes)):
        parts = []
        for level, x in enumerate(maps):
            x = _depthwise(x, 1, padding, norm, f"{head}{level + 1}_depthwise")
            x = _conv(x, boxes.each * numbers, None, f"{head}{level + 1}_end")
            parts.append(layers.Reshape((-1, numbers), name=f"{head}{level + 1}_each")(x))
        outputs[head] = layers.Concatenate(axis=1, dtype="float32", name=head)(parts)
    outputs["boxes"] = boxes(outputs["offsets"])
    model = keras.Model(_rewrite.graph_of(backbone).input, outputs, name=name or f"{backbone.name}_ssdlite")
    return _weights.loaded(who, model, weights)


def _two(who, backbone):
    """The maps of stride 16 and 32."""
    first, second = seen(who, "backbone", backbone, (16, 32))
    operations = _rewrite.graph_of(backbone).operations
    for operation in operations:
        if EXPANDED.fullmatch(operation.name) and operation.output.shape[1:3] == first.shape[1:3]:
            first = operation.output  # the last of these belongs to the block that halves the map
        elif operation.name == "head_act":
            second = operation.output
    return [first, second]


def _conv(x, filters, norm, name):
    x = layers.Conv2D(filters, 1, use_bias=norm is None, kernel_initializer=_initial(), name=name)(x)
    return _blocks.bn_act(x, "relu6", norm, name) if norm else x


def _depthwise(x, strides, padding, norm, name):
    x, padding = _blocks.pad(x, 3, strides, padding, name)
    options = {"use_bias": False, "depthwise_initializer": _initial()}
    x = layers.DepthwiseConv2D(3, strides=strides, padding=padding, name=name, **options)(x)
    return _blocks.bn_act(x, "relu6", norm, name)


def _initial():
    return keras.initializers.RandomNormal(stddev=0.03)  # torchvision's


def _next(x, filters, padding, norm, name):
    """A map of half the size."""
    x = _conv(x, filters // 2, norm, f"{name}_reduce")
    x = _depthwise(x, 2, padding, norm, f"{name}_depthwise")
    return _conv(x, filters, norm, f"{name}_expand")
