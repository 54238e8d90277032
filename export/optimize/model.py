"""The model that an optimization gives, and the user's model inside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keraslayers import _keras, _rewrite
from keraslayers._rewrite import calls, graph_of
from keraslayers.export.optimize.origins import labels_of
from keraslayers.export.source.in_float32 import float32_config

# What a model may compute of its own in training.
STEPS = ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics")


@dataclass(frozen=True)
class Plan:
    """What an optimized model was made of.

    Attributes:
        kind: `"prune"`, `"cluster"` or `"quantize"`.
        source: a copy of the user's model, whose layers the optimized one trains.
        options: what was asked for, as JSON can hold it.
        sparse, clustered: labels of the layers whose kernels are so, by this optimization or one before.
        wrappers: the layers of the optimized model that hold algorithms of tfmot.
        mode: of a quantized model, what its layers do.
        difference: of a quantized model, how far it was from the user's before anything was rounded, as a part of the
            outputs' size.
    """

    kind: str
    source: keras.Model
    options: dict[str, Any]
    sparse: frozenset[str] = frozenset()
    clustered: frozenset[str] = frozenset()
    wrappers: tuple[Any, ...] = field(default=())
    mode: object = None
    difference: float | None = None


class Optimized(keras.Model):
    """A Functional Keras 3 model with algorithms of tfmot inside: compile, fit, evaluate and predict as with any.

    `optimize.save` writes it, `optimize.strip` gives the ordinary model with its weights.
    """

    plan = None

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"`save`: model {self.name!r} is being optimized, and a .keras file does not hold how. Write it with "
            "`optimize.save(model, path)`, or `optimize.strip(model).save(path)` without what is there for training; "
            "ModelCheckpoint writes its weights: ModelCheckpoint('best.weights.h5', save_weights_only=True)."
        )

    export = save

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            f"`get_config`: model {self.name!r} is being optimized, and a config does not hold how: `optimize.save` "
            "and `optimize.load` give a copy of it."
        )


def plan_of(model):
    """The `Plan` of an optimized model; None of any other."""
    return getattr(model, "plan", None) if isinstance(model, Optimized) else None


def check(who, model):
    """Refuses what cannot be optimized: no graph of layers, or what a model of them would lose.

    Raises:
        TypeError, ValueError: which say what to do.
    """
    if isinstance(model, keras.Model) or not type(model).__module__.startswith("tf_keras"):
        _rewrite.check_graph(who, model)
    else:
        raise TypeError(f"`{who}`: `model` must be a Keras 3 model; got one of Keras 2. Build it with Keras 3.")
    lost = [name for name in STEPS if getattr(type(model), name) is not getattr(keras.Model, name)]
    if lost:
        raise ValueError(
            f"`{who}`: `model` {model.name!r} is a {type(model).__name__} with a `{lost[0]}` of its own, which would "
            "be lost. Give keras.Model(model.inputs, model.outputs) and train what comes of it in a loop of your own."
        )


def copy(who, model):
    """A copy of a model with its weights, nested models and all, in float32; it shares nothing with the model.

    Raises:
        ValueError: if a layer cannot be made again from its config.
    """
    graph, twins = graph_of(model), {}
    called = {id(layer) for layer, _, _ in calls(model)}

    def again(layer):
        if id(layer) in twins:
            return twins[id(layer)]
        try:
            twin = twins[id(layer)] = layer.__class__.from_config(float32_config(layer))
        except (NotImplementedError, TypeError, ValueError) as error:
            raise ValueError(
                f"`{who}`: layer {layer.name!r} of `model` {model.name!r} cannot be copied, as `from_config` does not "
                f"take what its `get_config` gives: {error}"
            ) from error
        # A layer may compute with the weights of another one of the model.
        for name, other in vars(layer).items():
            if isinstance(other, keras.layers.Layer) and id(other) in called and other is not layer:
                _keras.untrack(twin, getattr(twin, name))  # a copy of its own, which `from_config` made
                setattr(twin, name, again(other))
        return twin

    whole = _not_compiled(model if isinstance(model, keras.Sequential) else graph)
    made = keras.models.clone_model(whole, clone_function=again)
    made.set_weights(model.get_weights())
    settle(made)
    _freeze_alike(model, made)
    return made


def _not_compiled(model):
    """The same model as one that nobody compiled: `clone_model` would look for the loss among registered functions."""
    view = object.__new__(type(model))
    view.__dict__.update(model.__dict__, compiled=False)
    return view


def ties(model):
    """Which layers compute with the weights of others: (label, name of the attribute that is the other, its label)."""
    labels = labels_of(model)
    called = {id(layer) for layer, _, _ in calls(model)}
    return [
        [labels[id(layer)], name, labels[id(other)]]
        for layer in {id(layer): layer for layer, _, _ in calls(model)}.values()
        for name, other in vars(layer).items()
        if isinstance(other, keras.layers.Layer) and id(other) in called and other is not layer
    ]


def tied(who, model, found):
    """A model that a config was read of, with what `ties` found in the one that the config tells of."""
    if not found:
        return model
    labels = labels_of(model)
    by_label = {labels[id(layer)]: layer for layer, _, _ in calls(model) if id(layer) in labels}
    for label, name, other in found:
        layer = by_label[label]
        _keras.untrack(layer, getattr(layer, name))
        vars(layer)[name] = by_label[other]  # as it is built, it takes no other layer any more; its copy does
    return copy(who, model)


def _freeze_alike(model, made):
    """Has a copy train what the model trains: of what is frozen within a layer no config tells."""
    for theirs, mine in zip(model.weights, made.weights, strict=True):
        mine.trainable = theirs.trainable
    for theirs, mine in zip(_normalizations(model), _normalizations(made), strict=True):
        if mine.trainable != theirs.trainable:
            mine.trainable = theirs.trainable


def _normalizations(model):
    """Those that compute something else while they are frozen."""
    return [one for one in _keras.flatten_layers(model) if isinstance(one, keras.layers.BatchNormalization)]


def settle(model):
    """Lets layers work out what they keep beside their weights: a Normalization does."""
    for layer in _keras.flatten_layers(model):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def differs(wanted, got):
    """The largest difference of two models' outputs, as a part of their size."""
    pairs = zip(keras.tree.flatten(wanted), keras.tree.flatten(got), strict=True)
    return max(float(np.max(np.abs(a - b)) / max(1.0, np.max(np.abs(a)))) for a, b in pairs)
