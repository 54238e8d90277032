"""Channel shuffles written with five axes, in the four that phones' GPUs take."""

from keraslayers.channel_shuffle import ChannelShuffle
from keraslayers.export.passes._graph import first, is_of_keras, made_by, rewrite


def lower_channel_shuffle(model):
    """Finds channel shuffles written as reshape, transpose, reshape, and writes them with tensors of four axes.

    LiteRT's GPU runtime refuses tensors of five axes. It may be `Reshape` and `Permute` layers or operations.

    Given:   x -> reshape (h, w, groups, n) -> transpose (h, w, n, groups) -> reshape (h, w, groups * n)
    Result:  x -> ChannelShuffle(groups)

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    return is_of_keras(layer, "Reshape") and _found(first(args, kwargs), _target(layer, *args, **kwargs)) is not None


def _replace(layer, fresh, *args, **kwargs):
    x, groups = _found(first(args, kwargs), _target(layer, *args, **kwargs))
    return ChannelShuffle(groups, "channels_last", dtype=x.dtype, name=fresh(f"{layer.name}_shuffle"))(x)


def _found(transposed, shape):
    """(what is shuffled, the groups) if a tensor reshaped to `shape` is a channel shuffle; else None."""
    transpose, before = made_by(transposed)
    if not _swaps_last(transpose, transposed):
        return None
    (grouped,) = before
    reshape, before = made_by(grouped)
    if not is_of_keras(reshape, "Reshape"):
        return None
    (x,) = before
    *places, channels = x.shape[1:]
    groups = grouped.shape[3]
    if len(places) != 2 or channels is None or groups is None or channels % groups:
        return None
    # Of unknown sizes nothing is known: they might be others than before.
    right = None not in places and [*grouped.shape[1:]] == [*places, groups, channels // groups]
    return (x, groups) if right and [*shape[1:]] == [*places, channels] else None


def _swaps_last(operation, transposed):
    if len(transposed.shape) != 5:
        return False
    if is_of_keras(operation, "Permute"):
        return tuple(operation.dims) == (1, 2, 4, 3)
    return is_of_keras(operation, "Transpose") and tuple(operation.axes or ()) == (0, 1, 2, 4, 3)


def _target(layer, *args, **kwargs):
    return layer.compute_output_spec(first(args, kwargs)).shape
