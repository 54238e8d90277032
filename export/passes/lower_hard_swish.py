"""Hard-swish in operators that XNNPACK takes in int8."""

import keras

from keraslayers.activations import HardSwish
from keraslayers.export.passes._graph import first, rewrite


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
    kind = type(layer)  # a subclass may compute something else
    hard_swish = (
        kind is HardSwish
        or (kind is keras.layers.Activation and layer.activation is keras.activations.hard_silu)
        # keras.ops.hard_silu in a Functional model, whose class is not public
        or (kind.__name__ == "HardSilu" and kind.__module__.startswith("keras."))
    )
    return hard_swish and len(first(args, kwargs).shape) == 4 and first(args, kwargs).shape[-1] is not None


def _replace(layer, fresh, *args, **kwargs):
    x = first(args, kwargs)
    # Every layer is named, since the names Keras makes up count what else the process has built, and the names stand
    # in the file: one model gives one file.
    gate = keras.layers.DepthwiseConv2D(
        1,
        depthwise_initializer="ones",
        bias_initializer=keras.initializers.Constant(3.0),
        activation="relu6",
        data_format="channels_last",
        dtype=x.dtype,
        name=fresh(f"{layer.name}_gate"),
    )
    sixth = keras.layers.Rescaling(1.0 / 6.0, dtype=x.dtype, name=fresh(f"{layer.name}_sixth"))
    product = keras.layers.Multiply(dtype=x.dtype, name=fresh(f"{layer.name}_product"))
    return product([sixth(x), gate(x)])
