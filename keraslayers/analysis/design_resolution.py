"""The images that a network halves without a remainder."""

from __future__ import annotations

import math

import keras

from keraslayers import _checks
from keraslayers._rewrite import check_graph
from keraslayers.analysis.analysis import rows_of_any_size
from keraslayers.analysis.input_shapes import known_shapes


def design_resolution(model: keras.Model | int, final: int = 7) -> int:
    """The heights and widths that a network halves evenly down to `final` places: k * 2^n.

    A network of n halvings turns `final` * 2^n pixels into `final` places without a remainder at any stage: no
    border is padded on one side alone, and no row of a map goes unseen. EfficientNet's and MobileNet's 224 is 7 * 2^5.

    Args:
        model: a Functional or Sequential model of images, or a number of halvings.
        final: places of the last map, k.

    Returns:
        The side of the images as a whole number: `final` times the stride of the deepest map.

    Raises:
        TypeError: if `model` is neither a model nor a whole number, or `final` no whole number.
        ValueError: if `final` is below 1, the model has no maps of places, or they do not halve alike in all axes.

    Source: Tan and Le 2019, arXiv:1905.11946, section 3; Sandler et al. 2018, arXiv:1801.04381, table 2.
    """
    who = "design_resolution"
    final = _checks.positive_int(who, "final", final)
    if isinstance(model, int):
        return final * 2 ** _checks.whole_number(who, "model", model, least=0)
    return final * _deepest_stride(who, model)


def _deepest_stride(who, model):
    """The largest stride of a layer's output that still has places."""
    check_graph(who, model)
    # What pools all places has an endless stride, not the image's, while that is of no size.
    strides = [row.stride for row in rows_of_any_size(model, endless=True)[0] if row.stride]
    strides = [stride for stride in strides if math.inf not in stride]
    # Vectors have one axis of places in the arithmetic, and none to halve.
    if not strides or all(len(shape) < 3 for shape in known_shapes(model)):
        raise ValueError(f"`{who}`: `model` {model.name!r} must have layers that slide over places; it has none.")
    deepest = max(strides, key=max)
    if len(set(deepest)) > 1:
        raise ValueError(
            f"`{who}`: `model` {model.name!r} must shrink all axes alike; the strides of its smallest maps are "
            f"{deepest}."
        )
    return deepest[0]
