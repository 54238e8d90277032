"""Long sums, in pairs."""

from keraslayers.export.rewrites._each import alone, each

# So many additions one after the other were right.
MOST_IN_TURN = 16


def nest_sums(graph):
    """Writes a sum of many as sums of two, of these sums, and so on.

    Given:   a, b -> ADD; that, c -> ADD; that, d -> ADD; ... and so on, more than 16 times
    Result:  a, b -> ADD; c, d -> ADD; these -> ADD; ...

    WebGPU links additions that follow one another into one program, which then reads all that is added; from 18 on it
    gives other numbers and says nothing. A depthwise convolution of 7 x 7 with kernels that come from the image adds
    49. Within rounding.
    """
    return each(graph, ("ADD",), _nest)


def _nest(build, operator):
    output = operator.output
    if output.dtype != "float32" or (not build.graph.given(output) and any(map(_adds, output.readers))):
        return False
    if not _adds(operator, activation=True):
        return False
    parts, waiting, deepest = [], [(operator, 1)], 0
    while waiting:
        adder, depth = waiting.pop()
        deepest = max(deepest, depth)
        for x in adder.inputs:
            linked = x.maker is not None and _adds(x.maker) and alone(build.graph, x)
            if linked:
                waiting.append((x.maker, depth + 1))
            else:
                parts.append(x)
    if deepest <= MOST_IN_TURN:
        return False
    while len(parts) > 2:
        pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
        parts = [build.computed("ADD", pair, output.shape) if len(pair) == 2 else pair[0] for pair in pairs]
    activation = {"fusedActivationFunction": operator.options.fusedActivationFunction}
    build.finish(build.computed("ADD", parts, output.shape, output, **activation))
    return True


def _adds(operator, activation=False):
    """Whether it adds two of one shape, and does no more, but for an activation where that may be."""
    shapes = {x.shape for x in (*operator.inputs, operator.output)}
    return operator.name == "ADD" and len(shapes) == 1 and (activation or operator.activation == "NONE")
