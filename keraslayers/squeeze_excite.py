"""Squeeze-and-excitation: channels weighted by what the whole image shows."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keraslayers import _checks, _weights
from keraslayers._hints import Activation, DataFormat, Initializer, Regularizer, Shape, Tensor
from keraslayers.analysis import cost
from keraslayers.analysis.cost import EVERYWHERE, Cost


@_checks.register
class SqueezeExcite(keras.layers.Layer):
    """Multiplies every channel with a gate computed from the mean of all channels.

    inputs * gate_activation(W2 activation(W1 mean(inputs) + b1) + b2). W1 and W2 are 1x1 convolutions, not
    Dense layers: in int8 the GPU runtime of LiteRT returns wrong numbers for the form with Dense.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with
    `"channels_first"`. Output shape: the same.

    Args:
        ratio: squeezed channels over channels, within (0, 1]; the product is rounded down, to 1 at least.
            Hu et al. use 1/16, MobileNetV3 1/4.
        squeeze_filters: the squeezed channels themselves, where a network does not derive them from the
            channels here (EfficientNet, MobileNetV3); `ratio` is ignored then.
        activation: activation of the squeezed channels.
        gate_activation: activation of the gate: `"sigmoid"`, or `"hard_sigmoid"` in MobileNetV3.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: for both convolutions.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Raises:
        TypeError: if `ratio` is no number or `squeeze_filters` no whole number.
        ValueError: if `ratio` is outside (0, 1] or `squeeze_filters` below 1, or when built if the input has
            not four axes or its channels are unknown.

    Source: Hu et al. 2018, arXiv:1709.01507, section 3; Howard et al. 2019, arXiv:1905.02244, section 5.3.
    """

    def __init__(
        self,
        ratio: float = 0.25,
        squeeze_filters: int | None = None,
        activation: Activation | None = "relu",
        gate_activation: Activation | None = "sigmoid",
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        bias_regularizer: Regularizer | None = None,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if squeeze_filters is not None:
            squeeze_filters = _checks.positive_int("SqueezeExcite", "squeeze_filters", squeeze_filters)
        self.ratio = _checks.fraction("SqueezeExcite", "ratio", ratio)
        self.squeeze_filters = squeeze_filters
        self.activation = keras.activations.get(activation)
        self.gate_activation = keras.activations.get(gate_activation)
        _weights.keep(
            self,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        self.data_format = _checks.data_format("SqueezeExcite", data_format)

    def build(self, input_shape: Shape) -> None:
        channels = _checks.channels("SqueezeExcite", input_shape, self.data_format, rank=4)
        axis = -1 if self.data_format == "channels_last" else 1
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={axis: channels})
        # 1e-6 since a product such as 98 * (1 / 49) comes out just below the whole number it stands for.
        squeezed = self.squeeze_filters or max(1, int(channels * self.ratio + 1e-6))
        pooled = (input_shape[0], 1, 1, channels)
        self.squeeze = self._convolution(squeezed, self.activation, "squeeze")
        self.squeeze.build(pooled)
        self.excite = self._convolution(channels, self.gate_activation, "excite")
        self.excite.build(self.squeeze.compute_output_shape(pooled))

    def _convolution(self, filters, activation, name):
        return keras.layers.Conv2D(
            filters,
            1,
            activation=activation,
            kernel_initializer=_weights.fresh(self.kernel_initializer),
            bias_initializer=_weights.fresh(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, inputs: Tensor) -> Tensor:
        if self.data_format == "channels_last":
            return inputs * self.excite(self.squeeze(ops.mean(inputs, axis=(1, 2), keepdims=True)))
        # The convolutions stay channels_last: TensorFlow has channels_first ones on some CPUs and dtypes only,
        # and with a single place the transposes move nothing.
        pooled = ops.transpose(ops.mean(inputs, axis=(2, 3), keepdims=True), (0, 2, 3, 1))
        return inputs * ops.transpose(self.excite(self.squeeze(pooled)), (0, 3, 1, 2))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        # Both convolutions see one place, the mean.
        batch, channels, squeezed = input_shape[0], self.excite.filters, self.squeeze.filters
        squeeze = cost.convolution((channels, squeezed), (batch, squeezed), squeezed, EVERYWHERE)
        return squeeze.then(cost.convolution((squeezed, channels), (batch, channels), channels, EVERYWHERE))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "squeeze_filters": self.squeeze_filters,
            "activation": keras.activations.serialize(self.activation),
            "gate_activation": keras.activations.serialize(self.gate_activation),
            **_weights.config(self),
            "data_format": self.data_format,
        }
