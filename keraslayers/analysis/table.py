"""An analysis as a table for a terminal."""

import io

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from keraslayers._printable import printable
from keraslayers.analysis.cost import BYTES

_WIDTH = 160
# In a narrower terminal the first of these columns stand alone.
_NARROW, _FEW = 120, 6


def table(analysis, width):
    """An `Analysis` as a rich renderable for a terminal of `width` columns."""
    inputs = ", ".join(map(_size, analysis.inputs))
    rows = Table(title=_text(f"{analysis.name}, input {inputs}"), title_justify="left", title_style="bold", box=None)
    columns = _COLUMNS if width >= _NARROW else dict(list(_COLUMNS.items())[:_FEW])
    for number, name in enumerate(columns):
        words = number < 1 or name == "kind"
        rows.add_column(name, justify="left" if words else "right", overflow="fold", no_wrap=not words)
    for row in analysis.layers:
        rows.add_row(*(_text(show(row)) for show in columns.values()))
    return Group(rows, Text(), *map(_text, _totals(analysis)))


def _text(words):
    """As Text: a name of a layer is no markup, nor does the terminal obey it."""
    return Text(printable(words))


def _shapes(row):
    shapes = row.output_shape if isinstance(row.output_shape, list) else [row.output_shape]
    return ", ".join(map(_size, shapes))


def _intensity(row):
    intensity = row.intensity()
    return "-" if intensity is None else f"{intensity:.2f}"


_COLUMNS = {
    "layer": lambda row: row.name,
    "output": _shapes,
    "parameters": lambda row: f"{row.parameters:,}",
    "mult-adds": lambda row: _count(row.multiply_adds),
    "memory": lambda row: _count(row.memory),
    "field": lambda row: _size(row.receptive_field),
    "stride": lambda row: _size(row.stride),
    "start": lambda row: _size(row.start, ","),
    "FLOPs/B": _intensity,
    "depth": lambda row: str(row.depth),
    "kind": lambda row: row.kind,
}


def _totals(analysis):
    at_least = "at least " if analysis.unknown else ""
    yield f"parameters {analysis.parameters:,}, of which {analysis.trainable_parameters:,} are trained"
    products = analysis.activation_products
    within = f", of which {products:,} between activations" if products else ""
    yield f"multiply-adds {at_least}{analysis.multiply_adds:,}{within}; FLOPs {at_least}{analysis.flops:,}"
    sizes = ", ".join(f"{precision} {analysis.bytes(precision):,}" for precision in BYTES)
    yield f"memory access {at_least}{analysis.memory:,} elements; bytes by precision: {sizes}"
    intensity = analysis.intensity()
    if intensity is not None:
        yield f"arithmetic intensity {intensity:.2f} FLOPs a byte in float32"
    yield (
        f"depth {analysis.depth} convolutions, width {analysis.width} channels, receptive field "
        f"{_size(analysis.receptive_field)}"
    )
    if analysis.unknown:
        yield f"unknown, and in no total: {', '.join(analysis.unknown)}"


def text(analysis):
    """An `Analysis` as plain text."""
    page = io.StringIO()
    Console(file=page, width=_WIDTH, color_system=None).print(table(analysis, _WIDTH))
    return page.getvalue()


def _count(value):
    return "?" if value is None else f"{value:,}"


def _size(values, between="x"):
    """Sizes of axes; a fraction in three digits."""
    if values is None:
        return "?"
    numbers = [f"{float(value):.3g}" if not isinstance(value, int) else str(value) for value in values]
    return between.join(numbers)
