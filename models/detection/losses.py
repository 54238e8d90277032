"""What detectors are trained by: losses over places or anchors, most of which stand for nothing."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Tensor


class _OfPositives(keras.losses.Loss):
    """The sum over all that an image is trained for, by the number of positives in the batch.

    A loss of a batch is that sum over its images by their positives, as in the papers: one image of many boxes counts
    as much as its boxes. A batch without any counts by 1.
    """

    def shared(self, values: Tensor, positive: Tensor) -> Tensor:
        """(batch,): what `reduction` averages."""
        axes = tuple(range(1, len(positive.shape)))
        positive = ops.cast(positive, values.dtype)
        count = ops.cast(ops.shape(positive)[0], values.dtype)
        return ops.sum(values, axes) * count / ops.maximum(ops.sum(positive), 1.0)


@_checks.register
class FocalLoss(_OfPositives):
    """Binary cross entropy of each class, where what is told well already counts for little.

    `y_true`: (batch, places), labels, or -1 where there is nothing. `y_pred`: (batch, places, classes), from 0 to 1.

    Args:
        alpha: weight of what is there; what is not has 1 - alpha.
        gamma: how little what is told well counts.
        name, reduction, dtype: as of every loss of Keras.

    Source: Lin et al. 2017, "Focal loss for dense object detection", arXiv:1708.02002, equation 5; of each place and
    class it is keras.losses.BinaryFocalCrossentropy.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, name: str = "focal_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.alpha = _checks.rate("FocalLoss", "alpha", alpha)
        self.gamma = _checks.number("FocalLoss", "gamma", gamma, least=0)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        classes = y_pred.shape[-1]
        there = ops.one_hot(ops.cast(y_true, "int32"), classes, dtype=y_pred.dtype)  # zeros of -1
        options = {"apply_class_balancing": True, "alpha": self.alpha, "gamma": self.gamma}
        values = keras.losses.binary_focal_crossentropy(there, y_pred, **options) * classes  # it averages over them
        return self.shared(values, y_true >= 0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "gamma": self.gamma}


@_checks.register
class BoxLoss(_OfPositives):
    """1 - GIoU: how little two boxes share, and how far apart they lie where they share nothing.

    `y_true`, `y_pred`: (batch, places, 4): x1, y1, x2, y2; a box of no size in `y_true` is none, and counts nothing.

    Args:
        name, reduction, dtype: as of every loss of Keras.

    Source: Rezatofighi et al. 2019, "Generalized intersection over union", arXiv:1902.09630, algorithm 1.
    """

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        positive = (y_true[..., 2] > y_true[..., 0]) & (y_true[..., 3] > y_true[..., 1])
        low, high = ops.maximum(y_true, y_pred), ops.minimum(y_true, y_pred)
        shared = _area(low[..., :2], high[..., 2:])
        hull = _area(high[..., :2], low[..., 2:])
        union = _area(y_true[..., :2], y_true[..., 2:]) + _area(y_pred[..., :2], y_pred[..., 2:]) - shared
        tiny = keras.config.epsilon()
        giou = shared / ops.maximum(union, tiny) - (hull - union) / ops.maximum(hull, tiny)
        return self.shared(ops.where(positive, 1 - giou, 0.0), positive)


def _area(low, high):
    sides = ops.maximum(high - low, 0.0)
    return sides[..., 0] * sides[..., 1]


@_checks.register
class CenterLoss(_OfPositives):
    """Binary cross entropy of how near the middle of its box a place lies; where there is none it counts nothing.

    `y_true`, `y_pred`: (batch, places, 1), from 0 to 1; below 0 in `y_true` where there is no box.

    Args:
        name, reduction, dtype: as of every loss of Keras.

    Source: Tian et al. 2019, FCOS, arXiv:1904.01355, section 3.3.
    """

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        positive = y_true[..., 0] >= 0
        values = keras.losses.binary_crossentropy(ops.maximum(y_true, 0.0), y_pred)
        return self.shared(ops.where(positive, values, 0.0), positive)


@_checks.register
class OffsetLoss(_OfPositives):
    """Smooth L1 distance of offsets from anchors.

    `y_true`: (batch, anchors, 5), of which the last is 1 where an anchor stands for a box, and else 0, where it counts
    nothing. `y_pred`: (batch, anchors, 4).

    Args:
        name, reduction, dtype: as of every loss of Keras.

    Source: Liu et al. 2016, "SSD: Single shot multibox detector", arXiv:1512.02325, equation 2.
    """

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        positive = y_true[..., 4] > 0
        values = keras.losses.huber(y_true[..., :4], y_pred) * 4  # it averages over them
        return self.shared(ops.where(positive, values, 0.0), positive)


@_checks.register
class HardNegativeLoss(_OfPositives):
    """Cross entropy over the classes and the background, of the anchors that stand for a box and the hardest others.

    `y_true`: (batch, anchors): 0 for the background, or a class from 1 on. `y_pred`: (batch, anchors, 1 + classes),
    logits.

    Args:
        ratio: others to each anchor that stands for a box, in every image. Where there is no box, `ratio` in all.
        name, reduction, dtype: as of every loss of Keras.

    Source: Liu et al. 2016, arXiv:1512.02325, section 2.2: hard negative mining.
    """

    def __init__(self, ratio: int = 3, name: str = "hard_negative_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.ratio = _checks.positive_int("HardNegativeLoss", "ratio", ratio)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        positive = y_true > 0
        values = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        others = ops.where(positive, -1.0, values)
        place = ops.argsort(ops.argsort(-others, -1), -1)  # 0 is the hardest
        wanted = self.ratio * ops.maximum(ops.sum(ops.cast(positive, "int32"), -1, keepdims=True), 1)
        kept = positive | ((ops.cast(place, "int32") < wanted) & ~positive)
        return self.shared(ops.where(kept, values, 0.0), positive)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ratio": self.ratio}
