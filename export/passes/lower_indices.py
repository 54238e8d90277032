"""Indices that phones' GPUs refuse, in slices that they take."""

from keras import layers, ops

from keraslayers.export.passes._graph import is_of_keras, rewrite
from keraslayers.export.passes._slice import Slice


class Flip(layers.Layer):
    """Turns axes round."""

    def __init__(self, axes, **kwargs):
        super().__init__(**kwargs)
        self.axes = axes
        self.built = True

    def call(self, x):
        for axis in self.axes:
            x = ops.flip(x, axis)
        return x


def lower_indices(model):
    """Writes indices that take a single place, add an axis or go backwards as slices, a flip and a reshape.

    LiteRT's GPU runtime refuses a STRIDED_SLICE that drops axes, adds some, or has steps below 0. The class token of
    vision transformers is x[:, 0].

    Given:   x[:, 0]                     x[:, ::-1]
    Result:  x[:, 0:1] -> Reshape        x -> flip

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    if not is_of_keras(layer, "GetItem"):
        return False
    x, key = _arguments(*args, **kwargs)
    key = _written_out(key, len(x.shape))
    if key is None or key[0] != slice(None) or None in x.shape[1:]:
        return False
    return any(not isinstance(part, slice) or (part.step or 1) < 0 for part in key)


def _arguments(x, key):
    return x, key


def _written_out(key, rank):
    """A tuple with an entry for each axis, and for each that is added; None if it holds anything but numbers."""
    key = tuple(key) if isinstance(key, tuple | list) else (key,)
    if not all(part is None or part is ... or type(part) in (int, slice) for part in key):
        return None
    if not all(type(bound) in (int, type(None)) for part in key if isinstance(part, slice) for bound in _bounds(part)):
        return None
    if ... not in key:
        key = (*key, ...)
    at = key.index(...)
    taken = sum(part is not None and part is not ... for part in key)
    return key[:at] + (slice(None),) * (rank - taken) + key[at + 1 :]


def _bounds(part):
    return part.start, part.stop, part.step


def _replace(layer, fresh, *args, **kwargs):
    x, key = _arguments(*args, **kwargs)
    key = _written_out(key, len(x.shape))
    shape = layer.compute_output_spec(x, key).shape[1:]
    slices, turned = [], []
    for axis, (part, size) in enumerate(zip((p for p in key if p is not None), x.shape, strict=True)):
        if axis == 0:
            continue
        if isinstance(part, int):
            places = range(part % size, part % size + 1)
        else:
            places = range(*part.indices(size))
            if places.step < 0:
                turned.append(axis)
                places = places[::-1]
        slices.append(slice(places.start, places.stop, places.step))
    if any(range(*part.indices(size)) != range(size) for part, size in zip(slices, x.shape[1:], strict=True)):
        x = Slice(slices, dtype=x.dtype, name=fresh(f"{layer.name}_slice"))(x)
    if turned:
        x = Flip(turned, dtype=x.dtype, name=fresh(f"{layer.name}_flip"))(x)
    if tuple(x.shape[1:]) != tuple(shape):
        x = layers.Reshape(shape, dtype=x.dtype, name=fresh(f"{layer.name}_shape"))(x)
    return x
