"""Constants of 8 bits."""

import numpy as np

from keraslayers.export.file.quantized import quantization

LARGEST = 127


def one_number(build, number):
    """A constant of a positive number, as exact as floats are: the largest integer times a scale."""
    return build.constant(np.full(1, LARGEST, "int8"), quantization=quantization(number / LARGEST))


def of_eight_bits(*tensors):
    """Whether all are computed integers of 8 bits with one scale each."""
    return all(tensor.dtype == "int8" and tensor.scale is not None and not tensor.constant for tensor in tensors)
