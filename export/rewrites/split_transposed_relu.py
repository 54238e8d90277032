"""ReLU behind transposed convolutions, in a form that phones' GPUs take."""

import numpy as np

from keraslayers.export.file.schema import schema
from keraslayers.export.rewrites._each import each

# What an activation clamps to.
CLAMPS = {"RELU": (0, np.inf), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}


def split_transposed_relu(graph):
    """Takes the activation out of transposed convolutions.

    With one TRANSPOSE_CONV is of version 4, which LiteRT's GPU runtime refuses.

    Given:   x -> TRANSPOSE_CONV (activation relu)
    Result:  floats:   x -> TRANSPOSE_CONV -> RELU
             integers: x -> TRANSPOSE_CONV, where the ends of the type clamp as the activation does; else
                       x -> TRANSPOSE_CONV -> MAX_POOL_2D (1x1, activation relu), as XNNPACK leaves out a RELU alone
    """
    return each(graph, ("TRANSPOSE_CONV",), _split)


def _split(build, operator):
    kind, output = operator.activation, operator.output
    if kind not in CLAMPS:
        return False
    activation = operator.options.fusedActivationFunction
    operator.options.fusedActivationFunction = schema().ActivationFunctionType.NONE
    if output.scale is not None and _clamps(output, CLAMPS[kind]):
        return True
    behind = build.behind(operator)
    linear = behind.split(output)
    if output.scale is None:
        behind.add(kind, (linear,), output)
    else:
        window = {"filterHeight": 1, "filterWidth": 1, "strideH": 1, "strideW": 1}
        padding = schema().Padding.VALID
        behind.add("MAX_POOL_2D", (linear,), output, padding=padding, fusedActivationFunction=activation, **window)
    return True


def _clamps(tensor, limits):
    """Whether the integers of a tensor end where an activation would."""
    low, high = np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max
    steps = [limit / tensor.scale + tensor.zero_point for limit in limits]
    return np.round(steps[0]) <= low and (steps[1] == np.inf or np.round(steps[1]) >= high)
