"""What the layers must compute, as plain numpy loops in float64.

An oracle takes (inputs, weights, options): numpy, a list of numpy arrays in the order of the layer's weights, and
the options the layer was made with. Nothing here imports keras or keraslayers: it shares no code with what it judges.
"""

import math

import numpy as np

from tests import oracles_tokens


def _clip(value, low, high):
    return min(max(value, low), high)


_HARD_SIGMOIDS = {
    "mobilenet": lambda v: _clip(v + 3, 0, 6) / 6,
    "keras2": lambda v: _clip(0.2 * v + 0.5, 0, 1),
    "binarynet": lambda v: _clip((v + 1) / 2, 0, 1),
}

# What the strings that layers take as activations stand for.
_ACTIVATIONS = {
    "linear": lambda v: v,
    "relu": lambda v: max(v, 0.0),
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "hard_sigmoid": _HARD_SIGMOIDS["mobilenet"],
}


def _each(formula, inputs):
    outputs = np.empty(inputs.shape, "float64")
    for place, value in np.ndenumerate(inputs):
        outputs[place] = formula(float(value))
    return outputs


def hard_sigmoid(inputs, weights, options):
    return _each(_HARD_SIGMOIDS[options.get("variant", "mobilenet")], inputs)


def hard_swish(inputs, weights, options):
    return _each(lambda v: v * _clip(v + 3, 0, 6) / 6, inputs)


def identity(inputs, weights, options):
    return inputs


def hard_tanh(inputs, weights, options):
    return _each(lambda v: _clip(v, -1, 1), inputs)


def relu6(inputs, weights, options):
    return _each(lambda v: _clip(v, 0, 6), inputs)


def channel_shuffle(inputs, weights, options):
    groups = options["groups"]
    axis = 1 if options.get("data_format") == "channels_first" else inputs.ndim - 1
    size = inputs.shape[axis] // groups
    outputs = np.empty(inputs.shape, "float64")
    for place, value in np.ndenumerate(inputs):
        group, within = divmod(place[axis], size)
        outputs[(*place[:axis], within * groups + group, *place[axis + 1 :])] = value
    return outputs


def squeeze_excite(inputs, weights, options):
    first = options.get("data_format") == "channels_first"
    images = np.asarray(inputs if first else np.moveaxis(inputs, -1, 1), "float64")
    squeeze, squeeze_bias, excite, excite_bias = (np.asarray(weight, "float64") for weight in weights)
    activation = _ACTIVATIONS[options.get("activation", "relu")]
    gate_activation = _ACTIVATIONS[options.get("gate_activation", "sigmoid")]
    outputs = np.empty(images.shape, "float64")
    for b, image in enumerate(images):
        means = [plane.sum() / plane.size for plane in image]
        squeezed = []
        for s, bias in enumerate(squeeze_bias):
            total = sum(mean * squeeze[0, 0, c, s] for c, mean in enumerate(means))
            squeezed.append(activation(total + bias))
        for c, bias in enumerate(excite_bias):
            total = sum(value * excite[0, 0, s, c] for s, value in enumerate(squeezed))
            outputs[b, c] = image[c] * gate_activation(total + bias)
    return outputs if first else np.moveaxis(outputs, 1, -1)


# Where the value beyond the border of a row of n stands; i is counted from the first pixel on. None is a zero.
_BORDERS = {
    "zeros": lambda i, n: i if 0 <= i < n else None,
    "edge": lambda i, n: min(max(i, 0), n - 1),
    "reflect": lambda i, n: -i if i < 0 else 2 * (n - 1) - i if i >= n else i,
    "symmetric": lambda i, n: -1 - i if i < 0 else 2 * n - 1 - i if i >= n else i,
}


def _pads(options, sizes, kernel_size):
    """The padding in options as ((top, bottom), (left, right))."""
    padding = options.get("padding", "valid")
    if not isinstance(padding, str):
        return padding
    pads = []
    for axis in (0, 1):
        reach = (kernel_size[axis] - 1) * options.get("dilation_rate", (1, 1))[axis] + 1
        stride = options.get("strides", (1, 1))[axis]
        count = math.ceil(sizes[axis] / stride)
        total = max(0, (count - 1) * stride + reach - sizes[axis])
        same = (total // 2, total - total // 2)
        pads.append({"valid": (0, 0), "same": same, "full": (reach - 1, reach - 1)}[padding])
    return tuple(pads)


def _window_sums(images, kernel_size, options, product):
    """Slides a window over images of (batch, height, width, channels).

    At each place it adds up product(pixel, i, j), the pixel being the vector of channels below tap (i, j).
    """
    sizes = images.shape[1:3]
    pads = _pads(options, sizes, kernel_size)
    border = _BORDERS[options.get("padding_mode", "zeros")]
    strides, dilation = options.get("strides", (1, 1)), options.get("dilation_rate", (1, 1))
    counts = [
        (sizes[axis] + sum(pads[axis]) - (kernel_size[axis] - 1) * dilation[axis] - 1) // strides[axis] + 1
        for axis in (0, 1)
    ]
    outputs = []
    for b, y, x in np.ndindex(len(images), *counts):
        total = 0.0
        for i, j in np.ndindex(*kernel_size):
            row = border(y * strides[0] + i * dilation[0] - pads[0][0], sizes[0])
            column = border(x * strides[1] + j * dilation[1] - pads[1][0], sizes[1])
            pixel = np.zeros(images.shape[3]) if row is None or column is None else images[b, row, column]
            total = total + product(pixel, i, j)
        outputs.append(total)
    return np.reshape(outputs, (len(images), *counts, -1))


def _images(inputs, options):
    """Inputs as (batch, height, width, channels) in float64."""
    first = options.get("data_format") == "channels_first"
    return np.asarray(np.moveaxis(inputs, 1, -1) if first else inputs, "float64")


def _as_given(outputs, options):
    return np.moveaxis(outputs, -1, 1) if options.get("data_format") == "channels_first" else outputs


def padded_conv2d(inputs, weights, options):
    images = _images(inputs, options)
    kernel, *bias = (np.asarray(weight, "float64") for weight in weights)
    groups = options.get("groups", 1)
    filters = kernel.shape[3] // groups  # of a group

    def product(pixel, i, j):
        parts = np.split(pixel, groups)
        return np.concatenate([p @ kernel[i, j, :, g * filters : (g + 1) * filters] for g, p in enumerate(parts)])

    outputs = _window_sums(images, kernel.shape[:2], options, product)
    for b in bias:
        outputs = outputs + b
    return _as_given(_each(_ACTIVATIONS[options.get("activation", "linear")], outputs), options)


_KERNELS = {
    "identity": "000 010 000",
    "edge_cross": "0-0 -4- 0-0",
    "edge_laplace": "--- -8- ---",
    "sharpen": "0-0 -5- 0-0",
    "box_blur": "111 111 111",
    "gaussian_blur": "121 242 121",
    "sobel_x": "-01 =02 -01",
    "sobel_y": "-=- 000 121",
}


def _taps(name):
    """The numbers of a named kernel; - is minus one, = minus two."""
    rows = [[float({"-": -1, "=": -2}.get(sign, sign)) for sign in row] for row in _KERNELS[name].split()]
    return np.array(rows) / {"box_blur": 9, "gaussian_blur": 16}.get(name, 1)


def image_kernel(inputs, weights, options):
    kernel = options["kernel"]
    kernel = _taps(kernel) if isinstance(kernel, str) else np.array(kernel)
    rows, columns = kernel.shape

    def product(pixel, i, j):
        return pixel * (kernel[rows - 1 - i, columns - 1 - j] if options.get("flip") else kernel[i, j])

    outputs = _window_sums(_images(inputs, options), kernel.shape, {"padding": "same", **options}, product)
    return _as_given(outputs, options)


def spatial_separable(inputs, weights, options):
    vertical, horizontal, *bias = weights
    down = {name: (options[name][0], 1) for name in ("strides", "dilation_rate") if name in options}
    across = {name: (1, options[name][1]) for name in ("strides", "dilation_rate") if name in options}
    rest = {name: options[name] for name in ("padding", "data_format") if name in options}
    middle = padded_conv2d(inputs, [vertical], {**rest, **down})
    activation = {"activation": options.get("activation", "linear")}
    return padded_conv2d(middle, [horizontal, *bias], {**rest, **across, **activation})


def dynamic_conv2d(inputs, weights, options):
    images = _images(inputs, options)
    weights = [np.asarray(weight, "float64") for weight in weights]
    kernels = weights.pop(0)
    biases = weights.pop(0) if options.get("use_bias", True) else np.zeros((len(kernels), kernels.shape[4]))
    plain = {name: value for name, value in options.items() if name not in ("data_format", "activation")}
    results = []
    for image in images:
        units = [image[..., c].sum() / image[..., c].size for c in range(image.shape[2])]
        for n in range(0, len(weights), 2):  # kernel and bias of a 1x1 convolution
            units = [sum(u * w for u, w in zip(units, column, strict=True)) for column in weights[n][0, 0].T]
            units = [u + b for u, b in zip(units, weights[n + 1], strict=True)]
            if len(weights) == 4 and n == 0:
                units = [max(u, 0.0) for u in units]
        if len(weights) == 4:
            powers = [math.exp(u / options.get("temperature", 30.0)) for u in units]
            attention = [power / sum(powers) for power in powers]
        else:
            attention = [_ACTIVATIONS["sigmoid"](u) for u in units]
        kernel = sum(a * k for a, k in zip(attention, kernels, strict=True))
        bias = sum(a * b for a, b in zip(attention, biases, strict=True))
        results.append(padded_conv2d(image[None], [kernel, bias], plain)[0])
    outputs = _each(_ACTIVATIONS[options.get("activation", "linear")], np.array(results))
    return _as_given(outputs, options)


def shift_leaky_relu(inputs, weights, options):
    slope = options.get("multiplier", 13) / 2 ** options.get("shift", 7)
    return _each(lambda v: v if v > 0 else slope * v, inputs)


def local_response_normalization(inputs, weights, options):
    axis = 1 if options.get("data_format") == "channels_first" else inputs.ndim - 1
    radius, count = options.get("depth_radius", 5), inputs.shape[axis]
    outputs = np.empty(inputs.shape, "float64")
    for place, value in np.ndenumerate(inputs):
        total = 0.0
        for channel in range(max(0, place[axis] - radius), min(count, place[axis] + radius + 1)):
            total += float(inputs[(*place[:axis], channel, *place[axis + 1 :])]) ** 2
        base = options.get("bias", 1.0) + options.get("alpha", 1.0) * total
        outputs[place] = value / base ** options.get("beta", 0.5)
    return outputs


def maxout(inputs, weights, options):
    axis = 1 if options.get("data_format") == "channels_first" else inputs.ndim - 1
    pieces = options["pieces"]
    shape = list(inputs.shape)
    shape[axis] //= pieces
    outputs = np.full(shape, -np.inf)
    for place, value in np.ndenumerate(inputs):
        unit = (*place[:axis], place[axis] // pieces, *place[axis + 1 :])
        outputs[unit] = max(outputs[unit], value)
    return outputs


_TABULATED = {
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "silu": lambda v: v / (1 + math.exp(-v)),
    "tanh": math.tanh,
}


def table_activation(inputs, weights, options):
    low, high, entries = options.get("low", -8.0), options.get("high", 8.0), options.get("entries", 256)
    places = [low + (high - low) * i / (entries - 1) for i in range(entries)]
    values = [_TABULATED[options["function"]](place) for place in places]

    def read(v):
        if v <= low:
            return values[0]
        for i in range(entries - 1):
            if v <= places[i + 1]:
                part = (v - places[i]) / (places[i + 1] - places[i])
                return (1 - part) * values[i] + part * values[i + 1]
        return values[-1]

    return _each(read, inputs)


def _bilinear(plane, y, x):
    """One channel at a point between pixels, each of the four outside the image counting as zero."""
    total = 0.0
    top, left = math.floor(y), math.floor(x)
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                total += plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def _two(value):
    return (value, value) if isinstance(value, int) else value


def _place(size, kernel, stride, dilation, padding, axis):
    """How many outputs an axis has, and the padding before it."""
    span = (kernel - 1) * dilation + 1
    if padding == "same":
        count = -(-size // stride)
        return count, max((count - 1) * stride + span - size, 0) // 2
    if isinstance(padding, str):
        padding = {"valid": 0, "full": span - 1}[padding]
    before, after = _two(_two(padding)[axis])
    return (size + before + after - span) // stride + 1, before


def deform_conv2d(inputs, offsets, kernel, mask, bias, options):
    images, kernel = _images(inputs, options), np.asarray(kernel, "float64")
    offsets, mask = (None if x is None else _images(x, options) for x in (offsets, mask))
    (count, height, width, channels), (rows, columns, within, filters) = images.shape, kernel.shape
    strides, dilation = _two(options.get("strides", 1)), _two(options.get("dilation_rate", 1))
    groups, parts = options.get("groups", 1), options.get("offset_groups", 1)
    most = options.get("max_offset") or math.inf
    padding = options.get("padding", "valid")
    out_height, top = _place(height, rows, strides[0], dilation[0], padding, 0)
    out_width, left = _place(width, columns, strides[1], dilation[1], padding, 1)
    outputs = np.zeros((count, out_height, out_width, filters))
    for b, p, q in np.ndindex(count, out_height, out_width):
        for i, j, c in np.ndindex(rows, columns, channels):
            tap = c // (channels // parts) * rows * columns + i * columns + j
            y = p * strides[0] - top + i * dilation[0] + _clip(float(offsets[b, p, q, 2 * tap]), -most, most)
            x = q * strides[1] - left + j * dilation[1] + _clip(float(offsets[b, p, q, 2 * tap + 1]), -most, most)
            value = _bilinear(images[b, :, :, c], y, x) * (1.0 if mask is None else mask[b, p, q, tap])
            group = c // within
            for f in range(group * filters // groups, (group + 1) * filters // groups):
                outputs[b, p, q, f] += value * kernel[i, j, c % within, f]
    return _as_given(outputs if bias is None else outputs + bias, options)


def deformable_conv2d(inputs, weights, options):
    kernel, *bias, offset_kernel, offset_bias = (np.asarray(weight, "float64") for weight in weights)
    strides, dilation = _two(options.get("strides", 1)), _two(options.get("dilation_rate", 1))
    padding = options.get("padding", "valid")
    images = _images(inputs, options)
    (count, height, width, _), (rows, columns, channels, moved) = images.shape, offset_kernel.shape
    out_height, top = _place(height, rows, strides[0], dilation[0], padding, 0)
    out_width, left = _place(width, columns, strides[1], dilation[1], padding, 1)
    moves = np.empty((count, out_height, out_width, moved))
    for b, p, q, m in np.ndindex(moves.shape):
        moves[b, p, q, m] = offset_bias[m]
        for i, j, c in np.ndindex(rows, columns, channels):
            y, x = p * strides[0] - top + i * dilation[0], q * strides[1] - left + j * dilation[1]
            if 0 <= y < height and 0 <= x < width:
                moves[b, p, q, m] += float(images[b, y, x, c]) * offset_kernel[i, j, c, m]
    mask = None
    if options.get("modulated"):
        offsets = moved // 3 * 2
        mask = np.vectorize(lambda v: 2 * _ACTIVATIONS["sigmoid"](v))(moves[..., offsets:])
        moves = moves[..., :offsets]
    last = {**options, "data_format": "channels_last"}
    outputs = deform_conv2d(images, moves, kernel, mask, bias[0] if bias else None, last)
    outputs = _each(_ACTIVATIONS[options["activation"]], outputs) if options.get("activation") else outputs
    return _as_given(outputs, options)


def resample_2d(inputs, weights, options):
    images = _images(inputs, options)
    scale = options.get("scale")
    for axis in (1, 2):
        old = images.shape[axis]
        # 1e-9: 0.6 times 5 is just below 3 in floating point.
        new = options["size"][axis - 1] if scale is None else math.floor(old * scale[axis - 1] + 1e-9)
        slices = np.moveaxis(images, axis, 0)
        resampled = []
        for i in range(new):
            centre = (i + 0.5) * old / new  # where a pixel covers [j, j + 1)
            if options.get("method") == "nearest":
                resampled.append(slices[math.floor(centre)])
                continue
            reach = max(1.0, old / new) if options.get("antialias") else 1.0
            shares = [max(0.0, reach - abs(j + 0.5 - centre)) for j in range(old)]
            resampled.append(sum(share * plane for share, plane in zip(shares, slices, strict=True)) / sum(shares))
        images = np.moveaxis(np.array(resampled), 0, axis)
    return _as_given(images, options)


def soft_argmax(inputs, weights, options):
    maps = _images(inputs, options)
    count, height, width, points = maps.shape
    tall, wide = options.get("size") or (1, 1)
    outputs = np.zeros((count, points, 2))
    for b, p in np.ndindex(count, points):
        highest, total = maps[b, ..., p].max(), 0.0
        for y, x in np.ndindex(height, width):
            share = math.exp(maps[b, y, x, p] - highest)
            total += share
            outputs[b, p] += share * (x + 0.5) * wide / width, share * (y + 0.5) * tall / height
        outputs[b, p] /= total
    return outputs


def max_pool_with_indices(inputs, options):
    images = _images(inputs, options)
    pool = options["pool_size"]
    tall, wide = pool if isinstance(pool, tuple) else (pool, pool)
    count, height, width, channels = images.shape
    pooled = np.empty((count, height // tall, width // wide, channels))
    indices = np.empty(pooled.shape, "int64")
    for b, y, x, c in np.ndindex(pooled.shape):
        best = None
        for i in range(y * tall, (y + 1) * tall):
            for j in range(x * wide, (x + 1) * wide):
                if best is None or images[b, i, j, c] > best:
                    best, indices[b, y, x, c] = images[b, i, j, c], i * width + j
        pooled[b, y, x, c] = best
    return _as_given(pooled, options), _as_given(indices, options)


def max_unpool(values, indices, options):
    values, indices = _images(values, options), _images(indices, options).astype("int64")
    pool = options["pool_size"]
    tall, wide = pool if isinstance(pool, tuple) else (pool, pool)
    count, rows, columns, channels = values.shape
    height, width = options.get("output_size") or (rows * tall, columns * wide)
    outputs = np.zeros((count, height, width, channels))
    for (b, y, x, c), index in np.ndenumerate(indices):
        i, j = divmod(index, width)
        if i // tall == y and j // wide == x:  # else the pixel lies in another window
            outputs[b, i, j, c] = values[b, y, x, c]
    return _as_given(outputs, options)


def pooled_and_back(inputs, weights, options):
    return max_unpool(*max_pool_with_indices(inputs, options), options)


def affine(x, weights, options):
    axis = options.get("axis", -1) % x.ndim
    shape = [-1 if one == axis else 1 for one in range(x.ndim)]
    gamma, *beta = (weight.astype("float64").reshape(shape) for weight in weights)
    return x * gamma + (beta[0] if beta else 0)


def class_token(x, weights, options):
    return np.stack([np.concatenate([weights[0], image]) for image in x])


def learned_positions(x, weights, options):
    return x + weights[0].astype("float64")


def window_attention(x, weights, options):
    """Written once, with the networks of tokens."""
    table, qkv, *bias, out, out_bias = (weight.astype("float64") for weight in weights)
    bias = bias[0] if bias else 0
    options = {"shift_size": (0, 0), **options}
    y = oracles_tokens.window_attention(
        x, table, qkv, bias, options["num_heads"], options["window_size"], options["shift_size"]
    )
    return y @ out + out_bias


def window_partition(x, weights, options):
    tall, wide = options["window_size"]
    return np.stack(
        [
            image[i : i + tall, j : j + wide].reshape(tall * wide, -1)
            for image in x
            for i in range(0, x.shape[1], tall)
            for j in range(0, x.shape[2], wide)
        ]
    )


def window_merge(x, weights, options):
    (tall, wide), (height, width) = options["window_size"], options["size"]
    windows, result = list(x), []
    for _ in range(len(x) * tall * wide // (height * width)):
        image = np.zeros((height, width, x.shape[-1]))
        for i in range(0, height, tall):
            for j in range(0, width, wide):
                image[i : i + tall, j : j + wide] = windows.pop(0).reshape(tall, wide, -1)
        result.append(image)
    return np.stack(result)


def depthwise_by_itself(x, weights, options):
    """The kernels are a 1x1 convolution of the image, or of its mean; see `tests.cases.DepthwiseByItself`."""
    kernel, bias = (weight.astype("float64") for weight in weights)
    source = x if options["per_place"] else x.mean((1, 2), keepdims=True)
    kernels = source @ kernel + bias
    return oracles_tokens.dynamic_depthwise(x, kernels, options["kernel_size"])
