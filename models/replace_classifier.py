"""Another classifier on a trained network."""

from __future__ import annotations

import keras
from keras import layers

from keraslayers import _checks, _keras, _rewrite
from keraslayers.auxiliary_output import AuxiliaryOutput

# What may follow a classifier.
WITHOUT_WEIGHTS = (
    AuxiliaryOutput,
    layers.Activation,
    layers.AveragePooling2D,
    layers.Dropout,
    layers.Flatten,
    layers.GlobalAveragePooling2D,
    layers.ReLU,
    layers.Reshape,
    layers.Softmax,
)
# Each with the argument that counts its outputs.
CLASSIFIERS = {layers.Dense: "units", layers.Conv1D: "filters", layers.Conv2D: "filters"}


def replace_classifier(model: keras.Model, classes: int) -> keras.Model:
    """Returns a copy of a trained network that tells other classes apart.

    Every layer keeps its weights and its name, but for the classifier, which is made anew: the last Dense layer or
    convolution on the way to each output. `model` stays as it is, and the copy is not compiled.

    Args:
        model: a Functional or Sequential model that ends in a classifier. Auxiliary classifiers are replaced too.
        classes: number of classes.

    Returns:
        A Functional model of the same inputs.

    Raises:
        TypeError: if `model` is no keras.Model, or `classes` no whole number.
        ValueError: if an output comes from no classifier, or `classes` is 1 behind a softmax, which is always 1.

    Source: Yosinski et al. 2014, How transferable are features in deep neural networks?, arXiv:1411.1792.
    """
    who = "replace_classifier"
    _rewrite.check_graph(who, model)
    classes = _checks.positive_int(who, "classes", classes)
    changes = {}
    for output in _rewrite.graph_of(model).outputs:
        classifier, shape, behind = _classifier(who, model, output)
        if classes == 1 and any(_is_softmax(layer) for layer in (classifier, *behind)):
            raise ValueError(
                f"`{who}`: `classes` must be 2 or more, since `model` {model.name!r} ends in a softmax, which is "
                "always 1 for a single class. For yes and no, take 2 classes."
            )
        argument = CLASSIFIERS[type(classifier)]
        old = getattr(classifier, argument)
        fresh = type(classifier).from_config({**classifier.get_config(), argument: classes})
        fresh.build(shape)
        changes[id(classifier)] = ({argument: classes}, fresh.get_weights())
        for layer in behind:
            if isinstance(layer, layers.Reshape):
                target = [classes if size == old else size for size in layer.target_shape]
                changes[id(layer)] = ({"target_shape": target}, None)
    return _rewrite.copy(who, model, changes)


def _classifier(who, model, tensor):
    """Returns (layer, shape of its input, layers behind it) of the classifier that `tensor` comes from."""
    behind = []
    while True:
        layer, node = _producer(tensor)
        if type(layer) in CLASSIFIERS:
            return layer, node.input_tensors[0].shape, behind
        if not isinstance(layer, WITHOUT_WEIGHTS):
            raise ValueError(
                f"`{who}`: `model` {model.name!r} has no classifier on the way to each output: from the end, layer "
                f"{layer.name!r} ({type(layer).__name__}) comes before a Dense layer or convolution. Is it a model "
                "without top? Then put your own Dense layer on it."
            )
        behind.append(layer)
        tensor = node.input_tensors[0]


def _producer(tensor):
    """Returns (layer, node) of the call that made `tensor`, in nested models too."""
    made = _keras.history(tensor)
    graph = _rewrite.graph_of(made.operation)
    return (made.operation, _keras.node_of(tensor)) if graph is None else _producer(graph.outputs[made.tensor_index])


def _is_softmax(layer):
    return isinstance(layer, layers.Softmax) or getattr(layer, "activation", None) is keras.activations.softmax
