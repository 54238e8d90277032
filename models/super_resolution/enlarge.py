"""A large image enlarged tile by tile, by a model or a file that takes small ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from keraslayers import _checks, _rewrite
from keraslayers._hints import Array, Size
from keraslayers.analysis.analysis import rows_of_any_size

AT_ONCE = 16  # tiles


def reach(model: keras.Model) -> int:
    """How many pixels of its input a model looks at beyond that which it enlarges, to the side where they are most.

    Tiles that overlap by so many give what the whole image gives.

    Args:
        model: a Functional or Sequential model of images.

    Returns:
        A whole number of pixels.

    Raises:
        TypeError: if `model` is no Keras model.
        ValueError: if it is subclassed, or sees all of the image, as behind squeeze-and-excitation.
    """
    _rewrite.check_graph("reach", model)
    rows, _ = rows_of_any_size(model, endless=True)
    field = rows[-1].receptive_field
    if field is None or math.inf in field:
        raise ValueError(
            f"`reach`: `model` {model.name!r} must look at a part of the image; its output sees all of it, or has a "
            "layer on its way of which that is not known."
        )
    return max(math.ceil((size - 1) / 2) for size in field)


def enlarge(predict: Callable[..., Any], image: ArrayLike, *, tile: Size, overlap: int) -> Array:
    """Enlarges an image by tiles that overlap, each of the size that a file takes.

    Of each tile those pixels count that lie `overlap` or more from a side which is none of the image. With an `overlap`
    of what the model sees beyond a pixel, which `reach` tells, the result is that of the whole image, its borders too.

    ```python
    model = keraslayers.models.super_resolution.ESPCN(scale=2)
    made = keraslayers.export.to_tflite(model, samples=np.random.rand(4, 24, 24, 1).astype("float32"))
    overlap = keraslayers.models.super_resolution.reach(model)
    photo = np.random.rand(50, 60, 1).astype("float32")
    larger = keraslayers.models.super_resolution.enlarge(made.predict, photo, tile=24, overlap=overlap)
    ```

    Args:
        predict: gives of images (tiles, height, width, channels) those enlarged, by a whole factor: `Artifact.predict`,
            or `predict` of a Keras model.
        image: of (height, width, channels), not smaller than a tile, in the range that `predict` takes.
        tile: height and width of the tiles: a whole number for both, or a pair. Of a file those of its input.
        overlap: pixels at each side of a tile that count only where the image ends there; below half of the tile.

    Returns:
        An array of (factor * height, factor * width, channels), of the dtype that `predict` gives.

    Raises:
        TypeError: if a number is none.
        ValueError: if the image has not three axes or is smaller than a tile, if `overlap` leaves nothing of a tile, or
            if `predict` gives something else than images enlarged by a whole factor.
    """
    who = "enlarge"
    image = np.asarray(image)
    tile = _checks.positive_pair(who, "tile", tile)
    overlap = _checks.whole_number(who, "overlap", overlap, least=0)
    if image.ndim != 3:
        raise ValueError(f"`{who}`: `image` must have the shape (height, width, channels); got {image.shape}.")
    if 2 * overlap >= min(tile):
        raise ValueError(
            f"`{who}`: `overlap` must leave something of a tile, which has it at two sides; got overlap={overlap} for "
            f"tiles of {tile[0]} x {tile[1]} pixels. Take larger tiles."
        )
    if any(size < part for size, part in zip(image.shape, tile, strict=False)):
        raise ValueError(
            f"`{who}`: `image` must be no smaller than a tile; got {image.shape[0]} x {image.shape[1]} pixels for "
            f"tiles of {tile[0]} x {tile[1]}. Take smaller tiles, or pad the image."
        )
    spans = (_spans(size, part, overlap) for size, part in zip(image.shape, tile, strict=False))
    places = list(itertools.product(*spans))
    larger = None
    for first in range(0, len(places), AT_ONCE):
        some = places[first : first + AT_ONCE]
        tiles = np.stack([image[y : y + tile[0], x : x + tile[1]] for (y, *_), (x, *_) in some])
        given = np.asarray(predict(tiles))
        factor = _factor(who, tiles.shape, given.shape)
        if larger is None:
            sides = (factor * size for size in image.shape[:2])
            larger = np.empty((*sides, given.shape[-1]), given.dtype)
        for ((y, top, bottom), (x, left, right)), one in zip(some, given, strict=True):
            rows, columns = ((factor * begin, factor * end) for begin, end in ((top, bottom), (left, right)))
            part = one[rows[0] - factor * y : rows[1] - factor * y, columns[0] - factor * x : columns[1] - factor * x]
            larger[slice(*rows), slice(*columns)] = part
    return larger


def _spans(size, tile, overlap):
    """Of the tiles along an axis (first pixel, first pixel that counts, the one behind the last that counts)."""
    step = tile - 2 * overlap
    starts = [*range(0, size - tile, step), size - tile]
    ends = [*(start + tile - overlap for start in starts[:-1]), size]
    return list(zip(starts, [0, *ends[:-1]], ends, strict=True))


def _factor(who, before, after):
    """By which images become larger."""
    wrong = len(after) != 4 or after[0] != before[0] or after[1] % before[1] or after[1] < before[1]
    if wrong or after[1] // before[1] * before[2] != after[2]:
        raise ValueError(
            f"`{who}`: `predict` must give images enlarged by a whole factor; of {before} it gave {after}."
        )
    return after[1] // before[1]
