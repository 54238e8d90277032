"""How large what comes out is of a window that slides over an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from keraslayers import _checks


def same_padding(size, span, stride):
    """Zeros on both sides together with `"same"`: as many outputs as strides fit into `size`.

    Args:
        size: places of the axis.
        span: places that the window spans, less one.
        stride: of the window.
    """
    return max(0, span - (size - 1) % stride)


def pads(who, size, kernel, stride, padding, dilation):
    """Returns (before, after): the zeros on each side of an axis, as `output_size` takes `padding`.

    Raises:
        TypeError: if an explicit padding is no whole number or two.
        ValueError: if a name is unknown or a width below zero.
    """
    span = (kernel - 1) * dilation
    if isinstance(padding, str):
        name = _checks.choice(who, "padding", padding.lower(), ("valid", "same", "full", "causal"))
        if name == "same":
            total = same_padding(size, span, stride)
            return total // 2, total - total // 2
        return {"valid": (0, 0), "full": (span, span), "causal": (span, 0)}[name]
    pair = padding if isinstance(padding, list | tuple) else (padding, padding)
    if len(pair) != 2:
        raise TypeError(
            f"`{who}`: `padding` must be a name, a whole number for both sides, or (before, after); got {padding!r}."
        )
    return tuple(_checks.whole_number(who, "padding", width, least=0) for width in pair)


def output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: Literal["valid", "same", "full", "causal"] | int | Sequence[int] = "valid",
    dilation: int = 1,
) -> int:
    """How many places come out where a convolution or pooling slides over one axis.

    floor((size + before + after - dilation * (kernel - 1) - 1) / stride) + 1; with `"same"` ceil(size / stride).

    Args:
        size: places of the axis, one or more.
        kernel: places of the window.
        stride: places that the window moves on.
        padding: `"valid"`, none; `"same"`, as Keras and TensorFlow pad; `"full"`, dilation * (kernel - 1) on both
            sides; `"causal"`, as much before and none after; a whole number for both sides; or (before, after).
        dilation: distance of two neighbours in the window.

    Returns:
        A whole number, one or more.

    Raises:
        TypeError: if an argument is no whole number.
        ValueError: if one is out of its range, a name is unknown, or the window does not fit into the padded axis.

    Source: Dumoulin and Visin 2016, arXiv:1603.07285, relationships 1 to 6 and 15.
    """
    who = "output_size"
    size, kernel, stride, dilation = (
        _checks.positive_int(who, name, value)
        for name, value in (("size", size), ("kernel", kernel), ("stride", stride), ("dilation", dilation))
    )
    padded = size + sum(pads(who, size, kernel, stride, padding, dilation))
    span = (kernel - 1) * dilation
    if padded <= span:
        raise ValueError(
            f"`{who}`: the window spans {span + 1} places; got size={size}, {padded} with its padding. Pad more, or "
            "take a smaller kernel."
        )
    return (padded - span - 1) // stride + 1
