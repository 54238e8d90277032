"""What pruning and clustering share: a copy of a model with wrappers around its kernels."""

import math
import warnings

from keras import layers

from keraslayers import _rewrite
from keraslayers.export.optimize.model import Optimized, Plan, check, copy, plan_of
from keraslayers.export.optimize.rules import check_skip
from keraslayers.export.optimize.stripping import strip
from keraslayers.padded import PaddedConv2D

# Kernels of which most networks are made. Depthwise ones are small and lose accuracy at once; tfmot leaves them, too.
KINDS = {
    layers.Conv2D: "kernel",
    layers.Dense: "kernel",
    layers.SeparableConv2D: "pointwise_kernel",
    PaddedConv2D: "kernel",
}
# Where less of the weights is covered, that is told.
MOST = 0.5


def kernel_of(layer):
    """The variable of a layer of these kinds."""
    return getattr(layer, KINDS[type(layer)])


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
    """The layers of a model to work on, each once; warns where most weights are in others that nobody skipped."""
    names = check_skip(who, source, skip)
    found = {}
    for layer, _, _ in _rewrite.calls(source):
        if type(layer) in KINDS and layer.name not in names:
            found[id(layer)] = layer
    if not found:
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        raise ValueError(f"`{who}`: `model` {source.name!r} has no layer to work on: none of {kinds}, or all skipped.")
    every = sum(
        math.prod(weight.shape)
        for layer in source._flatten_layers(include_self=False, recursive=True)
        if layer.name not in names
        for weight in layer._trainable_variables
    )
    covered = sum(math.prod(kernel_of(layer).shape) for layer in found.values())
    if covered < MOST * every:
        warnings.warn(
            f"`{who}`: kernels of {', '.join(kind.__name__ for kind in KINDS)} hold {100 * covered / every:.0f} % of "
            f"the weights of `model` {source.name!r} that train; the others stay as they are.",
            stacklevel=4,
        )
    return list(found.values())


def wrapped(source, kind, options, wrappers, sparse, clustered):
    """The optimized model: the source's, with a wrapper called in place of each layer that has one.

    Args:
        source: a copy of the user's model.
        kind, options, sparse, clustered: of the `Plan`.
        wrappers: layers, by the id of the one they call.
    """
    used = set()

    def applies(layer, *args, **kwargs):
        return id(layer) in wrappers

    def replace(layer, fresh, *args, **kwargs):
        wrapper = wrappers[id(layer)]
        if id(layer) not in used:
            wrapper.name = fresh(layer.name)
            used.add(id(layer))
        return wrapper(_rewrite.first(args, kwargs))

    graph = _rewrite._rebuild(source, applies, replace, _rewrite.borrow)
    made = Optimized(graph._inputs_struct, graph._outputs_struct, name=source.name)
    made.output_names = list(_rewrite.graph_of(source).output_names)
    made.plan = Plan(kind, source, options, frozenset(sparse), frozenset(clustered), tuple(wrappers.values()))
    return made
