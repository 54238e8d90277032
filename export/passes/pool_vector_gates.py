"""Vectors that weight an image's channels, in int8 as the GPU computes it rightly."""

import keras
from keras import layers

from keraslayers.export.passes._graph import Altered, borrow, is_of_keras, made_by, rewrite
from keraslayers.padded import PaddedConv2D

# Operators that make images of images alone; the converter computes nothing with fewer axes through them.
_IMAGE_MAKERS = (
    layers.AveragePooling2D,
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.DepthwiseConv2D,
    layers.MaxPooling2D,
    layers.SeparableConv2D,
    PaddedConv2D,
)


def pool_vector_gates(model):
    """Puts a pooling of single pixels between vectors and the images they are multiplied with.

    The converter drops the reshape of a vector to an image of one pixel before a product, and LiteRT's GPU runtime
    computes the product of an image and a vector wrongly in int8: squeeze-and-excitation with Dense layers, for one.
    It keeps the reshape before a pooling.

    Given:   vector -> Dense... -> reshape (1, 1, channels) -> * image
    Result:  vector -> Dense... -> reshape (1, 1, channels) -> max pooling of 1x1 windows -> * image

    Returns:
        (model, how many products were changed).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    return is_of_keras(layer, "Multiply") and any(_is_vector(x) for x in keras.tree.flatten((args, kwargs)))


def _replace(layer, fresh, *args, **kwargs):
    def pooled(x):
        if not _is_vector(x):
            return x
        # Named after the product: two of its factors may be vectors, and `fresh` tells them apart.
        name = fresh(f"{layer.name}_gate")
        return layers.MaxPooling2D(1, strides=1, data_format="channels_last", dtype=x.dtype, name=name)(x)

    args, kwargs = keras.tree.map_structure(pooled, (args, kwargs))
    return borrow(layer, fresh(layer.name))(*args, **kwargs)


def _is_vector(x):
    """Whether it is an image of one pixel that the converter may take for a vector."""
    if not isinstance(x, keras.KerasTensor) or tuple(x.shape[1:3]) != (1, 1) or len(x.shape) != 4:
        return False
    maker, inputs = made_by(x)
    if type(maker.original if isinstance(maker, Altered) else maker) in _IMAGE_MAKERS:
        return False
    # A mean over places, the axes kept, has an image of more pixels before it; anything else asks its inputs again.
    return any(len(y.shape) < 4 or _is_vector(y) for y in inputs)
