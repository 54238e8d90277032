"""How many bytes an operator of a file reads and writes at least: each number once, and none that it does not need."""

import math

import numpy as np

from keraslayers.export.file.nodes import calls_of
from keraslayers.export.file.schema import FIELDS
from keraslayers.export.file.tables_of_file import widened

# The bytes stay where they are.
FREE = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
# What they give is chosen out of what they are given.
CHOSEN = ("EMBEDDING_LOOKUP", "GATHER", "GATHER_ND", "SLICE", "STRIDED_SLICE", "UNPACK")
# Each number that these give hangs on four of the image's at most.
RESIZED = {"RESIZE_BILINEAR": 4, "RESIZE_NEAREST_NEIGHBOR": 1}
PLACES = ("int32", "int64")


def least_bytes(operator):
    """Bytes of what an operator has to read and to write, of its constants as the file holds them.

    Constants of 32 and 64 bits, which say where or how large, are left out, and so is what a graph reads that an
    operator calls. Of an image what lies between the windows of a kernel is not read.

    Args:
        operator: of `edit`.
    """
    if operator.name in FREE or calls_of(operator):
        return 0
    read = dict.fromkeys(tensor for tensor in operator.inputs if tensor is not None)
    written = sum(map(_bytes, operator.outputs))
    given = sum(_bytes(tensor) for tensor in read if not (tensor.constant and tensor.dtype in PLACES))
    if operator.name in CHOSEN:
        return written + min(given, written)
    if not operator.outputs or not operator.inputs or operator.inputs[0] is None:
        return written + given
    most, image = _needed(operator), operator.inputs[0]
    spared = 0 if most is None else max(0, image.size - most) * _width(image)
    return written + given - spared


def _needed(operator):
    """How many numbers of its first input an operator can read; None where that is not known to be few."""
    made, options = operator.output, operator.options
    if operator.name in RESIZED:
        return RESIZED[operator.name] * made.size
    if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        window = operator.inputs[1].shape[1:3]
    elif operator.name in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        window = (options.filterHeight, options.filterWidth)
    else:
        return None
    image = operator.inputs[0].shape
    return math.prod(made.shape[:3]) * math.prod(window) * image[-1]


def _bytes(tensor):
    stored = widened(tensor) or tensor
    if stored.constant:
        return stored.buffer.data.nbytes
    return tensor.size * _width(tensor)


def _width(tensor):
    """Bytes of an element; 0 of types that are no numbers."""
    return np.dtype(FIELDS[tensor.dtype]).itemsize if tensor.dtype in FIELDS else 0
