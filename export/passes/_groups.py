"""Convolutions of fewer groups with the same result."""

from keras import layers, ops

from keraslayers.padded import PaddedConv2D

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, PaddedConv2D)


def is_convolution(layer):
    """Whether a pass may change its kernel; a subclass may compute something else."""
    return (
        type(layer) in CONVOLUTIONS
        and layer.data_format == "channels_last"
        and not layer.dtype_policy.quantization_mode
    )


def channels(layer):
    """(channels into each group, channels out of each)."""
    return layer.kernel.shape[-2], layer.filters // layer.groups


def fitting(layer):
    """How many neighbouring groups together have multiples of 4 channels, in and out; all of them if none fewer do."""
    groups = layer.groups
    return next(
        n
        for n in range(1, groups + 1)
        if n == groups or (groups % n == 0 and all(n * c % 4 == 0 for c in channels(layer)))
    )


def merged(layer, count):
    """The layer's kernel for groups of `count` of its groups each: zero between channels of different ones.

    Shape: (*kernel size, count * channels into a group, filters).
    """
    _, out = channels(layer)
    place = ops.arange(layer.filters) // out % count  # of each filter's group among those it is merged with
    return ops.concatenate(
        [layer.kernel * ops.cast(ops.equal(place, i), layer.kernel.dtype) for i in range(count)], axis=-2
    )
