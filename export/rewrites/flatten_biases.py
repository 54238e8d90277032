"""Biases of one axis."""

import numpy as np

from keraslayers.export.file.graph import BIASED
from keraslayers.export.file.quantized import quantization
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._kernels import moved, stored


def flatten_biases(graph):
    """Makes vectors of biases, as the format has them.

    Given:   x, kernel, bias [1, 1, 1, 96] -> FULLY_CONNECTED -> y
    Result:  x, kernel, bias [96] -> FULLY_CONNECTED -> y

    XNNPACK leaves a convolution with such a bias to the slow kernels. Of integers, whose 96 scales then stand along an
    axis of one, LiteRT does not even load the file: litert-torch and litert-quantizer write them where a scale follows
    a dense layer, with each of the 96 numbers in steps of each of the 96 scales.
    """
    return each(graph, BIASED, _flatten)


def _flatten(build, operator):
    place = BIASED[operator.name]
    bias = operator.inputs[place] if len(operator.inputs) > place else None
    if bias is None or len(bias.shape) < 2 or bias.size != max(bias.shape):
        return False
    if bias.channelwise and bias.constant:
        scales = bias.quantization.scale
        integers = _each_in_its_steps(bias.held, np.asarray(scales))
        if integers is None:
            return False
        flat = build.constant(integers, quantization=quantization(scales))  # biases have zero points of zero
    elif stored(bias):
        flat = moved(build, bias, lambda values: values.reshape(-1))
    else:
        return False
    build.graph.rewire(operator, [flat if i == place else x for i, x in enumerate(operator.inputs)])
    return True


def _each_in_its_steps(integers, scales):
    """Biases in steps of their own scales; None if they are neither that nor each in steps of every scale."""
    if integers.size == len(scales):
        return integers
    if integers.size != len(scales) ** 2:
        return None
    steps = scales.astype("float64")[:, None]
    real = integers.reshape(len(scales), -1) * steps
    own = np.diagonal(real)
    # Each is rounded to half a step, its own and the other.
    same = np.abs(real - own) <= 0.501 * (steps + steps.T) + 1e-6 * np.abs(own)
    return np.diagonal(integers.reshape(len(scales), -1)).copy() if same.all() else None
