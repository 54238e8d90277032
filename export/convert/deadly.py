"""The layer whose conversion the converter does not live through."""

import keras

from keraslayers import _keras
from keraslayers._rewrite import laid_open, owner
from keraslayers.export.progress import step
from keraslayers.export.source.layer_names import labels_of


def deadly_layer(model, user, dies):
    """Halves a model until the shortest beginning is found that kills the converter.

    Given:   x -> a -> b -> c -> y, where dies(x -> a -> b) and not dies(x -> a)
    Result:  b

    Args:
        model: what was converted, a graph of layers.
        user: the user's model, by whose names layers are called.
        dies: a function of a model: whether the converter dies of it.

    Returns:
        The name of the layer; None if the converter lives through the layers one by one.
    """
    graph = laid_open(model)
    nodes = _keras.nodes(graph)

    def beginning(count):
        read = {id(tensor) for node in nodes[:count] for tensor in node.input_tensors}
        made = [tensor for node in nodes[:count] for tensor in node.outputs]
        return keras.Model(graph.input, [tensor for tensor in made if id(tensor) not in read])

    with step("looking for the layer that the converter dies of"):
        if not nodes or not dies(beginning(len(nodes))):
            return None
        right, wrong = 0, len(nodes)
        while wrong - right > 1:
            middle = (right + wrong) // 2
            right, wrong = (right, middle) if dies(beginning(middle)) else (middle, wrong)
    layer = owner(nodes[wrong - 1].operation)
    return labels_of(user).get(id(layer), layer.name)
