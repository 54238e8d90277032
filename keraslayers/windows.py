"""Maps cut into windows, as tokens, and put together again."""

from keras import ops

from keraslayers import _checks


def window_partition(x, window_size):
    """Cuts maps into windows that do not overlap; the places of a window become its tokens, row by row.

    Written with tensors of four axes at most, since the GPU runtime of LiteRT refuses five.

    Args:
        x: tensor of shape (batch, height, width, channels), height and width multiples of the window's.
        window_size: (height, width) of a window, or a whole number for both.

    Returns:
        A tensor of shape (batch * windows, window height * window width, channels); the windows of an image come row by
        row.

    Raises:
        TypeError: if `window_size` is of another type.
        ValueError: if it is out of range, or `x` has not four axes, known sizes and channels, and sizes that windows
            fill.

    Source: Liu et al. 2021, "Swin transformer", arXiv:2103.14030, section 3.2.
    """
    who = "window_partition"
    tall, wide = _checks.positive_pair(who, "window_size", window_size)
    x = _checks.tensor(x)
    _, width, channels = _sizes(who, _checks.axes(who, x.shape, 4)[1:], (tall, wide))
    # A row of windows is a batch of its own.
    x = ops.reshape(x, (-1, tall, width // wide, wide * channels))
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, tall * wide, channels))


def window_merge(windows, window_size, size):
    """Puts windows together again: what `window_partition` took apart.

    Args:
        windows: tensor of shape (batch * windows, window height * window width, channels).
        window_size: (height, width) of a window, or a whole number for both.
        size: (height, width) of the maps, multiples of the window's.

    Returns:
        A tensor of shape (batch, height, width, channels).

    Raises:
        TypeError: if `window_size` or `size` is of another type.
        ValueError: if they are out of range, or `windows` has not three axes, as many tokens as a window has places,
            and known channels.

    Source: Liu et al. 2021, "Swin transformer", arXiv:2103.14030, section 3.2.
    """
    who = "window_merge"
    tall, wide = _checks.positive_pair(who, "window_size", window_size)
    height, width = _checks.positive_pair(who, "size", size)
    windows = _checks.tensor(windows)
    channels = _checks.channels(who, windows.shape, "channels_last", rank=3)
    _sizes(who, (height, width, channels), (tall, wide))
    if windows.shape[1] not in (None, tall * wide):
        raise ValueError(
            f"`{who}`: `windows` must have {tall * wide} tokens, those of windows of {(tall, wide)}; got the shape "
            f"{tuple(windows.shape)}."
        )
    x = ops.reshape(windows, (-1, width // wide, tall, wide * channels))
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, height, width, channels))


def _sizes(who, shape, window):
    height, width, channels = shape
    if None in shape or height % window[0] or width % window[1]:
        raise ValueError(
            f"`{who}`: maps must have known sizes and channels, and a height and width that windows of {window} fill; "
            f"got (height, width, channels) = {tuple(shape)}."
        )
    return height, width, channels
