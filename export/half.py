"""How near a model comes to the largest number of 16 bits, in which phones' GPUs compute."""

from dataclasses import dataclass

import keras

from keraslayers.export.passes._graph import laid_open, owner

# Beyond it float16 has infinity alone.
HALF = 65504.0


@dataclass(frozen=True)
class Largest:
    """The largest absolute value that any layer gives on the samples.

    Attributes:
        layer: which one.
        value: its size.
    """

    layer: str
    value: float

    def __str__(self):
        return (
            f"the largest value on the samples is {self.value:.4g}, out of layer `{self.layer}`; float16, in which "
            f"phones' GPUs compute, ends at {HALF:.0f}"
        )


def largest_value(interface, samples):
    """Measures a Functional or Sequential model; returns a `Largest`."""
    flat = laid_open(interface.model)
    found = [
        (owner(node.operation).name, tensor)
        for nodes in flat._nodes_by_depth.values()
        for node in nodes
        if not node.is_input
        for tensor in node.outputs
        if keras.backend.is_float_dtype(tensor.dtype)
    ]
    if not found:
        return Largest("", 0.0)
    values = interface.largest(samples, flat, [tensor for _, tensor in found])
    value, layer = max((value, layer) for (layer, _), value in zip(found, values, strict=True))
    return Largest(layer, value)
