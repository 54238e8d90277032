"""How good a detector is: average precision as the COCO challenge counts it, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keraslayers.models.detection import _boxes
from keraslayers.models.detection.found import Found


def average_precision(
    found: Sequence[Found], boxes: Sequence[ArrayLike], labels: Sequence[ArrayLike]
) -> dict[str, float]:
    """Returns the average precision of what was found on images whose boxes are known.

    Args:
        found: a list of `Found`, one an image, in pixels; leave low scores in, least=0.01 say: they count, too.
        boxes, labels: of the images, as in `targets`.

    Returns:
        A dict: `"AP"`, the mean over classes and over overlaps of 0.5, 0.55, ... 0.95; `"AP50"` and `"AP75"`, of an
        overlap of 0.5 and of 0.75 alone. From 0 to 1.

    Raises:
        ImportError: if pycocotools is not installed.
        TypeError: if labels are no whole numbers.
        ValueError: if there are not as many of each, a box has no size, or there is no box at all.

    Source: Lin et al. 2014, "Microsoft COCO", arXiv:1405.0312; the metrics are those of cocodataset.org.
    """
    who = "average_precision"
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ImportError(f"`{who}`: pycocotools counts it: pip install 'keraslayers[detection]'.") from error
    if not len(found) == len(boxes) == len(labels):
        raise ValueError(
            f"`{who}`: `found`, `boxes` and `labels` must be of as many images; got {len(found)}, {len(boxes)} and "
            f"{len(labels)}."
        )
    endless = (float("inf"), float("inf"))
    given = [
        _boxes.checked(who, some, named, endless, 2**31, where=f" of image {image}")
        for image, (some, named) in enumerate(zip(boxes, labels, strict=True))
    ]
    truth = [
        {
            "image_id": image,
            "category_id": int(label),
            "bbox": _corner(box),
            "area": float(_boxes.areas(box)),
            "iscrowd": 0,
        }
        for image, (some, named) in enumerate(given)
        for box, label in zip(some, named, strict=True)
    ]
    if not truth:
        raise ValueError(f"`{who}`: `boxes` must hold a box at least; all images are without.")
    known = COCO()
    known.dataset = {
        "info": {},
        "images": [{"id": image} for image in range(len(found))],
        "annotations": [{"id": number + 1, **each} for number, each in enumerate(truth)],
        "categories": [{"id": each} for each in sorted({each["category_id"] for each in truth})],
    }
    told = [
        {"image_id": image, "category_id": int(label), "bbox": _corner(box), "score": float(score)}
        for image, each in enumerate(found)
        for box, score, label in zip(each.boxes, each.scores, each.labels, strict=True)
    ]
    if not told:
        return {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):  # it tells of every step
        known.createIndex()
        counted = COCOeval(known, known.loadRes(told), "bbox")
        counted.evaluate()
        counted.accumulate()
        counted.summarize()
    return {name: float(value) for name, value in zip(("AP", "AP50", "AP75"), counted.stats, strict=False)}


def _corner(box):
    """x, y, width, height, as COCO writes boxes."""
    x1, y1, x2, y2 = np.asarray(box, "float64").tolist()
    return [x1, y1, x2 - x1, y2 - y1]
