"""What several networks have in common: the way in, convolutions with normalization, the way out."""

import os

import keras
from keras import layers

from keraslayers import _checks


def image_input(who, input_shape, *, smallest=1, classes, pooling, weights):
    """Returns the input tensor, after refusing everything that is known to be wrong before the first layer."""
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            f"`{who}`: models are built for images of shape (height, width, channels), but Keras's image data "
            "format is 'channels_first'. Call keras.config.set_image_data_format('channels_last') first."
        )
    shape = _image_shape(who, input_shape, smallest)
    _checks.positive_int(who, "classes", classes)
    _checks.choice(who, "pooling", pooling, (None, "avg", "max"))
    _check_weights(who, weights)
    return layers.Input(shape, name="image")


def _image_shape(who, shape, smallest):
    if not isinstance(shape, (tuple, list)) or len(shape) != 3 or shape[2] is None:
        raise ValueError(
            f"`{who}`: `input_shape` must be (height, width, channels), of which height and width may be None; "
            f"got {shape!r}."
        )
    shape = tuple(size if size is None else _checks.positive_int(who, "input_shape", size) for size in shape)
    if any(size is not None and size < smallest for size in shape[:2]):
        raise ValueError(
            f"`{who}`: the smallest `input_shape` is ({smallest}, {smallest}, {shape[2]}), since nothing is left "
            f"after the last pooling of a smaller one; got {shape}."
        )
    return shape


def _check_weights(who, weights):
    if weights is None:
        return
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(f"`{who}`: `weights` must be None or the path of a file; got {weights!r}.")
    path = os.fspath(weights)
    if not path.endswith((".weights.h5", ".keras")):
        raise ValueError(
            f"`{who}`: `weights` must be None or the path of a `.weights.h5` or `.keras` file; got {path!r}. "
            "No published weights are shipped: train the model, or save weights of your own with "
            "model.save_weights('name.weights.h5')."
        )
    if not os.path.isfile(path):
        raise FileNotFoundError(f"`{who}`: `weights` names a file that does not exist; got {path!r}.")


def model(inputs, outputs, *, weights, name):
    """Returns the keras.Model, with the weights of the file `weights` unless that is None."""
    made = keras.Model(inputs, outputs, name=name)
    if weights is not None:
        made.load_weights(weights)
    return made


def pool(x, pooling):
    """Returns the features as `pooling` asks for them: maps (None), or their averages or maxima."""
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name="max_pool")(x)
    return x


def conv_bn_act(x, filters, kernel_size, *, strides=1, activation=None, norm, name):
    """Convolution, batch normalization with the arguments `norm`, and an activation unless that is None."""
    x = layers.Conv2D(filters, kernel_size, strides=strides, padding="same", use_bias=False, name=name)(x)
    return _bn_act(x, activation, norm, name)


def depthwise_bn_act(x, kernel_size, *, strides=1, activation=None, norm, name):
    """As `conv_bn_act`, with one filter for each channel of its own."""
    x = layers.DepthwiseConv2D(kernel_size, strides=strides, padding="same", use_bias=False, name=name)(x)
    return _bn_act(x, activation, norm, name)


def _bn_act(x, activation, norm, name):
    x = layers.BatchNormalization(**norm, name=f"{name}_bn")(x)
    return x if activation is None else layers.Activation(activation, name=f"{name}_act")(x)


def make_divisible(value, divisor=8):
    """Rounds to the nearest multiple of `divisor`, and up where that would take away more than a tenth.

    Source: the published code of MobileNetV2, arXiv:1801.04381, which its successors share.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded
