"""Deformable convolution without gathers, for offsets of a few pixels: in operators that phones' GPUs take.

Where no offset is longer than R pixels, tap k of the kernel sees no more than the (2 R + 1)^2 pixels around it, and
bilinear interpolation weighs the pixel at a shift of r with the hat function max(0, 1 - |offset - r|) along each axis.
"""

import numpy as np
from keras import ops

from keraslayers._deformable_geometry import convolve

# Above it slices are nested, so that the number of operators hardly grows with R; XNNPACK joins five tensors at most.
_MOST_SLICES = 5


def constants(layer):
    """Returns the weights of a built `DeformableConv2D` as `bounded` takes them.

    Arrays, not variables: what is made of a variable on the way to a file is not always worked out beforehand, and a
    kernel that is computed when the file runs is refused by the GPU.
    """
    names = ("kernel", "bias", "offset_kernel", "offset_bias")
    return {name: None if (w := getattr(layer, name)) is None else ops.convert_to_numpy(w) for name in names}


def bounded(inputs, geometry, kernel, bias, offset_kernel, offset_bias):
    """What a `DeformableConv2D` with `max_offset` computes, but for its activation.

    The window that all taps see together is laid out by channels, the hats by places: their product is one batch of
    small matrix products. No tensor has more than four axes, and the number of operators hardly grows with R.

    Args:
        inputs: (batch, height, width, channels).
        geometry: of the layer.
        kernel, bias, offset_kernel, offset_bias: what `constants` returns.

    Returns:
        (batch, out_height, out_width, filters).
    """
    reach, channels = geometry.max_offset, inputs.shape[-1]
    taps, parts = geometry.taps, geometry.offset_groups
    rows, columns = (_seen(*axis, reach) for axis in zip(geometry.kernel_size, geometry.dilation_rate, strict=True))

    down, right, mask = _moves(inputs, geometry, offset_kernel, offset_bias)
    batch, out_height, out_width = ops.shape(down)[:3]
    places = batch * out_height * out_width
    tap_rows, tap_columns = np.divmod(np.arange(taps), geometry.kernel_size[1])
    down = _hats(down, tap_rows * geometry.dilation_rate[0], rows, reach)
    right = _hats(right, tap_columns * geometry.dilation_rate[1], columns, reach)
    down = ops.reshape(down, (places * parts, len(rows), 1, taps))
    right = ops.reshape(right, (places * parts, 1, len(columns), taps))
    if mask is not None:
        down = down * ops.reshape(mask, (places * parts, 1, 1, taps))
    seen = len(rows) * len(columns)
    hats = ops.reshape(down * right, (places * parts, seen, taps))

    window = _window(inputs, geometry, rows, columns)
    # The channels come first and the taps last: the GPU runtime may take the matrix on the right for a texture, and one
    # higher than 8192 for nothing, without an error. Small matrices it takes otherwise; 49 places seen by 25 taps are.
    if parts == 1:  # each reshaping copies, on the CPU
        window = ops.transpose(ops.reshape(window, (places, seen, channels)), (0, 2, 1))
    else:
        window = ops.transpose(ops.reshape(window, (places, seen, parts, channels // parts)), (0, 2, 3, 1))
        window = ops.reshape(window, (places * parts, channels // parts, seen))
    samples = ops.reshape(ops.matmul(window, hats), (batch, out_height, out_width, channels * taps))
    # Twice the sigmoid is the mask; here, as it costs nothing.
    kernel = kernel if mask is None else 2 * kernel
    outputs = ops.conv(samples, _dense(kernel, geometry, channels), 1, "valid", "channels_last")
    return outputs if bias is None else outputs + bias


def _seen(kernel, dilation, reach):
    """The places along an axis that some tap may see, counted from the first of them."""
    return sorted({tap * dilation + shift for tap in range(kernel) for shift in range(2 * reach + 1)})


def _moves(inputs, geometry, kernel, bias):
    """Offsets down and right, from [-R, R] to [0, 6], and the sigmoid of the mask or None; each by (group, tap).

    Relu6 clips at no cost within the convolution; the offsets' scale and the bound go into its weights.
    """
    count = 2 * geometry.offset_groups * geometry.taps
    scale = np.float32(3 / geometry.max_offset)
    down, right = (
        ops.relu6(convolve(inputs, scale * kernel[..., axis], geometry) + (scale * bias[axis] + np.float32(3)))
        for axis in (slice(0, count, 2), slice(1, count, 2))
    )
    if bias.size == count:
        return down, right, None
    return down, right, ops.sigmoid(convolve(inputs, kernel[..., count:], geometry) + bias[count:])


def _hats(moves, starts, seen, reach):
    """Weights of the places `seen` along one axis: (..., groups * taps) to (..., groups * len(seen) * taps).

    1 - |offset - shift| = 1 - relu(offset - shift) - relu(shift - offset): two convolutions with relu, which every
    runtime takes in every precision; a shift at the bound needs one of the two only.
    """
    parts, taps = moves.shape[-1] // len(starts), len(starts)
    shifts = [(shift, sign) for shift in range(-reach, reach + 1) for sign in (1, -1) if sign * shift < reach]
    one, one_bias = np.zeros((taps, taps, len(shifts))), np.zeros((taps, len(shifts)))
    two, two_bias = np.zeros((taps, len(shifts), len(seen), taps)), np.zeros((len(seen), taps))
    for tap, start in enumerate(starts):
        for index, (shift, sign) in enumerate(shifts):
            one[tap, tap, index] = sign * reach / 3  # the offset is moves * reach / 3 - reach
            one_bias[tap, index] = -sign * (reach + shift)
            two[tap, index, seen.index(start + shift + reach), tap] = -1
        for shift in range(2 * reach + 1):
            two_bias[seen.index(start + shift), tap] = 1
    for weights, bias in ((one, one_bias), (two, two_bias)):
        # Each offset group for itself.
        kernel = np.kron(np.eye(parts), weights.reshape(-1, bias.size))[None, None].astype("float32")
        bias = np.tile(bias.ravel(), parts).astype("float32")
        moves = ops.relu(ops.conv(moves, kernel, 1, "valid", "channels_last") + bias)
    return moves


def _window(inputs, geometry, rows, columns):
    """All places seen from each output: (batch, out_height, out_width, len(rows) * len(columns) * channels)."""
    reach = geometry.max_offset
    sizes = ops.shape(inputs)[1:3]
    pads = geometry.pads(sizes)
    x = ops.pad(inputs, ((0, 0), *((before + reach, after + reach) for before, after in pads), (0, 0)))
    # Axis by axis, which takes fewer slices.
    for axis, seen in ((2, columns), (1, rows)):
        stride = geometry.strides[axis - 1]
        count = (sizes[axis - 1] + sum(pads[axis - 1]) + 2 * reach - seen[-1] - 1) // stride + 1
        x = _shifted(x, axis, seen, count, stride)
    return x


def _shifted(x, axis, shifts, count, stride):
    """Joins `count` places of every `stride`-th, starting at each of the shifts, along the channels.

    Many shifts are made of fewer slices: of the same run at several starts, or of two halves.
    """
    run = next((n for n in range(1, len(shifts)) if shifts[n] != n), len(shifts))
    if run < len(shifts) and len(shifts) > _MOST_SLICES:
        shifts = shifts[::run]
        x = _shifted(x, axis, range(run), x.shape[axis] - run + 1, 1)
    parts = [(x, shift) for shift in shifts]
    if run == len(shifts) > _MOST_SLICES:
        half = run // 2
        joined = _shifted(x, axis, range(half), x.shape[axis] - half + 1, 1)
        parts = [(joined, 0), (joined, half), *((x, run - 1) for _ in range(run % 2))]
    stop = (count - 1) * stride + 1
    slices = [part[(*[slice(None)] * axis, slice(shift, shift + stop, stride))] for part, shift in parts]
    return ops.concatenate(slices, axis=-1)


def _dense(kernel, geometry, channels):
    """The kernel as a 1x1 one of (channels, taps) inputs; groups of weights become zeros between them.

    The GPU runtime computes grouped 1x1 convolutions wrongly in int8, and in float32 most of them.
    """
    groups, taps, filters = geometry.groups, geometry.taps, kernel.shape[3]
    kernel = kernel.reshape(taps, channels // groups, filters).transpose(1, 0, 2)
    if groups > 1:
        own = np.arange(channels)[:, None] * groups // channels == np.arange(filters) * groups // filters
        kernel = np.tile(kernel, (groups, 1, 1)) * own[:, None].astype(kernel.dtype)
    return kernel.reshape(1, 1, channels * taps, filters)
