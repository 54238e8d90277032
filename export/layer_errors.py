"""How far each layer of a file is from the same layer of the Keras model."""

import math
from collections import defaultdict
from dataclasses import dataclass

import keras
import numpy as np

from keraslayers import _rewrite
from keraslayers.export.blame import exposed, layer_of
from keraslayers.export.graph import read_graph
from keraslayers.export.progress import step
from keraslayers.export.proof import calls_of, snr_db, values_of
from keraslayers.export.runtimes import cpu

SAMPLES = 4
# Values that are held at a time, of all layers together: 512 MiB in floats.
MOST_VALUES = 2**27
# The largest number of 16 bits, in which phones' GPUs compute.
FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class LayerError:
    """A layer's outputs in a file, on LiteRT's built-in kernels, against those in Keras.

    Attributes:
        layer: its name in the model that was converted, after the passes.
        tensor: the file's name of its outputs.
        snr_db: power of the signal over power of the error, in decibels; the layer's own error and that of all before
            it. None where there is no error to speak of.
        largest: largest size of a value in Keras.
    """

    layer: str
    tensor: str
    snr_db: float | None
    largest: float

    @property
    def float16_margin(self):
        """How many times larger the values could be before 16 bits do not hold them."""
        return FLOAT16_MAX / self.largest if self.largest else None


def layer_errors(blob, interface, model, samples):
    """Compares a file with the model it was converted from, layer by layer.

    Args:
        blob: the file.
        interface: of the user's model.
        model: what was converted.
        samples: by input name an array of (samples, ...); the first four are run.

    Returns:
        A tuple of `LayerError` in the order of the file's operators, one for each layer whose outputs stand in the
        file. Empty where the model is no graph of layers, or the file has control flow.
    """
    every = exposed(blob) if _rewrite.graph_of(model) is not None else None
    if every is None:
        return ()
    with step("comparing layer by layer"):
        flat = _rewrite.laid_open(model)
        layers = {operation.name: operation for operation in flat.operations if _has_maps(operation)}
        file = read_graph(every)
        # Of a layer that is several operators, the last one that has its shape.
        tensors = {}
        for tensor in file.outputs:
            name = layer_of(tensor.name, layers)
            if name is not None and tuple(layers[name].output.shape[1:]) == tensor.shape[1:]:
                tensors.pop(name, None)
                tensors[name] = tensor
        if not tensors:
            return ()
        values = sum(math.prod(tensor.shape[1:]) for tensor in tensors.values())
        count = max(1, min(SAMPLES, MOST_VALUES // values))
        samples = {name: array[:count] for name, array in samples.items()}
        outcome = _run(every, file, read_graph(blob), samples)
        if outcome.outputs is None:
            return ()
        got = values_of(outcome.outputs, file, count)
        normalized = _normalized(flat)
        candidates = {name: [name, *normalized.get(name, ())] for name in tensors}
        wanted = _in_keras(interface, flat, layers, candidates, samples)
        return tuple(
            _error(name, tensor, [wanted[candidate] for candidate in candidates[name]], got[tensor.name])
            for name, tensor in tensors.items()
        )


def _has_maps(operation):
    return isinstance(operation.output, keras.KerasTensor) and len(operation.output.shape) > 1


def _run(every, file, graph, samples):
    inputs, _ = calls_of(samples, graph)
    # Without a signature the inputs have the tensors' own names.
    by_index = {tensor.index: inputs[tensor.name] for tensor in graph.inputs}
    return cpu.run_reference(every, file, {tensor.name: by_index[tensor.index] for tensor in file.inputs})


def _normalized(flat):
    """By layer's name the normalization that alone reads it: the converter folds it in and keeps the layer's name."""
    readers = defaultdict(list)
    for operation in flat.operations:
        for node in operation._inbound_nodes:
            for tensor in node.input_tensors:
                readers[tensor._keras_history.operation.name].append(operation)
    return {
        name: [found[0].name]
        for name, found in readers.items()
        if len(found) == 1 and isinstance(_rewrite.owner(found[0]), keras.layers.BatchNormalization)
    }


def _in_keras(interface, flat, layers, candidates, samples):
    names = sorted({name for several in candidates.values() for name in several})
    probe = keras.Model(_rewrite.graph_of(flat)._inputs_struct, {name: layers[name].output for name in names})
    tensors = [keras.ops.convert_to_tensor(samples[entry.name]) for entry in interface.inputs]
    return {name: keras.ops.convert_to_numpy(value) for name, value in interface(tensors, probe).items()}


def _error(name, tensor, wanted, got):
    """Of several that the tensor may stand for, the nearest."""
    nearest = min(wanted, key=lambda values: float(np.sum(np.square(got - values))))
    return LayerError(name, tensor.name, snr_db(nearest, got), float(np.max(np.abs(nearest))))
