"""Nearest up-sampling in operators that phones' GPUs and XNNPACK take."""

from keras import layers

from keraslayers.export.passes._graph import first, rewrite
from keraslayers.resample import Resample2D


def lower_up_sampling(model):
    """Writes nearest up-sampling with tensors of four axes.

    Keras repeats pixels along a fifth axis, which LiteRT's GPU runtime refuses, by TILE, which XNNPACK leaves out.

    Given:   x -> UpSampling2D (nearest)
    Result:  x -> Resample2D (nearest): reshapes and concatenations

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    return type(layer) is layers.UpSampling2D and layer.interpolation == "nearest"


def _replace(layer, fresh, *args, **kwargs):
    return Resample2D(
        scale=layer.size,
        method="nearest",
        data_format=layer.data_format,
        dtype=layer.dtype_policy,
        name=fresh(f"{layer.name}_nearest"),
    )(first(args, kwargs))
