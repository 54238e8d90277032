"""A token that is learnt, put before the others: what a transformer tells of the whole stands there."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Initializer, Shape, Tensor
from keraslayers.analysis.cost import Cost


@_checks.register
class ClassToken(keras.layers.Layer):
    """Puts tokens that are learnt before those of the input; a transformer's answer is read from the first.

    Input shape: (batch, tokens, channels). Output shape: (batch, count + tokens, channels).

    Weights: `token` (count, channels).

    Args:
        count: how many: the class token alone, or registers beside it.
        initializer: of the tokens.

    Raises:
        TypeError: if `count` is no whole number.
        ValueError: if `count` is below 1, or when built if the input has not three axes or unknown channels.

    Source: Dosovitskiy et al. 2020, arXiv:2010.11929, eq. 1; registers: Darcet et al. 2023, arXiv:2309.16588.
    """

    def __init__(self, count: int = 1, initializer: Initializer = "zeros", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = _checks.positive_int("ClassToken", "count", count)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: Shape) -> None:
        channels = _checks.channels("ClassToken", input_shape, "channels_last", rank=3)
        self.token = self.add_weight(name="token", shape=(self.count, channels), initializer=self.initializer)

    def call(self, inputs: Tensor) -> Tensor:
        token = ops.cast(self.token, inputs.dtype)
        # The same for every image, as `ops.broadcast_to` makes it in a file of any batch.
        tokens = ops.broadcast_to(token, (ops.shape(inputs)[0], *token.shape))
        return ops.concatenate([tokens, inputs], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        batch, tokens, channels = _checks.axes("ClassToken", input_shape, 3)
        return (batch, None if tokens is None else self.count + tokens, channels)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        return Cost()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "count": self.count,
            "initializer": keras.initializers.serialize(self.initializer),
        }
