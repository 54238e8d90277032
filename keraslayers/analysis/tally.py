"""Adds up the steps of a graph, of whatever kind, to an `Analysis`."""

import math
from dataclasses import dataclass, field
from fractions import Fraction

from keraslayers.analysis.cost import Cost, Window, behind
from keraslayers.analysis.result import Analysis, LayerAnalysis


@dataclass(frozen=True, kw_only=True)
class Step:
    """One call of a layer, or one operator of a file.

    Attributes:
        name, kind: as of `LayerAnalysis`.
        inputs, outputs: tensors, as {key: shape}. Keys are whatever tells tensors apart.
        weights: elements, as {key: (elements, whether they are trained)}.
        cost: a `Cost`; None for unknown.
        channel_axis: of the output.
    """

    name: str
    kind: str
    inputs: dict
    outputs: dict
    cost: Cost | None
    weights: dict = field(default_factory=dict)
    channel_axis: int = -1


def tally(name, inputs, steps, sizes):
    """Returns the `Analysis` of steps that are in the order of their computation.

    Args:
        name: of the model.
        inputs: its inputs, as {key: shape}.
        steps: `Step`s.
        sizes: places of the first input, a number an axis: what the field of one that sees everything is.
    """
    # What is known of each tensor: its windows onto the input, a tuple or None, and how many convolutions made it.
    reached = {key: ((Window(),) * max(1, len(shape) - 2), 0) for key, shape in inputs.items()}
    counted, rows = set(), []
    for step in steps:
        before = [reached[key] for key in step.inputs if key in reached]
        cost = step.cost
        windows = behind(cost.window, _together([windows for windows, _ in before])) if cost else None
        depth = max((depth for _, depth in before), default=0) + (cost.depth if cost else 0)
        reached.update((key, (windows, depth)) for key in step.outputs)
        new = {key: weight for key, weight in step.weights.items() if key not in counted}
        counted.update(new)
        rows.append(_row(step, list(new.values()), windows, depth, sizes))
    return Analysis(name, tuple(inputs.values()), tuple(rows))


def _together(branches):
    """The windows that cover those of several tensors which meet."""
    if not branches or None in branches:
        return None
    whole = [all(window.size == math.inf for window in windows) for windows in branches]
    if len({len(windows) for windows in branches}) > 1:
        # An image and a vector meet: no axis of the one is one of the other.
        return branches[whole.index(True)] if any(whole) else None
    joined = branches[0]
    for windows in branches[1:]:
        joined = tuple(one | other for one, other in zip(joined, windows, strict=True))
        if None in joined:
            return None
    return joined


def _row(step, new, windows, depth, sizes):
    cost, shapes = step.cost, list(step.outputs.values())
    moved = {"inputs": None, "outputs": None, "weights": None}
    if cost:
        held = sum(elements for elements, _ in step.weights.values())
        moved = {
            "inputs": sum(map(math.prod, step.inputs.values())),
            "outputs": sum(map(math.prod, shapes)),
            "weights": held if cost.weights is None else cost.weights,
        }
        if cost.free:
            moved = dict.fromkeys(moved, 0)
    return LayerAnalysis(
        name=step.name,
        kind=step.kind,
        output_shape=shapes[0] if len(shapes) == 1 else shapes,
        parameters=sum(elements for elements, _ in new),
        trainable_parameters=sum(elements for elements, trained in new if trained),
        multiply_adds=cost and cost.multiply_adds,
        activation_products=cost and cost.activation_products,
        flops=cost and cost.flops,
        **moved,
        receptive_field=_within(windows, sizes, "size"),
        stride=_within(windows, sizes, "stride"),
        start=_within(windows, sizes, "start"),
        depth=depth,
        width=shapes[0][step.channel_axis] if shapes and len(shapes[0]) > 1 else 1,
    )


def _within(windows, sizes, what):
    """A figure of each window, in pixels: what sees everything sees the image from its first pixel on."""
    if windows is None or (len(windows) != len(sizes) and any(w.size == math.inf for w in windows)):
        return None
    endless = {"size": sizes, "stride": sizes, "start": (0,) * len(sizes)}[what]
    values = [getattr(window, what) for window in windows]
    return tuple(_number(value if math.isfinite(value) else endless[axis]) for axis, value in enumerate(values))


def _number(value):
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else value
