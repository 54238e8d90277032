"""Files in int8 some of whose layers stay in floats."""

import contextlib
import functools
import math
import re
from collections import defaultdict
from dataclasses import dataclass

import keras

from keraslayers import _checks
from keraslayers._rewrite import graph_of
from keraslayers.export.blame import layer_of
from keraslayers.export.convert import saved
from keraslayers.export.interface import name_outputs
from keraslayers.export.progress import each


@dataclass(frozen=True)
class LayerError:
    """What int8 costs in one layer.

    Attributes:
        layer: its name in the Keras model; what the operator computes where that is not known.
        snr_db: signal over error at the model's outputs where this layer alone is in int8, in decibels; of the worst
            output.
    """

    layer: str
    snr_db: float


class Calibrated:
    """A model whose ranges are measured, from which files with one or another layer in floats are soon made."""

    def __init__(self, ask, layer_of, io, batch):
        self._ask, self._io, self._batch = ask, io, batch
        self._nodes = defaultdict(list)
        for tensor in ask("calibrate", batch=batch):
            self._nodes[layer_of(tensor) or tensor].append(tensor)

    @functools.cached_property
    def errors(self):
        """A tuple of `LayerError`, the worst first."""
        every = [tensor for nodes in self._nodes.values() for tensor in nodes]
        found = []
        for layer, nodes in each(list(self._nodes.items()), "what int8 costs, layer by layer"):
            losses = self._ask("lose", batch=self._batch, nodes=nodes, every=every)
            # 300 dB stand for no error at all: doubles hold no more.
            snr = min(
                10 * math.log10(max(signal, 1e-30) / max(error, 1e-30 * signal, 1e-60)) for error, signal in losses
            )
            found.append(LayerError(layer, round(snr, 1)))
        return tuple(sorted(found, key=lambda error: error.snr_db))

    def file(self, floats):
        """Bytes of the file with the layers of those names in floats."""
        nodes = [tensor for layer, tensors in self._nodes.items() if layer in floats for tensor in tensors]
        return self._ask("quantize", io=self._io, nodes=nodes)


@contextlib.contextmanager
def calibrated(interface, model, shapes, samples, io):
    """Measures a model's ranges; see `convert.convert` for the arguments. Returns a `Calibrated`."""
    layers = [layer.name for layer in layers_of(interface.model)]
    outputs = _output_layers(interface.model)

    def layer_of_tensor(tensor):
        if made := re.fullmatch(r"StatefulPartitionedCall:(\d+)", tensor):  # all that is said of an output
            return outputs[int(made[1])]
        return layer_of(tensor, layers)

    with saved(interface, model, shapes, samples) as ask:
        yield Calibrated(ask, layer_of_tensor, io, next(iter(shapes.values()))[0])


def _output_layers(model):
    """The names of the layers that make a model's outputs, in the order of a file: by the outputs' names."""
    graph = graph_of(model)
    if graph is None:
        return defaultdict(lambda: None)
    named = name_outputs(model, keras.tree.pack_sequence_as(graph._outputs_struct, graph.outputs))
    return [_maker(tensor) for _, tensor in sorted(named.items())]


def _maker(tensor):
    layer, _, index = tensor._keras_history
    if (graph := graph_of(layer)) is not None:
        return _maker(graph.outputs[index])
    return layer.name


def layers_of(model):
    """The layers of a model, those in nested models included."""
    return [layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]


def find_layers(who, skip, model):
    """The names of the layers that `skip` means: names, names of classes, or classes.

    Raises:
        TypeError: if an entry is neither.
        ValueError: if the model has no such layer.
    """
    layers = layers_of(model)
    names = {layer.name for layer in layers}
    classes = {type(layer).__name__ for layer in layers}
    found = set()
    for entry in [skip] if isinstance(skip, str | type) else skip:
        if isinstance(entry, type) and issubclass(entry, keras.layers.Layer):
            matching = {layer.name for layer in layers if isinstance(layer, entry)}
            if not matching:
                raise ValueError(f"`{who}`: `skip`: model {model.name!r} has no layer of the class {entry.__name__}.")
        elif isinstance(entry, str):
            _checks.choice(who, "skip", entry, [*sorted(names | classes)])
            matching = {layer.name for layer in layers if entry in (layer.name, type(layer).__name__)}
        else:
            raise TypeError(f"`{who}`: `skip` must hold names or classes of layers; got {entry!r}.")
        found |= matching
    return found
