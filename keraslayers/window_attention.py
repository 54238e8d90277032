"""Maps cut into windows, and attention within these, which may be shifted against those of the layer before."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Shape, Size, Tensor
from keraslayers._window_bias import WindowBias
from keraslayers.analysis import cost
from keraslayers.analysis.cost import Cost, Window


def window_partition(x: Tensor, window_size: Size) -> Tensor:
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


def window_merge(windows: Tensor, window_size: Size, size: Size) -> Tensor:
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


@_checks.register
class WindowAttention(keras.layers.Layer):
    """Multi-head attention among the places of a window, with a learnt bias for the offset of each pair.

    The maps are filled up with zeros behind until windows fill them. With `shift_size` the windows are moved by so many
    places, around the end of the maps; places that come together only that way do not see each other. Maps that are no
    larger than a window in a direction are not shifted in it.

    Input shape: (batch, height, width, channels), all but the batch known, channels a multiple of `num_heads`. Output
    shape: the same.

    Weights: those of the Dense layers `qkv` (queries, keys and values one behind the other, head by head) and
    `project`, and `bias_table` ((2 * window height - 1) * (2 * window width - 1), num_heads), offsets row by row.

    Args:
        num_heads: heads of the attention.
        window_size: (height, width) of a window, or a whole number for both.
        shift_size: places by which the windows are moved down and to the right, less than the window; in Swin half a
            window, rounded down, in every second block.
        use_bias: whether `qkv` has biases.
        dropout: share of the attention dropped in training, within [0, 1).

    Raises:
        TypeError: if a number is of another type.
        ValueError: if a number is out of range, or when built if the input has not four axes of known sizes, or its
            channels are no multiple of `num_heads`.

    Source: Liu et al. 2021, "Swin transformer: Hierarchical vision transformer using shifted windows",
    arXiv:2103.14030, section 3.2, eq. 4.
    """

    def __init__(
        self,
        num_heads: int,
        window_size: Size = 7,
        shift_size: Size = 0,
        use_bias: bool = True,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        who = "WindowAttention"
        self.num_heads = _checks.positive_int(who, "num_heads", num_heads)
        self.window_size = _checks.positive_pair(who, "window_size", window_size)
        pair = shift_size if isinstance(shift_size, list | tuple) else (shift_size, shift_size)
        self.shift_size = tuple(_checks.whole_number(who, "shift_size", shift, least=0) for shift in pair)
        if len(pair) != 2 or any(shift >= size for shift, size in zip(self.shift_size, self.window_size, strict=True)):
            raise ValueError(
                f"`{who}`: `shift_size` must be a whole number or two, less than the window {self.window_size}; got "
                f"{shift_size!r}."
            )
        self.use_bias = bool(use_bias)
        self.dropout = _checks.rate(who, "dropout", dropout)

    def build(self, input_shape: Shape) -> None:
        *_, channels = self._sizes(input_shape)
        full, shifts = self._geometry(input_shape)
        self.bias = WindowBias(self.num_heads, self.window_size, full, shifts, dtype=self.dtype_policy, name="bias")
        tokens = self.window_size[0] * self.window_size[1]
        self.bias.build((None, self.num_heads, tokens, tokens))
        self.qkv = keras.layers.Dense(3 * channels, use_bias=self.use_bias, dtype=self.dtype_policy, name="qkv")
        self.qkv.build((None, channels))
        self.project = keras.layers.Dense(channels, dtype=self.dtype_policy, name="project")
        self.project.build((None, channels))
        self.drop = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)

    def _sizes(self, shape):
        shape = _checks.axes("WindowAttention", shape, 4)
        if None in shape[1:]:
            raise ValueError(
                f"`WindowAttention`: height, width and channels must be known, since windows are cut when built; got "
                f"the shape {shape}."
            )
        if shape[3] % self.num_heads:
            raise ValueError(
                f"`WindowAttention`: `num_heads` must divide the channels; got num_heads={self.num_heads} for "
                f"{shape[3]} channels."
            )
        return shape[1:]

    def _geometry(self, shape):
        """(height, width) that windows fill, and (down, right) by which they are shifted."""
        full = [-(-side // window) * window for side, window in zip(shape[1:3], self.window_size, strict=True)]
        shifts = [0 if f <= w else s for f, w, s in zip(full, self.window_size, self.shift_size, strict=True)]
        return full, shifts

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        height, width, channels = self._sizes(inputs.shape)
        full, shifts = self._geometry(inputs.shape)
        behind = [(0, whole - side) for whole, side in zip(full, (height, width), strict=True)]
        x = ops.pad(inputs, ((0, 0), *behind, (0, 0))) if (height, width) != tuple(full) else inputs
        x = _rolled(x, shifts)
        # Each token's queries, keys and values, before windows are cut: fewer and larger products.
        query, key, value = (
            self._heads(x_part) for x_part in ops.split(window_partition(self.qkv(x), self.window_size), 3, axis=-1)
        )
        query = query * (channels // self.num_heads) ** -0.5
        scores = self.bias(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))))
        mixed = ops.matmul(self.drop(ops.softmax(scores, axis=-1), training=training), value)
        mixed = ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, mixed.shape[2], channels))
        x = _rolled(window_merge(mixed, self.window_size, full), [-shift for shift in shifts])
        return self.project(x[:, :height, :width])

    def _heads(self, x):
        """(windows, tokens, channels) to (windows, heads, tokens, channels of a head)."""
        x = ops.reshape(x, (-1, x.shape[1], self.num_heads, x.shape[2] // self.num_heads))
        return ops.transpose(x, (0, 2, 1, 3))

    @property
    def bias_table(self) -> Tensor:
        """The bias of each offset, for each head."""
        return self.bias.table

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        self._sizes(input_shape)
        return tuple(input_shape)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        batch, height, width, channels = input_shape
        full, _ = self._geometry(input_shape)
        places, tokens = batch * full[0] * full[1], self.window_size[0] * self.window_size[1]
        projections = cost.dense(channels, (places, 3 * channels), Window()).then(
            cost.dense(channels, (batch * height * width, channels), Window())
        )
        products = 2 * places * tokens * channels
        # A place may see as far as a window reaches, in either direction.
        reach = tuple(Window(2 * size - 1, 1, 1 - size) for size in self.window_size)
        return projections.then(Cost(multiply_adds=products, activation_products=products, window=reach))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "window_size": self.window_size,
            "shift_size": self.shift_size,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
        }


def _rolled(x, shifts):
    """Maps moved up and to the left, around their ends; as slices, since no runtime has a kernel for roll."""
    for axis, shift in enumerate(shifts, start=1):
        if shift:
            shift %= x.shape[axis]
            ends = (x[:, shift:], x[:, :shift]) if axis == 1 else (x[:, :, shift:], x[:, :, :shift])
            x = ops.concatenate(ends, axis=axis)
    return x
