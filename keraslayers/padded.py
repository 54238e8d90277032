"""Convolution whose padding is what you say: any width on any side, mirrored or continued at the border."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keraslayers import _checks, _padding
from keraslayers._bias import add_bias
from keraslayers._hints import Padding, PaddingMode, Shape, Size, Tensor
from keraslayers.analysis import cost
from keraslayers.analysis.cost import Cost


@_checks.register
class PaddedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with padding of any width, of zeros, mirrored, or continued.

    For networks that come from PyTorch, which pads `kernel_size // 2` on both sides where Keras's `"same"` pads less
    before than after in strided layers, and for images whose border should not darken.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`. Output
    shape: (batch, new height, new width, filters), or with the filters second. A size n becomes
    floor((n + before + after - dilation_rate * (kernel_size - 1) - 1) / strides) + 1; with `"same"` ceil(n / strides).

    Args:
        filters: channels of the output.
        kernel_size: a whole number or (height, width).
        strides: a whole number or (height, width); above 1 only without dilation, as in Keras.
        padding: `"valid"`, none; `"same"`, Keras's; `"full"`, dilation_rate * (kernel_size - 1) on every side, so
            that each place which the kernel touches counts; or widths in pixels: one for all sides, (height, width),
            or ((top, bottom), (left, right)).
        padding_mode: what stands there. Of a row `a b c`, two to each side:
            `"zeros"` 0 0 a b c 0 0; `"reflect"` c b a b c b a, without the border itself; `"symmetric"`
            b a a b c c b, with it; `"edge"` a a a b c c c (in PyTorch `"replicate"`). A width must be below the
            image's size for `"reflect"`, and at most the size for `"symmetric"`. The modes are those of `numpy.pad`.
        **kwargs: every other argument of `keras.layers.Conv2D`: `data_format`, `dilation_rate`, `groups`,
            `activation`, `use_bias`, initializers, regularizers and constraints.

    Raises:
        TypeError: if `padding` is none of these forms, or a width no whole number.
        ValueError: if a name is unknown or a width below zero; or, once the size of the images is known, if they are
            too small for the kernel or to be mirrored that far.

    On phones: runs wholly on LiteRT's XNNPACK and GPU runtimes, in float32 and int8: mirrored and continued borders are
    made of slices, since XNNPACK leaves MIRROR_PAD out. `groups` that the GPU runtime computes wrongly are merged at
    export.

    Source: Innamorati et al. 2020, "Learning on the Edge", doi:10.1007/s11263-019-01223-y, section 1, on what the rules
    for borders do.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: Padding = "valid",
        padding_mode: PaddingMode = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, strides, "valid", **kwargs)
        self.padding = _padding.standardize("PaddedConv2D", padding)
        self.padding_mode = _checks.choice("PaddedConv2D", "padding_mode", padding_mode, _padding.MODES)

    def _window(self):
        return {
            "padding": self.padding,
            "mode": self.padding_mode,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "dilation_rate": self.dilation_rate,
            "data_format": self.data_format,
        }

    def build(self, input_shape: Shape) -> None:
        _checks.channels("PaddedConv2D", input_shape, self.data_format, rank=4)
        super().build(input_shape)

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        padded, padding = _padding.pad("PaddedConv2D", inputs, **self._window())
        return ops.conv(padded, kernel, self.strides, padding, self.data_format, self.dilation_rate)

    def call(self, inputs: Tensor) -> Tensor:
        outputs = self.convolution_op(inputs, self.kernel)
        if self.use_bias:
            outputs = add_bias(outputs, self.bias, self.data_format)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return _padding.shape("PaddedConv2D", input_shape, self.filters, **self._window())

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        channels = cost.channels(input_shape, self.data_format)
        kernel = (*self.kernel_size, channels // self.groups, self.filters)
        sizes = cost.places(input_shape, self.data_format)
        windows = cost.sliding(sizes, self.kernel_size, self.strides, self.padding, self.dilation_rate)
        return cost.convolution(kernel, output_shape, self.filters, windows)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding_mode": self.padding_mode}
