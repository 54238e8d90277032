"""Leaves out of a model what is there for training only."""

import keras

from keraslayers import _keras
from keraslayers._rewrite import graph_of
from keraslayers.auxiliary_output import AuxiliaryOutput


def drop_auxiliary(who, model):
    """Returns the model without its auxiliary outputs and all that leads to them alone, and how many they were.

    Given:   input -> a -> predictions; a -> b -> AuxiliaryOutput
    Result:  input -> a -> predictions

    Args:
        who: the function that exports, for messages.
        model: any model; one that is no graph of layers passes through, as does one without auxiliary outputs.

    Raises:
        ValueError: if nothing but auxiliary outputs is there.
    """
    graph = graph_of(model)
    if graph is None:
        return model, 0
    count = sum(map(_is_auxiliary, keras.tree.flatten(graph.output)))
    if count == 0:
        return model, 0
    outputs = _without_auxiliary(graph.output)
    if outputs is None:
        raise ValueError(f"`{who}`: `model` {model.name!r} has auxiliary outputs only; nothing is left to export.")
    return keras.Model(graph.input, outputs, name=model.name), count


def _is_auxiliary(tensor):
    made = _keras.history(tensor)
    graph = graph_of(made.operation)
    if graph is None:
        return isinstance(made.operation, AuxiliaryOutput)
    return _is_auxiliary(graph.outputs[made.tensor_index])


def _without_auxiliary(structure):
    """The structure of outputs that is left; None if nothing is, and no list of one."""
    if isinstance(structure, dict):
        left = {key: _without_auxiliary(part) for key, part in structure.items()}
        return {key: part for key, part in left.items() if part is not None} or None
    if isinstance(structure, list | tuple):
        left = [part for part in map(_without_auxiliary, structure) if part is not None]
        return left if len(left) > 1 else left[0] if left else None
    return None if _is_auxiliary(structure) else structure
