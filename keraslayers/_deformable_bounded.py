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

    Args:
        inputs: images, in the layer's data format.
        geometry: of the layer.
        kernel, bias, offset_kernel, offset_bias: what `constants` returns.

    Returns:
        outputs, in the layer's data format.
    """
    moves = (geometry, offset_kernel, offset_bias)

    def move(inputs):
        down, right = (ops.relu6(offsets(inputs, axis, *moves)) for axis in (0, 1))
        return down, right, ops.sigmoid(masks(inputs, *moves)) if has_masks(geometry, offset_bias) else None

    def weigh(x, kernel, bias, most):
        return ops.relu(ops.conv(x, kernel, 1, "valid", "channels_last") + bias)

    def mix(samples):
        return mixed(samples, geometry, kernel, bias, has_masks(geometry, offset_bias))

    return arrange(inputs, geometry, move=move, weigh=weigh, multiply=ops.matmul, mix=mix)


def arrange(inputs, geometry, *, move, weigh, multiply, mix):
    """Puts together what computes a deformable convolution with a bound.

    The window that all taps see together is laid out by channels, the hats by places: their product is one batch of
    small matrix products. No tensor has more than four axes, and the number of operators hardly grows with R.

    Args:
        inputs: images, in the geometry's data format; symbolic ones, too, of a known size.
        geometry: with a bound.
        move: called as move(images); gives `offsets` of both axes with relu6 behind them, and the sigmoid of `masks`
            or None.
        weigh: called as weigh(x, kernel, bias, most); gives the relu of a 1x1 convolution, which is `most` at most.
        multiply: gives the product of two batches of matrices.
        mix: called as mix(samples); gives `mixed`.

    Returns:
        outputs, in the geometry's data format.
    """
    inputs = channels_last(inputs, geometry)
    reach, channels = geometry.max_offset, inputs.shape[-1]
    taps, parts = geometry.taps, geometry.offset_groups
    rows, columns = (_seen(*axis, reach) for axis in zip(geometry.kernel_size, geometry.dilation_rate, strict=True))
    rows, cuts = _cut(rows, len(columns), taps)

    down, right, mask = move(inputs)
    out_height, out_width = ops.shape(down)[1:3]
    tap_rows, tap_columns = np.divmod(np.arange(taps), geometry.kernel_size[1])
    down = _hats(down, tap_rows * geometry.dilation_rate[0], rows, reach, weigh)
    right = _hats(right, tap_columns * geometry.dilation_rate[1], columns, reach, weigh)
    # The first axis is of places and parts, whatever the batch.
    down = ops.reshape(down, (-1, len(rows), 1, taps))
    right = ops.reshape(right, (-1, 1, len(columns), taps))
    if mask is not None:
        down = down * ops.reshape(mask, (-1, 1, 1, taps))
    samples = _products(_window(inputs, geometry, rows, columns), down * right, parts, cuts, multiply)
    samples = ops.reshape(samples, (-1, out_height, out_width, channels * taps))
    return from_channels_last(mix(samples), geometry)


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


def offsets(inputs, axis, geometry, kernel, bias):
    """Offsets down (axis 0) or right (axis 1), by (group, tap), such that relu6 clips them: [-R, R] become [0, 6].

    Relu6 clips at no cost within the convolution; the offsets' scale and the bound go into its weights.
    """
    own = slice(axis, _moved(geometry), 2)
    scale = np.float32(3 / geometry.max_offset)
    return convolve(inputs, scale * kernel[..., own], geometry) + (scale * bias[own] + np.float32(3))


def masks(inputs, geometry, kernel, bias):
    """What the sigmoid of the mask is of, by (group, tap)."""
    count = _moved(geometry)
    return convolve(inputs, kernel[..., count:], geometry) + bias[count:]


def has_masks(geometry, bias):
    """Whether the second convolution, of that bias, gives masks."""
    return bias.shape[0] > _moved(geometry)


def mixed(samples, geometry, kernel, bias, masked):
    """The convolution of the samples (batch, out_height, out_width, channels * taps)."""
    channels = samples.shape[-1] // geometry.taps
    # Twice the sigmoid is the mask; here, as it costs nothing.
    kernel = 2 * kernel if masked else kernel
    outputs = ops.conv(samples, _dense(kernel, geometry, channels), 1, "valid", "channels_last")
    return outputs if bias is None else outputs + bias


def _moved(geometry):
    """How many offsets there are at a place."""
    return 2 * geometry.offset_groups * geometry.taps


def _hats(moves, starts, seen, reach, weigh):
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
    for weights, bias, most in ((one, one_bias, 2 * reach), (two, two_bias, 1)):
        # Each offset group for itself.
        kernel = np.kron(np.eye(parts), weights.reshape(-1, bias.size))[None, None].astype("float32")
        bias = np.tile(bias.ravel(), parts).astype("float32")
        moves = weigh(moves, kernel, bias, most)
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


def _products(window, hats, parts, cuts, multiply):
    """Sums the window, weighted with the hats, for each tap.

    Args:
        window: (batch, out_height, out_width, rows * columns * channels).
        hats: (places * parts, rows, columns, taps).
        parts: offset groups.
        cuts: into how many runs the rows are cut, each of which is multiplied for itself.
        multiply: gives the product of two batches of matrices.

    Returns:
        (places, channels * taps), or with one run (places * parts, channels / parts, taps).
    """
    (_, rows, columns, taps), size = hats.shape, window.shape[-1]
    seen = rows * columns // cuts
    channels = size // (rows * columns)
    if cuts > 1 and parts > 1:
        hats = ops.transpose(ops.reshape(hats, (-1, parts, cuts, seen * taps)), (0, 2, 1, 3))
    hats = ops.reshape(hats, (-1, seen, taps))
    # The channels come first and the taps last: of the matrices on the right the GPU runtime takes small ones alone.
    if parts == 1:  # each reshaping copies, on the CPU
        window = ops.transpose(ops.reshape(window, (-1, seen, channels)), (0, 2, 1))
    else:
        window = ops.transpose(ops.reshape(window, (-1, seen, parts, channels // parts)), (0, 2, 3, 1))
        window = ops.reshape(window, (-1, channels // parts, seen))
    samples = multiply(window, hats)
    return ops.sum(ops.reshape(samples, (-1, cuts, channels * taps)), axis=1) if cuts > 1 else samples


def _dense(kernel, geometry, channels):
    """The kernel as a 1x1 one of (channels, taps) inputs; groups of weights become zeros between them.

    The GPU runtime computes grouped 1x1 convolutions wrongly in int8, and in float32 most of them.
    """
    groups, taps, filters = geometry.groups, geometry.taps, kernel.shape[3]
    number = np if isinstance(kernel, np.ndarray) else ops
    kernel = number.transpose(number.reshape(kernel, (taps, channels // groups, filters)), (1, 0, 2))
    if groups > 1:
        own = np.arange(channels)[:, None] * groups // channels == np.arange(filters) * groups // filters
        kernel = number.tile(kernel, (groups, 1, 1)) * own[:, None].astype("float32")
    return number.reshape(kernel, (1, 1, channels * taps, filters))
