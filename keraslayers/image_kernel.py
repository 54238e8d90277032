"""Classic image filters, as a layer: a fixed kernel slides over every channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keraslayers import _checks, _padding
from keraslayers._hints import Array, DataFormat, Padding, PaddingMode, Shape, Size, Tensor
from keraslayers.analysis import cost
from keraslayers.analysis.cost import Cost

KERNELS = {
    "identity": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "edge_cross": ((0, -1, 0), (-1, 4, -1), (0, -1, 0)),
    "edge_laplace": ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "box_blur": ((1 / 9,) * 3,) * 3,
    "gaussian_blur": ((1 / 16, 2 / 16, 1 / 16), (2 / 16, 4 / 16, 2 / 16), (1 / 16, 2 / 16, 1 / 16)),
    "sobel_x": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "sobel_y": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
}


@_checks.register
class ImageKernel2D(keras.layers.Layer):
    """Slides one fixed kernel over every channel: edges, blurs, sharpening, or numbers of your own.

    The kernel is part of the configuration and no weight: it is not trained and not counted. By name:

        identity        0  0  0     edge_cross      0 -1  0     edge_laplace   -1 -1 -1     sharpen         0 -1  0
                        0  1  0                    -1  4 -1                    -1  8 -1                    -1  5 -1
                        0  0  0                     0 -1  0                    -1 -1 -1                     0 -1  0

        box_blur        1  1  1     gaussian_blur   1  2  1     sobel_x        -1  0  1     sobel_y        -1 -2 -1
        (each over 9)   1  1  1     (over 16)       2  4  2                    -2  0  2                     0  0  0
                        1  1  1                     1  2  1                    -1  0  1                     1  2  1

    sobel_x is positive where it gets brighter to the right, sobel_y where it gets brighter downwards.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`. Output
    shape: the same with `"same"` and strides of 1, otherwise with the sizes that `keraslayers.PaddedConv2D` tells.

    Args:
        kernel: one of the names, or numbers of shape (kernel height, kernel width).
        strides: a whole number or two equal ones: TensorFlow has no others for a kernel a channel.
        padding: as in `keraslayers.PaddedConv2D`: `"valid"`, `"same"`, `"full"` or widths in pixels.
        padding_mode: `"zeros"`, `"reflect"`, `"symmetric"` or `"edge"`; zeros show as edges along the border.
        flip: False, as convolutions in Keras are: the kernel lies on the image as it is written (cross-correlation).
            True turns it by 180 degrees first (convolution as in mathematics and signal processing), which changes
            the sign of the Sobel kernels and nothing in the others.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Raises:
        TypeError: if the kernel is neither a name nor numbers, or if strides, padding or flip are of another type.
        ValueError: if a name is unknown, the kernel has not two axes, is empty or not finite, the strides differ, or
            the images are too small for the kernel or to be mirrored that far.

    On phones: runs wholly on LiteRT's XNNPACK and GPU runtimes, in float32 and int8.

    Source: Gonzalez and Woods 2008, "Digital Image Processing", 3rd edition, sections 3.5.1 (blurs), 3.6.2 (Laplacians,
    here with a positive centre, and sharpening, the image plus edge_cross) and 3.6.4 (Sobel).
    """

    def __init__(
        self,
        kernel: str | Array | Sequence[Sequence[float]],
        strides: Size = (1, 1),
        padding: Padding = "same",
        padding_mode: PaddingMode = "zeros",
        flip: bool = False,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        named = isinstance(kernel, str)
        self._taps = np.array(_named(kernel), "float64") if named else _numbers(kernel)
        self.kernel: str | tuple[tuple[float, ...], ...] = kernel if named else tuple(map(tuple, self._taps.tolist()))
        self.strides = _strides(strides)
        self.padding = _padding.standardize("ImageKernel2D", padding)
        self.padding_mode = _checks.choice("ImageKernel2D", "padding_mode", padding_mode, _padding.MODES)
        if not isinstance(flip, bool):
            raise TypeError(f"`ImageKernel2D`: `flip` must be True or False; got {flip!r}.")
        self.flip = flip
        self.data_format = _checks.data_format("ImageKernel2D", data_format)
        if flip:
            self._taps = self._taps[::-1, ::-1]

    def _window(self):
        return {
            "padding": self.padding,
            "mode": self.padding_mode,
            "kernel_size": self._taps.shape,
            "strides": self.strides,
            "dilation_rate": (1, 1),
            "data_format": self.data_format,
        }

    def build(self, input_shape: Shape) -> None:
        channels = _checks.channels("ImageKernel2D", input_shape, self.data_format, rank=4)
        self.compute_output_shape(input_shape)
        self.input_spec = keras.layers.InputSpec(
            ndim=4, axes={-1 if self.data_format == "channels_last" else 1: channels}
        )

    def call(self, inputs: Tensor) -> Tensor:
        inputs = ops.cast(inputs, self.compute_dtype)  # images are often bytes
        padded, padding = _padding.pad("ImageKernel2D", inputs, **self._window())
        channels = inputs.shape[-1 if self.data_format == "channels_last" else 1]
        kernel = np.repeat(self._taps[:, :, None, None], channels, axis=2)
        kernel = ops.convert_to_tensor(kernel, self.compute_dtype)
        return ops.depthwise_conv(padded, kernel, self.strides, padding, self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        channels = input_shape[-1 if self.data_format == "channels_last" else 1]
        return _padding.shape("ImageKernel2D", input_shape, channels, **self._window())

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        channels, sizes = (take(input_shape, self.data_format) for take in (cost.channels, cost.places))
        windows = cost.sliding(sizes, self._taps.shape, self.strides, self.padding)
        return cost.convolution((*self._taps.shape, channels, 1), output_shape, channels, windows)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel": self.kernel if isinstance(self.kernel, str) else [list(row) for row in self.kernel],
            "strides": self.strides,
            "padding": self.padding,
            "padding_mode": self.padding_mode,
            "flip": self.flip,
            "data_format": self.data_format,
        }


def _named(name):
    return KERNELS[_checks.choice("ImageKernel2D", "kernel", name, KERNELS)]


def _numbers(kernel: Any) -> np.ndarray:
    """The kernel as an array of float64, (height, width)."""
    try:
        array = None if np.iscomplexobj(kernel) else np.array(kernel, "float64")
    except (TypeError, ValueError):
        array = None
    if array is None or array.ndim == 0:  # None becomes a single NaN
        raise TypeError(
            f"`ImageKernel2D`: `kernel` must be one of {', '.join(map(repr, KERNELS))}, or numbers of shape "
            f"(height, width); got {kernel!r}."
        )
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"`ImageKernel2D`: `kernel` must be of shape (height, width), one number at least; got the shape "
            f"{array.shape}."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"`ImageKernel2D`: `kernel` must hold finite numbers; got {array.tolist()}.")
    return array


def _strides(strides):
    pair = _checks.positive_pair("ImageKernel2D", "strides", strides)
    if pair[0] != pair[1]:
        raise ValueError(
            f"`ImageKernel2D`: `strides` must be equal; got {pair}. Take strides of 1 and a slice of the output."
        )
    return pair
