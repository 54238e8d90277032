"""Tensors cut in parts, as phones' GPUs compute it rightly."""

from itertools import pairwise

from keraslayers.export.passes._graph import first, is_of_keras, rewrite
from keraslayers.export.passes._slice import Slice


def lower_split(model):
    """Writes `keras.ops.split` as slices.

    LiteRT's GPU runtime computes a SPLIT wrongly whose parts go straight into a concatenation in another order, and
    refuses one of the graph's input.

    Given:   a, b = split(x)
    Result:  a = x[..., :n]; b = x[..., n:]

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    if not is_of_keras(layer, "Split"):
        return False
    x = first(args, kwargs)
    axis = layer.axis % len(x.shape)
    return axis > 0 and x.shape[axis] is not None


def _replace(layer, fresh, *args, **kwargs):
    x = first(args, kwargs)
    axis = layer.axis % len(x.shape)
    size, wanted = x.shape[axis], layer.indices_or_sections
    borders = range(0, size + 1, size // wanted) if isinstance(wanted, int) else (0, *wanted, size)
    return [
        Slice([*[slice(None)] * (axis - 1), slice(begin, end)], dtype=x.dtype, name=fresh(f"{layer.name}_part"))(x)
        for begin, end in pairwise(borders)
    ]
