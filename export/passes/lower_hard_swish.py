"""Hard-swish in operators that XNNPACK takes in int8."""

import keras
from keras import ops
from keraslayers.export.passes.rewrite import rewrite

from keraslayers import HardSwish


def lower_hard_swish(model):
    """Writes hard-swish of images as a convolution and a product.

    XNNPACK has no int8 HARD_SWISH, so that each one cuts the graph in two; it has both of these.

    Given:   x -> hard_swish
    Result:  x -> depthwise 1x1 (weight 1, bias 3) -> relu6 -> * (x / 6)

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    hard_swish = (
        isinstance(layer, HardSwish)
        or (isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.hard_silu)
        or type(layer).__name__ == "HardSilu"  # keras.ops.hard_silu in a Functional model
    )
    return hard_swish and len(args[0].shape) == 4 and args[0].shape[-1] is not None


def _replace(layer, x):
    gate = keras.layers.DepthwiseConv2D(
        1,
        depthwise_initializer="ones",
        bias_initializer=keras.initializers.Constant(3.0),
        activation="relu6",
        data_format="channels_last",
        name=f"{layer.name}_gate",
    )
    return ops.multiply(ops.multiply(x, 1.0 / 6.0), gate(x))
