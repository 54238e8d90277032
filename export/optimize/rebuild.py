"""What pruning and clustering share: a copy of a model with other numbers in place of its kernels."""

import math
import warnings
from dataclasses import dataclass

import keras
from keras import layers

from keraslayers import _keras, _rewrite
from keraslayers.export.optimize.layout import LAST, TRANSPOSED
from keraslayers.export.optimize.matrix_part import matrix_place
from keraslayers.export.optimize.model import Optimized, Plan, check, copy, plan_of
from keraslayers.export.optimize.origins import labels_of
from keraslayers.export.optimize.stripping import strip
from keraslayers.padded import PaddedConv2D
from keraslayers.spatial_separable import SpatialSeparableConv2D

# Kernels of which most networks are made. Depthwise ones are small and lose accuracy at once; tfmot leaves them, too.
KINDS = {
    layers.Conv1D: ("kernel",),
    layers.Conv2D: ("kernel",),
    layers.Conv2DTranspose: ("kernel",),
    layers.Dense: ("kernel",),
    layers.EinsumDense: ("kernel",),
    layers.SeparableConv1D: ("pointwise_kernel",),
    layers.SeparableConv2D: ("pointwise_kernel",),
    PaddedConv2D: ("kernel",),
    SpatialSeparableConv2D: ("vertical_kernel", "horizontal_kernel"),
}
# Where less of the weights is covered, that is told.
MOST = 0.5


@dataclass(frozen=True)
class Found:
    """A kernel to work on: the layer's, the layer's label, the variable, and where its channels are."""

    layer: object
    label: str
    variable: object
    place: str


def every_kernel(source):
    """The kernels of a model as `Found`, those of layers within other layers too; one that layers share is there once.

    Those are left out of which it is not known where their channels stand.
    """
    found = {}
    labels = labels_of(source)
    for layer in _layers_of(source):
        place = {layers.Conv2DTranspose: TRANSPOSED, layers.EinsumDense: None}.get(type(layer), LAST)
        if type(layer) is layers.EinsumDense:
            place = matrix_place(layer)
        for name in KINDS.get(type(layer), ()) if place else ():
            variable = getattr(layer, name)
            found.setdefault(id(variable), Found(layer, labels[id(layer)], variable, place))
    return list(found.values())


def _layers_of(source):
    """The layers that a model calls, each followed by those within it."""
    for layer, _, _ in _rewrite.calls(source):
        if isinstance(layer, keras.layers.Layer):
            yield from _keras.flatten_layers(layer)


def kernel_name(kernel):
    """What the layer is called that works on a `Found`."""
    return f"{kernel.label}_{kernel.variable.name}".replace("/", "_").replace("*", "_")


class Turns:
    """Tells a kernel that a step of training begins: its layers' first call does.

    Args:
        kernel: as `Replaced` takes it.
    """

    def __init__(self, kernel):
        self.kernel = kernel
        self.calls = 0  # in the model, told by its symbolic calls
        self.turn = 0

    def take(self):
        """To be called by each call in training."""
        if self.turn % self.calls == 0:
            self.kernel.advance()
        self.turn += 1


class Replaced(keras.layers.Layer):
    """Computes a layer with other numbers in place of kernels, its own or those of layers within it.

    Args:
        layer: of the user's.
        turns: `Turns` of layers with a `variable`, which is one of these kernels, with `now()`, which gives what takes
            its place, and with `advance()`, which is called once a step of training: no callback is needed, in `fit` as
            in a loop of one's own.
        fixed: what the layer is called with by name that is no tensor, where tensors are called by name too.
    """

    def __init__(self, layer, turns, name, fixed=()):
        super().__init__(name=name, dtype="float32")
        self.layer = layer
        self.turns = turns
        self.kernels = [turn.kernel for turn in turns]
        self.fixed = dict(fixed)
        self.supports_masking = True
        self.built = True

    def call(self, *args, training=None, **kwargs):
        if training:
            for turn in self.turns:
                turn.take()
        mapping = [(kernel.variable, kernel.now()) for kernel in self.kernels]
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            outputs = self.layer(*args, **kwargs, **self.fixed)
        for loss in scope.losses:
            self.add_loss(loss)
        # What layers within it assign to their state goes no further than the scope.
        replaced = {id(kernel.variable) for kernel in self.kernels}
        for variable in self.layer.non_trainable_variables:
            value = scope.get_current_value(variable)
            if value is not None and id(variable) not in replaced:
                variable.assign(value)
        return outputs

    def compute_mask(self, inputs, previous_mask=None):
        if inputs == ():
            return None
        return self.layer.compute_mask(inputs[0], previous_mask[0])

    def compute_output_spec(self, *args, training=None, **kwargs):
        for turn in self.turns:
            turn.calls += 1
        return self.layer.compute_output_spec(*args, **kwargs, **self.fixed)


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
    """The kernels of a model to work on, each once; warns where most weights are in others that nobody skipped.

    Args:
        who: the function, for messages.
        source: a copy of the user's model.
        skip: labels of the layers to leave alone, with those within them. So are those that do not train.
    """
    labels, left = labels_of(source), set()
    for layer in _layers_of(source):
        if labels[id(layer)] in skip:
            left |= {id(variable) for variable in layer.variables}
    trained = {id(weight): weight for weight in source.trainable_variables if id(weight) not in left}
    found = [kernel for kernel in every_kernel(source) if id(kernel.variable) in trained]
    if not found:
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        raise ValueError(
            f"`{who}`: `model` {source.name!r} has no layer to work on: none of {kinds}, or all skipped or frozen."
        )
    every = sum(math.prod(weight.shape) for weight in trained.values())
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
    turns, callers = {id(found.variable): Turns(kernel) for found, kernel in made}, {}

    def kernels_in(layer):
        """Of a layer that computes with a kernel of another's, that one's."""
        variables = layer.variables if isinstance(layer, keras.layers.Layer) else ()
        return [turns[id(variable)] for variable in variables if id(variable) in turns]

    def applies(layer, *args, **kwargs):
        return bool(kernels_in(layer))

    def replace(layer, fresh, *args, **kwargs):
        fixed = _rewrite._beside_tensors(kwargs)
        key = id(layer), repr(sorted(fixed.items()))
        if key not in callers:
            callers[key] = Replaced(layer, kernels_in(layer), fresh(layer.name), fixed)
        return callers[key](*args, **{name: value for name, value in kwargs.items() if name not in fixed})

    graph = _rewrite._rebuild(source, applies, replace, _rewrite.borrow)
    optimized = Optimized(graph.input, graph.output, name=source.name)
    optimized.output_names = list(_rewrite.graph_of(source).output_names)
    wrappers = tuple(kernel for _, kernel in made)
    optimized.plan = Plan(kind, source, options, frozenset(sparse), frozenset(clustered), wrappers)
    return optimized
