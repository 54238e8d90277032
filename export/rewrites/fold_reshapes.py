"""Reshapes of reshapes become one, and those that change nothing go."""

from keraslayers.export.file.build import before_reshapes
from keraslayers.export.rewrites._each import each

KINDS = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def fold_reshapes(graph):
    """Reads past reshapes to what was reshaped.

    Given:   x [4, 6] -> RESHAPE [2, 2, 6] -> EXPAND_DIMS [1, 2, 2, 6] -> y
    Result:  x [4, 6] -> RESHAPE [1, 2, 2, 6] -> y

    What other rewrites leave between two of them is thereby gone, tensors of many axes among it.
    """
    return each(graph, KINDS, _fold)


def _fold(build, operator):
    x, output = operator.inputs[0], operator.output
    source = before_reshapes(x)
    if not output.quantized_as(x) or x.constant:
        return False
    if source.shape == output.shape and not build.graph.given(output):
        build.finish(source)
    elif source is not x:
        build.finish(build.reshape(source, output.shape, output))
    else:
        return False
    return True
