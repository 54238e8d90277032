"""What pruning and clustering share: a copy of a model with other numbers in place of its kernels."""

import math
import warnings
from dataclasses import dataclass

import keras
from keras import layers

from keraslayers import _rewrite
from keraslayers.export.optimize.layout import LAST, TRANSPOSED
from keraslayers.export.optimize.model import Optimized, Plan, check, copy, plan_of
from keraslayers.export.optimize.rules import check_skip
from keraslayers.export.optimize.stripping import strip
from keraslayers.padded import PaddedConv2D
from keraslayers.spatial_separable import SpatialSeparableConv2D

# Kernels of which most networks are made. Depthwise ones are small and lose accuracy at once; tfmot leaves them, too.
KINDS = {
    layers.Conv1D: ("kernel",),
    layers.Conv2D: ("kernel",),
    layers.Conv2DTranspose: ("kernel",),
    layers.Dense: ("kernel",),
    layers.SeparableConv2D: ("pointwise_kernel",),
    PaddedConv2D: ("kernel",),
    SpatialSeparableConv2D: ("vertical_kernel", "horizontal_kernel"),
}
# Where less of the weights is covered, that is told.
MOST = 0.5


@dataclass(frozen=True)
class Found:
    """A kernel to work on: the layer's, the variable, and where its channels are."""

    layer: object
    variable: object
    place: str


def kernels_of(layer):
    """The kernels of a layer, as `Found`; none of a layer that is of no such kind."""
    place = TRANSPOSED if type(layer) is layers.Conv2DTranspose else LAST
    return [Found(layer, getattr(layer, name), place) for name in KINDS.get(type(layer), ())]


class Replaced(keras.layers.Layer):
    """Computes a layer with other numbers in place of its kernels.

    Args:
        layer: of the user's.
        kernels: layers with a `variable`, which is one of its kernels, with `now()`, which gives what takes its place,
            and with `advance()`, which is called once a step of training: no callback is needed, in `fit` as in a loop
            of one's own.
    """

    def __init__(self, layer, kernels, name):
        super().__init__(name=name, dtype="float32", activity_regularizer=layer.activity_regularizer)
        self.calls = 0  # of the layer in the model, told by its symbolic calls
        self.turn = 0
        self.layer = layer
        self.kernels = kernels
        self.built = True

    def call(self, inputs, training=None):
        if training:
            # A layer that is called several times takes one step with all its calls.
            if self.turn % self.calls == 0:
                for kernel in self.kernels:
                    kernel.advance()
            self.turn += 1
        with keras.StatelessScope(state_mapping=[(kernel.variable, kernel.now()) for kernel in self.kernels]):
            return self.layer.call(inputs)

    def compute_output_spec(self, inputs, training=None):
        self.calls += 1
        return self.layer.compute_output_spec(inputs)


def source_of(who, model):
    """A copy of a model, or of the ordinary one inside an optimized one, and the plan of that one.

    Raises:
        TypeError, ValueError: if it cannot be optimized.
    """
    check(who, model)
    before = plan_of(model)
    if before is not None and before.kind == "quantize":
        raise ValueError(
            f"`{who}`: `model` {model.name!r} is quantized already. Prune first, then cluster, then quantize: each "
            "keeps what came before."
        )
    return (strip(model) if before else copy(who, model)), before


def chosen(who, source, skip):
    """The kernels of a model to work on, each once; warns where most weights are in others that nobody skipped."""
    names = check_skip(who, source, skip)
    found = {}
    for layer, _, _ in _rewrite.calls(source):
        if type(layer) in KINDS and layer.name not in names:
            found[id(layer)] = kernels_of(layer)
    if not found:
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        raise ValueError(f"`{who}`: `model` {source.name!r} has no layer to work on: none of {kinds}, or all skipped.")
    every = sum(
        math.prod(weight.shape)
        for layer in source._flatten_layers(include_self=False, recursive=True)
        if layer.name not in names
        for weight in layer._trainable_variables
    )
    found = [kernel for kernels in found.values() for kernel in kernels]
    covered = sum(math.prod(kernel.variable.shape) for kernel in found)
    if covered < MOST * every:
        warnings.warn(
            f"`{who}`: kernels of {', '.join(kind.__name__ for kind in KINDS)} hold {100 * covered / every:.0f} % of "
            f"the weights of `model` {source.name!r} that train; the others stay as they are.",
            stacklevel=4,
        )
    return found


def replaced(source, kind, options, made, sparse, clustered):
    """The optimized model: the source's, with other numbers in place of kernels.

    Args:
        source: a copy of the user's model.
        kind, options, sparse, clustered: of the `Plan`.
        made: (a `Found`, what takes its place as `Replaced` wants it) for each kernel.
    """
    kernels, callers = {}, {}
    for found, kernel in made:
        kernels.setdefault(id(found.layer), []).append(kernel)

    def applies(layer, *args, **kwargs):
        return id(layer) in kernels

    def replace(layer, fresh, *args, **kwargs):
        if id(layer) not in callers:
            callers[id(layer)] = Replaced(layer, kernels[id(layer)], fresh(layer.name))
        return callers[id(layer)](_rewrite.first(args, kwargs))

    graph = _rewrite._rebuild(source, applies, replace, _rewrite.borrow)
    optimized = Optimized(graph._inputs_struct, graph._outputs_struct, name=source.name)
    optimized.output_names = list(_rewrite.graph_of(source).output_names)
    wrappers = tuple(kernel for _, kernel in made)
    optimized.plan = Plan(kind, source, options, frozenset(sparse), frozenset(clustered), wrappers)
    return optimized
