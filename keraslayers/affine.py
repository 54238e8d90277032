"""A factor and an offset for each channel, learnt: what stands for a normalization where there are no statistics."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Initializer, Shape, Tensor
from keraslayers.analysis.cost import Cost


@_checks.register
class Affine(keras.layers.Layer):
    """inputs * gamma + beta, channel by channel: a normalization without statistics.

    Input shape: any of two axes at least, the batch included. Output shape: the same.

    Weights: with `scale` gamma, with `center` beta, one number a channel.

    Args:
        axis: the axis of the channels, not that of the batch.
        center: whether beta is added.
        scale: whether gamma is multiplied with; without, the layer is a bias.
        gamma_initializer: of gamma.
        beta_initializer: of beta.

    Raises:
        TypeError: if `axis` is no whole number.
        ValueError: if there is neither `center` nor `scale`, or when built if the input has no such axis, or its
            channels are unknown.

    Source: Touvron et al. 2021, "ResMLP: Feedforward networks for image classification with data-efficient training",
    arXiv:2105.03404, eq. 1.
    """

    def __init__(
        self,
        axis: int = -1,
        center: bool = True,
        scale: bool = True,
        gamma_initializer: Initializer = "ones",
        beta_initializer: Initializer = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Any whole number goes: which of them the input has is known when built.
        self.axis = _checks.whole_number(type(self).__name__, "axis", axis, least=-(2**31))
        self.center, self.scale = bool(center), bool(scale)
        if not center and not scale:
            raise ValueError("`Affine`: one of `center` and `scale` must be true, else it does nothing; got neither.")
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        who, axes = type(self).__name__, len(input_shape)
        if not (-axes < self.axis < 0 or 0 < self.axis < axes):
            raise ValueError(
                f"`{who}`: `axis` must be an axis of the input, not that of the batch; got axis={self.axis} for the "
                f"shape {tuple(input_shape)}."
            )
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"`{who}`: the channels must be known, which are axis {self.axis}; got the shape {tuple(input_shape)}."
            )
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(name="gamma", shape=(channels,), initializer=self.gamma_initializer)
        if self.center:
            self.beta = self.add_weight(name="beta", shape=(channels,), initializer=self.beta_initializer)

    def call(self, inputs: Tensor) -> Tensor:
        if self.scale:
            inputs = inputs * self._spread(self.gamma, inputs)
        return inputs + self._spread(self.beta, inputs) if self.center else inputs

    def _spread(self, weight, inputs):
        """A weight in the shape in which it meets the inputs."""
        weight = ops.cast(weight, inputs.dtype)
        behind = -self.axis - 1 if self.axis < 0 else len(inputs.shape) - self.axis - 1
        return ops.reshape(weight, (-1, *(1,) * behind)) if behind else weight

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        return Cost()  # by the convention, as normalizations

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "center": self.center,
            "scale": self.scale,
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
        }


@_checks.register
class LayerScale(Affine):
    """inputs * gamma, where gamma starts small: a deep network of residual branches starts as next to nothing.

    Input shape: any of two axes at least, the batch included. Output shape: the same.

    Weights: `gamma`, one number a channel.

    Args:
        initial_value: of gamma: 0.1 in 12 blocks, 1e-5 in 24, 1e-6 in 36 and more (section 3.2 of the source).
        axis: the axis of the channels, not that of the batch.

    Raises:
        TypeError: if `axis` is no whole number, or `initial_value` no number.
        ValueError: when built if the input has no such axis, or its channels are unknown.

    Source: Touvron et al. 2021, "Going deeper with image transformers", arXiv:2103.17239, eq. 4.
    """

    def __init__(self, initial_value: float = 1e-5, axis: int = -1, **kwargs: Any) -> None:
        self.initial_value = _checks.number("LayerScale", "initial_value", initial_value)
        super().__init__(
            axis, center=False, gamma_initializer=keras.initializers.Constant(self.initial_value), **kwargs
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("center", "scale", "gamma_initializer", "beta_initializer"):  # they are what makes it of an Affine
            del config[name]
        return {**config, "initial_value": self.initial_value}
