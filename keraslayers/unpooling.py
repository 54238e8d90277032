"""Max pooling that remembers where the maximum was, and its way back."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import DataFormat, Shape, Size, Tensor
from keraslayers._repeat import repeat
from keraslayers.analysis import cost
from keraslayers.analysis.cost import Cost, Window


@_checks.register
class MaxPoolWithIndices2D(keras.layers.Layer):
    """Max pooling that also returns where each maximum was.

    Outputs the pair (pooled, indices). An index counts the pixels of its own channel, row by row: y * width + x of the
    input, in int32, as PyTorch counts them (TensorFlow's `max_pool_with_argmax` counts channels too). Of equal
    maxima the first counts, row by row; the gradient goes there too. Windows do not overlap; the rows and columns that
    fill none are left out, as with `padding="valid"`.

    A .tflite file of it holds nothing but plain operators, and LiteRT's GPU accelerator takes all of them, in float32
    and in int8. XNNPACK has no comparisons, so that on the CPU LiteRT's built-in kernels compute these. In int8 two
    maxima may round to the same number, and the first of them counts.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`; the
    channels must be known. Output shape: twice the same with height // pool height and width // pool width.

    Args:
        pool_size: the window's height and width: a whole number for both, or a pair.
        strides: nothing else than `pool_size`; here to say so to those who try.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Raises:
        TypeError: if `pool_size` holds no whole numbers.
        ValueError: if it is below 1 or `strides` is another; or when built if the input has not four axes, its
            channels are unknown, or it is smaller than a window.

    Source: Zeiler and Fergus 2014, arXiv:1311.2901, section 2.1 ("switches"); Badrinarayanan et al. 2017 (SegNet),
    arXiv:1511.00561, section 3.
    """

    def __init__(
        self, pool_size: Size = 2, strides: Size | None = None, data_format: DataFormat | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        who = "MaxPoolWithIndices2D"
        self.pool_size = _checks.positive_pair(who, "pool_size", pool_size)
        self.strides = _same_strides(who, strides, self.pool_size)
        self.data_format = _checks.data_format(who, data_format)

    def build(self, input_shape: Shape) -> None:
        _checks.channels("MaxPoolWithIndices2D", input_shape, self.data_format, rank=4)
        shape = self.compute_output_shape(input_shape)[0]
        if 0 in shape[1:]:
            raise ValueError(
                f"`MaxPoolWithIndices2D`: the input must hold a window of `pool_size`={self.pool_size} at least; got "
                f"the shape {tuple(input_shape)} with data_format={self.data_format!r}."
            )

    def call(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        if self.data_format == "channels_last":
            return max_pool_with_indices(inputs, self.pool_size)
        outputs = max_pool_with_indices(ops.transpose(inputs, (0, 2, 3, 1)), self.pool_size)
        return tuple(ops.transpose(output, (0, 3, 1, 2)) for output in outputs)

    def compute_output_shape(self, input_shape: Shape) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        shape = list(_checks.axes("MaxPoolWithIndices2D", input_shape, 4))
        for axis, window in zip(_places(self.data_format), self.pool_size, strict=True):
            shape[axis] = None if shape[axis] is None else shape[axis] // window
        return tuple(shape), tuple(shape)

    def compute_output_spec(self, inputs: Tensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        shape, _ = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=self.compute_dtype), keras.KerasTensor(shape, dtype="int32")

    def call_cost(self, input_shape: Shape, output_shape: Sequence[Shape]) -> Cost:
        sizes = cost.places(input_shape, self.data_format)
        return Cost(window=cost.sliding(sizes, self.pool_size, self.pool_size, "valid"))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "data_format": self.data_format,
        }


@_checks.register
class MaxUnpool2D(keras.layers.Layer):
    """Puts pooled values back where the maxima were, and zeros elsewhere.

    Takes the pair [values, indices], the indices as `MaxPoolWithIndices2D` counts them. Since windows do not overlap,
    no scatter is needed: the values are repeated over their windows and kept where the index is the pixel's own. An
    index outside of its window keeps nothing.

    A .tflite file of it runs whole on LiteRT's GPU accelerator, in float32 and in int8; XNNPACK leaves the indices to
    LiteRT's built-in kernels, since it knows no 32-bit integers.

    Input shape: twice (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`.
    Output shape: the same with `output_size`, by default (height * pool height, width * pool width).

    Args:
        pool_size: the window's height and width: a whole number for both, or a pair.
        strides: nothing else than `pool_size`; here to say so to those who try.
        output_size: height and width of the image that was pooled; needed where windows did not fill it, since the
            indices count its pixels.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Raises:
        TypeError: if `pool_size` or `output_size` holds no whole numbers.
        ValueError: if one of them is below 1 or `strides` is another; or when built if the input is no pair of two
            shapes with four axes, or `output_size` is not what pooling makes of it.

    Source: Zeiler and Fergus 2014, arXiv:1311.2901, section 2.1; Badrinarayanan et al. 2017 (SegNet),
    arXiv:1511.00561, section 3.
    """

    def __init__(
        self,
        pool_size: Size = 2,
        strides: Size | None = None,
        output_size: Size | None = None,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        who = "MaxUnpool2D"
        self.pool_size = _checks.positive_pair(who, "pool_size", pool_size)
        self.strides = _same_strides(who, strides, self.pool_size)
        if output_size is not None:
            output_size = _checks.positive_pair(who, "output_size", output_size)
        self.output_size = output_size
        self.data_format = _checks.data_format(who, data_format)

    def build(self, input_shape: Sequence[Shape]) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        values, indices = inputs
        if self.data_format == "channels_last":
            return max_unpool(values, indices, self.pool_size, self.output_size)
        values, indices = (ops.transpose(tensor, (0, 2, 3, 1)) for tensor in (values, indices))
        return ops.transpose(max_unpool(values, indices, self.pool_size, self.output_size), (0, 3, 1, 2))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> tuple[int | None, ...]:
        who = "MaxUnpool2D"
        if len(input_shape) != 2 or not all(isinstance(shape, tuple | list) for shape in input_shape):
            raise ValueError(f"`{who}`: the input must be the pair [values, indices]; got the shape {input_shape}.")
        values, indices = (_checks.axes(who, shape, 4) for shape in input_shape)
        if any(None not in (one, other) and one != other for one, other in zip(values, indices, strict=True)):
            raise ValueError(f"`{who}`: values and indices must have one shape; got {values} and {indices}.")
        shape = list(values)
        for axis, window, size in zip(
            _places(self.data_format), self.pool_size, self.output_size or (None, None), strict=True
        ):
            if shape[axis] is not None and size is not None and size // window != shape[axis]:
                raise ValueError(
                    f"`{who}`: `output_size` must be what pooling made the values of: of {shape[axis]} windows of "
                    f"{window}, {shape[axis] * window} to {shape[axis] * window + window - 1}; "
                    f"got output_size={self.output_size}."
                )
            shape[axis] = size if shape[axis] is None or size is not None else shape[axis] * window
        return tuple(shape)

    def call_cost(self, input_shape: Sequence[Shape], output_shape: Shape) -> Cost:
        return Cost(window=tuple(Window(1, Fraction(1, window)) for window in self.pool_size))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "output_size": self.output_size,
            "data_format": self.data_format,
        }


def _places(data_format):
    return (1, 2) if data_format == "channels_last" else (2, 3)


def _same_strides(who: str, strides: Size | None, pool_size: tuple[int, int]) -> tuple[int, int]:
    if strides is None:
        return pool_size
    strides = _checks.positive_pair(who, "strides", strides)
    if strides != pool_size:
        raise ValueError(
            f"`{who}`: `strides` must be `pool_size`, since a pixel in two windows has no single way back; got "
            f"strides={strides} for pool_size={pool_size}."
        )
    return strides


def max_pool_with_indices(x, pool_size):
    """See `MaxPoolWithIndices2D`; for channels_last.

    Args:
        x: tensor of shape (batch, height, width, channels).
        pool_size: (height, width) of a window.

    Returns:
        (pooled, indices), both of shape (batch, height // pool height, width // pool width, channels).
    """
    tall, wide = pool_size
    batch, height, width, channels = ops.shape(x)
    rows, columns = height // tall, width // wide
    # No tensor of more than four axes: first the windows' rows are cut apart, then the pixels of a row of a window.
    x = ops.reshape(x[:, : rows * tall, : columns * wide], (batch, rows, tall, columns * wide * channels))
    pooled = places = None
    for i in range(tall):
        row = ops.reshape(x[:, :, i : i + 1], (batch, rows, columns, wide * channels))
        for j in range(wide):
            pixel, place = row[..., j * channels : (j + 1) * channels], i * width + j
            if pooled is None:
                pooled, places = pixel, ops.zeros_like(pixel, dtype="int32")
            else:
                larger = pixel > pooled
                pooled, places = ops.where(larger, pixel, pooled), ops.where(larger, place, places)
    return pooled, places + _pixels(rows, columns, width, tall, wide)


def max_unpool(values, indices, pool_size, output_size=None):
    """See `MaxUnpool2D`; for channels_last.

    Args:
        values: tensor of shape (batch, rows, columns, channels).
        indices: whole numbers of the same shape.
        pool_size: (height, width) of a window.
        output_size: (height, width) of the result; by default what the windows fill.

    Returns:
        A tensor of shape (batch, height, width, channels) and the dtype of `values`.
    """
    tall, wide = pool_size
    _, rows, columns, _ = ops.shape(values)
    height, width = output_size or (rows * tall, columns * wide)
    own = _pixels(rows * tall, columns * wide, width, 1, 1)
    spread = [repeat(repeat(tensor, 2, wide), 1, tall) for tensor in (values, indices)]
    # An infinite value makes NaN of its window. With where() it would not, and pooling and back take a sixth longer.
    outputs = spread[0] * ops.cast(ops.equal(spread[1], own), values.dtype)
    if output_size is None:
        return outputs
    return ops.pad(outputs, ((0, 0), (0, height - rows * tall), (0, width - columns * wide), (0, 0)))


def _pixels(rows, columns, width, down, right):
    """(1, rows, columns, 1): the numbers of pixels in an image of `width`, every `down` rows and `right` columns."""
    y = ops.reshape(ops.arange(rows, dtype="int32"), (1, -1, 1, 1)) * (down * width)
    return y + ops.reshape(ops.arange(columns, dtype="int32"), (1, 1, -1, 1)) * right
