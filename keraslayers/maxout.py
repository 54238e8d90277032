"""Maxout: an activation that is learnt, the largest of several linear pieces."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import DataFormat, Shape, Tensor
from keraslayers.analysis.cost import Cost


def maxout(x: Tensor, pieces: int, data_format: DataFormat | None = None) -> Tensor:
    """The largest of every `pieces` consecutive channels: channel j of the result is that of j * pieces and on.

    Args:
        x: tensor of shape (batch, ..., channels), or (batch, channels, ...) with `"channels_first"`.
        pieces: channels that compete for one channel of the result; divides the channels.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Returns:
        A tensor of the dtype of `x` with channels / pieces channels. Where several pieces are largest, they share
        the gradient as the backend's own maximum does.

    Raises:
        TypeError: if `pieces` is no whole number.
        ValueError: if `pieces` is below 1 or does not divide the channels, if the channels are unknown, or if
            `data_format` is none of the two.
    """
    pieces = _checks.positive_int("maxout", "pieces", pieces)
    data_format = _checks.data_format("maxout", data_format)
    x = _checks.tensor(x)
    channels = _channels("maxout", x.shape, pieces, data_format)
    if pieces == 1:
        return x
    if isinstance(x, keras.KerasTensor):  # only inside a layer is the size of an unknown batch there when it runs
        return Maxout(pieces, data_format, dtype=x.dtype)(x)
    shape = ops.shape(x)
    # The places share one axis, so that no tensor has more than four.
    if data_format == "channels_last":
        grouped = ops.reshape(x, (shape[0], -1, channels // pieces, pieces))
        return ops.reshape(ops.max(grouped, axis=3), (*shape[:-1], channels // pieces))
    grouped = ops.reshape(x, (shape[0], channels // pieces, pieces, -1))
    return ops.reshape(ops.max(grouped, axis=2), (shape[0], channels // pieces, *shape[2:]))


def _channels(who, shape, pieces, data_format):
    channels = _checks.channels(who, shape, data_format)
    if channels % pieces:
        raise ValueError(f"`{who}`: `pieces` must divide the channels; got pieces={pieces} for {channels} channels.")
    return channels


@_checks.register
class Maxout(keras.layers.Layer):
    """The largest of every `pieces` channels. After a convolution or Dense layer it is a learnt activation.

    Channel j of the output is the largest of the channels j * pieces, ..., j * pieces + pieces - 1: the pieces of a
    unit lie next to each other, as in the weights of shape (inputs, units, pieces) of the paper.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`;
    channels divisible by `pieces`. Any other number of axes for the places works too, none included. Output shape:
    the same with channels / pieces channels.

    Args:
        pieces: channels that compete for one channel of the output.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Raises:
        TypeError: if `pieces` is no whole number.
        ValueError: if `pieces` is below 1, or when built if it does not divide the channels or they are unknown.

    Source: Goodfellow et al. 2013, arXiv:1302.4389, section 3.
    """

    def __init__(self, pieces: int, data_format: DataFormat | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pieces = _checks.positive_int("Maxout", "pieces", pieces)
        self.data_format = _checks.data_format("Maxout", data_format)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        _channels("Maxout", input_shape, self.pieces, self.data_format)

    def call(self, inputs: Tensor) -> Tensor:
        return maxout(inputs, self.pieces, self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        channels = _channels("Maxout", input_shape, self.pieces, self.data_format) // self.pieces
        if self.data_format == "channels_last":
            return (*input_shape[:-1], channels)
        return (input_shape[0], channels, *input_shape[2:])

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        return Cost()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pieces": self.pieces, "data_format": self.data_format}
