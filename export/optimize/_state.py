"""What tfmot's algorithms keep, as weights of a Keras 3 layer."""

import keras
import numpy as np


class State:
    """Stands in for the Keras 2 layer that tfmot's algorithms add their weights to.

    Args:
        owner: the Keras 3 layer that shall own them.
        layer: what the algorithms find as the layer around whose weights they are.
    """

    def __init__(self, owner, layer=None):
        self.owner = owner
        self.layer = layer
        self.name = owner.name

    def add_weight(self, name, shape=None, dtype=None, initializer=None, trainable=False, **kwargs):
        """Makes a weight and returns its tf.Variable, which is what tfmot computes with."""
        import tensorflow as tf

        dtype = tf.as_dtype(dtype or "float32").name
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        return self.add(name, np.asarray(initializer(shape, dtype=dtype)), trainable).value

    def add(self, name, value, trainable=False):
        """Makes a Keras 3 weight of a value."""
        value = np.asarray(value)
        return self.owner.add_weight(
            shape=value.shape,
            dtype=value.dtype.name,
            initializer=lambda shape, dtype: keras.ops.convert_to_tensor(value, dtype),
            trainable=trainable,
            name=name,
        )
