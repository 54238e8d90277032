"""Spatially separable convolution: a column of taps, then a row of taps, in place of a whole window."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keraslayers import _checks, _weights
from keraslayers._bias import add_bias
from keraslayers._convolution import Convolution2D, Geometry
from keraslayers._hints import Activation, Constraint, DataFormat, Initializer, Regularizer, Shape, Size, Tensor
from keraslayers.analysis import cost
from keraslayers.analysis.cost import Cost, Window


@_checks.register
class SpatialSeparableConv2D(Convolution2D):
    """Convolution with a k x 1 kernel, then with a 1 x k kernel; nothing in between.

    Costs kernel height * channels * rank + kernel width * rank * filters products a place, where Conv2D costs kernel
    height * kernel width * channels * filters. `keraslayers.separate` makes one of a trained Conv2D.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`. Output
    shape: that of `keras.layers.Conv2D` with the same arguments.

    Weights: `vertical_kernel` (kernel height, 1, channels, rank), `horizontal_kernel` (1, kernel width, rank, filters),
    and `bias` (filters,).

    Args:
        filters: channels of the output.
        kernel_size: a whole number or (height, width).
        rank: channels between the two convolutions. By default `filters`, so that the middle is no narrower than the
            output, but at most kernel height * channels: beyond that more channels
            compute nothing new. `kernel height * channels` or `kernel width * filters`, the smaller, gives every
            kernel that a Conv2D can have.
        strides: a whole number or (height, width); above 1 only without dilation, as in Keras.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.
        dilation_rate: a whole number or (height, width).
        activation: of the output.
        use_bias: whether the output has a bias.
        kernel_initializer, kernel_regularizer, kernel_constraint: for each of the two kernels.
        bias_initializer, bias_regularizer, bias_constraint: for the bias.

    Raises:
        TypeError: if `filters`, `rank`, `kernel_size`, `strides` or `dilation_rate` are no whole numbers.
        ValueError: if one of them is below 1, `padding` is neither of the two, strides meet dilation, or when built if
            the input has not four axes, its channels are unknown, or it is smaller than the kernel.

    On phones: two CONV_2D, which run wholly on LiteRT's XNNPACK and GPU runtimes, in float32 and int8.

    Source: Szegedy et al. 2016, arXiv:1512.00567, section 3.2; the rank: Jaderberg et al. 2014, arXiv:1405.3866,
    section 2, scheme 2.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        rank: int | None = None,
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
        who = "SpatialSeparableConv2D"
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
        self.rank = None if rank is None else _checks.positive_int(who, "rank", rank)

    def build(self, input_shape: Shape) -> None:
        channels = self._check_input(input_shape)
        height, width = self.kernel_size
        rank = self.rank or min(self.filters, height * channels)
        self.vertical_kernel = _weights.add(self, "kernel", (height, 1, channels, rank), "vertical_kernel")
        self.horizontal_kernel = _weights.add(self, "kernel", (1, width, rank, self.filters), "horizontal_kernel")
        self.bias = _weights.add(self, "bias", (self.filters,)) if self.use_bias else None

    def call(self, inputs: Tensor) -> Tensor:
        self.compute_output_shape(inputs.shape)  # an image smaller than the kernel would give nothing at all
        (down, across), (dilation_down, dilation_across) = self.strides, self.dilation_rate
        arguments = {"padding": self.padding, "data_format": self.data_format}
        middle = ops.conv(
            inputs, self.vertical_kernel, strides=(down, 1), dilation_rate=(dilation_down, 1), **arguments
        )
        outputs = ops.conv(
            middle, self.horizontal_kernel, strides=(1, across), dilation_rate=(1, dilation_across), **arguments
        )
        if self.bias is not None:
            outputs = add_bias(outputs, self.bias, self.data_format)
        return self.activation(outputs)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        sizes, made = (cost.places(shape, self.data_format) for shape in (input_shape, output_shape))
        down, across = cost.sliding(sizes, self.kernel_size, self.strides, self.padding, self.dilation_rate)
        rank = self.vertical_kernel.shape[-1]
        middle = (input_shape[0], made[0], sizes[1], rank)
        first = cost.convolution(self.vertical_kernel.shape, middle, rank, (down, Window()))
        return first.then(
            cost.convolution(self.horizontal_kernel.shape, output_shape, self.filters, (Window(), across))
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rank": self.rank,
        }


def separate(
    conv2d: keras.layers.Conv2D, rank: int | None = None, tolerance: float | None = None
) -> tuple[SpatialSeparableConv2D, float]:
    """Makes a SpatialSeparableConv2D of a trained Conv2D, by singular value decomposition of its kernel.

    Without `rank` and `tolerance` the outputs are the same but for rounding. Otherwise the new kernel is the nearest of
    its rank, and how near is known at once: the error is the singular values left out.

    ```python
    conv2d = keras.layers.Conv2D(8, 5)
    conv2d.build((None, 32, 32, 3))
    layer, error = keraslayers.separate(conv2d, tolerance=0.1)
    ```

    Where the new layer stands in the old one's place, `keras.models.clone_model(model, clone_function=...)` makes the
    model anew.

    Args:
        conv2d: a built `keras.layers.Conv2D` with one group; it stays as it is.
        rank: channels between the two convolutions; at most the smaller of kernel height * channels and kernel
            width * filters, the full rank.
        tolerance: instead of `rank`, the largest error allowed, within [0, 1): the smallest rank within it is taken.

    Returns:
        (the layer, built and with its weights, under the name of `conv2d`; the error). The error is the Frobenius norm
        of what the kernel lost over the norm of the kernel, between 0 and 1; for inputs that are white noise it is the
        error of the outputs (without bias and activation), too.

    Raises:
        TypeError: if `conv2d` is no Conv2D, a subclass included, or `rank` or `tolerance` no number.
        ValueError: if it is not built or has groups, both `rank` and `tolerance` are given, or one is out of range.

    Source: Jaderberg et al. 2014, arXiv:1405.3866, section 2, scheme 2; Eckart and Young 1936,
    doi:10.1007/BF02288367, that no other kernel of the rank is nearer.
    """
    if type(conv2d) is not keras.layers.Conv2D:
        raise TypeError(
            f"`separate`: `conv2d` must be a keras.layers.Conv2D itself, a subclass may compute something else; got "
            f"{conv2d!r}."
        )
    if not conv2d.built:
        raise ValueError(f"`separate`: `conv2d` {conv2d.name!r} has no kernel yet: build it, or call it once.")
    if conv2d.groups > 1:
        raise ValueError(
            f"`separate`: `conv2d` {conv2d.name!r} must have one group; got groups={conv2d.groups}, and each group "
            "would need two convolutions of its own."
        )
    if rank is not None and tolerance is not None:
        raise ValueError(f"`separate`: give `rank` or `tolerance`, not both; got rank={rank}, tolerance={tolerance}.")
    kernel = ops.convert_to_numpy(conv2d.kernel).astype("float64")
    height, width, channels, filters = kernel.shape
    # Rows are what the first convolution sees, columns what the second one makes.
    matrix = np.transpose(kernel, (0, 2, 1, 3)).reshape(height * channels, width * filters)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    # errors[r] is the part of the norm that r singular values leave out.
    errors = np.sqrt(np.append(np.cumsum((values**2)[::-1])[::-1], 0.0))
    errors = errors / (errors[0] or 1.0)
    rank = _rank(rank, tolerance, errors)

    layer = SpatialSeparableConv2D(
        **{name: value for name, value in conv2d.get_config().items() if name in _SHARED},
        rank=rank,
        dtype=conv2d.dtype_policy,
    )
    axis = 3 if conv2d.data_format == "channels_last" else 1
    layer.build([channels if i == axis else None for i in range(4)])
    root = np.sqrt(values[:rank])  # half to each, so that neither kernel has weights of another size
    vertical = (left[:, :rank] * root).reshape(height, 1, channels, rank)
    horizontal = (root[:, None] * right[:rank]).reshape(rank, 1, width, filters).transpose(1, 2, 0, 3)
    layer.set_weights([vertical, horizontal, *([ops.convert_to_numpy(conv2d.bias)] if conv2d.use_bias else [])])
    return layer, float(errors[rank])


# Arguments that mean the same in both layers. Regularizers and constraints speak of a kernel that is no more.
_SHARED = (
    "name",
    "trainable",
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "activation",
    "use_bias",
    "kernel_initializer",
    "bias_initializer",
    "bias_regularizer",
    "bias_constraint",
)


def _rank(rank, tolerance, errors):
    full = len(errors) - 1
    if tolerance is not None:
        tolerance = _checks.number("separate", "tolerance", tolerance, least=0)
        if tolerance >= 1:
            raise ValueError(f"`separate`: `tolerance` must be below 1; got {tolerance!r}.")
        return max(1, int(np.argmax(errors <= tolerance)))
    if rank is None:
        return full
    rank = _checks.positive_int("separate", "rank", rank)
    if rank > full:
        raise ValueError(f"`separate`: `rank` must be at most {full}, the full rank of this kernel; got {rank}.")
    return rank
