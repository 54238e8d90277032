"""What an analysis found: a row a call, and the totals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from keraslayers import _checks
from keraslayers._hints import Path, Precision
from keraslayers.analysis.cost import BYTES

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, Group


@dataclass(frozen=True, kw_only=True)
class LayerAnalysis:
    """One call of a layer. What is unknown is None.

    Attributes:
        name: name of the layer, those of nested models before it: "encoder/conv1".
        kind: class of the layer, or operator of a file.
        output_shape: batch included; a list of them for several outputs.
        parameters: elements of its weights that no row before has counted.
        trainable_parameters: those among them that training changes.
        multiply_adds: see `keraslayers.Cost`.
        activation_products: see there.
        flops: see there.
        inputs: elements read that the layer was given.
        outputs: elements written.
        weights: elements read that it has.
        receptive_field: pixels of the model's input that a place of the output sees, a number an axis.
        stride: pixels between the fields of two neighbours (jump).
        start: first pixel of the first field; below zero in the padding. Place i sees the pixels from
            start + i * stride on. Behind a layer that makes images larger places differ, and the widest is told.
        depth: convolutions on the longest path up to here.
        width: channels of the output.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] | list[tuple[int, ...]]
    parameters: int
    trainable_parameters: int
    multiply_adds: int | None
    activation_products: int | None
    flops: int | None
    inputs: int | None
    outputs: int | None
    weights: int | None
    receptive_field: tuple[float, ...] | None
    stride: tuple[float | Fraction, ...] | None
    start: tuple[float | Fraction, ...] | None
    depth: int
    width: int

    @property
    def known(self) -> bool:
        """Whether the cost of the layer is known."""
        return self.multiply_adds is not None

    @property
    def memory(self) -> int | None:
        """Elements read and written: input + output + weights, `H*W*M + H'*W'*N + K*K*M*N` for a convolution."""
        return self.inputs + self.outputs + self.weights if self.known else None

    def bytes(self, precision: Precision = "float32") -> int | None:
        """`memory` in bytes, of a file of that precision."""
        return _bytes(self, precision) if self.known else None

    def intensity(self, precision: Precision = "float32") -> float | None:
        """Arithmetic intensity: FLOPs a byte of memory; None where nothing is read or written."""
        return self.flops / self.bytes(precision) if self.known and self.memory else None


def _bytes(counts, precision):
    weight, activation = BYTES[_checks.choice("bytes", "precision", precision, BYTES)]
    return math.ceil(counts.weights * weight) + (counts.inputs + counts.outputs) * activation


@dataclass(frozen=True)
class Analysis:
    """What `keraslayers.analyze` found. `str` of it is a table.

    Totals are sums over the calls of the layers. Where `unknown` names layers, what these cost is not in the totals,
    which are then the least that the model costs.

    Attributes:
        name: name of the model or file.
        inputs: shapes of its inputs, batch included: what is counted is one call with that batch.
        layers: a `LayerAnalysis` a call, from the input on.
    """

    name: str
    inputs: tuple[tuple[int, ...], ...]
    layers: tuple[LayerAnalysis, ...]

    def _sum(self, what):
        return sum(getattr(row, what) or 0 for row in self.layers)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the layers whose cost nobody told, each once."""
        return tuple(dict.fromkeys(row.name for row in self.layers if not row.known))

    @property
    def parameters(self) -> int:
        """Elements of all weights, shared ones once."""
        return self._sum("parameters")

    @property
    def trainable_parameters(self) -> int:
        """Elements of the weights that training changes."""
        return self._sum("trainable_parameters")

    @property
    def multiply_adds(self) -> int:
        """Products that are added up."""
        return self._sum("multiply_adds")

    @property
    def activation_products(self) -> int:
        """Those of the multiply-adds whose factors are both computed."""
        return self._sum("activation_products")

    @property
    def flops(self) -> int:
        """Floating-point operations."""
        return self._sum("flops")

    @property
    def memory(self) -> int:
        """Elements read and written."""
        return self._sum("memory")

    def bytes(self, precision: Precision = "float32") -> int:
        """`memory` in bytes, of a file of that precision.

        Args:
            precision: as of `keraslayers.export.to_tflite`.

        Raises:
            ValueError: if `precision` is unknown.
        """
        _checks.choice("bytes", "precision", precision, BYTES)
        return sum(row.bytes(precision) or 0 for row in self.layers)

    def intensity(self, precision: Precision = "float32") -> float | None:
        """Arithmetic intensity: FLOPs a byte of memory; None for a model without layers that read or write."""
        return self.flops / self.bytes(precision) if self.memory else None

    @property
    def depth(self) -> int:
        """Convolutions on the longest path."""
        return max((row.depth for row in self.layers), default=0)

    @property
    def width(self) -> int:
        """Most channels that a layer with multiply-adds makes."""
        return max((row.width for row in self.layers if row.multiply_adds), default=0)

    @property
    def receptive_field(self) -> tuple[float, ...] | None:
        """That of the last layer; None where it is unknown."""
        return self.layers[-1].receptive_field if self.layers else None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, strings, lists and dicts, as JSON takes them.

        Returns:
            A dict of `"name"`, `"inputs"`, `"total"` (a dict), and `"layers"` (a list of dicts). Totals and layers have
            the attributes' names, `"bytes"` by precision, and `"intensity"` in float32.
        """
        total = {
            what: getattr(self, what)
            for what in (
                "parameters", "trainable_parameters", "multiply_adds", "activation_products", "flops", "memory",
                "depth", "width", "receptive_field",
            )
        }  # fmt: skip
        layers = [{**asdict(row), "memory": row.memory, **_figures(row)} for row in self.layers]
        return _plain(
            {
                "name": self.name,
                "inputs": self.inputs,
                "total": {**total, **_figures(self), "unknown": self.unknown},
                "layers": layers,
            }
        )

    def plot(self, path: Path) -> None:
        """Draws multiply-adds, memory and the receptive field over the depth.

        Args:
            path: of the picture, `.png`, `.svg` or `.pdf`.

        Raises:
            ImportError: without matplotlib, which `pip install 'keraslayers[report]'` brings.
            ValueError: if `path` has another ending.
            FileNotFoundError: if there is no such folder.
        """
        from keraslayers.analysis.plot import draw

        draw(self, path)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Group]:
        from keraslayers.analysis.table import table

        yield table(self, options.max_width)

    def __str__(self) -> str:
        from keraslayers.analysis.table import text

        return text(self)


def _figures(counts):
    return {
        "bytes": {precision: counts.bytes(precision) for precision in BYTES},
        "intensity": counts.intensity(),
    }


def _plain(value):
    """Tuples as lists, whole fractions as whole numbers and others as floats."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, Fraction) else value
