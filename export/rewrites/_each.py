"""What the rewrites share: the walk over a graph's operators."""

from keraslayers.export.file.build import Builder

# Operators that give something else in each call.
RANDOM = ("MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM", "STABLEHLO_RNG_BIT_GENERATOR")


def each(graph, kinds, change):
    """Has every operator of some kinds changed that a rewrite wants to change.

    Args:
        graph: an `edit.Graph`.
        kinds: names of operators.
        change: called as change(build, operator) with a `Builder` in front of the operator, of known sizes; returns
            whether it changed anything.

    Returns:
        A list of the places changed: the operator's name and that of the tensor it made.
    """
    places = []
    for operator in list(graph.operators):
        if operator.name not in kinds:
            continue
        # One before may have taken this one away.
        there = any(output.maker is operator for output in operator.outputs)
        if there and not operator.open:
            tensor = operator.output.name
            if change(Builder(graph, operator), operator):
                places.append((operator.name, tensor))
    return places


def alone(graph, tensor):
    """Whether one operator alone reads a tensor, which is no output: both may become one."""
    return len(tensor.readers) == 1 and not graph.given(tensor)
