"""What the Keras model of a file from elsewhere computes, under the file's names."""

import math

import numpy as np

from keraslayers._printable import printable
from keraslayers.export.source.fork import check_fork
from keraslayers.export.source.samples import OPEN


def expected_of(who, graph, model, samples):
    """Runs a Keras model on the samples of a file.

    Inputs and outputs are matched by their names; where a tool gave them others, in their order, if the shapes agree.

    Args:
        who: function to name in errors.
        graph: what `read_graph` says of the file.
        model: the Keras model.
        samples: by the file's input name arrays of (samples, ...); integers of a quantized input stand for numbers.

    Returns:
        By the file's output name what the model gives.

    Raises:
        TypeError: if `model` is no Keras 3 model.
        ValueError: if it takes or gives something else than the file.
    """
    from keraslayers.export.source.interface import interface_of  # here, as a file by itself needs no Keras

    check_fork(who)
    interface = interface_of(who, model)
    theirs = {entry.name: entry.shape for entry in interface.inputs}
    pairs = _matched(who, "input", {tensor.name: tensor.shape for tensor in graph.inputs}, theirs)
    of_file = {tensor.name: tensor for tensor in graph.inputs}
    dtypes = {entry.name: entry.dtype for entry in interface.inputs}
    given = {}
    for name, own in pairs.items():
        tensor, values = of_file[name], samples[name]
        # What the file takes as integers of a scale, the model takes as the numbers that they stand for.
        real = tensor.dequantize(tensor.quantize(values)) if tensor.scale is not None else values
        given[own] = _shaped(np.asarray(real).astype(dtypes[own]), theirs[own])
    batch = graph.inputs[0].shape[0] if graph.inputs[0].shape else 1
    try:
        outputs = interface.predict({entry.name: given[entry.name] for entry in interface.inputs}, batch)
    except Exception as error:  # of whatever class the model's own code raises
        if not any(tensor.open for tensor in graph.inputs):
            error.add_note(f"`{who}`: `model` {model.name!r} failed in Keras on the samples.")
            raise
        sizes = _listed({tensor.name: tensor.shape for tensor in graph.inputs})
        raise ValueError(f"`{who}`: `model` does not run at the file's sizes, {sizes}. {OPEN}") from error
    shapes = {name: (None, *values.shape[1:]) for name, values in outputs.items()}
    pairs = _matched(who, "output", {tensor.name: tensor.shape for tensor in graph.outputs}, shapes)
    return {name: outputs[own] for name, own in pairs.items()}


def _matched(who, side, of_file, of_model):
    """The model's names by the file's."""
    same = of_file.keys() == of_model.keys()
    pairs = {name: name for name in of_file} if same else dict(zip(of_file, of_model, strict=False))
    if len(of_file) != len(of_model) or not all(_fits(of_file[a], of_model[b]) for a, b in pairs.items()):
        raise ValueError(
            f"`{who}`: `model` must take and give what the file does; the file's {side}s are {_listed(of_file)}, the "
            f"model's {_listed(of_model)}. If a tool moved the channels, give a model that has them there, too."
        )
    return pairs


def _fits(shape, wanted):
    if None not in wanted[1:] and len(shape) < len(wanted):  # a file may have fewer axes, for the same numbers
        return math.prod(shape[1:]) == math.prod(wanted[1:])
    pairs = zip(shape[1:], wanted[1:], strict=False)
    return len(shape) == len(wanted) and all(size is None or size == own for own, size in pairs)


def _shaped(values, wanted):
    return values if None in wanted[1:] else values.reshape(len(values), *wanted[1:])


def _listed(shapes):
    sizes = {name: ", ".join("any" if size is None else str(size) for size in shape) for name, shape in shapes.items()}
    return ", ".join(f"`{printable(name)}` ({listed})" for name, listed in sizes.items())
