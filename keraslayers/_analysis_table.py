"""An analysis as a table for a terminal."""

import io

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from keraslayers.analysis_result import BYTES

# Wide enough for the names of layers; a terminal folds what it has no room for.
_WIDTH = 160


def table(analysis):
    """An `Analysis` as a rich renderable."""
    inputs = ", ".join(map(_size, analysis.inputs))
    rows = Table(title=Text(f"{analysis.name}, input {inputs}"), title_justify="left", title_style="bold", box=None)
    for column in ("layer", "kind", "output"):
        rows.add_column(column, overflow="fold")
    for column in ("parameters", "mult-adds", "memory", "FLOPs/B", "field", "stride", "start", "depth"):
        rows.add_column(column, justify="right", no_wrap=True)
    for row in analysis.layers:
        shapes = row.output_shape if isinstance(row.output_shape, list) else [row.output_shape]
        intensity = row.intensity()
        # As Text: a name of a layer is no markup.
        rows.add_row(
            Text(row.name),
            Text(row.kind),
            ", ".join(map(_size, shapes)),
            f"{row.parameters:,}",
            _count(row.multiply_adds),
            _count(row.memory),
            f"{intensity:.2f}" if intensity is not None else "-",
            _size(row.receptive_field),
            _size(row.stride),
            _size(row.start, ","),
            str(row.depth),
        )
    return Group(rows, Text(), *map(Text, _totals(analysis)))


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
    Console(file=page, width=_WIDTH, color_system=None).print(table(analysis))
    return page.getvalue()


def _count(value):
    return "?" if value is None else f"{value:,}"


def _size(values, between="x"):
    """Sizes of axes; a fraction in three digits."""
    if values is None:
        return "?"
    numbers = [f"{float(value):.3g}" if not isinstance(value, int) else str(value) for value in values]
    return between.join(numbers)
