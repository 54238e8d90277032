"""Which points are where they should be."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Tensor


@_checks.register
class PCK(keras.metrics.Mean):
    """The percentage of correct keypoints, as a part of one: those that are near enough.

    Near enough is `alpha` times the longer side of the box around the true points of an image. A weight of 0 leaves a
    point out: of `sample_weight` one number an image, or of shape (images, points). Its true place still spans the box,
    so that of a point that is not there it must be a place within.

    Args:
        alpha: how far a point may be off, in longer sides of the box.
        name, dtype: of the metric.

    Raises:
        TypeError: if `alpha` is no number.
        ValueError: if it is not above 0; or when called if the shapes are not (images, points, 2) of both.

    Source: Yang and Ramanan 2013, "Articulated human detection with flexible mixtures of parts", section 5:
    alpha * max(h, w).
    """

    def __init__(self, alpha: float = 0.1, name: str = "pck", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.alpha = _checks.number("PCK", "alpha", alpha, above=0)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        y_true, y_pred = (ops.cast(ops.convert_to_tensor(points), self.dtype) for points in (y_true, y_pred))
        shapes = tuple(y_true.shape), tuple(y_pred.shape)
        if any(len(shape) != 3 or shape[2] != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
            raise ValueError(
                "`PCK`: points must have the shape (images, points, 2), the true ones and those found; got "
                f"{shapes[0]} and {shapes[1]}."
            )
        sides = ops.max(y_true, axis=1) - ops.min(y_true, axis=1)
        far = ops.norm(y_pred - y_true, axis=2)
        near = far <= self.alpha * ops.max(sides, axis=1, keepdims=True)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight)
            if len(sample_weight.shape) == 1:
                sample_weight = ops.expand_dims(sample_weight, 1)
        return super().update_state(ops.cast(near, self.dtype), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}
