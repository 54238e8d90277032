"""Local response normalization: a channel is damped by what its neighbours answer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers._hints import DataFormat, Shape, Tensor
from keraslayers.analysis.cost import Cost


def local_response_normalization(
    x: Tensor,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
    data_format: DataFormat | None = None,
) -> Tensor:
    """x / (bias + alpha * sum of squares over 2 * depth_radius + 1 neighbouring channels) ** beta.

    The sum runs as a product with a band matrix: the GPU runtime of LiteRT refuses the operator made for it.

    Args:
        x: tensor of shape (batch, ..., channels), or (batch, channels, ...) with `"channels_first"`.
        depth_radius: neighbours on either side; those beyond the first and last channel count as zero.
        bias: above 0, so that nothing is divided by zero.
        alpha: weight of the sum of squares (of the sum, not of their mean), 0 or more.
        beta: exponent, 0 or more.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Returns:
        A tensor of the shape and dtype of `x`; of whole numbers, floats. It is computed in float32 for 16-bit floats.

    Raises:
        TypeError: if `depth_radius` is no whole number, or another argument no number.
        ValueError: if an argument is out of its range, if the channels are unknown, or if `data_format` is none of
            the two.
    """
    who = "local_response_normalization"
    depth_radius, bias, alpha, beta = _arguments(who, depth_radius, bias, alpha, beta)
    data_format = _checks.data_format(who, data_format)
    x = _checks.tensor(x)
    channels = _checks.channels(who, x.shape, data_format)
    if isinstance(x, keras.KerasTensor):  # only inside a layer is an array a constant
        return LocalResponseNormalization(
            depth_radius, bias, alpha, beta, data_format, dtype=keras.backend.result_type(x.dtype, float)
        )(x)
    dtype = keras.backend.result_type(x.dtype, float)
    wide = "float32" if dtype in ("float16", "bfloat16") else dtype  # 300 squared is beyond float16
    inputs = ops.cast(x, wide)
    near = np.abs(np.subtract.outer(np.arange(channels), np.arange(channels))) <= depth_radius
    band = ops.convert_to_tensor(alpha * near, wide)
    squares = inputs * inputs
    if data_format == "channels_last":
        base = bias + ops.matmul(squares, band)
    else:
        base = bias + ops.swapaxes(ops.matmul(ops.swapaxes(squares, 1, -1), band), 1, -1)
    # Never below the bias anyway. But the GPU runtime computes channels by fours and fills the last four up with
    # zeros, whose power would be infinite; infinity times zero is NaN, and the next convolution sums it up.
    base = ops.maximum(base, bias)
    # XNNPACK has EXP and LOG, and no POW.
    return ops.cast(inputs * ops.exp(-beta * ops.log(base)), dtype)


def _arguments(who, depth_radius, bias, alpha, beta):
    return (
        _checks.whole_number(who, "depth_radius", depth_radius, least=0),
        _checks.number(who, "bias", bias, above=0),
        _checks.number(who, "alpha", alpha, least=0),
        _checks.number(who, "beta", beta, least=0),
    )


@_checks.register
class LocalResponseNormalization(keras.layers.Layer):
    """Divides every channel by a power of the squares of its neighbours.

    outputs = inputs / (bias + alpha * sum of inputs**2 over 2 * depth_radius + 1 channels) ** beta, with the
    neighbours beyond the first and last channel counting as zero. The arguments mean what they mean in
    `tf.nn.local_response_normalization`. PyTorch's `LocalResponseNorm(size, alpha, beta, k)` takes the mean of the
    squares over `size` channels: depth_radius = (size - 1) / 2, bias = k, alpha = its alpha / size. The paper sums:
    n = 5, k = 2, alpha = 1e-4, beta = 0.75 are depth_radius=2, bias=2, alpha=1e-4, beta=0.75 here; Caffe's AlexNet
    (local_size 5, alpha 1e-4, k 1) takes the mean, so depth_radius=2, bias=1, alpha=2e-5, beta=0.75.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`; any
    other number of axes for the places works too. Output shape: the same.

    Args:
        depth_radius: neighbours on either side, 0 or more.
        bias: above 0.
        alpha: weight of the sum of squares, 0 or more.
        beta: exponent, 0 or more.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Raises:
        TypeError: if `depth_radius` is no whole number, or `bias`, `alpha` or `beta` no number.
        ValueError: if one of them is out of its range, or when built if the channels are unknown.

    On phones: runs wholly on LiteRT's GPU runtime in float32 and int8, and on XNNPACK in float32. In int8 XNNPACK
    leaves LOG, EXP and MAXIMUM to LiteRT's built-in kernels.

    Source: Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks", section 3.3.
    """

    def __init__(
        self,
        depth_radius: int = 5,
        bias: float = 1.0,
        alpha: float = 1.0,
        beta: float = 0.5,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        who = "LocalResponseNormalization"
        self.depth_radius, self.bias, self.alpha, self.beta = _arguments(who, depth_radius, bias, alpha, beta)
        self.data_format = _checks.data_format(who, data_format)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        _checks.channels("LocalResponseNormalization", input_shape, self.data_format)

    def call(self, inputs: Tensor) -> Tensor:
        return local_response_normalization(
            ops.cast(inputs, self.compute_dtype), self.depth_radius, self.bias, self.alpha, self.beta, self.data_format
        )

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        return Cost()  # by the convention, as other normalizations

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "depth_radius": self.depth_radius,
            "bias": self.bias,
            "alpha": self.alpha,
            "beta": self.beta,
            "data_format": self.data_format,
        }
