"""Any activation as a table: what hardware without exponentials computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Shape, Tensor
from keraslayers.analysis.cost import Cost


@_checks.register
class TableActivation(keras.layers.Layer):
    """An elementwise function read from a table, with straight lines between the entries.

    The entries stand at equal distances from `low` to `high`, both included; beyond them the first and last entry
    hold on. Between two entries the output is off by `(high - low)**2 / (8 * (entries - 1)**2)` times the largest
    second derivative at most: 5e-5 for a sigmoid with the default arguments, whose ends are 0 and 1 to within 4e-4.
    The gradient is that of the lines, and zero beyond the ends. What is not a number stays so.

    In a .tflite file the table is read by GATHER. LiteRT's GPU accelerator takes all of it, in float32 and in int8;
    XNNPACK takes no GATHER, so that on the CPU LiteRT's built-in kernels read the table and the graph falls apart
    there. A file that need not show the table's own errors is better off with the function itself: from an int8
    sigmoid, tanh, ELU, GELU, exponential and the like LiteRT makes a table of all 256 inputs by itself.

    Input shape: any. Output shape: the same.

    Args:
        function: what the table holds: the name of a Keras activation, or a callable of a tensor that works element
            by element. To be saved, a callable must be registered with `keras.saving.register_keras_serializable`.
        low, high: the ends of the table.
        entries: its length, 2 or more.

    Raises:
        TypeError: if `low` or `high` is no number or `entries` no whole number.
        ValueError: if `function` is no activation's name, does not work element by element, or is not finite
            everywhere in the table; if `high` is not above `low`, or `entries` is below 2.

    Source: Amin et al. 1997, "Piecewise linear approximation applied to nonlinear function of a neural network",
    IEE Proceedings - Circuits, Devices and Systems 144(6).
    """

    def __init__(
        self,
        function: str | Callable[[Tensor], Tensor],
        low: float = -8.0,
        high: float = 8.0,
        entries: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        who = "TableActivation"
        try:
            self.function = keras.activations.get(function)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"`{who}`: `function` must be the name of a Keras activation or a callable; got {function!r}."
            ) from error
        self.low = _checks.number(who, "low", low)
        self.high = _checks.number(who, "high", high)
        if self.high <= self.low:
            raise ValueError(f"`{who}`: `high` must be above `low`; got low={self.low} and high={self.high}.")
        self.entries = _checks.whole_number(who, "entries", entries, least=2)
        self._entries = self._tabulate()
        self.supports_masking = True

    def _tabulate(self):
        def compute(places):
            return ops.convert_to_numpy(self.function(ops.convert_to_tensor(places.astype("float32"))))

        places = np.linspace(self.low, self.high, self.entries)
        values = compute(places)
        # A function that looks at its neighbours, such as softmax, finds others in a part of the table.
        if values.shape != places.shape or not np.allclose(compute(places[:1]), values[:1], equal_nan=True):
            raise ValueError(
                f"`TableActivation`: `function` must work element by element; {_name(self.function)} does not."
            )
        if not np.isfinite(values).all():
            raise ValueError(
                f"`TableActivation`: `function` must be finite from `low` to `high`; {_name(self.function)} is "
                f"{values[~np.isfinite(values)][0]} at {places[~np.isfinite(values)][0]:g}."
            )
        return values.astype("float64")

    def call(self, inputs: Tensor) -> Tensor:
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        # In 16 bits an entry's number leaves few or no bits for the place between two entries.
        wide = "float32" if dtype in ("float16", "bfloat16") else dtype
        per_unit = (self.entries - 1) / (self.high - self.low)
        place = ops.clip((ops.cast(inputs, wide) - self.low) * per_unit, 0.0, self.entries - 1.0)
        # The last entry has no line of its own: it ends the one before.
        left = ops.minimum(ops.floor(ops.stop_gradient(place)), self.entries - 2.0)
        # What is not a number becomes some integer, and has to be an index; the place makes it no number again. The GPU
        # runtime gathers by indices of one axis alone.
        index = ops.reshape(ops.clip(ops.cast(left, "int32"), 0, self.entries - 2), (-1,))
        shape = ops.shape(inputs)

        def look_up(values):
            return ops.reshape(ops.take(ops.convert_to_tensor(values[:, None].astype(wide)), index, axis=0), shape)

        outputs = look_up(self._entries[:-1]) + (place - left) * look_up(np.diff(self._entries))
        return ops.cast(outputs, dtype)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        return Cost()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "function": keras.activations.serialize(self.function),
            "low": self.low,
            "high": self.high,
            "entries": self.entries,
        }


def _name(function):
    return getattr(function, "__name__", None) or getattr(function, "name", None) or type(function).__name__
