"""Which calls at a model's end stay in floats: boxes in pixels beside scores up to 1 have no scale in common."""

from keras import layers

from keraslayers.export.optimize.rules import FIXED, moves, operation_name
from keraslayers.export.passes._graph import made_by, owner

ONE_BY_ONE = {"Absolute", "Add", "Divide", "Exp", "Maximum", "Minimum", "Multiply", "Negative", "Subtract"}


def ends(nodes, users):
    """The calls that join parts of several scales at a model's end, what decodes the parts, all behind.

    Given:   x -> sigmoid -> * 640 -> boxes; boxes, sigmoid(scores) -> concatenation -> transpose -> output
    Result:  the product, the concatenation, the transpose

    Parts that all have the same scale laid down, two sigmoids say, are joined in integers. So is what is summed again,
    as by a convolution behind a concatenation: there integers pay. `several_scales` does it after training, where it
    is known how large numbers become.

    Args:
        nodes: the calls of what `lower` gives, from the inputs on.
        users: by id of a tensor the calls that take it.

    Returns:
        Ids of nodes.
    """

    def leads(node, where):
        return any(id(user) in where for tensor in node.outputs for user in users.get(id(tensor), ()))

    late = set()
    for node in reversed(nodes):
        behind = [user for tensor in node.outputs for user in users.get(id(tensor), ())]
        if _one_by_one(node) and all(id(user) in late for user in behind):
            late.add(id(node))
    found = {id(node) for node in nodes if id(node) in late and _joins(node)}
    joins = set(found)
    makers = {id(tensor): id(node) for node in nodes for tensor in node.outputs}
    for node in nodes:
        if id(node) in late and any(makers.get(id(tensor)) in found for tensor in node.input_tensors):
            found.add(id(node))
    for node in reversed(nodes):
        if id(node) in late and leads(node, found):
            found.add(id(node))
    kept = set()
    for node in nodes:  # what moves integers alone is quicker in integers
        moved = moves(owner(node.operation)) and id(node) not in joins
        if id(node) in found and not (moved and kept.isdisjoint(makers.get(id(x)) for x in node.input_tensors)):
            kept.add(id(node))
    return kept


def _one_by_one(node):
    layer = owner(node.operation)
    return moves(layer) or operation_name(layer) in ONE_BY_ONE


def _joins(node):
    layer = owner(node.operation)
    if type(layer) is not layers.Concatenate and operation_name(layer) not in ("Concatenate", "Stack"):
        return False
    scales = [FIXED.get(operation_name(_maker(tensor))) for tensor in node.input_tensors]
    return None in scales or len(set(scales)) > 1


def _maker(tensor):
    """What computed a tensor's numbers, wherever they were moved since."""
    layer, tensors = made_by(tensor)
    while moves(layer) and len(tensors) == 1:
        layer, tensors = made_by(tensors[0])
    return layer
