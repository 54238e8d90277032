"""Global maxima as phones' GPUs compute them rightly."""

from keras import layers

from keraslayers.export.passes._graph import first, rewrite

# Each with the pooling of a given size.
_POOLING = {layers.GlobalMaxPooling1D: layers.MaxPooling1D, layers.GlobalMaxPooling2D: layers.MaxPooling2D}


def pool_maxima(model):
    """Writes global max pooling as max pooling of the whole map.

    LiteRT's GPU runtime makes one operator of a sum and the REDUCE_MAX after it, and computes it wrongly: a residual
    network for texts gets wrong classes, without an error.

    Given:   x -> global max pooling
    Result:  x -> max pooling of a window as large as x -> reshape

    Returns:
        (model, how many were written so).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    plain = type(layer) in _POOLING and layer.data_format == "channels_last"
    return plain and None not in first(args, kwargs).shape[1:]


def _replace(layer, fresh, *args, **kwargs):
    x = first(args, kwargs)
    window = tuple(x.shape[1:-1])
    pooling = _POOLING[type(layer)]
    x = pooling(window, data_format="channels_last", dtype=x.dtype, name=fresh(f"{layer.name}_window"))(x)
    shape = layer.compute_output_shape((None, *window, x.shape[-1]))[1:]
    return layers.Reshape(shape, dtype=x.dtype, name=fresh(f"{layer.name}_flat"))(x)
