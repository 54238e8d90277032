"""Sums with vectors in int8 as the GPU computes them rightly."""

import math

import keras
from keras import layers

from keraslayers.export.passes._graph import is_of_keras, rewrite


def lower_vector_sums(model):
    """Writes sums and means with vectors, or images of one pixel, as differences.

    LiteRT's GPU runtime computes an int8 ADD wrongly if one side has a single pixel: residual blocks of Dense layers,
    the end of a residual network whose maps have shrunk to 1x1, a vector added to every pixel. SUB it computes rightly.

    Given:   x + y, one of shape (channels,), (1, channels) or (1, 1, channels)
    Result:  x - y * -1

    Returns:
        (model, how many sums were written so).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    if not is_of_keras(layer, "Add", "Average"):
        return False
    parts = keras.tree.flatten((args, kwargs))
    if len(parts) < 2 or not all(isinstance(x, keras.KerasTensor) and x.dtype == "float32" for x in parts):
        return False
    return len({len(x.shape) for x in parts}) == 1 and any(_size(x) == x.shape[-1] for x in parts)


def _size(x):
    """Numbers of a sample; infinite where they are not known."""
    return math.inf if None in x.shape[1:] else math.prod(x.shape[1:])


def _replace(layer, fresh, *args, **kwargs):
    # What is negated should be small.
    total, *rest = sorted(keras.tree.flatten((args, kwargs)), key=_size, reverse=True)

    def made(kind, what, *args):
        return kind(*args, dtype="float32", name=fresh(f"{layer.name}_{what}"))

    for part in rest:
        total = made(layers.Subtract, "sum")([total, made(layers.Rescaling, "negated", -1.0)(part)])
    if is_of_keras(layer, "Average"):
        total = made(layers.Rescaling, "mean", 1.0 / (1 + len(rest)))(total)
    return total
