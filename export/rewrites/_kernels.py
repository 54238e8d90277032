"""The constant kernels of convolutions: read, and made anew in the form in which they were stored."""

import numpy as np

# So often each number stands in a kernel that has few of them.
REPEATED = 4


def stored(kernel):
    """The constant behind a kernel: itself, or what is widened when the file is loaded; None if there is none."""
    maker = kernel.maker
    source = maker.inputs[0] if maker is not None and maker.name == "DEQUANTIZE" else kernel
    return source if source.constant and (source.values is not None or source.dtype == "int4") else None


def numbers(constant):
    """The values of a constant; those of 4 bits, of which two make a byte, the lower half first, as int8."""
    if constant.dtype != "int4":
        return constant.values
    halves = np.stack([constant.buffer.data << 4, constant.buffer.data & 0xF0], -1).reshape(-1).view("int8") >> 4
    return halves[: constant.size].reshape(constant.shape)


def remade(build, kernel, values):
    """A kernel of other values, stored as another was: of the same type, with its scales, widened if that is.

    Args:
        build: a `Builder`.
        kernel: the other, of which `stored` gives a constant.
        values: as they are stored.
    """
    source = stored(kernel)
    if source.dtype == "int4":
        halves = np.resize(values.astype("uint8") & 0xF, -(-values.size // 2) * 2)
        made = build.packed(halves[::2] | halves[1::2] << 4, values.shape, source)
    else:
        made = build.constant(np.asarray(values, source.values.dtype), like=source)
    return made if source is kernel else build.computed("DEQUANTIZE", (made,), made.shape, like=kernel)


def moved(build, kernel, move):
    """A kernel whose values are moved, by a function of their array."""
    return remade(build, kernel, move(numbers(stored(kernel))))


def zero(constant, axis=0):
    """What stands for 0 in a quantized constant, by channel along an axis so that it broadcasts; 0 of floats."""
    points = None if constant.quantization is None else constant.quantization.zeroPoint
    dtype = numbers(constant).dtype
    if points is None or len(points) == 0:
        return np.zeros((), dtype)
    shape = [1] * len(constant.shape)
    shape[axis] = -1 if len(points) > 1 else 1
    return np.asarray(points).astype(dtype).reshape(shape)


def integer(operator):
    """Whether a convolution's kernel is of integers, in the file as it runs."""
    return operator.inputs[1].dtype.startswith(("int", "uint"))


def clustered(values):
    """Whether there are few numbers, many times each, as clustering leaves them: what zips well is to stay so."""
    found = values[values != 0]
    return len(np.unique(found)) * REPEATED <= len(found)


def groups(operator):
    """The groups of a CONV_2D; 1 as a rule."""
    x, kernel = operator.inputs[:2]
    return x.shape[-1] // kernel.shape[-1]


def merged(constant, count, groups):
    """The values of a kernel for groups of `count` of its groups each: zero between channels of different ones.

    Args:
        constant: of the shape (filters, height, width, channels into a group).
        count: a divisor of the groups.
        groups: how many the kernel has.

    Returns:
        An array of (filters, height, width, count * channels into a group).
    """
    filters = constant.shape[0]
    place = np.arange(filters) // (filters // groups) % count  # of each filter's group among those it is merged with
    values = numbers(constant)
    parts = [np.where((place == i)[:, None, None, None], values, zero(constant)) for i in range(count)]
    return np.concatenate(parts, axis=-1)


def fitting(filters, channels, groups):
    """How many neighbouring groups together have multiples of 4 channels, in and out; all of them if none fewer do.

    Args:
        filters: of the whole convolution.
        channels: into a group.
        groups: how many there are.
    """
    return next(
        n
        for n in range(1, groups + 1)
        if n == groups or (groups % n == 0 and all(n * c % 4 == 0 for c in (channels, filters // groups)))
    )
