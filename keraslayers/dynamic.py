"""Dynamic convolution: every image mixes its own kernel out of a few."""

from __future__ import annotations

import math
from typing import Any, Literal

import keras
from keras import ops

from keraslayers import _checks, _padding, _weights
from keraslayers._bias import add_bias
from keraslayers._convolution import Convolution2D, Geometry
from keraslayers._hints import Activation, Constraint, DataFormat, Initializer, Regularizer, Shape, Size, Tensor
from keraslayers.analysis import cost
from keraslayers.analysis.cost import Cost, Window

ROUTINGS = ("softmax", "sigmoid")


def _sum_of_outputs(images, attention, kernels, biases, arguments):
    """Sums attention[..., k] * (convolution with kernels[k] + biases[k]); attention is (batch, 1, 1, kernels)."""
    total = None
    for k, outputs in enumerate(_convolutions(images, kernels, arguments)):
        if biases is not None:
            outputs = add_bias(outputs, biases[k], arguments["data_format"])
        outputs = outputs * attention[..., k : k + 1]
        total = outputs if total is None else total + outputs
    return total


def _convolutions(images, kernels, arguments):
    """The convolution with each kernel."""
    count, filters = kernels.shape[0], kernels.shape[-1]
    if max(arguments["dilation_rate"]) == 1:
        return [ops.conv(images, kernels[k], **arguments) for k in range(count)]
    # One for all, though slower to train: several dilated convolutions of one tensor share what TensorFlow makes of it
    # first, and the TFLite converter knows the pattern for a single one only; the rest is refused by the GPU runtime.
    outputs = ops.conv(images, ops.concatenate([kernels[k] for k in range(count)], axis=-1), **arguments)
    if arguments["data_format"] == "channels_last":
        return [outputs[..., k * filters : (k + 1) * filters] for k in range(count)]
    return [outputs[:, k * filters : (k + 1) * filters] for k in range(count)]


def mixed_kernel(images, attention, kernels, biases, padding="valid", dilation_rate=(1, 1)):
    """The same for strides of one and channels last: each image mixes its kernel, then meets that alone.

    A convolution is a matrix product for each row of the kernel: that row of all windows times the row's weights.
    """
    count, tall, wide, channels, filters = kernels.shape
    attention = ops.reshape(attention, (-1, 1, count))  # no slice that takes an axis away, which XNNPACK leaves out
    if padding == "same":
        pads = _padding.widths(padding, images.shape[1:3], (tall, wide), (1, 1), dilation_rate)
        images = ops.pad(images, ((0, 0), *pads, (0, 0)))
    batch, height, width, _ = ops.shape(images)
    down, across = dilation_rate
    height, width = height - (tall - 1) * down, width - (wide - 1) * across  # of the outputs
    row = wide * channels
    mixed = ops.matmul(attention, ops.reshape(kernels, (count, -1)))
    mixed = ops.reshape(mixed, (batch, tall * row, filters))
    windows = _padding.join([images[:, :, j * across : j * across + width] for j in range(wide)], 3)
    outputs = None if biases is None else ops.matmul(attention, biases)
    for i in range(tall):
        places = ops.reshape(windows[:, i * down : i * down + height], (batch, -1, row))
        product = ops.matmul(places, mixed[:, i * row : (i + 1) * row])
        outputs = product if outputs is None else product + outputs
    return ops.reshape(outputs, (batch, height, width, filters))


@_checks.register
class DynamicConv2D(Convolution2D):
    """Convolution with a kernel that each image mixes for itself out of `num_kernels`, weighted by what it shows.

    The weights, attention, come from the mean of all pixels. With routing `"softmax"` (dynamic convolution) they are
    softmax(W2 relu(W1 mean + b1) + b2, over `temperature`) and add up to one; with `"sigmoid"` (CondConv) they are
    sigmoid(W mean + b), each for itself.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`. Output
    shape: that of `keras.layers.Conv2D` with the same arguments.

    Weights: `kernels` (num_kernels, kernel height, kernel width, channels, filters), `biases` (num_kernels, filters),
    mixed like the kernels, and those of the 1x1 convolutions `squeeze` (with `"softmax"`) and `route`.

    Args:
        filters: channels of the output.
        kernel_size: a whole number or (height, width).
        num_kernels: kernels to mix, two at least: 4 in Chen et al., 8 in Yang et al.
        reduction: channels over the units of `squeeze`, which are one at least; of no use with `"sigmoid"`.
        temperature: divides what softmax takes: high, all kernels learn from every image. Chen et al. go from 30 down
            to 1 over the first ten epochs: set `layer.temperature`, then `model.make_train_function(force=True)`. Of
            no use with `"sigmoid"`.
        routing: `"softmax"` or `"sigmoid"`.
        strides: a whole number or (height, width); above 1 only without dilation, as in Keras.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.
        dilation_rate: a whole number or (height, width).
        activation: of the output.
        use_bias: whether the output has a bias.
        kernel_initializer, bias_initializer, kernel_constraint, bias_constraint: for each kernel and bias by itself.
        kernel_regularizer, bias_regularizer: for all kernels or biases together.

    Raises:
        TypeError: if a number is of another type.
        ValueError: if a number is out of range, a name is unknown, strides meet dilation, or when built if the input
            has not four axes, its channels are unknown, or it is smaller than the kernel.

    On phones: runs wholly on LiteRT's GPU runtime and on XNNPACK, in float32 and int8; in int8 files the softmax of
    `num_kernels` numbers stays in floats. A float file for the CPU mixes the kernels and computes one convolution, as
    matrix products (without strides): for four kernels at 28x28x64 in 0.4 of the time of four convolutions. A file for
    the GPU, or in int8, computes `num_kernels` convolutions and sums them. There one product is not faster in int8,
    since XNNPACK computes it in floats, and on GPUs it was not measured. A CONV_2D with a computed kernel XNNPACK
    leaves out, and in int8 both runtimes refuse it.

    Source: Chen et al. 2020, arXiv:1912.03458, section 3 (`"softmax"`); Yang et al. 2019, arXiv:1904.04971, section 3
    (`"sigmoid"`).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        num_kernels: int = 4,
        reduction: int = 4,
        temperature: float = 30.0,
        routing: Literal["softmax", "sigmoid"] = "softmax",
        strides: Size = (1, 1),
        padding: Literal["valid", "same"] = "valid",
        data_format: DataFormat | None = None,
        dilation_rate: Size = (1, 1),
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        bias_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        bias_constraint: Constraint | None = None,
        **kwargs: Any,
    ) -> None:
        who = "DynamicConv2D"
        geometry = Geometry.of_keras(
            who,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            data_format=data_format,
        )
        super().__init__(
            geometry,
            filters,
            activation,
            use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.num_kernels = _checks.whole_number(who, "num_kernels", num_kernels, least=2)
        self.reduction = _checks.positive_int(who, "reduction", reduction)
        self.temperature = _checks.number(who, "temperature", temperature, above=0)
        self.routing = _checks.choice(who, "routing", routing, ROUTINGS)

    def build(self, input_shape: Shape) -> None:
        channels = self._check_input(input_shape)
        shape = (self.num_kernels, *self.kernel_size, channels, self.filters)
        self.kernels = _weights.add_several(self, "kernel", shape, "kernels")
        self.biases = None
        if self.use_bias:
            self.biases = _weights.add_several(self, "bias", (self.num_kernels, self.filters), "biases")
        self.squeeze, units = None, channels
        if self.routing == "softmax":
            units = max(1, channels // self.reduction)
            self.squeeze = self._pointwise(units, "relu", "squeeze", channels)
        # softmax follows its temperature
        activation = None if self.routing == "softmax" else self.routing
        self.route = self._pointwise(self.num_kernels, activation, "route", units)

    def _pointwise(self, filters, activation, name, channels):
        # Not Dense: in int8 the GPU runtime of LiteRT computes such a branch wrongly with it.
        layer = keras.layers.Conv2D(
            filters, 1, activation=activation, data_format="channels_last", dtype=self.dtype_policy, name=name
        )
        layer.build((None, 1, 1, channels))
        return layer

    def attention(self, inputs: Tensor) -> Tensor:
        """The weight of each kernel for each image, (batch, 1, 1, num_kernels)."""
        if self.data_format == "channels_last":
            pooled = ops.mean(inputs, axis=(1, 2), keepdims=True)
        else:
            pooled = ops.transpose(ops.mean(inputs, axis=(2, 3), keepdims=True), (0, 2, 3, 1))
        if self.routing == "sigmoid":
            return self.route(pooled)
        return ops.softmax(self.route(self.squeeze(pooled)) * (1.0 / self.temperature))

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        self.compute_output_shape(inputs.shape)  # an image smaller than the kernel would give nothing at all
        arguments = {
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
        }
        attention = self.attention(inputs)
        if training and self.kernel_size == self.strides == (1, 1) and self.data_format == "channels_last":
            # A third of the time of the other way. Not in files for the GPU: its runtime computes a BATCH_MATMUL whose
            # matrix comes right from a RESHAPE or ADD wrongly; of a slice it is right.
            outputs = mixed_kernel(inputs, attention, self.kernels, self.biases)
        else:
            outputs = _sum_of_outputs(inputs, attention, self.kernels, self.biases, arguments)
        return self.activation(outputs)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        # A convolution for every kernel, as in files. Beside them the routing, of one place: the mean.
        batch, channels = input_shape[0], cost.channels(input_shape, self.data_format)
        kernel = (*self.kernel_size, channels, self.filters)
        windows = tuple(Window(math.inf, stride) for stride in self.strides)
        one = cost.convolution(kernel, output_shape, self.filters, windows)
        steps = [layer for layer in (self.squeeze, self.route) if layer is not None]
        routing = [cost.convolution(layer.kernel.shape, (batch, layer.filters), layer.filters, None) for layer in steps]
        return Cost(
            multiply_adds=self.num_kernels * one.multiply_adds + sum(step.multiply_adds for step in routing),
            flops=self.num_kernels * one.flops + sum(step.flops for step in routing),
            depth=len(steps),
            window=windows,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_kernels": self.num_kernels,
            "reduction": self.reduction,
            "temperature": self.temperature,
            "routing": self.routing,
        }
