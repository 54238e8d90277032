"""Loops whose count is known become their steps."""

from keraslayers.export.rewrites._copy import Copier, UnknownError
from keraslayers.export.rewrites._each import each

# With more steps the file would be tens of thousands of operators long.
MOST_STEPS = 256
MOST_OPERATORS = 2**15


def unroll_loops(graph):
    """Writes a loop step by step where the condition says how many there are: recurrent layers with a mask or a state.

    A counter is a constant in each step, so that what it indexes is a slice; a list that the steps write is joined
    once, behind them.

    Given:   x [6, 1, 5] -> WHILE i < 6: GATHER x[i] -> body -> list[i]
    Result:  x -> slice 0 -> body, x -> slice 1 -> body, ... -> list, where there are 256 steps at most
    """
    places = []
    while found := each(graph, ("WHILE",), _unroll):  # loops inside of loops come to light
        places += found
    return places


def _unroll(build, operator):
    copier = Copier(build.graph, operator)
    try:
        results = _steps(copier, operator)
    except UnknownError:
        results = None
    if results is None:
        copier.drop()
        return False
    copier.place(results)
    return True


def _steps(copier, operator):
    """What the loop ends with; None if that is not known, or takes too many steps."""
    state = list(operator.inputs)
    for _ in range(MOST_STEPS + 1):
        (goes_on,) = copier.copy(operator.options.condSubgraphIndex, state)
        if goes_on.values is None or len(copier.made.operators) > MOST_OPERATORS:
            return None
        if not goes_on.values.reshape(()):
            return state
        state = copier.copy(operator.options.bodySubgraphIndex, state)
    return None
