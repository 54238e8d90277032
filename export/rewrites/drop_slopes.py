"""Leaky rectifiers that let through whatever comes."""

from keraslayers.export.rewrites._each import each

# The largest number below one: a product with it is the nearest float below, at most.
ALMOST_ONE = 1 - 2**-24


def drop_slopes(graph):
    """Takes a leaky rectifier of floats for what it reads where its slope below zero is that above, within rounding.

    Training for int8 puts them between floats and integers, where they keep the converter from making integers of all.
    In the file they have done their work.

    Given:   x -> DEQUANTIZE -> LEAKY_RELU 0.99999994 -> MEAN
    Result:  x -> DEQUANTIZE -> MEAN
    """
    return each(graph, ("LEAKY_RELU",), _drop)


def _drop(build, operator):
    x, output = operator.inputs[0], operator.output
    if x.dtype != "float32" or not ALMOST_ONE <= operator.options.alpha <= 1 or build.graph.given(output):
        return False
    build.graph.redirect(output, x)
    build.graph.remove(operator)
    return True
