"""Kernels and biases of a file of integers, fitted to what the file in floats computed on samples."""

import numpy as np

from keraslayers.export.convert.observe import KERNELS
from keraslayers.export.file import edit
from keraslayers.export.file.graph import BIASED, ENDS

# What operators read, and what their biases are then.
BIASES = {"int8": "int32", "int16": "int64"}
# Of either kind: kernels of 16 bits sum in 40.
MOST_BITS = {"int32": 31, "int64": 39}


def fit_integers(blob, fitted):
    """A file whose kernels are rounded as `observe` did, and whose biases make up for what that moves.

    Given:   y = (W + d) x + b, the nearest integers being off by d
    Result:  y = (W + e) x + b - e E[x], e being such that (W + e) x varies as W x does

    The biases: Nagel et al. 2019, arXiv:1906.04721, section 4.2, with the means of what layers read on samples in place
    of those that batch normalization tells.

    Args:
        blob: its bytes.
        fitted: of the file in floats that it was made of, `Observed.fitted`.
    """
    file = edit.read(blob)
    found = [
        (operator, known)
        for operator in file.main.operators
        if operator.name in KERNELS and (known := _known(operator, fitted)) and _in_integers(operator, known)
    ]
    steps = {operator: _steps(operator, known) for operator, known in found}
    fresh = {}
    for operator, known in found:
        kernel = operator.inputs[1]
        before = kernel.buffer
        if before in fresh:
            kernel.buffer = fresh[before]
        else:
            kernel.fill(np.where(_along(steps[operator] > 0, operator), known.rounded, kernel.values))
            fresh |= {before: kernel.buffer, kernel.buffer: kernel.buffer}
    part_biases(file.main)
    for operator, known in found:
        bias = operator.inputs[2] if len(operator.inputs) > 2 else None
        if bias is None or bias.values is None or bias.dtype != BIASES[operator.inputs[0].dtype]:
            continue
        unit = operator.inputs[0].scale * steps[operator]
        moved = np.divide(known.moved, unit, out=np.zeros_like(unit), where=unit > 0)
        values = bias.values - np.round(moved).astype("int64")
        if np.max(np.abs(values)) < 2 ** MOST_BITS[bias.dtype]:
            bias.fill(values.astype(bias.dtype))
    return file.write() if found else blob


def part_biases(graph):
    """Gives every operator a bias of its own: layers that are used twice, steps of a loop, and equal layers share one.

    What it is in integers, and what it makes up for, depends on what the operator reads. The quantizer of 16 bits takes
    the scale of the first for all.
    """
    seen = set()
    for operator in graph.operators:
        if operator.name not in BIASED or len(operator.inputs) <= BIASED[operator.name]:
            continue
        inputs = list(operator.inputs)
        bias = inputs[BIASED[operator.name]]
        if bias is not None and bias.constant:
            if bias.buffer in seen:
                inputs[BIASED[operator.name]] = bias = bias.twin()
                bias.buffer = edit.Buffer(bias.buffer.data)
                graph.rewire(operator, inputs)
            seen.add(bias.buffer)


def _known(operator, fitted):
    """What is known of an operator; by the name of what integers become behind it, where that is at the file's end."""
    names = [operator.output.name, *(reader.output.name for reader in operator.output.readers if reader.name in ENDS)]
    return next((fitted[name] for name in names if name in fitted), None)


def _in_integers(operator, known):
    x, kernel = operator.inputs[:2]
    return x.dtype in BIASES and kernel.dtype == "int8" and kernel.shape == known.rounded.shape and kernel.constant


def _steps(operator, known):
    """The step of each output channel; 0 of those that the quantizer gave another, where all is near 0."""
    steps = np.broadcast_to(np.asarray(operator.inputs[1].quantization.scale, "float64"), known.steps.shape)
    return np.where(np.isclose(steps, known.steps, rtol=1e-5, atol=0), steps, 0)


def _along(values, operator):
    """Values of output channels, in a shape that broadcasts over the kernel."""
    shape = [1] * len(operator.inputs[1].shape)
    shape[KERNELS[operator.name]] = -1
    return values.reshape(shape)
