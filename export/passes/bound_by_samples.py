"""Deformable convolution without a bound, bounded by what its offsets are on the samples."""

import dataclasses
import math

import keras

from keraslayers import _keras
from keraslayers.export.passes._graph import first, laid_open, owner, rewrite
from keraslayers.export.passes.bound_deformable import BoundedDeformable, is_plain

# Of a bound of R pixels a 3x3 kernel sees (3 + 2 R)^2 places, and the file computes them all.
_FARTHEST = 8


class _Moves(keras.layers.Layer):
    """The offsets that somebody else's deformable convolution finds."""

    def __init__(self, layer):
        super().__init__(dtype=layer.dtype_policy)
        self.deformable = layer
        self.built = True

    def call(self, inputs):
        return self.deformable.moves(inputs)[0]


def bound_by_samples(model, largest=None):
    """Writes deformable convolutions without `max_offset` as bounded ones, see `bound_deformable`.

    The bound is the largest offset on the samples, rounded up to a pixel; all numbers in a file of integers keep within
    what they are on the samples. Above 8 pixels a layer stays as it is.

    Given:   x -> DeformableConv2D: convolution -> gathers -> products
    Result:  x -> convolution with relu6 -> hat functions of the shifts; x -> window; -> their matrix product

    Args:
        model: a Functional or Sequential model.
        largest: called as largest(model, tensors, most=None); gives the largest absolute values of symbolic tensors
            on all samples. None: no layer is changed.

    Returns:
        (model, the bound in pixels by the name of each layer that was replaced).
    """
    bounds = {} if largest is None else _bounds(laid_open(model), largest)

    def applies(layer, *args, **kwargs):
        return id(layer) in bounds

    def replace(layer, fresh, *args, **kwargs):
        name = fresh(f"{layer.name}_within_{bounds[id(layer)]}")
        geometry = dataclasses.replace(layer.geometry, max_offset=bounds[id(layer)])
        replaced[layer.name] = geometry.max_offset
        return BoundedDeformable(layer, name, geometry)(first(args, kwargs))

    replaced = {}
    return rewrite(model, applies, replace)[0], replaced


def _bounds(model, largest):
    """By the layer's id the bound of each that can have one, wherever it is called."""
    nodes = _keras.nodes(model)
    nodes = [(owner(node.operation), node.input_tensors[0]) for node in nodes if _unbounded(owner(node.operation))]
    if not nodes:
        return {}
    found = {}
    values = largest(model, [_Moves(layer)(tensor) for layer, tensor in nodes], most=None)
    for (layer, _), value in zip(nodes, values, strict=True):
        found[id(layer)] = max(found.get(id(layer), 1), math.ceil(value))
    return {layer: bound for layer, bound in found.items() if bound <= _FARTHEST}


def _unbounded(layer):
    return is_plain(layer) and layer.geometry.max_offset is None
