"""Quantization parameters."""

import numpy as np

from keraslayers.export.file.schema import new_table


def quantization(scale, zero_point=0, axis=0):
    """The format's parameters: real value = scale * (integer - zero_point).

    Args:
        scale: a number, or one for each place along an axis.
        zero_point: the same.
        axis: which one.
    """
    scales = np.atleast_1d(np.asarray(scale, "float32"))
    points = np.broadcast_to(np.asarray(zero_point, "int64"), scales.shape).copy()
    return new_table("QuantizationParameters", scale=scales, zeroPoint=points, quantizedDimension=axis)


def ranged(low, high):
    """The format's parameters of floats whose lowest and highest number are known."""
    return new_table("QuantizationParameters", min=[low], max=[high])
