"""Boxes by their offsets from anchors: SSD's way from maps to boxes, and back to targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Array, Shape, Size, Tensor
from keraslayers.models.detection import _boxes

WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of middles and sizes: 1 over the variances 0.1 and 0.2 of SSD's published code
MOST = math.log(1000 / 16)  # how much larger than its anchor a box becomes


@_checks.register
class AnchorBoxes(keras.layers.Layer):
    """Boxes of the offsets that each place of several maps tells of its anchors.

    A map of scale s has at each place a square of s sides of the image, one of sqrt(s t), where t is the scale of the
    next map, and for each ratio r one r times as wide as high and one r times as high as wide. Scales rise evenly.

    Input shape: (batch, anchors, 4), of all maps: x, y, width and height as offsets from the anchor.
    Output shape: the same: x1, y1, x2, y2 in pixels of the image.

    Args:
        image_size: (height, width) of the images, in pixels.
        sizes: (height, width) of each map.
        smallest, largest: scale of the first map and of the last, in sides of the image.
        ratios: of width to height, beside 1.
        threshold: an anchor stands for the box with which it shares so much, intersection over union; the best anchor
            of each box does in any case.

    Raises:
        TypeError: if a number is none.
        ValueError: if one is out of its range, or when built if there are not as many offsets as anchors.

    Source: Liu et al. 2016, "SSD: Single shot multibox detector", arXiv:1512.02325, section 2.2.
    """

    def __init__(
        self,
        image_size: Size,
        sizes: Sequence[Size],
        smallest: float = 0.2,
        largest: float = 0.95,
        ratios: Sequence[float] = (2, 3),
        threshold: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        who = "AnchorBoxes"
        self.image_size = _checks.positive_pair(who, "image_size", image_size)
        self.sizes = [_checks.positive_pair(who, "sizes", size) for size in sizes]
        self.smallest, self.largest = (
            _checks.fraction(who, name, value) for name, value in (("smallest", smallest), ("largest", largest))
        )
        if self.smallest > self.largest:
            raise ValueError(f"`{who}`: `smallest` must not be above `largest`; got {smallest!r} and {largest!r}.")
        self.ratios = tuple(_checks.number(who, "ratios", ratio, above=0) for ratio in ratios)
        self.threshold = _checks.fraction(who, "threshold", threshold)
        self.anchors = self._anchors()

    @property
    def each(self) -> int:
        """Anchors of a place."""
        return 2 + 2 * len(self.ratios)

    def build(self, input_shape: Shape) -> None:
        if tuple(input_shape)[1:] != (len(self.anchors), 4):
            raise ValueError(
                f"`AnchorBoxes`: the offsets must be of (batch, {len(self.anchors)}, 4), as there are as many anchors; "
                f"got {tuple(input_shape)}."
            )

    def call(self, inputs: Tensor) -> Tensor:
        anchors = ops.convert_to_tensor(self.anchors[None], inputs.dtype)
        inputs = inputs / ops.convert_to_tensor([[WEIGHTS]], inputs.dtype)
        middles = inputs[..., :2] * anchors[..., 2:] + anchors[..., :2]
        halves = ops.exp(ops.minimum(inputs[..., 2:], MOST)) * (anchors[..., 2:] / 2)
        return ops.concatenate([middles - halves, middles + halves], -1)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def assign(self, boxes: Array, labels: Array) -> dict[str, Array]:
        """What the anchors are trained for in one image.

        Args:
            boxes: array (count, 4) in pixels, within the image.
            labels: array (count,).

        Returns:
            A dict of arrays: "classes" (anchors,), 1 + the label, or 0; "offsets" (anchors, 5), the last of which is
            1 where an anchor stands for a box.
        """
        classes, offsets = np.zeros(len(self.anchors), "int32"), np.zeros((len(self.anchors), 5), "float32")
        if len(boxes):
            middles, sizes = self.anchors[:, :2], self.anchors[:, 2:]
            shared = _boxes.overlaps(np.concatenate([middles - sizes / 2, middles + sizes / 2], -1), boxes)
            best, has = shared.argmax(1), shared.max(1) >= self.threshold
            own = shared.argmax(0)
            best[own], has[own] = np.arange(len(boxes)), True
            chosen = boxes[best[has]]
            apart = ((chosen[:, :2] + chosen[:, 2:]) / 2 - middles[has]) / sizes[has]
            larger = np.log((chosen[:, 2:] - chosen[:, :2]) / sizes[has])
            classes[has] = labels[best[has]] + 1
            offsets[has, :4] = np.concatenate([apart, larger], -1) * np.array(WEIGHTS, "float32")
            offsets[has, 4] = 1
        return {"classes": classes, "offsets": offsets}

    def _anchors(self):
        """(anchors, 4): x, y of the middle, width and height in pixels, map by map, place by place."""
        count = len(self.sizes)
        rise = (self.largest - self.smallest) / max(count - 1, 1)
        scales = [*(self.smallest + rise * i for i in range(count)), 1.0]
        image = np.array(self.image_size[::-1], "float64")
        anchors = []
        for size, scale, after in zip(self.sizes, scales, scales[1:], strict=False):
            shapes = [(scale, scale), (math.sqrt(scale * after),) * 2]
            for ratio in self.ratios:
                wide, high = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
                shapes += [(wide, high), (high, wide)]
            y, x = np.meshgrid(*((np.arange(side) + 0.5) / side for side in size), indexing="ij")
            middles = np.repeat(np.stack([x, y], -1).reshape(-1, 2), len(shapes), 0)
            sides = np.tile(np.minimum(shapes, 1.0), (size[0] * size[1], 1))
            anchors.append(np.concatenate([middles * image, sides * image], -1))
        return np.concatenate(anchors).astype("float32")

    def get_config(self) -> dict[str, Any]:
        names = ("image_size", "sizes", "smallest", "largest", "ratios", "threshold")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
