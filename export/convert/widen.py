"""Ranges of what was zero on every sample, in a form that runtimes take."""

# Of a range that is this much narrower than what it was computed of, XNNPACK refuses the ratio of the scales: a step
# of the sums must be less than 256 steps of what becomes of them, and kernels are at most as wide as their numbers.
NARROW = 2**-20


def widen(graph):
    """Gives what was zero on every sample the range of what it was computed of; returns how many such there are.

    The scale of a range of nothing is next to zero. XNNPACK refuses the operator, and biases behind it do not fit into
    integers.

    Args:
        graph: an `edit.Graph` of floats with ranges, in which they are set.
    """
    widened = 0
    for operator in graph.operators:
        sources = [width for x in operator.inputs if x is not None and (width := _width(x))]
        for output in operator.outputs:
            found = output.quantization
            if found is not None and found.min is not None and sources and _width(output) < NARROW * max(sources):
                found.min, found.max = [0.0], [max(sources)]
                widened += 1
    return widened


def _width(tensor):
    found = tensor.quantization
    return 0 if found is None or found.min is None or not len(found.min) else float(found.max[0] - found.min[0])
