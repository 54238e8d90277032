"""Sums of images of one pixel, in int8 as the GPU computes them rightly."""

import keras
import numpy as np
from keras import layers

from keraslayers.export.passes._graph import is_of_keras, rewrite


def lower_vector_sums(model):
    """Writes sums of images of one pixel as one convolution of all their channels.

    LiteRT's GPU runtime computes such sums wrongly in int8, those at the end of a residual network whose maps have
    shrunk to 1x1 among them. Of 2x2 pixels it computes them rightly.

    Given:   x + y, of shape (1, 1, channels)
    Result:  x, y -> concatenation -> 1x1 convolution that adds what belongs together

    Returns:
        (model, how many sums were written so).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    if not is_of_keras(layer, "Add"):
        return False
    parts = keras.tree.flatten((args, kwargs))
    return len(parts) > 1 and all(
        isinstance(x, keras.KerasTensor)
        and tuple(x.shape[1:]) == (1, 1, parts[0].shape[-1])
        and x.dtype == parts[0].dtype == "float32"
        for x in parts
    )


def _replace(layer, fresh, *args, **kwargs):
    parts = keras.tree.flatten((args, kwargs))
    channels = parts[0].shape[-1]
    every = layers.Concatenate(name=fresh(f"{layer.name}_parts"))(parts)
    total = layers.Conv2D(
        channels, 1, use_bias=False, data_format="channels_last", dtype="float32", name=fresh(f"{layer.name}_sum")
    )
    sums = total(every)
    total.set_weights([np.tile(np.eye(channels, dtype="float32"), (len(parts), 1))[None, None]])
    return sums
