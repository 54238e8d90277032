"""Samples images between their pixels with gathers: what a deformable convolution multiplies with its kernel."""

import keras
import numpy as np
from keras import ops


def sample(inputs, offsets, mask, geometry):
    """Samples every tap of every output place.

    Each sample is the bilinear mean of four pixels, of which those outside the image count as zero (Dai et al. 2017,
    arXiv:1703.06211, equations 3 and 4).

    The image gets a border of zeros, at which neighbours outside are looked up. The pixels are gathered one neighbour
    at a time and differentiated as they stand: under XLA that was faster, forward and backward, than one gather of
    rows that hold all four neighbours, whose table is four times as large.

    Args:
        inputs: (batch, height, width, channels).
        offsets: (batch, out_height, out_width, 2 * offset_groups * taps), of 32 bits at least.
        mask: (batch, out_height, out_width, offset_groups * taps), or None.
        geometry: a `DeformableGeometry`.

    Returns:
        (batch * out_height * out_width, taps, channels), of the dtype of `inputs`.
    """
    batch, height, width = _sizes(inputs)
    _, out_height, out_width = _sizes(offsets)
    channels, parts, taps = inputs.shape[-1], geometry.offset_groups, geometry.taps
    dtype = keras.backend.standardize_dtype(offsets.dtype)
    places = out_height * out_width

    def by_tap(values):
        """(batch, out_height, out_width, parts * taps) to (batch, places, taps, parts), as channels are stored."""
        values = ops.reshape(values, (batch, places, parts, taps))
        return ops.transpose(values, (0, 1, 3, 2)) if parts > 1 else ops.reshape(values, (batch, places, taps, parts))

    pads = _pads(geometry, (height, width), (out_height, out_width))
    rows, columns = _grid(geometry, pads, (out_height, out_width), dtype)
    y = by_tap(offsets[..., 0::2]) + rows
    x = by_tap(offsets[..., 1::2]) + columns

    # One row of the table is one pixel's channels of one offset group.
    table = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    table = ops.reshape(table, (batch * (height + 2) * (width + 2) * parts, channels // parts))
    images = ops.reshape(ops.arange(batch, dtype="int32") * (height + 2), (batch, 1, 1, 1))
    part = ops.reshape(ops.arange(parts, dtype="int32"), (1, 1, 1, parts))
    top, bottom, down = _neighbours(y, height)
    left, right, across = _neighbours(x, width)

    def pixels(row, column):
        index = ((images + row) * (width + 2) + column) * parts + part
        return ops.take(table, ops.reshape(index, (-1,)), axis=0)

    def each(factors):
        return ops.cast(ops.reshape(factors, (-1, 1)), inputs.dtype)

    def between(first, second, share):
        return first + each(share) * (second - first)

    above = between(pixels(top, left), pixels(top, right), across)
    below = between(pixels(bottom, left), pixels(bottom, right), across)
    samples = between(above, below, down)
    if mask is not None:
        samples = samples * each(by_tap(mask))
    return ops.reshape(samples, (batch * places, taps, channels))


def _neighbours(position, size):
    """The pixels before and after a position on an axis, counted from the border, and the share of the second."""
    # Floor has no slope, so that at a whole number the slope is that of the interval above it.
    before = ops.stop_gradient(ops.floor(position))
    share = position - before
    # A position far outside would not fit into an integer. Of NaN any integer comes, which must not be far outside
    # either: the share makes NaN of the sample.
    before = ops.cast(ops.clip(before, -2, ops.cast(size, before.dtype)), "int32")
    before = ops.maximum(before, -2)
    return ops.maximum(before + 1, 0), ops.minimum(before + 2, size + 1), share


def _grid(geometry, pads, sizes, dtype):
    """Rows and columns of all taps where all offsets are zero: (1, out_height * out_width, taps, 1) each."""
    number = np if all(isinstance(value, int) for value in (*pads, *sizes)) else ops
    axes = []
    for size, pad, stride, dilation, kernel in zip(
        sizes, pads, geometry.strides, geometry.dilation_rate, geometry.kernel_size, strict=True
    ):
        starts = number.arange(size, dtype="int32") * stride - pad
        axes.append(starts[:, None] + np.arange(kernel, dtype="int32") * dilation)
    (out_height, out_width), (kernel_height, kernel_width) = sizes, geometry.kernel_size
    shape = (out_height, out_width, kernel_height, kernel_width)
    grids = axes[0][:, None, :, None], axes[1][None, :, None, :]
    return [
        ops.cast(number.reshape(number.broadcast_to(grid, shape), (1, out_height * out_width, -1, 1)), dtype)
        for grid in grids
    ]


def _pads(geometry, sizes, out_sizes):
    """Width of the padding above and left of the image."""
    if geometry.padding != "same":
        return [before for before, _ in geometry.pads(sizes)]
    pads = []
    for size, out_size, kernel, stride, dilation in zip(
        sizes, out_sizes, geometry.kernel_size, geometry.strides, geometry.dilation_rate, strict=True
    ):
        total = (out_size - 1) * stride + (kernel - 1) * dilation + 1 - size
        pads.append((max(total, 0) if isinstance(total, int) else ops.maximum(total, 0)) // 2)
    return pads


def _sizes(images):
    """Batch, height and width: numbers where they are known, else tensors of the running graph."""
    return tuple(ops.shape(images)[:3])
