"""One number a channel, added to images."""

from keras import ops


def add_bias(images, bias, data_format):
    """Adds a bias of (channels,) to images of four axes.

    On TensorFlow, `keras.ops.add` of Keras 3.15 takes the bias for one of the last axis wherever that has as many
    places as there are channels. A channels_first image would get it by column; in Keras's own Conv2D it does.
    """
    if data_format == "channels_last":
        return ops.add(images, ops.reshape(bias, (1, 1, 1, -1)))
    return images + ops.reshape(ops.cast(bias, images.dtype), (1, -1, 1, 1))
