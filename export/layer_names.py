"""Which layer of a Keras model a tensor of its file belongs to, by the tensor's name."""

import re

import keras

from keraslayers._rewrite import graph_of
from keraslayers.export.interface import name_outputs


def layers_of(model):
    """The layers of a model, those in nested models included."""
    return [layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]


def namer(model):
    """Returns a function of a tensor's name: the name of the layer that it tells of; None if it tells of none.

    The converter calls tensors `model_1/layer_1/operation`, and several with a semicolon where it made one operator of
    them; the first is the last one computed. What a pass puts in a layer's place is called `layer_something`.
    """
    known = {layer.name for layer in layers_of(model)}
    outputs = _output_layers(model)

    def layer_of(tensor):
        # All that is said of an output; with a 1 behind it where integers come before the floats.
        if made := re.fullmatch(r"StatefulPartitionedCall:(\d+?)1?", tensor):
            return outputs.get(int(made[1]))
        parts = [part for path in tensor.split(";") for part in path.split("/")]
        for part in parts:
            for name in (part, re.sub(r"_\d+$", "", part)):
                if name in known:
                    return name
        for name in parts:
            while "_" in name:
                name = name.rpartition("_")[0]
                if name in known:
                    return name
        return None

    return layer_of


def _output_layers(model):
    """The names of the layers that make a model's outputs, by their number in a file: in the order of their names."""
    graph = graph_of(model)
    if graph is None:
        return {}
    named = name_outputs(model, keras.tree.pack_sequence_as(graph._outputs_struct, graph.outputs))
    return {number: _maker(tensor) for number, (_, tensor) in enumerate(sorted(named.items()))}


def _maker(tensor):
    layer, _, index = tensor._keras_history
    if (graph := graph_of(layer)) is not None:
        return _maker(graph.outputs[index])
    return layer.name
