"""Keeps layers in floats in a file all else of which is integers."""

import keras

from keraslayers._rewrite import _beside_tensors, rewrite
from keraslayers.export.rewrites.drop_slopes import ALMOST_ONE


class Kept(keras.layers.Layer):
    """Calls a layer that stays in floats. No pass looks inside.

    Args:
        layer: any layer.
        said: what it is called with by name that is no tensor, where tensors are called by name too.
    """

    def __init__(self, layer, name, said=()):
        super().__init__(name=name, dtype=layer.dtype_policy)
        self.layer = layer
        self.said = dict(said)
        self.supports_masking = True
        self.built = True

    def call(self, *args, **kwargs):
        return self.layer(*args, **kwargs, **self.said)

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs, **self.said)


class Passing(keras.layers.Layer):
    """Calls a layer that computes something in training alone, as dropout does: a file has nothing of it.

    Args:
        layer: any such layer.
    """

    def __init__(self, layer, name):
        super().__init__(name=name, dtype=layer.dtype_policy)
        self.layer = layer
        self.supports_masking = True
        self.built = True

    def call(self, inputs):
        return self.layer(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape


class Computed(keras.layers.Layer):
    """Computes an operation; what it is given that is no tensor is laid down.

    Args:
        operation: of Keras's.
        args, kwargs: what it was called with.
    """

    def __init__(self, operation, args, kwargs, name):
        super().__init__(name=name, dtype="float32")
        self.operation = operation
        self.given = (args, kwargs)
        self.built = True

    def call(self, *tensors):
        waiting = iter(tensors)
        args, kwargs = keras.tree.map_structure(
            lambda value: next(waiting) if isinstance(value, keras.KerasTensor) else value, self.given
        )
        return self.operation(*args, **kwargs)

    def compute_output_spec(self, *tensors):
        return self.operation.compute_output_spec(*self.given[0], **self.given[1])


class Floats(keras.layers.Layer):
    """Takes next to nothing from what is negative: a sixteen-millionth part.

    The converter turns into integers whatever stands between two ranges. Between a layer that shall stay in floats and
    the range behind it this stands: an operator that can be folded into none before it. It stands before the layer,
    too, where that could be one of those whose integers the converter hands on. `drop_slopes` takes it out of the
    file.
    """

    def call(self, inputs):
        return keras.ops.leaky_relu(inputs, ALMOST_ONE)

    def compute_output_shape(self, input_shape):
        return input_shape


def keep(model, ids, classes=()):
    """Has a model call the layers of those ids or classes through `Kept` ones."""

    def applies(layer, *args, **kwargs):
        return isinstance(layer, keras.layers.Layer) and (id(layer) in ids or type(layer) in classes)

    return rewrite(model, applies, call_kept)[0]


def call_kept(layer, fresh, *args, **kwargs):
    """What a layer gives, called through a `Kept` one."""
    said = _beside_tensors(kwargs)
    kwargs = {name: value for name, value in kwargs.items() if name not in said}
    return Kept(layer, fresh(layer.name), said)(*args, **kwargs)


def compute_kept(operation, fresh, *args, **kwargs):
    """The same of an operation, `operation` as it is, not borrowed."""
    tensors = [value for value in keras.tree.flatten((args, kwargs)) if isinstance(value, keras.KerasTensor)]
    return Kept(Computed(operation, args, kwargs, operation.name), fresh(operation.name))(*tensors)
