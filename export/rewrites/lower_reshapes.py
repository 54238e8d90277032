"""EXPAND_DIMS and SQUEEZE, which are reshapes."""

from keraslayers.export.rewrites._each import each


def lower_reshapes(graph):
    """Writes EXPAND_DIMS and SQUEEZE as RESHAPE: LiteRT's GPU runtime has neither.

    Given:   x [1, 6, 8] -> EXPAND_DIMS -> y [1, 6, 1, 8]
    Result:  x [1, 6, 8] -> RESHAPE -> y [1, 6, 1, 8]
    """
    return each(graph, ("EXPAND_DIMS", "SQUEEZE"), _lower)


def _lower(build, operator):
    if operator.inputs[0].dtype == "string":
        return False
    build.finish(build.reshape(operator.inputs[0], operator.output.shape, operator.output))
    return True
