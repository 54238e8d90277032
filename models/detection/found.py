"""The best of boxes that overlap, in NumPy: what an app does behind a detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keraslayers import _checks
from keraslayers._hints import Array
from keraslayers.models.detection import _boxes


@dataclass(frozen=True)
class Found:
    """What was found on one image, the best first.

    Attributes:
        boxes: (found, 4), as they were given.
        scores: (found,).
        labels: (found,), int32.
    """

    boxes: Array
    scores: Array
    labels: Array


def non_max_suppression(
    boxes: ArrayLike, scores: ArrayLike, *, least: float = 0.05, overlap: float = 0.5, most: int = 100
) -> list[Found]:
    """Leaves of boxes that overlap the best, class by class.

    Of each box its best class counts, as on pages and in the code for phones.

    Args:
        boxes: (images, boxes, 4): x1, y1, x2, y2, as `detector` gives them.
        scores: (images, boxes, classes).
        least: a box of a lower score is left out.
        overlap: of two boxes of one class that share a larger part than this, intersection over union, the better
            one stays.
        most: that stay on one image.

    Returns:
        A list of `Found`, one an image.

    Raises:
        TypeError: if a number is none.
        ValueError: if the shapes do not fit, or a number is out of its range.

    Source: Felzenszwalb et al. 2010, "Object detection with discriminatively trained part-based models", section 4.4.
    """
    who = "non_max_suppression"
    least, overlap = _checks.number(who, "least", least, least=0), _checks.fraction(who, "overlap", overlap)
    most = _checks.positive_int(who, "most", most)
    boxes, scores = np.asarray(boxes), np.asarray(scores)
    if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.ndim != 3 or scores.shape[:2] != boxes.shape[:2]:
        raise ValueError(
            f"`{who}`: `boxes` must be (images, boxes, 4), `scores` (images, boxes, classes); got {boxes.shape} and "
            f"{scores.shape}. Of one image give boxes[None] and scores[None]."
        )
    return [_found(*each, least, overlap, most) for each in zip(boxes, scores, strict=True)]


def _found(boxes, scores, least, overlap, most):
    labels, best = scores.argmax(-1).astype("int32"), scores.max(-1)
    order = np.argsort(-best, kind="stable")
    order = order[best[order] >= least]
    kept = []
    while len(order) and len(kept) < most:
        first, order = order[0], order[1:]
        kept.append(first)
        shared = _boxes.overlaps(boxes[first][None], boxes[order])[0]
        order = order[(labels[order] != labels[first]) | (shared <= overlap)]
    return Found(boxes[kept], best[kept], labels[kept])
