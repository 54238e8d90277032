"""The way in and the way out of networks that make images larger."""

import keras
from keras import layers, ops

from keraslayers import _checks
from keraslayers.models import _blocks


def image_input(who, input_shape, scale):
    """Returns (the input tensor, the scale as an int), after refusing what is known to be wrong."""
    scale = _checks.whole_number(who, "scale", scale, least=2)
    return _blocks.image_input(who, input_shape, classes=1, pooling=None, weights=None), scale


def larger(x, scale, clip):
    """Makes pixels of channels: (rows, columns, scale * scale * channels) to (scale * rows, scale * columns, channels).

    Of the channels of a place the first are those of its upper left pixel, as TensorFlow has it; PyTorch's PixelShuffle
    has the pixels of the first color first.

    Args:
        clip: whether pixels are kept within 0 and 1.
    """
    if clip:
        x = layers.ReLU(max_value=1.0, name="clip")(x)
    if not hasattr(ops, "depth_to_space"):
        raise RuntimeError(
            f"`models.super_resolution` makes pixels of channels by keras.ops.depth_to_space, which Keras "
            f"{keras.__version__} has not: pip install 'keras>=3.14'."
        )
    return ops.depth_to_space(x, scale)


def each_pixel(x, scale):
    """The colors of each pixel for all the pixels that become of it: the image enlarged, before `larger`."""
    return layers.Concatenate(name="input_pixels")([x] * scale**2)
