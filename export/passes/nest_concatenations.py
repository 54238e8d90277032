"""Concatenation of many tensors, in pieces that XNNPACK takes."""

import keras
from keras import layers

from keraslayers.export.passes._graph import first, rewrite

# XNNPACK concatenates so many tensors at most.
_MOST_AT_ONCE = 5


def nest_concatenations(model):
    """Writes a concatenation of more than five tensors as concatenations of five at most.

    XNNPACK leaves out larger ones, in floats as in int8; NASNet has twelve.

    Given:   a, b, c, d, e, f -> concatenation
    Result:  a, b, c, d, e -> concatenation; it, f -> concatenation

    Returns:
        (model, how many were nested).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    return type(layer) is layers.Concatenate and len(keras.tree.flatten(first(args, kwargs))) > _MOST_AT_ONCE


def _replace(layer, fresh, *args, **kwargs):
    parts = keras.tree.flatten(first(args, kwargs))
    while len(parts) > 1:
        several = [parts[i : i + _MOST_AT_ONCE] for i in range(0, len(parts), _MOST_AT_ONCE)]
        parts = [_joined(group, layer, fresh) if len(group) > 1 else group[0] for group in several]
    return parts[0]


def _joined(parts, layer, fresh):
    return layers.Concatenate(layer.axis, dtype=layer.dtype_policy, name=fresh(f"{layer.name}_part"))(parts)
