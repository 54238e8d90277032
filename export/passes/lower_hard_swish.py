"""Hard-swish in operators that XNNPACK takes in int8."""

import keras
from keras import layers

from keraslayers import _keras
from keraslayers.activations import HardSwish
from keraslayers.export.passes._graph import first, is_of_keras, laid_open, owner, rewrite

# XNNPACK adds 3 to no tensor whose largest value is below about 0.003: in 8 bits their steps are too far apart.
_SMALL = 0.01


def lower_hard_swish(model, largest=None):
    """Writes hard-swish as a sum and products.

    XNNPACK has no int8 HARD_SWISH, so that each one cuts the graph in two. Of a chain of operators that starts and ends
    in one tensor it makes a table of 256 entries, the fastest thing it has.

    Given:   x -> hard_swish
    Result:  x -> + 3 -> relu6 -> * x -> / 6
    Or:      x -> depthwise 1x1 (weight 1, bias 3) -> relu6 -> * x -> / 6, for images that are next to nothing
             everywhere, as deep in an untrained network

    Args:
        model: a Functional or Sequential model.
        largest: called as largest(model, tensors); gives the largest absolute values of symbolic tensors.

    Returns:
        (model, how many were lowered).
    """
    small = set() if largest is None else _small(laid_open(model), largest)
    return rewrite(model, _applies, lambda layer, *args, **kwargs: _replace(layer, id(layer) in small, *args, **kwargs))


def _small(model, largest):
    """The ids of the layers that see images of next to nothing, wherever they are called."""
    nodes = [node for node in _keras.nodes(model) if _applies(owner(node.operation))]
    images = [node for node in nodes if len(node.input_tensors[0].shape) == 4]
    if not images:
        return set()
    values = largest(model, [node.input_tensors[0] for node in images])
    return {id(owner(node.operation)) for node, value in zip(images, values, strict=True) if value < _SMALL}


def _applies(layer, *args, **kwargs):
    kind = type(layer)  # a subclass may compute something else
    return (
        kind is HardSwish
        or (kind is layers.Activation and layer.activation is keras.activations.hard_silu)
        or is_of_keras(layer, "HardSilu")
    )


def _replace(layer, small, fresh, *args, **kwargs):
    x = first(args, kwargs)

    # Every layer is named, since the names Keras makes up count what else the process has built, and the names stand
    # in the file: one model gives one file.
    def made(kind, what, *args, **options):
        return kind(*args, dtype=x.dtype, name=fresh(f"{layer.name}_{what}"), **options)

    if small and x.shape[-1] is not None:
        shift = made(
            layers.DepthwiseConv2D,
            "shift",
            1,
            depthwise_initializer="ones",
            bias_initializer=keras.initializers.Constant(3.0),
            data_format="channels_last",
        )
    else:
        shift = made(layers.Rescaling, "shift", 1.0, 3.0)
    gate = made(layers.ReLU, "gate", 6.0)(shift(x))
    # In this order: of x * (gate / 6) the converter makes HARD_SWISH again.
    return made(layers.Rescaling, "sixth", 1.0 / 6.0)(made(layers.Multiply, "product")([gate, x]))
