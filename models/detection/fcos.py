"""FCOS, small: a feature pyramid whose every place tells a class, a box, and how near the middle of it lies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import keras
from keras import layers

from keraslayers import _checks, _rewrite
from keraslayers._hints import Activation
from keraslayers.affine import Affine
from keraslayers.models.detection._maps import check_multiple, image_size, own_strides
from keraslayers.models.detection.point_boxes import PointBoxes
from keraslayers.models.features import features
from keraslayers.resample import Resample2D

MOMENTUM = 0.9  # of batch normalization: detectors are trained on few images


def FCOS(
    backbone: keras.Model,
    classes: int,
    *,
    strides: Sequence[int] = (8, 16, 32),
    filters: int = 64,
    depth: int = 2,
    reach: float = 8.0,
    radius: float = 1.5,
    activation: Activation = "relu",
    name: str | None = None,
) -> keras.Model:
    """Builds a detector without anchors on a backbone: FCOS, of separable convolutions.

    It is trained as it is, on `targets`, by `losses`; what an app needs is `detector` of it. The heads are shared by
    all maps of the pyramid, but for batch normalization, each with its own, and the scale of the boxes. In place of the
    paper's group normalization, which runtimes of phones compute in pieces, stands batch normalization, which costs
    nothing in a file; in place of exp(s x) stands relu(s x), as in the authors' later code.

    ```python
    backbone = keraslayers.models.MobileNetV2(input_shape=(64, 64, 3), include_top=False, alpha=0.35)
    model = keraslayers.models.detection.FCOS(backbone, classes=3, strides=(8, 16), reach=2)
    model.compile("adam", loss=keraslayers.models.detection.losses(model))
    ```

    Args:
        backbone: a model of images, whose layers are named by stage as those of `keraslayers.models` are, of a known
            height and width, multiples of the coarsest stride of its own that is asked for. Its layers are shared.
        classes: number of classes; there is none of the background.
        strides: of the maps: powers of 2 that rise, each the double of the one before. What is beyond the backbone's
            is made by a convolution of strides 2. In the paper 8 to 128, of images of 800 pixels.
        filters: of the pyramid and of the heads; 256 in the paper.
        depth: separable convolutions of each of the two heads; 4 in the paper.
        reach: a map of stride s is for boxes whose farthest side is `reach * s` pixels away at most, the last for all
            that are larger. Small images with few maps want less than the paper's 8.
        radius: places so many strides around the middle of a box are trained for it.
        activation: behind every convolution.
        name: of the model.

    Returns:
        A keras.Model with outputs by name, of as many places as the maps have together: `"boxes"` (batch, places, 4),
        x1, y1, x2, y2 in pixels; `"classes"` (batch, places, classes), each from 0 to 1; `"centers"` (batch, places,
        1), from 0 to 1.

    Raises:
        TypeError: if `backbone` is no model, or a number is none.
        ValueError: if the backbone has no such maps, or its images no such size, or a number is out of its range.

    Source: Tian et al. 2019, arXiv:1904.01355; Lin et al. 2017, "Feature pyramid networks", arXiv:1612.03144, figure 3;
    Tan et al. 2020, EfficientDet, arXiv:1911.09070, for separable convolutions in them.
    """
    who = "FCOS"
    classes = _checks.positive_int(who, "classes", classes)
    filters = _checks.positive_int(who, "filters", filters)
    depth = _checks.positive_int(who, "depth", depth)
    strides = _doubling(who, strides)
    size = image_size(who, backbone)
    own = own_strides(who, backbone, strides)
    check_multiple(who, size, own[-1])
    seen = features(backbone, own)
    maps = _pyramid(seen, own, filters, activation)
    for stride in strides[len(own) :]:
        step = _separable(filters, f"pyramid{stride}", strides=2)
        maps.append(_through(maps[-1], [step], activation, f"pyramid{stride}"))

    heads = {head: [_separable(filters, f"{head}{i + 1}") for i in range(depth)] for head in ("classes", "boxes")}
    rare = keras.initializers.Constant(-math.log(99))  # 0.01 at the start: arXiv:1708.02002, section 4.1
    small = keras.initializers.RandomNormal(stddev=0.01)
    ends = {
        "classes": layers.Conv2D(classes, 1, kernel_initializer=small, bias_initializer=rare, name="classes_end"),
        "boxes": layers.Conv2D(4, 1, kernel_initializer=small, bias_initializer="ones", name="boxes_end"),
        "centers": layers.Conv2D(1, 1, kernel_initializer=small, name="centers_end"),
    }
    found = {"classes": [], "boxes": [], "centers": []}
    for stride, x in zip(strides, maps, strict=True):
        ways = {head: _through(x, steps, activation, f"{head}_at{stride}") for head, steps in heads.items()}
        found["classes"].append(
            layers.Reshape((-1, classes), name=f"classes_of{stride}")(ends["classes"](ways["classes"]))
        )
        # Beside the boxes, as in the authors' later code.
        found["centers"].append(layers.Reshape((-1, 1), name=f"centers_of{stride}")(ends["centers"](ways["boxes"])))
        scaled = Affine(center=False, name=f"scale{stride}")(ends["boxes"](ways["boxes"]))
        found["boxes"].append(layers.ReLU(name=f"distances{stride}")(scaled))
    outputs = {"boxes": PointBoxes(size, strides, reach, radius, dtype="float32", name="boxes")(found["boxes"])}
    for head in ("classes", "centers"):
        parts = found[head]
        logits = layers.Concatenate(axis=1, name=f"{head}_logits")(parts) if len(parts) > 1 else parts[0]
        outputs[head] = layers.Activation("sigmoid", dtype="float32", name=head)(logits)
    return keras.Model(_rewrite.graph_of(seen).input, outputs, name=name or f"{backbone.name}_fcos")


def _doubling(who, strides):
    if not isinstance(strides, list | tuple) or not strides:
        raise TypeError(f"`{who}`: `strides` must be a list of whole numbers, such as (8, 16, 32); got {strides!r}.")
    strides = tuple(_checks.positive_int(who, "strides", stride) for stride in strides)
    if any(after != 2 * before for before, after in itertools.pairwise(strides)):
        raise ValueError(f"`{who}`: each of `strides` must be the double of the one before; got {strides}.")
    return strides


def _pyramid(seen, strides, filters, activation):
    """Each map joined by what the coarser ones have seen."""
    joined, x = [], None
    for stride, maps in zip(reversed(strides), reversed(seen.outputs), strict=True):
        lateral = layers.Conv2D(filters, 1, use_bias=False, name=f"lateral{stride}")(maps)
        lateral = layers.BatchNormalization(momentum=MOMENTUM, name=f"lateral{stride}_bn")(lateral)
        if x is not None:
            x = layers.Add(name=f"join{stride}")([lateral, Resample2D(2, method="nearest", name=f"up{stride}")(x)])
        else:
            x = lateral
        joined.append((stride, x))
    return [
        _through(x, [_separable(filters, f"pyramid{stride}")], activation, f"pyramid{stride}")
        for stride, x in reversed(joined)
    ]


def _separable(filters, name, strides=1):
    return (
        layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False, name=f"{name}_depthwise"),
        layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise"),
    )


def _through(x, steps, activation, name):
    """Through convolutions, with a normalization of its own behind each."""
    for number, (depthwise, pointwise) in enumerate(steps):
        x = pointwise(depthwise(x))
        x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn{number + 1}")(x)
        x = layers.Activation(activation, name=f"{name}_act{number + 1}")(x)
    return x
