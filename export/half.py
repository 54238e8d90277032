"""What 16 bits, in which phones' GPUs compute, do to a model: how near it comes to their end, what rounding costs."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keraslayers._rewrite import calls, first, graph_of
from keraslayers.export.layer_errors import LayerError, decibels
from keraslayers.export.passes._graph import laid_open, owner
from keraslayers.export.progress import each

# Beyond it float16 has infinity alone.
HALF = 65504.0


@dataclass(frozen=True)
class Largest:
    """The largest absolute value that any layer gives on the samples.

    Attributes:
        layer: which one.
        value: its size.
    """

    layer: str
    value: float

    def __str__(self):
        return (
            f"the largest value on the samples is {self.value:.4g}, out of layer `{self.layer}`; float16, in which "
            f"phones' GPUs compute, ends at {HALF:.0f}"
        )


def largest_value(interface, samples):
    """Measures a Functional or Sequential model; returns a `Largest`."""
    flat = laid_open(interface.model)
    found = [
        (owner(node.operation).name, tensor)
        for nodes in flat._nodes_by_depth.values()
        for node in nodes
        if not node.is_input
        for tensor in node.outputs
        if keras.backend.is_float_dtype(tensor.dtype)
    ]
    if not found:
        return Largest("", 0.0)
    values = interface.largest(samples, flat, [tensor for _, tensor in found])
    value, layer = max((value, layer) for (layer, _), value in zip(found, values, strict=True))
    return Largest(layer, value)


def half_errors(interface, samples):
    """What 16 bits cost layer by layer: weights and outputs rounded to float16, of one layer with weights at a time.

    Args:
        interface: of a Functional or Sequential model.
        samples: by input name arrays, of which the first few are run.

    Returns:
        A tuple of `LayerError`, the worst first.
    """
    layers = {layer.name: layer for layer, _, _ in calls(interface.model)}
    layers = {name: layer for name, layer in layers.items() if getattr(layer, "weights", None)}
    wanted = _outputs(interface, samples)
    signals = [np.sum((y - y.mean(axis=0 if len(y) > 1 else None)) ** 2) for y in wanted]
    found = []
    for name, layer in each(list(layers.items()), "what float16 costs, layer by layer"):
        got = _outputs(interface, samples, layer)
        errors = [np.sum((x - y) ** 2) for x, y in zip(got, wanted, strict=True)]
        snr = min(decibels(error, signal) for error, signal in zip(errors, signals, strict=True))
        found.append(LayerError(name, snr))
    return tuple(sorted(found, key=lambda error: error.snr_db))


def _outputs(interface, samples, halved=None):
    """The model's outputs on the first few samples, one of its layers in 16 bits."""

    def call(layer, *args, **kwargs):
        inner = graph_of(layer)
        if inner is not None:
            return inner._run_through_graph(first(args, kwargs), call_fn=call)
        return _in_half(layer, *args, **kwargs) if layer is halved else layer(*args, **kwargs)

    outputs = graph_of(interface.model)._run_through_graph(interface.few(samples), call_fn=call)
    return [ops.convert_to_numpy(y).astype("float64") for y in keras.tree.flatten(outputs)]


def _in_half(layer, *args, **kwargs):
    weights = [[_rounded(v) for v in kind] for kind in (layer.trainable_variables, layer.non_trainable_variables)]
    outputs, _ = layer.stateless_call(*weights, *args, **kwargs)
    return keras.tree.map_structure(_rounded, outputs)


def _rounded(x):
    x = ops.convert_to_tensor(x)
    return ops.cast(ops.cast(x, "float16"), x.dtype) if keras.backend.is_float_dtype(x.dtype) else x
