"""Channel shuffle: lets grouped convolutions exchange information."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import DataFormat, Shape, Tensor
from keraslayers.analysis.cost import Cost


def channel_shuffle(x: Tensor, groups: int, data_format: DataFormat | None = None) -> Tensor:
    """Interleaves the channels of `groups` groups: channel g * n + i moves to i * groups + g.

    Written with tensors of rank 4 at most, since the GPU runtime of LiteRT refuses rank 5.

    Args:
        x: tensor of shape (batch, ..., channels), or (batch, channels, ...) with `"channels_first"`.
        groups: number of groups; divides the channels.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Returns:
        A tensor of the shape and dtype of `x`.

    Raises:
        TypeError: if `groups` is no whole number.
        ValueError: if `groups` is below 1 or does not divide the channels, if the channels are unknown, or if
            `data_format` is none of the two.
    """
    groups = _checks.positive_int("channel_shuffle", "groups", groups)
    data_format = _checks.data_format("channel_shuffle", data_format)
    x = _checks.tensor(x)
    channels = _channels("channel_shuffle", x.shape, groups, data_format)
    if groups in (1, channels):
        return x
    if isinstance(x, keras.KerasTensor):  # only inside a layer is the size of an unknown batch there when it runs
        return ChannelShuffle(groups, data_format, dtype=x.dtype)(x)
    shape = ops.shape(x)
    size = channels // groups
    # The places share one axis whose size reshape works out, so that height and width may be unknown.
    if data_format == "channels_last":
        grouped = ops.reshape(x, (shape[0], -1, groups, size))
        return ops.reshape(ops.transpose(grouped, (0, 1, 3, 2)), shape)
    grouped = ops.reshape(x, (shape[0], groups, size, -1))
    return ops.reshape(ops.transpose(grouped, (0, 2, 1, 3)), shape)


def _channels(who, shape, groups, data_format):
    channels = _checks.channels(who, shape, data_format)
    if channels % groups:
        raise ValueError(f"`{who}`: `groups` must divide the channels; got groups={groups} for {channels} channels.")
    return channels


@_checks.register
class ChannelShuffle(keras.layers.Layer):
    """Interleaves the channels of `groups` groups, so that grouped convolutions exchange information.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with
    `"channels_first"`; channels divisible by `groups`. Any other number of axes for the places works too,
    none included. Output shape: the same.

    Args:
        groups: number of groups.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Raises:
        TypeError: if `groups` is no whole number.
        ValueError: if `groups` is below 1, or when built if it does not divide the channels or they are unknown.

    On phones: runs wholly on LiteRT's XNNPACK and GPU runtimes, in float32 and int8, with four axes at most. An input
    of five stays one of five, which the GPU runtime refuses.

    Source: Zhang et al. 2017, arXiv:1707.01083, section 3.1.
    """

    def __init__(self, groups: int, data_format: DataFormat | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.groups = _checks.positive_int("ChannelShuffle", "groups", groups)
        self.data_format = _checks.data_format("ChannelShuffle", data_format)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        _channels("ChannelShuffle", input_shape, self.groups, self.data_format)

    def call(self, inputs: Tensor) -> Tensor:
        return channel_shuffle(inputs, self.groups, self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        return Cost()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "data_format": self.data_format}
