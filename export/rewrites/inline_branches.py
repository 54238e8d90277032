"""Branches that are always, or never, taken."""

from keraslayers.export.rewrites._copy import Copier, UnknownError
from keraslayers.export.rewrites._each import each


def inline_branches(graph):
    """Copies the branch that is taken to where it is called, where the condition is a constant.

    Given:   x -> IF (true): a, else b -> y
    Result:  x -> a -> y
    """
    return each(graph, ("IF",), _inline)


def _inline(build, operator):
    condition, *inputs = operator.inputs
    if condition.values is None:
        return False
    options = operator.options
    taken = options.thenSubgraphIndex if condition.values.reshape(()) else options.elseSubgraphIndex
    copier = Copier(build.graph, operator)
    try:
        results = copier.copy(taken, inputs)
    except UnknownError:
        copier.drop()
        return False
    copier.place(results)
    return True
