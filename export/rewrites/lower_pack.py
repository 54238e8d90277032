"""Tensors put on top of each other, as phones' GPUs take it."""

import math

from keraslayers.export.rewrites._each import each


def lower_pack(graph):
    """Writes PACK as a concatenation where the GPU does not take it.

    LiteRT's GPU runtime refuses more than four axes, and dies of one tensor that is packed twice.

    Given:   a [1, 4, 4, 8], b -> PACK along axis 1 -> y [1, 2, 4, 4, 8]
    Result:  a, b -> RESHAPE [1, 1, 128] each -> CONCATENATION -> RESHAPE [1, 2, 4, 4, 8] -> y
    """
    return each(graph, ("PACK",), _lower)


def _lower(build, operator):
    parts, output = operator.inputs, operator.output
    if len(output.shape) <= 4 and len(set(parts)) == len(parts):
        return False
    if any(part.channelwise or not part.quantized_as(output) for part in parts):
        return False
    axis = operator.options.axis % len(output.shape)
    around = math.prod(output.shape[:axis]), 1, math.prod(output.shape[axis + 1 :])
    joined = build.concatenate([build.reshape(part, around) for part in parts], 1)
    build.finish(build.reshape(joined, output.shape))
    return True
