"""Masks as losses want them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keraslayers import _checks
from keraslayers._hints import Array


def one_hot(masks: ArrayLike, classes: int) -> Array:
    """Masks of class numbers as ones and zeros, for losses that compare shares: `keras.losses.Dice` and
    `keras.losses.CategoricalFocalCrossentropy`.

    Args:
        masks: whole numbers of 0 to `classes` - 1, (images, height, width).
        classes: number of classes.

    Returns:
        float32, (images, height, width, classes).

    Raises:
        TypeError: if the masks are no whole numbers.
        ValueError: if they have other axes, or hold a number that is no class.
    """
    who = "one_hot"
    classes = _checks.positive_int(who, "classes", classes)
    masks = np.asarray(masks)
    if masks.dtype.kind not in "iu":
        raise TypeError(f"`{who}`: `masks` must be whole numbers, one a pixel; got an array of {masks.dtype}.")
    if masks.ndim != 3:
        raise ValueError(f"`{who}`: `masks` must be of (images, height, width); got the shape {masks.shape}.")
    if masks.size and not 0 <= masks.min() <= masks.max() < classes:
        raise ValueError(
            f"`{who}`: `masks` must hold classes of 0 to {classes - 1}; got numbers of {masks.min()} to {masks.max()}. "
            "A number for pixels that are not to count goes with keras.losses.SparseCategoricalCrossentropy("
            "ignore_class=...), which takes masks as they are."
        )
    return np.eye(classes, dtype="float32")[masks]
