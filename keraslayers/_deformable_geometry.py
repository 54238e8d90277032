"""Where a deformable convolution samples: sizes, strides and groups, checked once and kept together."""

import math
from dataclasses import dataclass

import numpy as np
from keras import ops

from keraslayers import _checks, _padding
from keraslayers._convolution import Geometry


@dataclass(frozen=True)
class DeformableGeometry(Geometry):
    """The arguments of a deformable convolution, normalised.

    Attributes:
        groups: of weights.
        offset_groups: parts of the channels that have offsets of their own.
        max_offset: largest offset in pixels; None for any.
    """

    groups: int
    offset_groups: int
    max_offset: int | None

    @classmethod
    def of(cls, who, *, groups, offset_groups, max_offset, **arguments):
        return super().of(
            who,
            groups=_checks.positive_int(who, "groups", groups),
            offset_groups=_checks.positive_int(who, "offset_groups", offset_groups),
            max_offset=None if max_offset is None else _checks.positive_int(who, "max_offset", max_offset),
            **arguments,
        )

    @property
    def taps(self):
        """How many places the kernel has."""
        return math.prod(self.kernel_size)

    def pads(self, sizes):
        """Returns ((top, bottom), (left, right)) for an image of (height, width)."""
        return _padding.widths(self.padding, sizes, self.kernel_size, self.strides, self.dilation_rate)

    def check_channels(self, shape, filters):
        """Returns the channels of images of `shape`, which both kinds of groups must divide; else raises."""
        channels = super().check_channels(shape, filters)
        for argument, what, count in (
            ("groups", "channels", channels),
            ("groups", "filters", filters),
            ("offset_groups", "channels", channels),
        ):
            parts = getattr(self, argument)
            if count % parts:
                raise ValueError(
                    f"`{self.who}`: `{argument}` must divide the {what}; got {argument}={parts} for {count} {what}."
                )
        return channels


def channels_last(images, geometry):
    """Images of that geometry's data format as (batch, height, width, channels), in which everything is computed."""
    return images if geometry.data_format == "channels_last" else ops.transpose(images, (0, 2, 3, 1))


def from_channels_last(images, geometry):
    """The way back."""
    return images if geometry.data_format == "channels_last" else ops.transpose(images, (0, 3, 1, 2))


def convolve(inputs, kernel, geometry):
    """A plain convolution of that geometry, but channels last and without groups.

    Dilation stands in the kernel as zeros between the taps: TensorFlow has no strides with dilation.
    """
    (height, width, channels, filters), (down, right) = kernel.shape, geometry.dilation_rate
    if max(down, right) > 1:
        number = np if isinstance(kernel, np.ndarray) else ops
        kernel = number.reshape(kernel, (height, 1, width, 1, channels * filters))
        kernel = number.pad(kernel, ((0, 0), (0, down - 1), (0, 0), (0, right - 1), (0, 0)))
        kernel = number.reshape(kernel, (height * down, width * right, channels, filters))
        kernel = kernel[: (height - 1) * down + 1, : (width - 1) * right + 1]
    inputs, padding = _padding.pad(
        geometry.who,
        inputs,
        padding=geometry.padding,
        mode="zeros",
        kernel_size=geometry.kernel_size,
        strides=geometry.strides,
        dilation_rate=geometry.dilation_rate,
        data_format="channels_last",
    )
    return ops.conv(inputs, kernel, geometry.strides, padding, "channels_last")
