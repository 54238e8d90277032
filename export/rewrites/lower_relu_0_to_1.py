"""Rectifiers that end at one."""

import numpy as np

from keraslayers.export.rewrites._each import each


def lower_relu_0_to_1(graph):
    """Writes RELU_0_TO_1 with RELU and MINIMUM, as the GPU has it not.

    Given:   x -> RELU_0_TO_1
    Result:  x -> RELU -> MINIMUM 1
    """
    return each(graph, ("RELU_0_TO_1",), _lower)


def _lower(build, operator):
    x, output = operator.inputs[0], operator.output
    if x.dtype not in ("float32", "int8"):
        return False
    one = np.ones((), "float32")
    if x.dtype == "int8":
        one = np.clip(np.round(1 / output.scale) + output.zero_point, -128, 127).astype("int8")
    positive = build.computed("RELU", (x,), x.shape, output)
    least = build.constant(one.reshape(1), like=output)
    build.finish(build.computed("MINIMUM", (positive, least), x.shape, output))
    return True
