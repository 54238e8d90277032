"""The largest value that a model computes, beside the largest that 16-bit floats hold."""

from __future__ import annotations

from dataclasses import dataclass

# Beyond it float16 has infinity alone.
FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class Largest:
    """The largest absolute value that any layer computes on the first samples, 32 at most.

    Measured is what layers give, and within them the sums that a global average pooling divides, and the squares that
    a layer normalization takes; what other layers add up inside is not.

    Attributes:
        layer: which one.
        value: its size.
        inside: whether it stays inside of the layer.
    """

    layer: str
    value: float
    inside: bool = False

    def __str__(self) -> str:
        return (
            f"the largest value on the samples is {self.value:.4g}, {'inside' if self.inside else 'out'} of layer "
            f"`{self.layer}`; float16, in which phones' GPUs compute, ends at {FLOAT16_MAX:.0f}"
        )
