"""Where the channels stand in a kernel, and how tfmot wants them."""

import math

from keras import ops

# By what stands for a kind of kernel, the axes of the channels that get a scale of their own: those that come out.
LAST, DEPTHWISE, TRANSPOSED = "last", "depthwise", "transposed"
# Of a matrix of several axes the channels are the last one or two, and all others are summed over. Of several kernels
# in one variable each has its channels.
MATRIX, MATRIX_OF_TWO, SEVERAL = "matrix", "matrix of two", "several"


def channels(shape, place):
    """How many channels come out."""
    if place in (DEPTHWISE, MATRIX_OF_TWO):
        return shape[-1] * shape[-2]
    return {LAST: shape[-1], MATRIX: shape[-1], TRANSPOSED: shape[-2], SEVERAL: shape[0] * shape[-1]}[place]


def turned(kernel, place):
    """The kernel with the channels that come out last."""
    return ops.transpose(kernel, _order(len(kernel.shape), place))


def turned_shape(shape, place):
    """The same of a shape."""
    return tuple(shape[axis] for axis in _order(len(shape), place))


def _order(rank, place):
    """The axes of a kernel as `turned` has them."""
    axes = tuple(range(rank))
    if place == TRANSPOSED:
        return (*axes[:-2], axes[-1], axes[-2])
    return (*axes[1:-1], 0, axes[-1]) if place == SEVERAL else axes


def rows(kernel, place):
    """The kernel as (all it sums over, channels that come out): for tfmot's quantizers, which know no other shapes."""
    count = channels(kernel.shape, place)
    return ops.reshape(turned(kernel, place), (math.prod(kernel.shape) // count, count))


def image(kernel, place):
    """The kernel as (height, width, input channels, channels that come out), or of two axes: for tfmot's pruning."""
    if place in (MATRIX, MATRIX_OF_TWO):
        return rows(kernel, place)
    shape = turned_shape(kernel.shape, place)
    return ops.reshape(turned(kernel, place), (1, *shape) if len(shape) == 3 else shape)


def restored(values, shape, place):
    """The kernel of that shape of which `rows` or `image` made values of another."""
    order = _order(len(shape), place)
    back = sorted(range(len(shape)), key=order.__getitem__)
    return ops.transpose(ops.reshape(values, turned_shape(shape, place)), back)
