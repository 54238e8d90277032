"""Stand-alone ReLU and its kin in an operator that XNNPACK takes in int8."""

from collections import Counter

import keras
import numpy as np
from keras import layers

from keraslayers import _keras
from keraslayers.export.passes._graph import WITH_ACTIVATION, first, is_of_keras, laid_open, made_by, owner, rewrite
from keraslayers.export.passes._relu import NOTHING, clamp_kind

# The converter leaves out a product with exactly 1. The next number is 1 in 8 bits all the same.
_ONE = float(np.nextafter(np.float32(1), np.float32(2)))


def lower_relu(model):
    """Writes ReLU, ReLU6 and hard tanh as a product with 1 where they stand alone.

    XNNPACK has no int8 RELU, so that each one cuts the graph in two: Xception took 1.7 times as long. Of a product and
    what clamps it XNNPACK makes a table of 256 entries, the fastest thing it has. Of a ReLU and the convolution, sum,
    product or maximum before it the converter makes one operator, if that one's outputs go nowhere else: such a ReLU
    stays.

    Given:   x -> relu
    Result:  x -> * 1 -> relu

    Returns:
        (model, how many were lowered).
    """
    joined = _joined(laid_open(model))
    return rewrite(model, lambda layer, *args, **kwargs: clamp_kind(layer) and id(layer) not in joined, _replace)


def _replace(layer, fresh, *args, **kwargs):
    x = first(args, kwargs)
    # Every layer is named, since the names Keras makes up count what else the process has built, and the names stand
    # in the file: one model gives one file.
    product = layers.Rescaling(_ONE, dtype=x.dtype, name=fresh(f"{layer.name}_product"))
    clamp = layers.Activation(clamp_kind(layer), dtype=x.dtype, name=fresh(f"{layer.name}_clamp"))
    return clamp(product(x))


def _joined(model):
    """The ids of the layers that the converter makes one with what is before them, wherever they are called."""
    nodes = _keras.nodes(model)
    uses = Counter(id(x) for node in nodes for x in node.input_tensors)
    uses.update(id(x) for x in keras.tree.flatten(model.outputs))
    found = [(owner(node.operation), node.input_tensors[0]) for node in nodes if clamp_kind(owner(node.operation))]
    alone = {id(layer) for layer, x in found if not _takes(_maker(x, uses), clamp_kind(layer))}
    return {id(layer) for layer, _ in found} - alone


def _maker(x, uses):
    """What made a tensor that goes nowhere else, past what a file leaves out; else None."""
    while uses[id(x)] == 1:
        maker, inputs = made_by(x)
        if type(maker) not in NOTHING:
            return maker
        x = inputs[0]
    return None


def _takes(maker, clamp):
    """Whether the converter makes one operator of this and a clamp, such as XNNPACK takes."""
    if type(maker) in WITH_ACTIVATION:
        return maker.activation is keras.activations.linear
    if getattr(maker, "takes_relu", False):  # a part of a layer that trains with rounding
        return clamp != "hard_tanh"
    if type(maker) is layers.Rescaling:
        return clamp != "hard_tanh" or not np.any(maker.offset)
    # A normalization becomes part of a convolution, or a product and a sum.
    return clamp != "hard_tanh" and (
        type(maker) in (layers.BatchNormalization, layers.MaxPooling2D)
        or is_of_keras(maker, "Add", "Multiply", "Subtract")
    )
