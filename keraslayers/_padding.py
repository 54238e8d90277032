"""What stands around an image before a convolution: how wide, with which values, and the sizes that follow."""

from __future__ import annotations

from typing import Any

from keras import ops

from keraslayers import _checks
from keraslayers.analysis.sizes import same_padding

MODES = ("zeros", "reflect", "symmetric", "edge")
NAMES = ("valid", "same", "full")

# XNNPACK joins five tensors at most.
_MOST_JOINED = 5


def standardize(who: str, padding: Any) -> str | tuple[tuple[int, ...], ...]:
    """Returns a padding as `"valid"`, `"same"`, `"full"` or ((top, bottom), (left, right)).

    Args:
        who: layer to name in errors.
        padding: one of the names; a whole number for all four sides; or two of them, (height, width), either of
            which may be a pair (before, after).

    Raises:
        TypeError: if it is something else, or a part of it no whole number.
        ValueError: if a name is unknown, or a width below zero.
    """
    if isinstance(padding, str):
        return named(who, padding, NAMES)
    axes = padding if isinstance(padding, list | tuple) else (padding, padding)
    pairs = [axis if isinstance(axis, list | tuple) else (axis, axis) for axis in axes]
    if len(pairs) != 2 or any(len(pair) != 2 for pair in pairs):
        raise TypeError(
            f"`{who}`: `padding` must be one of {', '.join(map(repr, NAMES))}, a whole number, (height, width), or "
            f"((top, bottom), (left, right)); got {padding!r}."
        )
    return tuple(tuple(_checks.whole_number(who, "padding", width, least=0) for width in pair) for pair in pairs)


def named(who, padding, names):
    """Returns a padding that has a name, in small letters as Keras does; raises if it is none of `names`."""
    return _checks.choice(who, "padding", padding.lower() if isinstance(padding, str) else padding, names)


def widths(padding, sizes, kernel_size, strides, dilation_rate):
    """Returns ((top, bottom), (left, right)) for an image of `sizes`, (height, width).

    `"same"` is Keras's: as many outputs as strides fit into the image, and the odd one of the padding comes after. With
    strides it hangs on the size; for an unknown one, None, the widest is returned, see `_crop`.
    """
    if not isinstance(padding, str):
        return padding
    spans = [(kernel - 1) * dilation for kernel, dilation in zip(kernel_size, dilation_rate, strict=True)]
    if padding != "same":
        return tuple((span, span) if padding == "full" else (0, 0) for span in spans)
    totals = [
        span if size is None else same_padding(size, span, stride)
        for size, span, stride in zip(sizes, spans, strides, strict=True)
    ]
    return tuple((total // 2, total - total // 2) for total in totals)


def check(who, pads, mode, sizes):
    """Raises a ValueError if an image of `sizes` is too small to be padded by `pads` in that mode."""
    if mode not in ("reflect", "symmetric"):
        return
    for name, size, pair in zip(("height", "width"), sizes, pads, strict=True):
        if size is None:
            continue
        most = size - (mode == "reflect")
        if max(pair) > most:
            raise ValueError(
                f"`{who}`: `padding_mode`={mode!r} mirrors at most {most} of a {name} of {size}; the padding there is "
                f"{pair}. Pad less, or take padding_mode='edge' or 'zeros'."
            )


def output_sizes(who, sizes, pads, kernel_size, strides, dilation_rate):
    """Returns (height, width) of a convolution's outputs; None where the size is unknown.

    Raises:
        ValueError: if the kernel does not fit into the padded image.
    """
    made = []
    for name, size, pair, kernel, stride, dilation in zip(
        ("height", "width"), sizes, pads, kernel_size, strides, dilation_rate, strict=True
    ):
        span = (kernel - 1) * dilation
        if size is not None and size + sum(pair) <= span:
            raise ValueError(
                f"`{who}`: the kernel spans {span + 1} of the {name}; got a {name} of {size}, with a padding of {pair}."
                " Pad more, or take a smaller kernel."
            )
        made.append(None if size is None else (size + sum(pair) - span - 1) // stride + 1)
    return tuple(made)


def shape(who, input_shape, filters, *, padding, mode, kernel_size, strides, dilation_rate, data_format):
    """Returns the shape of a convolution's outputs, and checks that the image is large enough for it.

    Args:
        input_shape: four axes, the batch first; sizes may be None.
        filters: channels of the outputs.
    """
    first = data_format == "channels_first"
    sizes = tuple(input_shape[2:] if first else input_shape[1:3])
    pads = widths(padding, sizes, kernel_size, strides, dilation_rate)
    check(who, pads, mode, sizes)
    if padding == "same":  # whatever the widths are made for, an unknown size among them
        made = tuple(None if size is None else -(-size // stride) for size, stride in zip(sizes, strides, strict=True))
    else:
        made = output_sizes(who, sizes, pads, kernel_size, strides, dilation_rate)
    return (input_shape[0], filters, *made) if first else (input_shape[0], *made, filters)


def pad(who, x, *, padding, mode, kernel_size, strides, dilation_rate, data_format):
    """Pads images for a convolution.

    Args:
        who: layer to name in errors.
        x: tensor of (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`.
        padding: what `standardize` returns.
        mode: one of `MODES`.

    Returns:
        (the images, the padding left to the convolution itself, `"valid"` or `"same"`).

    Raises:
        ValueError: if an image is too small for the kernel or the mode.
    """
    if padding == "same" and mode == "zeros":
        return x, padding
    axes = (2, 3) if data_format == "channels_first" else (1, 2)
    sizes = [x.shape[axis] for axis in axes]
    pads = widths(padding, sizes, kernel_size, strides, dilation_rate)
    check(who, pads, mode, sizes)
    if padding != "same":
        output_sizes(who, sizes, pads, kernel_size, strides, dilation_rate)  # TensorFlow would return nothing at all
    if padding == "valid":
        return x, padding
    if mode == "zeros":
        if any(map(any, pads)):
            x = ops.pad(x, [dict(zip(axes, pads, strict=True)).get(axis, (0, 0)) for axis in range(4)])
        return x, "valid"
    for axis, size, pair, kernel, stride, dilation in zip(
        axes, sizes, pads, kernel_size, strides, dilation_rate, strict=True
    ):
        padded = _pad_axis(x, axis, *pair, mode)
        if padding == "same" and size is None and stride > 1:
            padded = _crop(padded, axis, ops.shape(x)[axis], pair, (kernel - 1) * dilation, stride)
        x = padded
    return x, "valid"


def _crop(padded, axis, size, pair, span, stride):
    # Padded for the worst case, since widths are fixed when a graph is made, and the size is not. What is too much
    # before moves the strides and is cut off; after the image it is less than one stride and makes no output.
    before = ops.maximum(span - (size - 1) % stride, 0) // 2
    return _part(padded, axis, pair[0] - before, None)


def _pad_axis(x, axis, before, after, mode):
    size = x.shape[axis]
    if mode == "edge":
        first = [_part(x, axis, 0, 1)] * before
        last = [_part(x, axis, -1 if size is None else size - 1, size)] * after
    elif size is None:
        # An image that is too small shows when the graph runs; this operator refuses it, slices would not.
        return ops.pad(x, [(before, after) if other == axis else (0, 0) for other in range(4)], mode=mode)
    else:
        # Slices, since XNNPACK leaves MIRROR_PAD out.
        skip = mode == "reflect"
        first = [_part(x, axis, i, i + 1) for i in range(before - 1 + skip, -1 + skip, -1)]
        last = [_part(x, axis, size - 1 - i, size - i) for i in range(skip, after + skip)]
    return join([part for part in (join(first, axis), x, join(last, axis)) if part is not None], axis)


def _part(x, axis, start, stop):
    return x[(*[slice(None)] * axis, slice(start, stop))]


def join(parts, axis):
    """Joins any number of tensors, at most five at a time; None without any."""
    while len(parts) > 1:
        groups = [parts[i : i + _MOST_JOINED] for i in range(0, len(parts), _MOST_JOINED)]
        parts = [ops.concatenate(group, axis) if len(group) > 1 else group[0] for group in groups]
    return parts[0] if parts else None
