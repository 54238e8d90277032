"""Images to another size, larger or smaller, in forms that every runtime takes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers._hints import DataFormat, Shape, Size, Tensor
from keraslayers._repeat import repeat
from keraslayers.analysis import cost
from keraslayers.analysis.cost import Cost

METHODS = ("bilinear", "nearest")


@_checks.register
class Resample2D(keras.layers.Layer):
    """Resizes images, up or down, each axis by its own factor, whole or not.

    Pixels are squares: output pixel i lies at (i + 0.5) * input size / output size - 0.5 of the input. The result is
    that of `keras.ops.image.resize`, and it keeps the dtype; whole numbers, such as bytes, are rounded. Without
    `antialias`, bilinear looks at the two nearest pixels of an axis however much the image shrinks; with it the
    triangle grows with the factor, so that every pixel counts.

    In a .tflite file, bilinear becomes RESIZE_BILINEAR, antialias two products with matrices, and nearest by whole
    factors reshapes and concatenations. LiteRT's GPU accelerator and XNNPACK take all of these whole, in float32 and
    in int8. Nearest by other factors, or smaller, becomes RESIZE_NEAREST_NEIGHBOR, which the GPU takes and XNNPACK
    leaves to LiteRT's built-in kernels; the same goes for whole factors with a prime above 5 in them.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) with `"channels_first"`. Output
    shape: the same with the new height and width. With `scale` they are floor(size * scale), which must leave a pixel;
    of sizes that are not known before the graph runs nothing checks that.

    Args:
        scale: the new size over the old: a number for both axes, or a pair for height and width. It is taken as the
            nearest fraction with a denominator of 4096 at most, so that 0.29 of 100 pixels is 29.
        size: instead of `scale`, the new height and width themselves: a whole number for both, or a pair.
        method: `"bilinear"` or `"nearest"`.
        antialias: whether bilinear averages over all the pixels where the image shrinks.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Raises:
        TypeError: if `size` holds no whole numbers, or `scale` no numbers.
        ValueError: if both of `scale` and `size` are given or none, one is out of its range, `method` is unknown,
            or `antialias` goes with nearest; or when built if the input has not four axes or nothing is left of it.

    Source: Keys 1981, "Cubic convolution interpolation for digital image processing", section II (linear and nearest
    neighbour); the grown triangle: Turkowski 1990, "Filters for common resampling tasks".
    """

    def __init__(
        self,
        scale: float | Sequence[float] | None = None,
        *,
        size: Size | None = None,
        method: Literal["bilinear", "nearest"] = "bilinear",
        antialias: bool = False,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        who = "Resample2D"
        if (size is None) == (scale is None):
            raise ValueError(f"`{who}`: give either `scale` or `size`; got scale={scale!r} and size={size!r}.")
        self.size = None if size is None else _checks.positive_pair(who, "size", size)
        self.scale = None if scale is None else _scales(who, scale)
        self.method = _checks.choice(who, "method", method, METHODS)
        self.antialias = bool(antialias)
        if self.antialias and self.method == "nearest":
            raise ValueError(
                f"`{who}`: `antialias` needs method='bilinear': nearest takes single pixels and averages nothing."
            )
        self.data_format = _checks.data_format(who, data_format)

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        rows = 1 if self.data_format == "channels_last" else 2
        known = tuple(inputs.shape[rows : rows + 2])
        here = ops.shape(inputs)[rows : rows + 2]
        there = self._new_sizes(here)
        if None in known:
            return _by_products(inputs, rows, here, there, self.method, self.antialias, known=False)
        return resample_2d(inputs, there, self.method, self.antialias, self.data_format)

    def _new_sizes(self, sizes):
        if self.size is not None:
            return self.size
        fractions = [Fraction(scale).limit_denominator(4096) for scale in self.scale]
        return tuple(
            None if size is None else size * fraction.numerator // fraction.denominator
            for size, fraction in zip(sizes, fractions, strict=True)
        )

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        shape = _checks.axes("Resample2D", input_shape, 4)
        rows = 1 if self.data_format == "channels_last" else 2
        sizes = self._new_sizes(shape[rows : rows + 2])
        if 0 in sizes:
            raise ValueError(
                f"`Resample2D`: `scale` must leave a pixel at least; got scale={self.scale} for an image of "
                f"{shape[rows]} x {shape[rows + 1]} pixels."
            )
        return (*shape[:rows], *sizes, *shape[rows + 2 :])

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        dtype = self.compute_dtype if keras.backend.is_float_dtype(inputs.dtype) else inputs.dtype
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=dtype)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        old, new = (cost.places(shape, self.data_format) for shape in (input_shape, output_shape))
        sizes = zip(old, new, strict=True)
        return Cost(window=tuple(cost.resized(*pair, self.method, self.antialias) for pair in sizes))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "size": self.size,
            "method": self.method,
            "antialias": self.antialias,
            "data_format": self.data_format,
        }


def _scales(who, scale):
    pair = scale if isinstance(scale, list | tuple) else (scale, scale)
    if len(pair) != 2:
        raise TypeError(f"`{who}`: `scale` must be a number or two, (height, width); got {scale!r}.")
    return tuple(_checks.number(who, "scale", number, above=0) for number in pair)


def resample_2d(x, size, method="bilinear", antialias=False, data_format="channels_last"):
    """Resizes images of known height and width; see `Resample2D`.

    Args:
        x: tensor of shape (batch, height, width, channels), or (batch, channels, height, width).
        size: the new (height, width).
        method: `"bilinear"` or `"nearest"`.
        antialias: whether bilinear averages over all the pixels where the image shrinks.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        A tensor of the dtype of `x`.
    """
    rows = 1 if data_format == "channels_last" else 2
    here = tuple(x.shape[rows : rows + 2])
    if here == tuple(size):
        return x
    if method == "nearest":
        if all(new % old == 0 for old, new in zip(here, size, strict=True)):
            for axis, old, new in zip((rows, rows + 1), here, size, strict=True):
                x = repeat(x, axis, new // old)
            return x
        return ops.image.resize(x, size, interpolation="nearest", data_format=data_format)
    dtype = keras.backend.standardize_dtype(x.dtype)
    shrinks = any(new < old for old, new in zip(here, size, strict=True))
    # TensorFlow resizes in float32 whatever it is given, and has no antialiasing that a .tflite file could hold.
    if (antialias and shrinks) or dtype == "float64":
        return _by_products(x, rows, here, size, method, antialias, known=True)
    whole = not keras.backend.is_float_dtype(dtype)
    x = ops.cast(x, "float32") if whole else x  # not every backend rounds
    x = ops.image.resize(x, size, interpolation="bilinear", data_format=data_format)
    return ops.cast(ops.round(x) if whole else x, dtype)


def _by_products(x, rows, here, there, method, antialias, known):
    """Each axis times the matrix of what the new pixels take from the old ones.

    Args:
        rows: the axis of the height; the width is the next.
        here, there: old and new (height, width): numbers, or tensors where sizes are not known.
        known: whether they are numbers.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    wide = "float64" if dtype == "float64" else "float32"
    x = ops.cast(x, wide)
    if rows == 1:
        x = ops.transpose(x, (0, 3, 1, 2))
    for old, new in zip(here[::-1], there[::-1], strict=True):
        # A matrix on the right is what becomes a FULLY_CONNECTED; on the left the GPU would refuse it.
        x = ops.matmul(x, _matrix(old, new, method, antialias, wide, known))
        x = ops.swapaxes(x, 2, 3)  # the width first, then the height, then back
    x = ops.transpose(x, (0, 2, 3, 1)) if rows == 1 else x
    return ops.cast(x if keras.backend.is_float_dtype(dtype) else ops.round(x), dtype)


def _matrix(old, new, method, antialias, dtype, known):
    """(old, new): the weight of old pixel j in new pixel i. With known sizes a constant, made in numpy."""
    if known:
        lib, cast = np, lambda value: np.asarray(value, "float64")
    else:
        lib, cast = ops, lambda value: ops.cast(value, dtype)
    # In whole numbers as long as it goes: a rounding would move a pixel.
    i, j = lib.arange(new)[None, :], lib.arange(old)[:, None]
    if method == "nearest":
        return ops.convert_to_tensor(cast(lib.equal(j, (2 * i + 1) * old // (2 * new))), dtype)
    # How far the pixels' centres are apart, and where the triangle ends, both times 2 * new.
    apart = lib.abs((2 * j + 1) * new - (2 * i + 1) * old)
    reach = 2 * (lib.maximum(old, new) if antialias else new)
    shares = cast(lib.maximum(reach - apart, 0))
    # Pixels beyond the border have none; the others share all.
    return ops.convert_to_tensor(shares / lib.sum(shares, axis=0, keepdims=True), dtype)
