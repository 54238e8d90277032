"""Ranges of what was zero on every sample, in a form that runtimes take."""

import numpy as np

from keraslayers.export.file.graph import WITH_KERNEL

# XNNPACK refuses a step that is finer than a 256th of the unit in which it is computed.
FINEST = 1 / 128
STEPS = 255  # of a range
KERNEL_STEPS = 127  # on either side of zero


def widen(graph):
    """Gives what was zero on every sample the range of what it was computed of; returns how many such there are.

    The scale of a range of nothing is next to zero. XNNPACK refuses the operator, and biases behind it do not fit into
    integers.

    Args:
        graph: an `edit.Graph` of floats with ranges, in which they are set.
    """
    widened = 0
    for operator in graph.operators:
        sources = [reach for x in operator.inputs if x is not None and (reach := width(x))]
        for output in operator.outputs:
            reach = width(output)
            if reach is not None and sources and reach <= STEPS * FINEST * _unit(operator):
                output.quantization.min, output.quantization.max = [0.0], [min(sources)]
                widened += 1
    return widened


def _unit(operator):
    """The step of the integers in which an operator sums; 0 of those that only give on what they read."""
    steps = [reach / STEPS for x in operator.inputs if x is not None and (reach := width(x))]
    if operator.name in WITH_KERNEL and operator.inputs[1].values is not None:
        return max(steps, default=0) * float(np.max(np.abs(operator.inputs[1].values), initial=0)) / KERNEL_STEPS
    if operator.name == "MUL":
        return float(np.prod(steps)) if len(steps) == 2 else 0
    return max(steps, default=0) if operator.name in ("ADD", "SUB") else 0


def width(tensor):
    """How far the numbers of a tensor reach, zero among them as in every range; None of constants."""
    found = tensor.quantization
    if found is None or found.min is None or not len(found.min):
        return None
    return max(float(found.max[0]), 0) - min(float(found.min[0]), 0)
