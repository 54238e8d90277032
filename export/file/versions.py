"""The version of an operator that a runtime must have, by what it computes.

A file has one label for all operators of a kind: one STRIDED_SLICE of five axes stamps them all, and a runtime that
takes four refuses each. The numbers are those of tensorflow/lite/tools/versioning/op_version.cc.
"""

# By type of what is computed; other types have version 1.
_BYTE, _SHORT = {"int8": 2}, {"int8": 2, "int16": 3}
_BY_DTYPE = {
    "ADD": {"int8": 2, "int16": 3, "int64": 4},
    "ARG_MAX": {"int8": 2, "bool": 3},
    "ARG_MIN": {"int8": 2, "bool": 3},
    "AVERAGE_POOL_2D": _SHORT,
    "BATCH_MATMUL": _SHORT,
    "BROADCAST_TO": {"int8": 3, "int16": 3},
    "CONCATENATION": {**_SHORT, "uint32": 4},
    "DEPTH_TO_SPACE": _BYTE,
    "DEQUANTIZE": {"int8": 2, "float16": 3, "int16": 3},
    "DIV": {},
    "EQUAL": {"int8": 2, "int16": 4},
    "EXPAND_DIMS": {},
    "GREATER_EQUAL": _SHORT,
    "LESS": _SHORT,
    "LOGISTIC": _SHORT,
    "MAXIMUM": {"int8": 2, "int16": 4},
    "MAX_POOL_2D": _SHORT,
    "MEAN": _SHORT,
    "MINIMUM": {"int8": 2, "int16": 4},
    "MUL": {"int8": 2, "int16": 4, "int64": 5, "complex64": 6, "uint32": 7},
    "NOT_EQUAL": _BYTE,
    "PACK": {**_SHORT, "uint32": 4},
    "PAD": _SHORT,
    "PADV2": _SHORT,
    "REDUCE_MAX": _SHORT,
    "REDUCE_MIN": _SHORT,
    "RESHAPE": {},
    "REVERSE_V2": {"bool": 2, "int8": 3},
    "SELECT_V2": {"uint32": 2},
    "SLICE": {"int8": 2, "string": 3, "int16": 4, "uint32": 6},
    "SOFTMAX": _SHORT,
    "SPACE_TO_DEPTH": _BYTE,
    "SPLIT": {"int8": 2, "int32": 3, "int16": 4},
    "SPLIT_V": _BYTE,
    "SQUEEZE": {"string": 2},
    "STRIDED_SLICE": {"int8": 2, "bool": 3, "string": 5, "uint32": 7},
    "SUB": {"int8": 2, "int64": 4, "int16": 5},
    "SUM": _SHORT,
    "TANH": _SHORT,
    "TILE": {"string": 2, "int8": 3},
    "TRANSPOSE": {"int8": 2, "bool": 3, "int16": 5},
    "UNPACK": {"int8": 2, "uint8": 2, "bool": 3, "int16": 4},
}
# Kinds that began as custom operators.
_FIRST = {"BROADCAST_TO": 2}
# With more than four axes; of the first group where they are not the same on both sides.
_WIDE_BROADCAST = {"DIV": 2, "MAXIMUM": 3, "MINIMUM": 3, "SUB": 3}
_WIDE = {"PAD": 4, "PADV2": 4, "SLICE": 5, "STRIDED_SLICE": 4, "TRANSPOSE": 4}
# What comes first among its inputs says where.
_SECOND = ("SPLIT",)


def least(operator):
    """The lowest version in which a runtime can compute an `edit.Operator`; None of kinds that are not known here."""
    inputs = [tensor for tensor in operator.inputs if tensor is not None]
    if operator.name in _WITH_KERNEL:
        return _WITH_KERNEL[operator.name](operator, inputs)
    if operator.name == "GATHER":
        if operator.options is not None and operator.options.batchDims:
            return 5
        return {"int8": 2, "bool": 3, "int16": 4}.get(inputs[0].dtype, 1)
    if operator.name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        centred = operator.options.halfPixelCenters
        centred |= operator.name == "RESIZE_NEAREST_NEIGHBOR" and operator.options.alignCorners
        return max(3 if centred else 1, {"int8": 2, "int16": 4}.get(inputs[0].dtype, 1))
    if operator.name == "DEQUANTIZE" and inputs and inputs[0].channelwise:
        return 5
    if operator.name not in _BY_DTYPE or not inputs:
        return None
    dtype = inputs[operator.name in _SECOND].dtype
    version = _BY_DTYPE[operator.name].get(dtype, _FIRST.get(operator.name, 1))
    if max(len(tensor.shape) for tensor in inputs) > 4:
        version = max(version, _WIDE.get(operator.name, 1))
        if len({tensor.shape for tensor in inputs[:2]}) > 1:
            version = max(version, _WIDE_BROADCAST.get(operator.name, 1))
    if operator.name == "TRANSPOSE" and len(inputs[0].shape) > 5:
        return 6
    if operator.name == "STRIDED_SLICE" and operator.options is not None:
        if operator.options.offset:
            return 8
        if operator.options.ellipsisMask or operator.options.newAxisMask:
            return max(version, 6)
    if operator.name == "MUL" and version == 2:
        scales = [tensor.scale for tensor in (*inputs[:2], *operator.outputs)]
        if all(scales) and scales[0] * scales[1] / scales[2] >= 1:
            return 3
    return version


def _convolution(operator, inputs):
    x, kernel = inputs[:2]
    grouped = operator.name == "CONV_2D" and kernel.shape[-1] != x.shape[-1]
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    if x.dtype == "int16":
        return None  # whose biases come in several types
    if (x.dtype, kernel.dtype) == ("int8", "int4"):
        return 7
    if grouped:
        return 6
    if (x.dtype, kernel.dtype) == ("int8", "int8"):
        return 3
    if (x.dtype, kernel.dtype) == ("float32", "int8"):
        return (6 if depthwise else 5) if kernel.channelwise else (4 if depthwise else 2)
    if depthwise and (operator.options.dilationWFactor != 1 or operator.options.dilationHFactor != 1):
        return 2
    return 1


def _dense(operator, inputs):
    x, kernel = inputs[:2]
    options = operator.options
    if x.dtype == "int16" or kernel._table.sparsity is not None or options is None or options.weightsFormat:
        return None
    if (x.dtype, kernel.dtype) == ("float32", "int8") and kernel.channelwise:
        return 12
    if (x.dtype, kernel.dtype) == ("int8", "int4"):
        return 10
    if (x.dtype, kernel.dtype) == ("float32", "int8") and options.asymmetricQuantizeInputs:
        return 9
    if len(inputs) == 2:
        return 6
    if options.keepNumDims:
        return 5
    return {"int8": 4, "float32": 3 if kernel.dtype == "int8" else 1}.get(x.dtype, 1)


def _transposed(operator, inputs):
    x = inputs[2]
    if x.dtype == "int16":
        return None
    if operator.activation != "NONE":
        return 4
    return 3 if len(inputs) > 3 else 2 if x.dtype == "int8" else 1


_WITH_KERNEL = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _dense,
    "TRANSPOSE_CONV": _transposed,
}
