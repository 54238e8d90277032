"""Outputs that are there for training only."""

from __future__ import annotations

from typing import Any

import keras

from keraslayers import _checks
from keraslayers._hints import Shape, Tensor
from keraslayers.analysis.cost import Cost


@_checks.register
class AuxiliaryOutput(keras.layers.Layer):
    """Marks an output that helps training and that `keraslayers.export` leaves out of the file.

    It changes nothing: what goes in comes out. With `model.fit` it is an output like any other, with the layer's name:

    ```python
    model = keraslayers.models.GoogLeNet(input_shape=(96, 96, 3), aux_heads=True)
    losses = dict.fromkeys(model.output_names, "categorical_crossentropy")
    model.compile("adam", losses, loss_weights={"predictions": 1.0, "aux1": 0.3, "aux2": 0.3})
    ```

    Input shape: any. Output: the same.

    Source: Szegedy et al. 2015, arXiv:1409.4842, section 5: auxiliary classifiers "at inference time, ... are
    discarded".
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call_cost(self, input_shape: Shape, output_shape: Shape) -> Cost:
        return Cost(free=True)
