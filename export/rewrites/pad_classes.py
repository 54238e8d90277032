"""The largest of channels, some of which are not there."""

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._ranges import LARGEST

TOGETHER = 4  # channels that the GPU holds as one
# Of these the largest is above zero, or the first zero.
NOT_NEGATIVE = ("LOGISTIC", "SOFTMAX")
RECTIFIED = ("RELU", "RELU6", "RELU_0_TO_1")


def pad_classes(graph):
    """Fills channels up with the least number before ARG_MAX looks for the largest of them.

    The GPU holds four channels together. Where fewer are left it counts zeros among them, so that the largest of
    negative numbers, as logits of a class map are, is a class that there is none of. The least number is that of 16-bit
    floats, -65504.

    Given:   x [1, 8, 8, 10] -> ARG_MAX (axis 3)
    Result:  x -> PADV2 [1, 8, 8, 12] -> ARG_MAX (axis 3)
    """
    return each(graph, ("ARG_MAX",), _pad)


def _pad(build, operator):
    x, axis = operator.inputs
    rank = len(x.shape)
    if axis.values is None or rank not in (3, 4) or int(axis.values.reshape(())) % rank != rank - 1:
        return False
    lacking = -x.shape[-1] % TOGETHER
    if not lacking or x.dtype not in ("float32", "int8") or _is_never_negative(x.maker):
        return False
    # Infinity, as a less one is in 16 bits, the GPU takes for the largest.
    least = -LARGEST if x.dtype == "float32" else np.iinfo("int8").min
    borders = build.integers([[0, 0]] * (rank - 1) + [[0, lacking]])
    shape = (*x.shape[:-1], x.shape[-1] + lacking)
    padded = build.computed("PADV2", (x, borders, build.constant(np.array(least, x.dtype), like=x)), shape)
    places = {"outputType": operator.options.outputType}
    build.finish(build.computed("ARG_MAX", (padded, axis), operator.output.shape, operator.output, **places))
    return True


def _is_never_negative(maker):
    return maker is not None and (maker.name in NOT_NEGATIVE + RECTIFIED or maker.activation in RECTIFIED)
