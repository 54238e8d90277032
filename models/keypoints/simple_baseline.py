"""SimpleBaseline: a map a point, made of the last maps of any backbone by some steps that double their size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from keraslayers import _checks, _rewrite
from keraslayers.models.features import seen
from keraslayers.resample import Resample2D

UPSAMPLING = ("transposed", "bilinear")
FILTERS, KERNEL = 256, 4  # arXiv:1804.06208, section 2.1


def SimpleBaseline(
    backbone: keras.Model,
    points: int,
    *,
    strides: Sequence[int] = (32, 4),
    filters: int = FILTERS,
    upsampling: Literal["transposed", "bilinear"] = "transposed",
    name: str = "simple_baseline",
) -> keras.Model:
    """Builds a network that gives a map a point, high where the point is; `keraslayers.SoftArgmax` tells where that is.

    ```python
    backbone = keraslayers.models.MobileNetV2(input_shape=(64, 64, 3), alpha=0.35, include_top=False)
    maps = keraslayers.models.keypoints.SimpleBaseline(
        backbone, 4, strides=(16, 4), filters=32, upsampling="bilinear"
    )
    places = keraslayers.SoftArgmax(size=(64, 64))(maps.output)
    model = keras.Model(maps.input, places)  # x and y of four points, in pixels
    ```

    Args:
        backbone: a model of images whose stages `keraslayers.models.features` finds, mostly built with
            include_top=False. Its layers and weights are shared.
        points: how many there are.
        strides: (of the maps that it begins with, of those that it gives): input pixels a place. The first is one that
            `features` finds, the second smaller by a power of two. The paper's are 32 and 4.
        filters: of each step.
        upsampling: how a step doubles the size: `"transposed"` as in the paper, by a transposed convolution of 4x4; or
            `"bilinear"`, and a depthwise and a 1x1 convolution behind it, for phones.
        name: name of the model.

    Returns:
        A keras.Model with the input of `backbone` that gives maps of (height / stride, width / stride, points), before
        a softmax.

    Raises:
        TypeError: if `backbone` is no Keras model, or a number is none.
        ValueError: if it takes no images, has no stage of the first stride, or the second does not fit it; if images of
            its size leave no place of the maps to begin with; or `upsampling` is unknown.

    Source: Xiao, Wu, Wei 2018, Simple baselines for human pose estimation and tracking, arXiv:1804.06208, section 2.1.
    """
    who = "SimpleBaseline"
    _rewrite.check_graph(who, backbone)
    points, filters = _checks.positive_int(who, "points", points), _checks.positive_int(who, "filters", filters)
    _checks.choice(who, "upsampling", upsampling, UPSAMPLING)
    coarse, fine = _strides(who, strides)
    (x,) = seen(who, "backbone", backbone, (coarse,))
    for step in range(1, (coarse // fine).bit_length()):
        x = _step(x, filters, upsampling, f"up{step}")
    return keras.Model(_rewrite.graph_of(backbone).input, layers.Conv2D(points, 1, name="maps")(x), name=name)


def _strides(who, strides):
    pair = _checks.positive_pair(who, "strides", strides)
    coarse, fine = pair
    ratio = coarse / fine
    if not isinstance(strides, list | tuple) or ratio < 2 or not ratio.is_integer() or int(ratio).bit_count() != 1:
        raise ValueError(
            f"`{who}`: `strides` must be that of the maps to begin with and a smaller one, which doublings lead to, "
            f"such as (32, 4); got {strides!r}."
        )
    return pair


def _step(x, filters, upsampling, name):
    if upsampling == "transposed":
        x = layers.Conv2DTranspose(filters, KERNEL, strides=2, padding="same", use_bias=False, name=name)(x)
    else:
        x = Resample2D(scale=2, name=name)(x)
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_depthwise_norm")(x)
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
