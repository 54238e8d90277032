"""Clamps of integers that have no numbers beyond."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._integers import of_eight_bits

# What the numbers of rectifiers are kept within.
BOUNDS = {
    "RELU": (0.0, np.inf),
    "RELU6": (0.0, 6.0),
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
LEAST, MOST = -128, 127


def drop_clamps(graph):
    """Takes rectifiers, minima and maxima of integers away where the integers end before the numbers are clamped.

    What makes such a tensor keeps its numbers within already. XNNPACK has no MINIMUM and MAXIMUM of integers: each cut
    the graph in two. Networks whose activations end at one, as QuickSRNet's, fell into as many pieces as they have
    layers.

    Given:   x (scale 1/255, zero point -128) -> MINIMUM 1 -> RELU -> y (scale 1/255, zero point -128)
    Result:  x -> y
    """
    return each(graph, ("MINIMUM", "MAXIMUM", *BOUNDS), _drop)


def _drop(build, operator):
    x, *others = operator.inputs
    output = operator.output
    if x.constant and others:  # of a minimum either may stand first
        (x,), others = others, [x]
    if not of_eight_bits(x, output) or not x.quantized_as(output) or x.shape != output.shape:
        return False
    bounds = _bounds(operator.name, others, x)
    if bounds is None or bounds[0] > LEAST or bounds[1] < MOST or build.graph.given(output):
        return False
    build.graph.redirect(output, x)
    build.graph.remove(operator)
    return True


def _bounds(name, others, x):
    """The integers that a clamp keeps numbers within; None where it is none of known ones."""
    if name in BOUNDS:
        return [x.zero_point + np.round(bound / x.scale) for bound in BOUNDS[name]]
    (other,) = others
    if other.values is None or not other.quantized_as(x):
        return None
    return (-np.inf, int(other.values.min())) if name == "MINIMUM" else (int(other.values.max()), np.inf)
