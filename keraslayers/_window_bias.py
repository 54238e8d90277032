"""What attention within windows adds to its scores: a learnt bias for each offset, and a mask for strangers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Shape, Tensor

# What is added to the score of places that are no neighbours: after softmax next to nothing, and no infinity.
MASKED = -100.0


@_checks.register
class WindowBias(keras.layers.Layer):
    """scores + the bias of each pair's offset, and for pairs that a shift brought together a mask.

    A layer of its own, so that files of integers can have it in floats, between the products of attention.

    Input shape: (batch * windows, num_heads, tokens, tokens). Output shape: the same.

    Args:
        num_heads: heads of the attention.
        window_size: (height, width) of a window.
        size: (height, width) of the maps, which windows fill.
        shifts: places by which they are moved, (down, right).
    """

    def __init__(
        self, num_heads: int, window_size: Sequence[int], size: Sequence[int], shifts: Sequence[int], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.window_size = tuple(window_size)
        self.size = tuple(size)
        self.shifts = tuple(shifts)

    def build(self, input_shape: Shape) -> None:
        tall, wide = self.window_size
        self.table = self.add_weight(
            name="bias_table",
            shape=((2 * tall - 1) * (2 * wide - 1), self.num_heads),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )

    def call(self, scores: Tensor) -> Tensor:
        tokens = scores.shape[2]
        bias = ops.take(ops.cast(self.table, scores.dtype), _offsets(*self.window_size), axis=0)
        scores = scores + ops.reshape(ops.transpose(bias, (1, 0)), (1, self.num_heads, tokens, tokens))
        if not any(self.shifts):
            return scores
        mask = _strangers(self.size, self.window_size, self.shifts) * MASKED
        # The windows of each image meet theirs; the pairs share one axis, so that there are four.
        shape = (-1, len(mask), self.num_heads, tokens * tokens)
        mask = ops.convert_to_tensor(mask.reshape(len(mask), 1, tokens * tokens), scores.dtype)
        return ops.reshape(ops.reshape(scores, shape) + mask, (-1, self.num_heads, tokens, tokens))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "window_size": self.window_size,
            "size": self.size,
            "shifts": self.shifts,
        }


def _offsets(tall, wide):
    """For each pair of tokens of a window the row of the bias table: of the offset from the second to the first."""
    rows, columns = (axis.reshape(-1) for axis in np.mgrid[:tall, :wide])
    down = rows[:, None] - rows + tall - 1
    right = columns[:, None] - columns + wide - 1
    return (down * (2 * wide - 1) + right).reshape(-1).astype("int32")


def _strangers(full, window, shifts):
    """For each window of shifted maps and pair of its tokens whether one came around an end and the other did not."""
    sides = [np.arange(side) >= side - shift for side, shift in zip(full, shifts, strict=True)]
    around = 2 * sides[0][:, None] + sides[1]
    rows, columns = full[0] // window[0], full[1] // window[1]
    parts = around.reshape(rows, window[0], columns, window[1]).transpose(0, 2, 1, 3).reshape(rows * columns, -1)
    return (parts[:, :, None] != parts[:, None]).astype("float32")
