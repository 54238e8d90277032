"""Positions that are learnt, one vector for each token of an image; they fit images of other sizes, too."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Array, Initializer, Shape, Size, Tensor
from keraslayers.analysis.cost import Cost


@_checks.register
class LearnedPositions(keras.layers.Layer):
    """Adds a vector to each token that tells where in the image it comes from.

    The tokens come row by row; `prefix` of them, such as a class token, stand before and have no place. Weights that
    were learnt on images of another size are resized when they are loaded, by `load_weights` or from a `.keras` file:
    bicubically over the places, those of the prefix as they are.

    Input shape: (batch, prefix + height * width, channels). Output shape: the same.

    Weights: `positions` (prefix + height * width, channels).

    Args:
        size: tokens of the image, (height, width), or a whole number for both.
        prefix: tokens before those of the image.
        initializer: of the positions; truncated at two deviations of 0.02 by default, as published networks have it.

    Raises:
        TypeError: if `size` or `prefix` is of another type.
        ValueError: if one of them is out of range, or when built if the input has not three axes, other tokens, or
            unknown channels; when weights are loaded that are of no image.

    Source: Dosovitskiy et al. 2020, arXiv:2010.11929, eq. 1 and section 3.2 (other sizes).
    """

    def __init__(self, size: Size, prefix: int = 0, initializer: Initializer | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = _checks.positive_pair("LearnedPositions", "size", size)
        self.prefix = _checks.whole_number("LearnedPositions", "prefix", prefix, least=0)
        self.initializer = keras.initializers.get(
            keras.initializers.TruncatedNormal(stddev=0.02) if initializer is None else initializer
        )

    @property
    def tokens(self) -> int:
        """How many there are with those before the image."""
        return self.prefix + self.size[0] * self.size[1]

    def build(self, input_shape: Shape) -> None:
        channels = _checks.channels("LearnedPositions", input_shape, "channels_last", rank=3)
        if input_shape[1] not in (None, self.tokens):
            raise ValueError(
                f"`LearnedPositions`: the input must have {self.tokens} tokens, `prefix` {self.prefix} and `size` "
                f"{self.size}; got {input_shape[1]}."
            )
        self.positions = self.add_weight(name="positions", shape=(self.tokens, channels), initializer=self.initializer)

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + ops.cast(self.positions, inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        return Cost()  # additions of constants count as biases do

    def load_own_variables(self, store: Any) -> None:
        self.positions.assign(self.resized(np.asarray(store["0"], "float32")))

    def takes(self, shape: Shape) -> bool:
        """Whether positions of that shape are the layer's, or can be resized to be."""
        if len(shape) != 2 or shape[1] != self.positions.shape[1]:
            return False
        return shape[0] == self.tokens or _side(shape[0] - self.prefix) > 0

    def resized(self, positions: Array) -> Array:
        """Positions that were learnt on a square image of any size, or on one of the layer's, for the layer's.

        Args:
            positions: array of (prefix + height * width, channels).

        Raises:
            ValueError: if they are of neither.
        """
        positions, channels = np.asarray(positions), self.positions.shape[1]
        if not self.takes(positions.shape):
            raise ValueError(
                f"`LearnedPositions`: weights must be (tokens, {channels}), of {self.prefix} tokens before a square "
                f"image or of {self.tokens} tokens in all; got the shape {positions.shape}."
            )
        if len(positions) == self.tokens:
            return positions
        side = _side(len(positions) - self.prefix)
        maps = positions[self.prefix :].reshape(side, side, channels)
        maps = ops.image.resize(maps, self.size, interpolation="bicubic", antialias=True, data_format="channels_last")
        places = ops.convert_to_numpy(maps).reshape(-1, channels)
        return np.concatenate([positions[: self.prefix], places])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "size": self.size,
            "prefix": self.prefix,
            "initializer": keras.initializers.serialize(self.initializer),
        }


def _side(places):
    """The side of a square of so many places; 0 where they make none."""
    side = math.isqrt(max(places, 0))
    return side if side * side == places else 0
