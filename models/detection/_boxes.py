"""Boxes as NumPy arrays: what is taken, and how much they overlap."""

import numpy as np


def checked(who, boxes, labels, image_size, classes, where=""):
    """Returns the boxes (count, 4) of one image, float32 and within it, and their labels (count,).

    What reaches over a border is cut off there.

    Args:
        who: function to name in errors.
        boxes: (count, 4) of x1, y1, x2, y2 in pixels; an empty list for none.
        labels: (count,) of whole numbers from 0 on.
        image_size: (height, width).
        classes: how many there are.
        where: which image, for errors.

    Raises:
        TypeError: if labels are no whole numbers.
        ValueError: if shapes do not fit, a box is no box or lies outside of the image, or a label is none.
    """
    boxes, labels = np.asarray(boxes, "float32"), np.asarray(labels)
    if not boxes.size:
        boxes = boxes.reshape(0, 4)
    if not labels.size:
        labels = labels.reshape(0).astype("int32")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(
            f"`{who}`: `boxes`{where} must be (count, 4), x1, y1, x2, y2 in pixels; got the shape {boxes.shape}."
        )
    if labels.shape != boxes.shape[:1]:
        raise ValueError(f"`{who}`: `labels`{where} must be one a box, {len(boxes)}; got the shape {labels.shape}.")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"`{who}`: `labels`{where} must be whole numbers; got {labels.dtype}.")
    height, width = image_size
    inside = np.clip(boxes, 0, np.array([width, height, width, height], "float32"))
    for each, (box, part, label) in enumerate(zip(boxes, inside, labels, strict=True)):
        if not (np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1]):
            raise ValueError(
                f"`{who}`: box {each}{where} must have x1 < x2 and y1 < y2, in pixels; got {box.tolist()}. Leave boxes "
                "of no size out."
            )
        if not (part[2] > part[0] and part[3] > part[1]):
            raise ValueError(
                f"`{who}`: box {each}{where} lies outside of the image of {height} x {width} pixels; got "
                f"{box.tolist()}. Boxes are in pixels of what the model sees: scale them with the image."
            )
        if not 0 <= label < classes:
            raise ValueError(
                f"`{who}`: label {each}{where} must be within 0 and {classes - 1}, as the model has {classes} "
                f"classes; got {label}."
            )
    return inside, labels.astype("int32")


def areas(boxes):
    """Areas (...) of boxes (..., 4)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def overlaps(boxes, others):
    """Intersection over union, (boxes, others)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), -1)
    union = areas(boxes)[:, None] + areas(others)[None] - shared
    return shared / np.maximum(union, 1e-9)
