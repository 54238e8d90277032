"""Hard activations: piecewise linear stand-ins for sigmoid, swish and tanh that phones compute cheaply."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Shape, Tensor
from keraslayers.analysis.cost import Cost

# Each formula is relu6(slope * x + 3) / 6.
SLOPES = {"mobilenet": 1.0, "keras2": 1.2, "binarynet": 3.0}


def hard_sigmoid(x: Tensor, variant: Literal["mobilenet", "keras2", "binarynet"] = "mobilenet") -> Tensor:
    """Piecewise linear sigmoid, by one of the three formulas in use.

    Args:
        x: tensor of any shape.
        variant: `"mobilenet"` is relu6(x + 3) / 6 (Howard et al. 2019, arXiv:1905.02244, section 5.2;
            PyTorch and Keras 3 use it), `"keras2"` is clip(0.2 x + 0.5, 0, 1) (Keras before 3, Theano),
            `"binarynet"` is clip((x + 1) / 2, 0, 1) (Courbariaux et al. 2016, arXiv:1602.02830, eq. 3).

    Returns:
        A tensor of the shape and dtype of `x`, within [0, 1].

    Raises:
        ValueError: if `variant` is none of the three.
    """
    slope = SLOPES[_checks.choice("hard_sigmoid", "variant", variant, SLOPES)]
    x = _checks.tensor(x)
    return ops.relu6((x if slope == 1.0 else slope * x) + 3.0) * (1.0 / 6.0)


class _Activation(keras.layers.Layer):
    """An elementwise layer: any input shape, the same output shape, no weights."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        return Cost()


@_checks.register
class HardSigmoid(_Activation):
    """Piecewise linear sigmoid.

    Input shape: any. Output shape: the same.

    Args:
        variant: the formula, `"mobilenet"` (default), `"keras2"` or `"binarynet"`; see
            `keraslayers.hard_sigmoid`.

    Raises:
        ValueError: if `variant` is none of the three.

    Source: Howard et al. 2019, arXiv:1905.02244, section 5.2; those of the other variants stand at
    `keraslayers.hard_sigmoid`.
    """

    def __init__(self, variant: Literal["mobilenet", "keras2", "binarynet"] = "mobilenet", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.variant = _checks.choice("HardSigmoid", "variant", variant, SLOPES)

    def call(self, inputs: Tensor) -> Tensor:
        return hard_sigmoid(inputs, self.variant)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "variant": self.variant}


@_checks.register
class HardSwish(_Activation):
    """x * relu6(x + 3) / 6.

    Input shape: any. Output shape: the same. Source: Howard et al. 2019, arXiv:1905.02244, section 5.2.
    """

    def call(self, inputs: Tensor) -> Tensor:
        return ops.hard_swish(inputs)


@_checks.register
class HardTanh(_Activation):
    """clip(x, -1, 1).

    Input shape: any. Output shape: the same. Source: Collobert 2004, "Large Scale Machine Learning" (thesis).
    """

    def call(self, inputs: Tensor) -> Tensor:
        return ops.hard_tanh(inputs)


@_checks.register
class ReLU6(_Activation):
    """min(max(x, 0), 6).

    Input shape: any. Output shape: the same. Source: Krizhevsky 2010, "Convolutional Deep Belief Networks on
    CIFAR-10"; Sandler et al. 2018 (MobileNet V2), arXiv:1801.04381, section 4.
    """

    def call(self, inputs: Tensor) -> Tensor:
        return ops.relu6(inputs)


@_checks.register
class ShiftLeakyReLU(_Activation):
    """max(x, 0) + min(x, 0) * multiplier / 2**shift: a leaky ReLU whose slope integer hardware has exactly.

    The default slope is 13 / 128 = 0.1015625, the nearest to 0.1 in seven bits: a product and a shift. In floating
    point nothing is rounded to integers.

    Input shape: any. Output shape: the same.

    Args:
        multiplier: whole number, 1 or more.
        shift: whole number of bits, 0 to 31.

    Raises:
        TypeError: if `multiplier` or `shift` is no whole number.
        ValueError: if one of them is out of its range.

    Source: Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models", eq. 2; the shift in
    place of a division, Jacob et al. 2018, arXiv:1712.05877, section 2.2.
    """

    def __init__(self, multiplier: int = 13, shift: int = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiplier = _checks.positive_int("ShiftLeakyReLU", "multiplier", multiplier)
        self.shift = _checks.whole_number("ShiftLeakyReLU", "shift", shift, least=0)
        if self.shift > 31:
            raise ValueError(f"`ShiftLeakyReLU`: `shift` must be 31 at most; got {self.shift}.")

    def call(self, inputs: Tensor) -> Tensor:
        return ops.leaky_relu(inputs, negative_slope=self.multiplier / 2**self.shift)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiplier": self.multiplier, "shift": self.shift}
