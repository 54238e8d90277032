"""What a detector is trained on and by: of boxes and labels the targets of its outputs, and their losses."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import ArrayLike

from keraslayers._hints import Array
from keraslayers.models.detection import _boxes
from keraslayers.models.detection.geometry import POINTS, geometry, outputs_of
from keraslayers.models.detection.losses import BoxLoss, CenterLoss, FocalLoss, HardNegativeLoss, OffsetLoss


def targets(model: keras.Model, boxes: Sequence[ArrayLike], labels: Sequence[ArrayLike]) -> dict[str, Array]:
    """Returns what `model.fit` takes beside images: arrays by the name of the output.

    A box that reaches over a border of the image is cut off there. An image without boxes trains, too: by empty lists.

    ```python
    backbone = keraslayers.models.MobileNetV2(input_shape=(64, 64, 3), include_top=False, alpha=0.35)
    model = keraslayers.models.detection.FCOS(backbone, classes=3, strides=(8, 16), reach=2)
    model.compile("adam", loss=keraslayers.models.detection.losses(model))
    images = np.zeros((2, 64, 64, 3), "float32")
    boxes = [[[8, 8, 40, 32], [20, 30, 60, 64]], []]  # on the first image two, on the second none
    y = keraslayers.models.detection.targets(model, boxes, [[0, 2], []])
    model.fit(images, y, verbose=0)
    ```

    Args:
        model: of `FCOS` or `SSDLite`.
        boxes: for each image an array (boxes, 4) of x1, y1, x2, y2 in pixels of what the model sees.
        labels: for each image an array (boxes,) of whole numbers from 0 on.

    Raises:
        TypeError: if labels are no whole numbers, or `model` is no keras.Model.
        ValueError: if `model` is no detector of this package, there are not as many labels as boxes, a box has no
            size or lies outside of its image, or a label is not below the number of classes.
    """
    who = "targets"
    layer, classes = geometry(who, model)
    if len(boxes) != len(labels):
        raise ValueError(
            f"`{who}`: `boxes` and `labels` must be of as many images; got {len(boxes)} and {len(labels)}."
        )
    if not len(boxes):
        raise ValueError(f"`{who}`: `boxes` and `labels` must be of one image at least; got none.")
    made = []
    for image, (some, named) in enumerate(zip(boxes, labels, strict=True)):
        given = _boxes.checked(who, some, named, layer.image_size, classes, where=f" of image {image}")
        made.append(layer.assign(*given))
    return {name: np.stack([each[name] for each in made]) for name in made[0]}


def losses(model: keras.Model) -> dict[str, keras.losses.Loss]:
    """Returns the losses of a detector by the name of the output, for `model.compile(loss=...)`.

    Of `FCOS` they are `FocalLoss`, `BoxLoss` and `CenterLoss`; of `SSDLite` `HardNegativeLoss` and `OffsetLoss`.

    Args:
        model: of `FCOS` or `SSDLite`.

    Raises:
        TypeError: if `model` is no keras.Model.
        ValueError: if it is no detector of this package.
    """
    if set(outputs_of("losses", model)) == POINTS:
        return {"classes": FocalLoss(), "boxes": BoxLoss(), "centers": CenterLoss()}
    return {"classes": HardNegativeLoss(), "offsets": OffsetLoss()}
