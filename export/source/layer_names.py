"""Which layer of a Keras model a tensor of its file belongs to, by the tensor's name."""

import contextlib
import re
from collections import Counter

import keras

from keraslayers import _keras
from keraslayers._rewrite import graph_of, owner
from keraslayers.export.source.interface import name_outputs


def layers_of(model):
    """The layers of a model, those in nested models included."""
    return [layer for layer in _keras.flatten_layers(model, include_self=False) if not isinstance(layer, keras.Model)]


def operations_of(model):
    """The operations in the graphs of a model, as `keras.ops` puts them there, those in nested models included."""
    graphs = filter(None, map(graph_of, _keras.flatten_layers(model)))
    found = {id(each): each for graph in graphs for each in graph.operations if not isinstance(each, keras.Layer)}
    return list(found.values())


def labels_of(model):
    """What reports call layers and operations, by their ids: their names; `outer/inner` where two models share one."""
    placed = list(_placed(model, ()))
    times = Counter(layer.name for layer in {id(layer): layer for layer, _ in placed}.values())
    labels = {id(layer): layer.name for layer in (*layers_of(model), *operations_of(model))}
    for layer, path in placed:
        if times[layer.name] > 1:
            labels[id(layer)] = "/".join((*path, layer.name))
    return labels


def _placed(model, path):
    """Yields (layer, names of the nested models around it), but for layers within layers."""
    graph = graph_of(model)
    for layer in model.layers if graph is None else graph.operations:
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

    Operations have scopes, as layers have.

    Args:
        model: what a file is made of.
        labels: of the user's model, as `labels_of` gives.
    """
    names = {layer: layer.name for layer in _keras.flatten_layers(model)}
    operations = operations_of(model)
    try:
        for layer, name in names.items():
            layer.name = scope(labels.get(id(owner(layer)), name))
        for operation in operations:
            operation.call = _in_scope(operation.call, scope(labels.get(id(owner(operation)), operation.name)))
        yield
    finally:
        for layer, name in names.items():
            layer.name = name
        for operation in operations:
            vars(operation).pop("call", None)


def _in_scope(call, name):
    """A function within a scope of TensorFlow's that is called as Keras calls those of layers."""
    import tensorflow as tf

    def scoped(*args, **kwargs):
        with tf.name_scope(name):  # Keras enters those of layers twice: to build them, and to call them
            pass
        with tf.name_scope(name):
            return call(*args, **kwargs)

    return scoped


def namer(model):
    """Returns a function of a tensor's name: the name of the layer that it tells of; None if it tells of none.

    The converter calls tensors `model_1/layer_1/operation`, and several with a semicolon where it made one operator of
    them; the first is the last one computed. Operations count where no layer is among them. What a pass puts in a
    layer's place is called `layer_something`. Every name has a number of TensorFlow's behind it, as Keras 3 enters each
    scope twice: `conv2d_1` is of layer `conv2d`, and `conv2d_1_2` of `conv2d_1`. Files of Keras 2 have none.
    """
    labels = labels_of(model)
    layers = {scope(labels[id(layer)]): labels[id(layer)] for layer in layers_of(model)}
    known = {scope(label): label for label in labels.values()}
    outputs = _output_layers(model, labels)
    root = scope(model.name)

    def layer_of(tensor):
        # All that is said of an output; with a 1 behind it where integers come before the floats.
        if made := re.fullmatch(r"StatefulPartitionedCall:(\d+?)1?", tensor):
            return outputs.get(int(made[1]))
        paths = [path.split("/") for path in tensor.split(";")]
        parts = [part for path in paths for part in path]
        for label_of in (layers, known):
            for path in paths:
                for part in path:
                    names = (re.sub(r"_\d+$", "", part), part)
                    for name in names if path[0] != root else reversed(names):
                        if name in label_of:
                            return label_of[name]
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
    named = name_outputs(model, keras.tree.pack_sequence_as(graph.output, graph.outputs))
    named = sorted((scope(name), tensor) for name, tensor in named.items())
    return {number: _maker(tensor, labels) for number, (_, tensor) in enumerate(named)}


def _maker(tensor, labels):
    made = _keras.history(tensor)
    if (graph := graph_of(made.operation)) is not None:
        return _maker(graph.outputs[made.tensor_index], labels)
    return labels.get(id(made.operation), made.operation.name)
