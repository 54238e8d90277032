"""The place of the smallest number."""

from keraslayers.export.rewrites._each import each


def lower_arg_min(graph):
    """Writes ARG_MIN as ARG_MAX of the negative: the GPU has no other, and of equal numbers both take the first.

    Given:   x -> ARG_MIN
    Result:  x -> NEG -> ARG_MAX
    """
    return each(graph, ("ARG_MIN",), _lower)


def _lower(build, operator):
    x, axis = operator.inputs
    if x.dtype != "float32":
        return False
    negative = build.computed("NEG", (x,), x.shape)
    places = {"outputType": operator.options.outputType}
    build.finish(build.computed("ARG_MAX", (negative, axis), operator.output.shape, operator.output, **places))
    return True
