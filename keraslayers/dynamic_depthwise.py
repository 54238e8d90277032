"""Dynamic depthwise convolution: the kernels come from the image, one set for all of it or one for each place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keraslayers import _checks, _padding
from keraslayers._hints import Shape, Size, Tensor
from keraslayers.analysis import cost
from keraslayers.analysis.cost import Cost


def dynamic_depthwise_conv2d(x: Tensor, kernels: Tensor, kernel_size: Size) -> Tensor:
    """Filters each channel of each image with kernels of its own, of which groups of channels share one.

    Zeros stand around the image, so that it keeps its size. What is computed is the sum over the taps of the kernel of
    the image moved by the tap, times the tap's weights: a depthwise convolution with a computed kernel runs nowhere.

    Args:
        x: tensor of shape (batch, height, width, channels).
        kernels: tensor of shape (batch, 1, 1, taps * groups), for all places (homogeneous), or (batch, height, width,
            taps * groups), for each place its own (inhomogeneous). The groups of a tap stand next to each other, the
            taps row by row. Channel c belongs to group c * groups // channels.
        kernel_size: (height, width) of a kernel, or a whole number for both; taps is their product.

    Returns:
        A tensor of the shape and dtype of `x`.

    Raises:
        TypeError: if `kernel_size` is of another type.
        ValueError: if it is out of range, if `x` or `kernels` has not four axes and known channels, or if there are no
            groups that divide the channels, one kernel each.

    Source: Han et al. 2021, "On the connection between local attention and dynamic depth-wise convolution",
    arXiv:2106.04263, section 3.2, eq. 8 (homogeneous) and 9 (inhomogeneous).
    """
    who = "dynamic_depthwise_conv2d"
    kernel_size = _checks.positive_pair(who, "kernel_size", kernel_size)
    x, kernels = _checks.tensor(x), _checks.tensor(kernels)
    groups = _groups(who, x.shape, kernels.shape, kernel_size)
    if isinstance(x, keras.KerasTensor):  # only inside a layer is the size of an unknown batch there when it runs
        return DynamicDepthwiseConv2D(kernel_size, dtype=x.dtype)([x, kernels])
    (top, bottom), (left, right) = _padding.widths("same", x.shape[1:3], kernel_size, (1, 1), (1, 1))
    height, width = ops.shape(x)[1:3]
    kernels = ops.cast(kernels, x.dtype)
    padded = ops.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    total = None
    for tap in range(kernel_size[0] * kernel_size[1]):
        i, j = divmod(tap, kernel_size[1])
        moved = padded[:, i : i + height, j : j + width]
        product = _times(moved, kernels[..., tap * groups : (tap + 1) * groups])
        total = product if total is None else total + product
    return total


def _times(x, weights):
    """Each group of channels times its weight, in four axes."""
    channels, groups = x.shape[-1], weights.shape[-1]
    if groups in (1, channels):
        return x * weights
    shape, (tall, wide) = ops.shape(x), ops.shape(weights)[1:3]
    parts = ops.reshape(x, (-1, shape[1] * shape[2], groups, channels // groups))
    return ops.reshape(parts * ops.reshape(weights, (-1, tall * wide, groups, 1)), shape)


def _groups(who, shape, kernels, kernel_size):
    channels, weights = (_checks.channels(who, one, "channels_last", rank=4) for one in (shape, kernels))
    taps = kernel_size[0] * kernel_size[1]
    groups = weights // taps
    if weights % taps or channels % groups:
        raise ValueError(
            f"`{who}`: the kernels must have {taps} weights a group, for kernels of {kernel_size}, and groups that "
            f"divide the {channels} channels; got {weights} weights."
        )
    return groups


@_checks.register
class DynamicDepthwiseConv2D(keras.layers.Layer):
    """Filters each channel of each image with kernels that a network computes from the image.

    The layer has no weights: what computes the kernels is made of other layers, such as a mean and two convolutions.
    The order of the kernels is that of `keraslayers.dynamic_depthwise_conv2d`.

    Input shape: a list of maps (batch, height, width, channels) and of kernels, (batch, 1, 1, taps * groups) for all
    places or (batch, height, width, taps * groups) for each its own. Output shape: that of the maps.

    Args:
        kernel_size: (height, width) of a kernel, or a whole number for both.

    Raises:
        TypeError: if `kernel_size` is of another type.
        ValueError: if it is out of range, or when built if maps or kernels have not four axes and known channels, or if
            there are no groups that divide the channels, one kernel each.

    Source: Han et al. 2021, "On the connection between local attention and dynamic depth-wise convolution",
    arXiv:2106.04263, section 3.2, eq. 8 and 9.
    """

    def __init__(self, kernel_size: Size, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel_size = _checks.positive_pair("DynamicDepthwiseConv2D", "kernel_size", kernel_size)

    def build(self, input_shape: Sequence[Shape]) -> None:
        _groups("DynamicDepthwiseConv2D", *input_shape, self.kernel_size)

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        return dynamic_depthwise_conv2d(*inputs, self.kernel_size)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def call_cost(self, input_shape: Sequence[Shape], output_shape: Shape) -> Cost:
        elements = math.prod(output_shape)
        products = elements * math.prod(self.kernel_size)
        window = cost.sliding(output_shape[1:3], self.kernel_size, (1, 1), "same")
        return Cost(
            multiply_adds=products, activation_products=products, flops=2 * products - elements, depth=1, window=window
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernel_size": self.kernel_size}
