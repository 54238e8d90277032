"""Hard sigmoid in operators that XNNPACK makes one of."""

import keras
from keras import layers, ops

from keraslayers.activations import SLOPES, HardSigmoid
from keraslayers.export.passes._graph import first, is_of_keras, rewrite


def lower_hard_sigmoid(model):
    """Writes hard sigmoid of images as a convolution whose outputs are clipped.

    As a sum, ReLU6 and a product it reads and writes the image twice, which took 2.4 times as long as a sigmoid. A
    convolution and both of its clamps are one operator of XNNPACK, as fast as a sigmoid.

    Given:   x -> hard_sigmoid
    Result:  x -> depthwise 1x1 (weight 1 / 6, bias 1 / 2) with relu -> minimum with 1

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def _slope(layer):
    """The slope of a hard sigmoid at 0, None of anything else. A subclass may compute something else."""
    if type(layer) is HardSigmoid:
        return SLOPES[layer.variant] / 6.0
    plain = type(layer) is layers.Activation and layer.activation is keras.activations.hard_sigmoid
    return 1.0 / 6.0 if plain or is_of_keras(layer, "HardSigmoid") else None


def _applies(layer, *args, **kwargs):
    if _slope(layer) is None:
        return False
    shape = first(args, kwargs).shape
    # A vector of one pixel is too short to count.
    return len(shape) == 4 and shape[-1] is not None and tuple(shape[1:3]) != (1, 1)


def _zero_to_one(x):
    return ops.minimum(ops.relu(x), 1.0)


def _replace(layer, fresh, *args, **kwargs):
    x = first(args, kwargs)
    return layers.DepthwiseConv2D(
        1,
        depthwise_initializer=keras.initializers.Constant(_slope(layer)),
        bias_initializer=keras.initializers.Constant(0.5),
        activation=_zero_to_one,
        data_format="channels_last",
        dtype=x.dtype,
        name=fresh(f"{layer.name}_line"),
    )(x)
