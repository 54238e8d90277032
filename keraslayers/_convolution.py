"""What the convolutions here share with `keras.layers.Conv2D`: its arguments, and the shapes that follow from them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import keras

from keraslayers import _checks, _padding, _weights
from keraslayers._hints import Activation, DataFormat, Padding, Shape, Size


@dataclass(frozen=True)
class Geometry:
    """Where a kernel slides: the arguments of a convolution that say so, normalised.

    Attributes:
        who: function or layer to name in errors.
        kernel_size, strides, dilation_rate: (height, width).
        padding: what `_padding.standardize` returns.
        data_format: `"channels_last"` or `"channels_first"`.
    """

    who: str
    kernel_size: tuple[int, int]
    strides: tuple[int, int]
    padding: str | tuple[tuple[int, ...], ...]
    dilation_rate: tuple[int, int]
    data_format: DataFormat

    @classmethod
    def of(
        cls,
        who: str,
        *,
        kernel_size: Size,
        strides: Size,
        padding: Padding,
        dilation_rate: Size,
        data_format: DataFormat | None,
        **others: Any,
    ) -> Self:
        """Checks the arguments, numbers stand for pairs of the same; `others` are fields that a subclass checked."""
        return cls(
            who=who,
            kernel_size=_checks.positive_pair(who, "kernel_size", kernel_size),
            strides=_checks.positive_pair(who, "strides", strides),
            padding=_padding.standardize(who, padding),
            dilation_rate=_checks.positive_pair(who, "dilation_rate", dilation_rate),
            data_format=_checks.data_format(who, data_format),
            **others,
        )

    @classmethod
    def of_keras(cls, who: str, *, padding: Padding, **arguments: Any) -> Self:
        """The same for what Keras computes itself: two paddings, and strides without dilation."""
        geometry = cls.of(who, padding=_padding.named(who, padding, ("valid", "same")), **arguments)
        _checks.strides_or_dilation(who, geometry.strides, geometry.dilation_rate)
        return geometry

    def config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "who"}

    @property
    def channel_axis(self) -> int:
        """Which axis of images the channels are."""
        return -1 if self.data_format == "channels_last" else 1

    def output_shape(self, shape: Shape, filters: int) -> tuple[int | None, ...]:
        """Returns the shape of the outputs of images of `shape`, None where it is unknown."""
        return _padding.shape(
            self.who,
            shape,
            filters,
            padding=self.padding,
            mode="zeros",
            kernel_size=self.kernel_size,
            strides=self.strides,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

    def check_channels(self, shape: Shape, filters: int) -> int:
        """Returns the channels of images of `shape`; raises if they are unknown, or go with no convolution."""
        return _checks.channels(self.who, shape, self.data_format, rank=4)


class Convolution2D(keras.layers.Layer):
    """Keeps the arguments of a Conv2D under their own names, and saves them. A subclass makes weights and computes.

    Args:
        geometry: a `Geometry`.
        filters, activation, use_bias: as of `keras.layers.Conv2D`.
        **kwargs: the six arguments that `_weights` keeps, all of them, and those of every layer.
    """

    @property
    def kernel_size(self) -> tuple[int, int]:
        return self.geometry.kernel_size

    @property
    def strides(self) -> tuple[int, int]:
        return self.geometry.strides

    @property
    def padding(self) -> str | tuple[tuple[int, ...], ...]:
        return self.geometry.padding

    @property
    def dilation_rate(self) -> tuple[int, int]:
        return self.geometry.dilation_rate

    @property
    def data_format(self) -> DataFormat:
        return self.geometry.data_format

    def __init__(
        self, geometry: Geometry, filters: int, activation: Activation | None, use_bias: bool, **kwargs: Any
    ) -> None:
        weights = {name: kwargs.pop(name) for name in _weights.ARGUMENTS}
        super().__init__(**kwargs)
        self.geometry = geometry
        self.filters = _checks.positive_int(geometry.who, "filters", filters)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        _weights.keep(self, **weights)

    def _check_input(self, shape):
        """Returns the channels of images of `shape`, which from now on are the only ones that the layer takes."""
        channels = self.geometry.check_channels(shape, self.filters)
        self.compute_output_shape(shape)
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={self.geometry.channel_axis: channels})
        return channels

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return self.geometry.output_shape(tuple(input_shape), self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **self.geometry.config(),
            "filters": self.filters,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **_weights.config(self),
        }
