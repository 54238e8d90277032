"""Deformable convolution: a convolution that learns where to look."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from keraslayers import _checks, _weights
from keraslayers._convolution import Convolution2D
from keraslayers._deformable_function import compute, precise
from keraslayers._deformable_geometry import DeformableGeometry, channels_last, convolve, from_channels_last
from keraslayers._hints import (
    Activation,
    Constraint,
    DataFormat,
    Initializer,
    Padding,
    Regularizer,
    Shape,
    Size,
    Tensor,
)
from keraslayers.analysis import cost
from keraslayers.analysis.cost import Cost, Window


@_checks.register
class DeformableConv2D(Convolution2D):
    """A convolution that learns where to look: a second convolution moves every tap of its kernel.

    The second convolution sees the same window and starts at zero, so that training starts as a plain convolution.

    Input shape: (batch, height, width, channels). Output shape: (batch, out_height, out_width, filters), as of
    `keras.layers.Conv2D`. With `"channels_first"` the channels are the second axis of both.

    Args:
        filters: channels of the output.
        kernel_size: a whole number or (height, width).
        strides, dilation_rate: a whole number or (height, width), in any combination.
        padding: `"valid"`, `"same"` as in Keras, `"full"`, or pixels of zeros: one number, (height, width), or
            ((top, bottom), (left, right)).
        groups: of weights, as in `keras.layers.Conv2D`.
        offset_groups: the channels are cut into as many parts, each with its own offsets (and mask).
        modulated: whether each sample is also multiplied with a mask, 2 * sigmoid of the second convolution, which is
            one at the start.
        max_offset: a whole number of pixels that offsets keep within on either side, or None. With a bound the layer
            can be exported in int8. Offsets are clipped, not squashed: within the bound they mean the same
            as without, so that weights go over. A clipped offset gets no gradient through that place; where a layer
            stays at its bound, take a larger one.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting. All is computed with
            channels last.
        activation: of the outputs.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint,
            bias_constraint: as of `keras.layers.Conv2D`.
        offset_initializer: of the second convolution's kernel.

    Weights: kernel (height, width, channels / groups, filters), bias, offset_kernel (height, width, channels, n),
    offset_bias (n,), where n is offset_groups * height * width times 2, or 3 if modulated: all offsets as
    `keraslayers.deform_conv2d` orders them, then the masks.

    Under a policy of 16 bits the offsets are still summed in 32.

    On phones: with `max_offset`, export for the GPU or in int8 replaces the gathers by shifts weighted with hat
    functions, 31 to 60 operators with the same outputs, which run wholly on LiteRT's GPU runtime. Their time grows with
    the square of kernel and bound together, and in int8 an offset has 255 steps between its bounds: take 1 to 3 for
    phones. Of 3x3 kernels the GPU computes bounds up to 30; beyond, where a row of taps sees more than 64 pixels, the
    report says WRONG for images of more than a few hundred places. Without a bound a file of floats keeps its gathers,
    right on CPU and GPU; a file of integers, where 8 bits cannot hold positions in an image, bounds the offsets by the
    largest on the samples, up to 8 pixels, and the report says so.

    Raises:
        TypeError: if an argument is no whole number, pair or padding.
        ValueError: if a number is below 1, or when built if groups do not divide channels and filters, the input has
            not four axes, its channels are unknown, or the kernel does not fit into it.

    Source: Dai et al. 2017, arXiv:1703.06211, section 2.1; modulated: Zhu et al. 2018, arXiv:1811.11168, section 3.2.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: Padding = "valid",
        dilation_rate: Size = (1, 1),
        groups: int = 1,
        offset_groups: int = 1,
        modulated: bool = False,
        max_offset: int | None = None,
        data_format: DataFormat | None = None,
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        offset_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        bias_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        bias_constraint: Constraint | None = None,
        **kwargs: Any,
    ) -> None:
        geometry = DeformableGeometry.of(
            "DeformableConv2D",
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            groups=groups,
            offset_groups=offset_groups,
            max_offset=max_offset,
            data_format=data_format,
        )
        super().__init__(
            geometry,
            filters,
            activation,
            bool(use_bias),
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.modulated = bool(modulated)
        self.offset_initializer = keras.initializers.get(offset_initializer)

    def build(self, input_shape: Shape) -> None:
        geometry = self.geometry
        channels = self._check_input(input_shape)
        shape = (*geometry.kernel_size, channels // geometry.groups, self.filters)
        self.kernel = _weights.add(self, "kernel", shape)
        self.bias = _weights.add(self, "bias", (self.filters,)) if self.use_bias else None
        moves = (3 if self.modulated else 2) * geometry.offset_groups * geometry.taps
        self.offset_kernel = self.add_weight(
            name="offset_kernel",
            shape=(*geometry.kernel_size, channels, moves),
            initializer=self.offset_initializer,
        )
        self.offset_bias = self.add_weight(name="offset_bias", shape=(moves,), initializer="zeros")

    def call(self, inputs: Tensor) -> Tensor:
        offsets, mask = self.moves(inputs)
        outputs = compute(self.geometry, inputs, offsets, self.kernel, mask, self.bias)
        return self.activation(outputs)

    def moves(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns (offsets, mask or None) for inputs, as `deform_conv2d` takes them, before offsets are clipped."""
        geometry = self.geometry
        inputs = channels_last(precise(inputs), geometry)
        moves = convolve(inputs, precise(self.offset_kernel), geometry) + precise(self.offset_bias)
        count, mask = 2 * geometry.offset_groups * geometry.taps, None
        if self.modulated:
            moves, mask = moves[..., :count], 2 * ops.sigmoid(moves[..., count:])
            mask = from_channels_last(mask, geometry)
        return from_channels_last(moves, geometry), mask

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        # The convolution that finds the offsets, then the one that uses them. Sampling between pixels is
        # interpolation, and counts nothing.
        geometry, reach = self.geometry, self.geometry.max_offset
        moves = self.offset_bias.shape[0]
        sizes, made = (cost.places(shape, geometry.data_format) for shape in (input_shape, output_shape))
        windows = cost.sliding(sizes, geometry.kernel_size, geometry.strides, geometry.padding, geometry.dilation_rate)
        windows = tuple(
            Window(math.inf, window.stride)
            if reach is None
            else Window(window.size + 2 * reach, window.stride, window.start - reach)
            for window in windows
        )
        finds = cost.convolution(self.offset_kernel.shape, (output_shape[0], *made, moves), moves, windows)
        # Its places are those of the first.
        return finds.then(cost.convolution(self.kernel.shape, output_shape, self.filters, Window()))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "modulated": self.modulated,
            "offset_initializer": keras.initializers.serialize(self.offset_initializer),
        }
