"""Where the channels stand in a kernel, and how tfmot wants them."""

import math

from keras import ops

# By what stands for a kind of kernel, the axes of the channels that get a scale of their own: those that come out.
LAST, DEPTHWISE, TRANSPOSED = "last", "depthwise", "transposed"


def channels(shape, place):
    """How many channels come out."""
    return {LAST: shape[-1], DEPTHWISE: shape[-1] * shape[-2], TRANSPOSED: shape[-2]}[place]


def turned(kernel, place):
    """The kernel with the channels that come out last; of what was turned so, the kernel."""
    if place != TRANSPOSED:
        return kernel
    axes = tuple(range(len(kernel.shape)))
    return ops.transpose(kernel, (*axes[:-2], axes[-1], axes[-2]))


def turned_shape(shape, place):
    """The same of a shape."""
    return (*shape[:-2], shape[-1], shape[-2]) if place == TRANSPOSED else tuple(shape)


def rows(kernel, place):
    """The kernel as (all it sums over, channels that come out): for tfmot's quantizers, which know no other shapes."""
    count = channels(kernel.shape, place)
    return ops.reshape(turned(kernel, place), (math.prod(kernel.shape) // count, count))


def image(kernel, place):
    """The kernel as (height, width, input channels, channels that come out), or of two axes: for tfmot's pruning."""
    shape = turned_shape(kernel.shape, place)
    return ops.reshape(turned(kernel, place), (1, *shape) if len(shape) == 3 else shape)


def restored(values, shape, place):
    """The kernel of that shape of which `rows` or `image` made values of another."""
    return turned(ops.reshape(values, turned_shape(shape, place)), place)
