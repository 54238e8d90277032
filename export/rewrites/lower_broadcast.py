"""Numbers repeated, as phones' GPUs take it."""

import math

from keraslayers.export.rewrites._each import each


def lower_broadcast(graph):
    """Writes BROADCAST_TO, and what the GPU does not take of TILE, as TILE of four axes at most.

    LiteRT's GPU runtime has no BROADCAST_TO, and no TILE of more than four axes or of true and false.

    Given:   x [2, 1, 8] -> BROADCAST_TO [2, 6, 8] -> y
    Result:  x [2, 1, 8] -> TILE [1, 6, 1] -> y
    """
    return each(graph, ("BROADCAST_TO", "TILE"), _lower)


def _lower(build, operator):
    x, output = operator.inputs[0], operator.output
    if x.dtype == "string" or x.channelwise or 0 in output.shape or 0 in x.shape:
        return False
    if operator.name == "TILE" and len(x.shape) <= 4 and x.dtype != "bool":
        return False
    build.finish(build.reshape(repeated(build, x, output.shape), output.shape))
    return True


def repeated(build, x, shape):
    """Numbers repeated along the axes on which a shape is larger, so often that they fill it.

    Axes that a shape has before them count too.
    """
    sizes = (1,) * (len(shape) - len(x.shape)) + x.shape
    truth = x.dtype == "bool"
    if truth:
        x = build.cast(x, "float32")
    if len(shape) <= 4:
        times = [whole // size for whole, size in zip(shape, sizes, strict=True)]
        if set(times) != {1}:
            x = build.computed("TILE", (build.reshape(x, sizes), build.integers(times)), shape)
    else:
        # What lies behind an axis is repeated as one row, what lies before it row by row.
        for axis in reversed(range(len(shape))):
            times = shape[axis] // sizes[axis]
            if times > 1:
                rows = math.prod(sizes[:axis])
                block = build.reshape(x, (rows, 1, -1))
                width = block.shape[2]
                x = build.computed("TILE", (block, build.integers((1, times, 1))), (rows, times, width))
        x = build.reshape(x, shape)
    return build.cast(x, "bool") if truth else x
