"""Deformable convolution without gathers, for offsets of a few pixels: in operators that phones' GPUs take.

Where no offset is longer than R pixels, tap k of the kernel sees no more than the (2 R + 1)^2 pixels around it, and
bilinear interpolation weighs the pixel at a shift of r with the hat function max(0, 1 - |offset - r|) along each axis.
"""

import numpy as np
from keras import ops

from keraslayers._deformable_geometry import channels_last, convolve, from_channels_last

# Above it slices are nested, so that the number of operators hardly grows with R; XNNPACK joins five tensors at most.
_MOST_SLICES = 5

# LiteRT's GPU runtime multiplies batches of matrices of which the right one has 64 rows and 2048 numbers at most, rows
# and columns counted in fours. Larger ones it lays out as one texture; where that is higher than 8192, all their rows
# over four, it computes nothing, without an error. All found by trying.
_MOST_ROWS, _MOST_NUMBERS = 64, 2048


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
        inputs: images, in the layer's data format.
        geometry: of the layer.
        kernel, bias, offset_kernel, offset_bias: what `constants` returns.

    Returns:
        outputs, in the layer's data format.
    """
    inputs = channels_last(inputs, geometry)
    reach, channels = geometry.max_offset, inputs.shape[-1]
    taps, parts = geometry.taps, geometry.offset_groups
    rows, columns = (_seen(*axis, reach) for axis in zip(geometry.kernel_size, geometry.dilation_rate, strict=True))
    rows, cuts = _cut(rows, len(columns), taps)

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
    samples = _products(_window(inputs, geometry, rows, columns), down * right, places, parts, cuts)
    samples = ops.reshape(samples, (batch, out_height, out_width, channels * taps))
    # Twice the sigmoid is the mask; here, as it costs nothing.
    kernel = kernel if mask is None else 2 * kernel
    outputs = ops.conv(samples, _dense(kernel, geometry, channels), 1, "valid", "channels_last")
    return from_channels_last(outputs if bias is None else outputs + bias, geometry)


def _seen(kernel, dilation, reach):
    """The places along an axis that some tap may see, counted from the first of them."""
    return sorted({tap * dilation + shift for tap in range(kernel) for shift in range(2 * reach + 1)})


def _cut(rows, columns, taps):
    """Returns (rows, into how many runs of equal length they are cut), such that the GPU multiplies every run right.

    Rows that no tap sees may follow, to fill the last run. Where a single row is too long, rows stay whole.
    """
    most = min(_MOST_ROWS, _MOST_NUMBERS // _in_fours(taps)) // 4 * 4 // columns
    if most == 0:
        return rows, 1
    cuts = -(-len(rows) // most)
    if rows[-1] + 1 == len(rows):
        return list(range(-(-len(rows) // cuts) * cuts)), cuts
    while len(rows) % cuts:  # between rows with gaps there is no place for others
        cuts += 1
    return rows, cuts


def _in_fours(count):
    return -(-count // 4) * 4


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
    reach, sizes = geometry.max_offset, ops.shape(inputs)[1:3]
    pads = []
    for (before, after), seen, size, dilation in zip(
        geometry.pads(sizes), (rows, columns), geometry.kernel_size, geometry.dilation_rate, strict=True
    ):
        pads.append((before + reach, after + seen[-1] - (size - 1) * dilation - reach))
    x = ops.pad(inputs, ((0, 0), *pads, (0, 0)))
    # Axis by axis, which takes fewer slices.
    for axis, seen in ((2, columns), (1, rows)):
        stride = geometry.strides[axis - 1]
        count = (sizes[axis - 1] + sum(pads[axis - 1]) - seen[-1] - 1) // stride + 1
        x = _shifted(x, axis, seen, count, stride)
    return x


def _shifted(x, axis, shifts, count, stride):
    """Joins `count` places of every `stride`-th, starting at each of the shifts, along the channels.

    Many shifts are made of fewer slices: of the same run at several starts, a run of five shorter ones at most.
    """
    run = next((n for n in range(1, len(shifts)) if shifts[n] != n), len(shifts))
    if run < len(shifts) and len(shifts) > _MOST_SLICES:
        shifts = shifts[::run]
        x = _shifted(x, axis, range(run), x.shape[axis] - run + 1, 1)
    parts = [(x, shift, 0) for shift in shifts]
    if run == len(shifts) > _MOST_SLICES:
        base, channels = -(-run // _MOST_SLICES), x.shape[-1]
        joined = _shifted(x, axis, range(base), x.shape[axis] - base + 1, 1)
        parts = [(joined, shift, 0) for shift in range(0, run - base + 1, base)]
        if run % base:  # the last few of the run's last
            parts.append((joined, run - base, (base - run % base) * channels))
    stop = (count - 1) * stride + 1
    between = [slice(None)] * (2 - axis)
    slices = [
        part[(*[slice(None)] * axis, slice(shift, shift + stop, stride), *between, slice(skipped, None))]
        for part, shift, skipped in parts
    ]
    return ops.concatenate(slices, axis=-1)


def _products(window, hats, places, parts, cuts):
    """Sums the window, weighted with the hats, for each tap.

    Args:
        window: (batch, out_height, out_width, rows * columns * channels).
        hats: (places * parts, rows, columns, taps).
        places: batch * out_height * out_width.
        parts: offset groups.
        cuts: into how many runs the rows are cut, each of which is multiplied for itself.

    Returns:
        (places, channels * taps), or with one run (places * parts, channels / parts, taps).
    """
    (_, rows, columns, taps), size = hats.shape, window.shape[-1]
    seen = rows * columns // cuts
    channels = size // (rows * columns)
    if cuts > 1 and parts > 1:
        hats = ops.transpose(ops.reshape(hats, (places, parts, cuts, seen * taps)), (0, 2, 1, 3))
    hats = ops.reshape(hats, (places * cuts * parts, seen, taps))
    # The channels come first and the taps last: of the matrices on the right the GPU runtime takes small ones alone.
    if parts == 1:  # each reshaping copies, on the CPU
        window = ops.transpose(ops.reshape(window, (places * cuts, seen, channels)), (0, 2, 1))
    else:
        window = ops.transpose(ops.reshape(window, (places * cuts, seen, parts, channels // parts)), (0, 2, 3, 1))
        window = ops.reshape(window, (places * cuts * parts, channels // parts, seen))
    samples = ops.matmul(window, hats)
    return ops.sum(ops.reshape(samples, (places, cuts, channels * taps)), axis=1) if cuts > 1 else samples


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
