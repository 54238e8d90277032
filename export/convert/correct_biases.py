"""What rounding the kernels to 8 bits moves on the average is put back into the biases.

Nagel et al. 2019, arXiv:1906.04721, section 4.2, with the means of what layers read on samples in place of those that
batch normalization tells.
"""

import numpy as np

from keraslayers.export.file import edit
from keraslayers.export.file.graph import ENDS, read_graph
from keraslayers.export.file.schema import schema
from keraslayers.export.proof.proof import FEWEST_SAMPLES, calls_of, chosen
from keraslayers.export.runtimes import cpu

# Operators with a kernel, and the axis of its output channels.
KERNELS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}


def means(given, samples):
    """What each operator with a kernel reads on the average, channel by channel.

    Args:
        given: bytes of a file in floats.
        samples: by input name arrays of (samples, ...).

    Returns:
        By the name of what the operator makes (its kernel, the means); none if the file does not run.
    """
    file, graph = edit.read(given), read_graph(given)
    numbers = {tensor: number for number, tensor in enumerate(file.tensors)}
    operators = [op for op in file.main.operators if op.name in KERNELS and op.inputs[0] in numbers]
    inputs, _ = calls_of(chosen(samples, FEWEST_SAMPLES), graph)
    found = cpu.means(given, graph, inputs, {numbers[op.inputs[0]] for op in operators})
    return {
        op.output.name: (op.inputs[1], np.asarray(found[numbers[op.inputs[0]]]))
        for op in operators
        if numbers[op.inputs[0]] in found and op.inputs[1].values is not None
    }


def correct_biases(blob, known):
    """A file in int8 whose biases make up for the rounding of its kernels.

    Given:   y = (W + d) x + b, the rounded kernel being off by d
    Result:  y = (W + d) x + b - d E[x]

    Args:
        blob: its bytes.
        known: of the file in floats that it was made of, as `means` gives it.
    """
    file = edit.read(blob)
    shared, changed = set(), False
    for operator in file.main.operators:
        if operator.name not in KERNELS or len(operator.inputs) < 3 or (name := _named(operator, known)) is None:
            continue
        (x, rounded, bias), (kernel, mean) = operator.inputs[:3], known[name]
        fits = rounded.dtype == "int8" and rounded.shape == kernel.shape and rounded.values is not None
        if not fits or x.dtype != "int8" or bias is None or bias.dtype != "int32" or bias.values is None:
            continue
        steps = _steps(rounded, KERNELS[operator.name])
        off = rounded.values * steps - kernel.values.astype("float64")
        moved = _moved(operator, off, mean)
        if moved is None:
            continue
        step = x.scale * steps.reshape(-1)
        values = bias.values - np.round(moved / step).astype("int64")
        if not np.array_equal(values, bias.values) and np.max(np.abs(values)) < 2**31:
            if bias.buffer in shared:  # of layers that are called twice
                bias = bias.twin()
                file.main.rewire(operator, (x, rounded, bias, *operator.inputs[3:]))
            bias.buffer = edit.Buffer(values.astype("int32").view("uint8").reshape(-1))
            changed = True
        shared.add(bias.buffer)
    return file.write() if changed else blob


def _named(operator, known):
    """The name of what the operator makes in the file in floats; None if there is none.

    At the file's end it is that of what integers become there.
    """
    names = [operator.output.name, *(reader.output.name for reader in operator.output.readers if reader.name in ENDS)]
    return next((name for name in names if name in known), None)


def _steps(kernel, axis):
    """The scale of each output channel, in a shape that broadcasts over the kernel."""
    scales = np.asarray(kernel.quantization.scale, "float64")
    shape = [1] * len(kernel.shape)
    shape[axis] = kernel.shape[axis]
    return np.broadcast_to(scales, kernel.shape[axis]).reshape(shape)


def _moved(operator, off, mean):
    """By how much the output channels are off on the average; None where that is not known."""
    if operator.name == "FULLY_CONNECTED":
        return off @ mean if mean.size == off.shape[1] else None
    inside = [
        _inside(operator, axis, size, taps, stride, dilation)
        for axis, size, taps, stride, dilation in zip(
            (1, 2),
            operator.inputs[0].shape[1:3],
            off.shape[1:3],
            (operator.options.strideH, operator.options.strideW),
            (operator.options.dilationHFactor, operator.options.dilationWFactor),
            strict=True,
        )
    ]
    weights = np.outer(*inside)
    if operator.name == "DEPTHWISE_CONV_2D":
        several = off.shape[3] // mean.size
        return np.einsum("hwc,hw->c", off[0], weights) * np.repeat(mean, several)
    groups = mean.size // off.shape[3]
    if groups > 1:  # each output channel reads its group alone
        means_of = np.repeat(mean.reshape(groups, -1), off.shape[0] // groups, axis=0)
        return np.einsum("ohwc,hw,oc->o", off, weights, means_of)
    return np.einsum("ohwc,hw,c->o", off, weights, mean)


def _inside(operator, axis, size, taps, stride, dilation):
    """For each tap along an axis, at which part of the places it reads the image and not the padding."""
    count = operator.output.shape[axis]
    before = 0
    if operator.options.padding == schema().Padding.SAME:
        before = max((count - 1) * stride + (taps - 1) * dilation + 1 - size, 0) // 2
    places = np.arange(count)[None] * stride + np.arange(taps)[:, None] * dilation - before
    return np.mean((places >= 0) & (places < size), axis=1)
