"""Graphs that are called become part of the graph that calls them, where it is known which one is called."""

from keraslayers.export.rewrites._copy import Copier, UnknownError
from keraslayers.export.rewrites._each import each


def inline_calls(graph):
    """Copies what is called to where it is called: by CALL, or by IF with a constant condition.

    Given:   x -> IF (true): a, else b -> y
    Result:  x -> a -> y
    """
    return each(graph, ("CALL", "IF"), _inline)


def _inline(build, operator):
    called, inputs = _called(operator)
    if called is None:
        return False
    copier = Copier(build.graph, operator)
    try:
        results = copier.copy(called, inputs)
    except UnknownError:
        copier.drop()
        return False
    copier.place(results)
    return True


def _called(operator):
    """The graph, and what it is called with."""
    if operator.name == "CALL":
        return operator.options.subgraph, operator.inputs
    condition = operator.inputs[0].values
    if condition is None:
        return None, ()
    options = operator.options
    return options.thenSubgraphIndex if condition.reshape(()) else options.elseSubgraphIndex, operator.inputs[1:]
