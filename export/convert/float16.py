"""What 16 bits, in which phones' GPUs compute, do to a model: how near it comes to their end, what rounding costs."""

import math

import keras
import numpy as np
from keras import layers, ops

from keraslayers import _keras
from keraslayers._rewrite import calls, first, graph_of
from keraslayers.export.convert.largest import Largest
from keraslayers.export.convert.layer_errors import LayerError, decibels
from keraslayers.export.measures import powers, signal
from keraslayers.export.passes._graph import laid_open, owner
from keraslayers.export.progress import each
from keraslayers.export.source.layer_names import labels_of

# More samples than these are not measured: a network is run on them layer by layer.
MOST_SAMPLES = 32
# Stands for infinity and for what is no number: reports hold numbers.
MOST = float(np.finfo("float32").max)
_SUMS = (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D)


def largest_value(interface, samples):
    """Measures a Functional or Sequential model; returns a `Largest`."""
    flat, labels = laid_open(interface.model), labels_of(interface.model)
    found = [
        (labels.get(id(layer), layer.name), *measured)
        for node in _keras.nodes(flat)
        for layer in [owner(node.operation)]
        for measured in _measured(layer, node)
        if keras.backend.is_float_dtype(measured[0].dtype)
    ]
    if not found:
        return Largest("", 0.0)
    values = interface.largest(samples, flat, [tensor for _, tensor, _, _ in found], most=MOST_SAMPLES)
    sizes = [
        (min(size(value), MOST) if np.isfinite(value) else MOST, not inside, layer)
        for (layer, _, size, inside), value in zip(found, values, strict=True)
    ]
    value, outside, layer = max(sizes)
    return Largest(layer, value, not outside)


def _measured(layer, node):
    """Yields what to measure of a layer: (a tensor, what follows from its largest value, whether it stays inside)."""
    for tensor in node.outputs:
        yield tensor, lambda value: value, False
    if isinstance(layer, _SUMS) and None not in node.input_tensors[0].shape[1:]:
        places = math.prod(node.input_tensors[0].shape[1:]) // math.prod(node.outputs[0].shape[1:])
        yield node.outputs[0], lambda value: value * places, True
    if isinstance(layer, layers.LayerNormalization):
        yield node.input_tensors[0], lambda value: value * value, True


def float16_errors(interface, samples):
    """What 16 bits cost layer by layer: weights and outputs rounded to float16, of one layer with weights at a time.

    Args:
        interface: of a Functional or Sequential model.
        samples: by input name arrays, of which the first few are run.

    Returns:
        A tuple of `LayerError`, the worst first.
    """
    labels = labels_of(interface.model)
    named = {labels.get(id(layer), layer.name): layer for layer, _, _ in calls(interface.model)}
    named = {name: layer for name, layer in named.items() if getattr(layer, "weights", None)}
    wanted = _outputs(interface, samples)
    signals = [signal(*powers(y)) for y in wanted]
    found = []
    for name, layer in each(list(named.items()), "what float16 costs, layer by layer"):
        got = _outputs(interface, samples, layer)
        errors = [np.sum((x - y) ** 2) for x, y in zip(got, wanted, strict=True)]
        snr = min(map(decibels, errors, signals))
        found.append(LayerError(name, snr))
    return tuple(sorted(found, key=lambda error: error.snr_db))


def _outputs(interface, samples, rounded=None):
    """The model's outputs on the first few samples, one of its layers in 16 bits."""

    def call(layer, *args, **kwargs):
        inner = graph_of(layer)
        if inner is not None:
            return _keras.run(inner, first(args, kwargs), call)
        return _in_float16(layer, *args, **kwargs) if layer is rounded else layer(*args, **kwargs)

    outputs = _keras.run(graph_of(interface.model), interface.few(samples), call)
    return [ops.convert_to_numpy(y).astype("float64") for y in keras.tree.flatten(outputs)]


def _in_float16(layer, *args, **kwargs):
    weights = [[_rounded(v) for v in kind] for kind in (layer.trainable_variables, layer.non_trainable_variables)]
    outputs, _ = layer.stateless_call(*weights, *args, **kwargs)
    return keras.tree.map_structure(_rounded, outputs)


def _rounded(x):
    x = ops.convert_to_tensor(x)
    return ops.cast(ops.cast(x, "float16"), x.dtype) if keras.backend.is_float_dtype(x.dtype) else x
