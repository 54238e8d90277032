"""What the passes share: a look at what made a tensor, and layers of the user's with a part exchanged."""

import inspect
import types

import keras
from keras import layers

from keraslayers import _keras
from keraslayers._rewrite import borrow, first, laid_open, owner, rewrite
from keraslayers.padded import PaddedConv2D

__all__ = ["WITH_ACTIVATION", "Altered", "borrow", "first", "is_of_keras", "laid_open", "made_by", "owner", "rewrite"]

# Layers with an `activation` that the converter makes one operator with them.
WITH_ACTIVATION = (
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Dense,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    PaddedConv2D,
)


def made_by(tensor):
    """(the user's layer or operation that made a symbolic tensor, its input tensors); an input has none of these."""
    node = _keras.node_of(tensor)
    return owner(node.operation), node.input_tensors


def is_of_keras(operation, *names):
    """Whether it is Keras's own layer or operation of one of the names; the operations' classes are not public."""
    kind = type(operation)
    return kind.__name__ in names and kind.__module__.startswith("keras.")


class Altered(keras.layers.Layer):
    """Computes what somebody else's layer would with some of its attributes replaced; shares its weights.

    Args:
        layer: of a class of Keras's or ours whose `call` takes one tensor and does not look at its superclass.
        name: of the new layer.
        attributes: by name a function of the layer that gives what to put in the attribute's place.
    """

    def __init__(self, layer, name, **attributes):
        super().__init__(name=name, dtype=layer.dtype_policy)
        self.original = layer
        self.view = _View(layer, attributes)
        self.built = True

    def call(self, inputs):
        return type(self.original).call(self.view, inputs)

    def compute_output_shape(self, input_shape):
        return type(self.original).compute_output_shape(self.view, input_shape)


class _View:
    """A layer as its own methods see it, some attributes being others."""

    def __init__(self, layer, attributes):
        self._layer = layer
        self._attributes = attributes

    def __getattr__(self, name):
        if name in self._attributes:
            return self._attributes[name](self._layer)
        method = inspect.getattr_static(type(self._layer), name, None)
        return types.MethodType(method, self) if inspect.isfunction(method) else getattr(self._layer, name)
