"""Boxes by the distances of their sides from points: FCOS's way from maps to boxes, and back to targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Array, Shape, Size, Tensor
from keraslayers.models.detection import _boxes


@_checks.register
class PointBoxes(keras.layers.Layer):
    """Boxes of the distances that the places of maps tell.

    The place (i, j) of a map of stride s stands for the point ((j + 0.5) s, (i + 0.5) s) of the image.

    Input shape: a list of maps (batch, ceil(height / stride), ceil(width / stride), 4), one a stride: distances of the
    left, upper, right and lower side of a box from the place's point, in strides.
    Output shape: (batch, places of all maps, 4): x1, y1, x2, y2 in pixels of the image.

    Args:
        image_size: (height, width) of the images, in pixels.
        strides: of the maps, in their order, in pixels.
        reach: a map of stride s is trained for boxes whose farthest side is `reach * s` away at most, and the last for
            all that are larger; 8 in the paper, whose images are of 800 pixels.
        radius: only places so many strides around the middle of a box are trained for it; 1.5 in the authors' code.

    Raises:
        TypeError: if a number is none.
        ValueError: if one is out of its range, or when built if the maps are of other sizes.

    Source: Tian et al. 2019, "FCOS: Fully Convolutional One-Stage Object Detection", arXiv:1904.01355, section 3.1 and
    3.2; center sampling in arXiv:2006.09214, section 2.1.
    """

    def __init__(
        self, image_size: Size, strides: Sequence[int], reach: float = 8.0, radius: float = 1.5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        who = "PointBoxes"
        self.image_size = _checks.positive_pair(who, "image_size", image_size)
        self.strides = tuple(_checks.positive_int(who, "strides", stride) for stride in strides)
        if not self.strides or list(self.strides) != sorted(set(self.strides)):
            raise ValueError(f"`{who}`: `strides` must be one or more that rise; got {strides!r}.")
        self.reach = _checks.number(who, "reach", reach, above=0)
        self.radius = _checks.number(who, "radius", radius, above=0)
        self.sizes = [tuple(-(-side // stride) for side in self.image_size) for stride in self.strides]
        self.points = [_points(size, stride) for size, stride in zip(self.sizes, self.strides, strict=True)]

    def build(self, input_shape: Sequence[Shape]) -> None:
        shapes = [tuple(shape)[1:] for shape in input_shape]
        wanted = [(*size, 4) for size in self.sizes]
        if shapes != wanted:
            raise ValueError(f"`PointBoxes`: the maps must be of the sizes {wanted}; got {shapes}.")

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        boxes = []
        for distances, points, stride in zip(inputs, self.points, self.strides, strict=True):
            distances = ops.reshape(distances, (-1, len(points), 4)) * stride
            places = ops.convert_to_tensor(points[None], distances.dtype)
            boxes.append(ops.concatenate([places - distances[..., :2], places + distances[..., 2:]], -1))
        return ops.concatenate(boxes, 1) if len(boxes) > 1 else boxes[0]

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> tuple[int | None, ...]:
        return (input_shape[0][0], sum(map(len, self.points)), 4)

    def assign(self, boxes: Array, labels: Array) -> dict[str, Array]:
        """What the places are trained for in one image: each for the smallest of the boxes that it may stand for.

        Args:
            boxes: array (count, 4) in pixels, within the image.
            labels: array (count,).

        Returns:
            A dict of arrays: "classes" (places,), the label or -1; "boxes" (places, 4), zeros where there is none;
            "centers" (places, 1), how near the middle of the box a place is, from 0 to 1, or -1.
        """
        points = np.concatenate(self.points)
        counts = [len(part) for part in self.points]
        stride = np.repeat(np.array(self.strides, "float32"), counts)[:, None]
        low = np.repeat([0.0, *(self.reach * stride for stride in self.strides[:-1])], counts)[:, None]
        high = np.repeat([*(self.reach * stride for stride in self.strides[:-1]), np.inf], counts)[:, None]
        classes = np.full(len(points), -1, "int32")
        nearest, centers = np.zeros((len(points), 4), "float32"), np.full((len(points), 1), -1, "float32")
        if len(boxes):
            sides = np.concatenate([points[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - points[:, None]], -1)
            middles = (boxes[:, :2] + boxes[:, 2:]) / 2
            near = np.abs(points[:, None] - middles[None]).max(-1) < self.radius * stride
            farthest = sides.max(-1)
            fits = (sides.min(-1) > 0) & near & (farthest >= low) & (farthest <= high)
            area = np.where(fits, _boxes.areas(boxes)[None], np.inf)
            best, has = area.argmin(1), fits.any(1)
            classes[has], nearest[has] = labels[best[has]], boxes[best[has]]
            left, top, right, bottom = sides[has, best[has]].T
            across, down = (
                np.minimum(left, right) / np.maximum(left, right),
                np.minimum(top, bottom) / np.maximum(top, bottom),
            )
            centers[has, 0] = np.sqrt(across * down)  # equation 3
        return {"classes": classes, "boxes": nearest, "centers": centers}

    def get_config(self) -> dict[str, Any]:
        names = ("image_size", "strides", "reach", "radius")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _points(size: Sequence[int], stride: int) -> Array:
    """(places, 2): x, y of the middles of a map's places, row by row."""
    y, x = np.meshgrid(*(np.arange(count, dtype="float32") for count in size), indexing="ij")
    return (np.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride
