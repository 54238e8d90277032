"""Hard-swish in a layer's `activation`, as a layer of its own."""

import keras
from keras import layers

from keraslayers.export.passes._graph import WITH_ACTIVATION, Altered, first, rewrite


def split_hard_swish(model):
    """Takes hard-swish out of layers whose `activation` it is, so that `lower_hard_swish` finds it.

    Given:   x -> convolution or Dense(activation="hard_silu")
    Result:  x -> convolution or Dense -> hard-swish

    Returns:
        (model, how many were split).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    return (
        type(layer) in WITH_ACTIVATION
        and layer.activation is keras.activations.hard_silu
        and len(first(args, kwargs).shape) == 4
        and not layer.dtype_policy.quantization_mode
    )


def _replace(layer, fresh, *args, **kwargs):
    linear = Altered(layer, fresh(f"{layer.name}_linear"), activation=lambda layer: keras.activations.linear)
    swish = layers.Activation("hard_silu", dtype=layer.dtype_policy, name=fresh(f"{layer.name}_hard_swish"))
    return swish(linear(first(args, kwargs)))
