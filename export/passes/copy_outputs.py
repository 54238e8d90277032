"""Outputs of a model that compute nothing."""

import math

import keras
from keras import layers

from keraslayers.export.passes._graph import is_of_keras, laid_open, made_by

# What these give is what they take, in a file: the converter leaves them out where nothing else needs them.
NOTHING = (
    layers.Dropout,
    layers.Flatten,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.Reshape,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
)


class Copied(keras.layers.Layer):
    """Gives what it takes, by an operator that no converter leaves out: the largest of windows of one place."""

    def call(self, inputs):
        shape = inputs.shape
        if len(shape) == 4:
            return keras.ops.max_pool(inputs, 1)
        places = math.prod(shape[1:-1])
        pooled = keras.ops.max_pool(keras.ops.reshape(inputs, (-1, 1, places, shape[-1])), 1)
        return keras.ops.reshape(pooled, (-1, *shape[1:]))

    def compute_output_shape(self, input_shape):
        return input_shape


def copy_outputs(model):
    """Computes a copy where an output is an input of the model, or another output.

    Phones' GPUs give garbage for an output that is an input, and refuse a tensor that is an output twice.

    Given:   x -> a -> y; outputs: y, y, x
    Result:  x -> a -> y -> pooling of 1x1 -> z; x -> pooling of 1x1 -> w; outputs: y, z, w

    Returns:
        (model, how many outputs are copies).
    """
    flat = laid_open(model)
    if not any(_repeated(flat.outputs)):
        return model, 0
    origins = iter(zip(_origins(flat.outputs), _repeated(flat.outputs), strict=True))
    latest, count = {}, 0

    def copied(tensor):
        nonlocal count
        origin, repeated = next(origins)
        if not repeated:
            return tensor
        count += 1
        # A second copy is one of the first: the converter makes two of one tensor one.
        place = id(origin), tensor.shape
        latest[place] = Copied(name=f"copied_output_{count}", dtype=tensor.dtype)(latest.get(place, tensor))
        return latest[place]

    outputs = keras.tree.map_structure(copied, flat._outputs_struct)
    return keras.Model(flat._inputs_struct, outputs, name=model.name), count


def _repeated(outputs):
    """For each output whether it is to be copied: what it comes from is an input, or stands before it."""
    seen, found = set(), []
    for tensor, origin in zip(outputs, _origins(outputs), strict=True):
        known = len(tensor.shape) > 1 and None not in tensor.shape[1:] and keras.backend.is_float_dtype(tensor.dtype)
        found.append(known and (not made_by(origin)[1] or id(origin) in seen))
        seen.add(id(origin))
    return found


def _origins(outputs):
    return [_origin(tensor) for tensor in outputs]


def _origin(tensor):
    """The tensor that an output is computed as, nested models laid open."""
    operation, sources = made_by(tensor)
    if not sources:
        return tensor
    if isinstance(operation, NOTHING) or is_of_keras(operation, "Reshape") or _is_linear(operation):
        return _origin(sources[0])
    return tensor


def _is_linear(operation):
    return isinstance(operation, layers.Activation) and operation.activation is keras.activations.linear
