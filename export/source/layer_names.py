"""Which layer of a Keras model a tensor of its file belongs to, by the tensor's name."""

import contextlib
import re
from collections import Counter

import keras

from keraslayers._rewrite import graph_of, owner
from keraslayers.export.source.interface import name_outputs


def layers_of(model):
    """The layers of a model, those in nested models included."""
    return [layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]


def labels_of(model):
    """What reports call the layers, by their ids: their names; `outer/inner` where layers in two models share one."""
    placed = list(_placed(model, ()))
    times = Counter(layer.name for layer in {id(layer): layer for layer, _ in placed}.values())
    labels = {id(layer): layer.name for layer in layers_of(model)}
    for layer, path in placed:
        if times[layer.name] > 1:
            labels[id(layer)] = "/".join((*path, layer.name))
    return labels


def _placed(model, path):
    """Yields (layer, names of the nested models around it), but for layers within layers."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _placed(layer, (*path, layer.name))
        else:
            yield layer, path


def scope(name):
    """A name as TensorFlow takes it for a scope: other characters as their numbers. Two names never become one."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) and ".." not in name:
        return name
    return re.sub(r"^[_-]|[^A-Za-z0-9_-]", lambda found: f"..{ord(found[0]):x}.", name)


@contextlib.contextmanager
def scoped(model, labels):
    """Within it, the layers of a model have names from which `namer` finds their labels, and which TensorFlow takes.

    Args:
        model: what a file is made of.
        labels: of the user's model, as `labels_of` gives.
    """
    names = {layer: layer.name for layer in model._flatten_layers()}
    try:
        for layer, name in names.items():
            layer.name = scope(labels.get(id(owner(layer)), name))
        yield
    finally:
        for layer, name in names.items():
            layer.name = name


def namer(model):
    """Returns a function of a tensor's name: the name of the layer that it tells of; None if it tells of none.

    The converter calls tensors `model_1/layer_1/operation`, and several with a semicolon where it made one operator of
    them; the first is the last one computed. What a pass puts in a layer's place is called `layer_something`.
    """
    labels = labels_of(model)
    known = {scope(label): label for label in labels.values()}
    outputs = _output_layers(model, labels)

    def layer_of(tensor):
        # All that is said of an output; with a 1 behind it where integers come before the floats.
        if made := re.fullmatch(r"StatefulPartitionedCall:(\d+?)1?", tensor):
            return outputs.get(int(made[1]))
        parts = [part for path in tensor.split(";") for part in path.split("/")]
        for part in parts:
            for name in (part, re.sub(r"_\d+$", "", part)):
                if name in known:
                    return known[name]
        for name in parts:
            while "_" in name:
                name = name.rpartition("_")[0]
                if name in known:
                    return known[name]
        return None

    return layer_of


def _output_layers(model, labels):
    """The labels of the layers that make a model's outputs, by their number in a file: in the order of their names."""
    graph = graph_of(model)
    if graph is None:
        return {}
    named = name_outputs(model, keras.tree.pack_sequence_as(graph._outputs_struct, graph.outputs))
    named = sorted((scope(name), tensor) for name, tensor in named.items())
    return {number: _maker(tensor, labels) for number, (_, tensor) in enumerate(named)}


def _maker(tensor, labels):
    layer, _, index = tensor._keras_history
    if (graph := graph_of(layer)) is not None:
        return _maker(graph.outputs[index], labels)
    return labels.get(id(layer), layer.name)
