"""Stand-alone ReLU in operators that XNNPACK takes in int8."""

from collections import Counter

import keras
from keras import layers

from keraslayers.export.passes._graph import first, is_of_keras, laid_open, made_by, owner, rewrite
from keraslayers.export.passes._relu import NOTHING, relu_kind
from keraslayers.padded import PaddedConv2D

# Operators that the converter makes one with an activation behind them.
_CONVOLUTIONS = (
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Dense,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    PaddedConv2D,
)


def lower_relu(model):
    """Writes ReLU and ReLU6 of images as a depthwise convolution where they stand alone.

    XNNPACK has no int8 RELU, so that each one cuts the graph in two: Xception took 1.7 times as long. Of a ReLU and the
    convolution, sum, product or maximum before it the converter makes one operator, if that one's outputs go nowhere
    else: such a ReLU stays.

    Given:   x -> relu
    Result:  x -> depthwise 1x1 convolution (weight 1) with relu

    Returns:
        (model, how many were lowered).
    """
    joined = _joined(laid_open(model))
    return rewrite(model, lambda layer, *args, **kwargs: _applies(layer, joined, *args, **kwargs), _replace)


def _applies(layer, joined, *args, **kwargs):
    if relu_kind(layer) is None or id(layer) in joined:
        return False
    shape = first(args, kwargs).shape
    return len(shape) == 4 and shape[-1] is not None


def _replace(layer, fresh, *args, **kwargs):
    x = first(args, kwargs)
    return layers.DepthwiseConv2D(
        1,
        depthwise_initializer="ones",
        use_bias=False,
        activation=relu_kind(layer),
        data_format="channels_last",
        dtype=x.dtype,
        name=fresh(f"{layer.name}_convolution"),
    )(x)


def _joined(model):
    """The ids of the layers that the converter makes one with what is before them, wherever they are called."""
    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes if not node.is_input]
    uses = Counter(id(x) for node in nodes for x in node.input_tensors)
    uses.update(id(x) for x in keras.tree.flatten(model.outputs))
    found = [(owner(node.operation), node.input_tensors[0]) for node in nodes if relu_kind(owner(node.operation))]
    alone = {id(layer) for layer, x in found if not _takes_relu(_maker(x, uses))}
    return {id(layer) for layer, _ in found} - alone


def _maker(x, uses):
    """What made a tensor that goes nowhere else, past what a file leaves out; else None."""
    while uses[id(x)] == 1:
        maker, inputs = made_by(x)
        if type(maker) not in NOTHING:
            return maker
        x = inputs[0]
    return None


def _takes_relu(maker):
    """Whether the converter makes one operator of this and a ReLU."""
    if type(maker) in _CONVOLUTIONS:
        return maker.activation is keras.activations.linear
    # A normalization becomes part of a convolution, or a product and a sum.
    return type(maker) in (layers.BatchNormalization, layers.MaxPooling2D) or is_of_keras(
        maker, "Add", "Multiply", "Subtract"
    )
