"""Where the maps are high, as coordinates that a gradient reaches."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers._hints import DataFormat, Shape, Size, Tensor
from keraslayers.analysis import cost
from keraslayers.analysis.cost import EVERYWHERE, Cost


@_checks.register
class SoftArgmax(keras.layers.Layer):
    """Tells for each map where it is high: the mean of all places, each by its share of a softmax over the map.

    Pixels are squares: the middle of place j of w lies at (j + 0.5) / w of the width. A map that is high at one place
    alone gives that place; one that is high at two gives the middle between them.

    In int8 files for phones the softmax stays in floats; `to_tflite(skip=["SoftArgmax"])` leaves the whole layer there,
    which is nearer yet. As a part of a stock file a softmax has 256 steps, and the shares of a broad peak are less than
    one.

    Input shape: (batch, height, width, points), or (batch, points, height, width) with `"channels_first"`: maps before
    a softmax, one a point. Output shape: (batch, points, 2), of each point x, from the left, and y, from above.

    Args:
        size: (height, width) of the image in whose pixels x and y are told, or a whole number for both. By default
            they are parts of the width and the height, 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; by default Keras's own setting.

    Raises:
        TypeError: if `size` holds no whole numbers.
        ValueError: if one is below 1; or when built if the input has not four axes, or its number of maps is unknown.

    Source: Sun et al. 2018, "Integral human pose regression", arXiv:1711.08229, eq. 2; Nibali et al. 2018, "Numerical
    coordinate regression with convolutional neural networks", arXiv:1801.07372, section 3.
    """

    def __init__(self, size: Size | None = None, *, data_format: DataFormat | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = None if size is None else _checks.positive_pair("SoftArgmax", "size", size)
        self.data_format = _checks.data_format("SoftArgmax", data_format)

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return soft_argmax(inputs, self.size, self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        shape = _checks.axes("SoftArgmax", input_shape, 4)
        return (shape[0], _checks.channels("SoftArgmax", shape, self.data_format, rank=4), 2)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        places = cost.places(input_shape, self.data_format)
        return Cost(multiply_adds=2 * output_shape[1] * places[0] * places[1], window=EVERYWHERE)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}


def soft_argmax(maps, size=None, data_format="channels_last"):
    """Tells for each map where it is high; see `SoftArgmax`.

    Args:
        maps: tensor of shape (batch, height, width, points), or (batch, points, height, width).
        size: (height, width) of the image in whose pixels x and y are told; None for parts of it.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        A tensor of shape (batch, points, 2) of the dtype of `maps`.
    """
    maps = _checks.tensor(maps)
    first = data_format == "channels_first"
    points = maps.shape[1 if first else 3]
    height, width = ops.shape(maps)[2:] if first else ops.shape(maps)[1:3]
    if first:
        flat = ops.reshape(maps, (-1, points, height * width))
    else:
        flat = ops.transpose(ops.reshape(maps, (-1, height * width, points)), (0, 2, 1))
    tall, wide = size or (1, 1)
    dtype = keras.backend.standardize_dtype(maps.dtype)
    # From the middle on: what a softmax lacks to one pulls there, and numbers are small.
    middle = np.array([wide / 2, tall / 2])
    return ops.matmul(ops.softmax(flat, axis=-1), _places(height, width, tall, wide, dtype)) + ops.cast(middle, dtype)


def _places(height, width, tall, wide, dtype):
    """(height * width, 2): x and y of every place, from the middle on. With known sizes a constant."""
    if isinstance(height, int) and isinstance(width, int):
        y, x = ((np.arange(count) + 0.5) / count - 0.5 for count in (height, width))
        return ops.cast(np.stack([np.tile(wide * x, height), np.repeat(tall * y, width)], axis=-1), dtype)
    y, x = (((ops.cast(ops.arange(count), dtype) + 0.5) / ops.cast(count, dtype)) - 0.5 for count in (height, width))
    y, x = (ops.reshape(part, shape) for part, shape in ((tall * y, (-1, 1)), (wide * x, (1, -1))))
    grid = (ops.broadcast_to(part, (height, width)) for part in (x, y))
    return ops.stack([ops.reshape(part, (-1,)) for part in grid], axis=-1)
