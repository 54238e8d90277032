"""The operators of a .tflite file with their shapes, options and constants."""

import struct
from dataclasses import dataclass, field

import numpy as np

from keraslayers.export.file.graph import read_graph

# Operators whose further inputs say where or how large, and weigh nothing.
_PLACES = """
    ARG_MAX ARG_MIN EXPAND_DIMS MEAN MIRROR_PAD PAD PADV2 REDUCE_MAX REDUCE_MIN REDUCE_PROD RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR SLICE SPLIT STRIDED_SLICE SUM TRANSPOSE
"""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of a file.

    Attributes:
        name: its own.
        shape: with a 1 where the file leaves a size open.
        constant: whether its values stand in the file.
        values: those of a constant of 32-bit integers, as an array; else None.
    """

    name: str
    shape: tuple[int, ...]
    constant: bool
    values: object = None


@dataclass(frozen=True)
class Operator:
    """An operator of a file.

    Attributes:
        name: as the format calls it.
        options: what the format holds of it, under its own names.
        inputs, outputs: tensors.
        weights: those of the inputs that are constants, but for places and sizes.
    """

    name: str
    options: object
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: tuple[Tensor, ...] = field(default=())


def read_tables(blob):
    """Reads (inputs, operators) of the main graph of a file.

    Constants that a file stores in 16 bits and widens when it is loaded count as constants.

    Raises:
        ValueError: if it is no .tflite file, or a damaged one.
    """
    read_graph(blob)  # which knows all that may be wrong
    try:
        return _read(blob)
    except (struct.error, IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"a damaged TFLite file ({len(blob)} bytes): its tables point outside of it.") from error


def _read(blob):
    from ai_edge_litert import schema_py_generated as schema  # slow to import, needed only here

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(blob, 0))
    main = model.subgraphs[0]
    made = {index for operator in main.operators for index in operator.outputs}
    tensors = []
    for index, tensor in enumerate(main.tensors):
        shape = tuple(max(1, int(size)) for size in tensor.shape) if tensor.shape is not None else ()
        data = model.buffers[tensor.buffer].data
        constant = index not in made and index not in main.inputs
        values = None
        if constant and data is not None and tensor.type == schema.TensorType.INT32:
            values = np.frombuffer(np.asarray(data, "uint8").tobytes(), "<i4").reshape(shape)
        tensors.append(Tensor(tensor.name.decode(), shape, constant, values))
    operators = []
    for operator in main.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        inputs = tuple(tensors[i] for i in operator.inputs if i >= 0)
        if name == "DEQUANTIZE" and inputs[0].constant:
            (out,) = operator.outputs
            tensors[out] = inputs[0]
            continue
        weights = () if name in _PLACES.split() else tuple(tensor for tensor in inputs if tensor.constant)
        if name == "TRANSPOSE_CONV":
            weights = weights[1:]  # the first is the size that it makes
        outputs = tuple(tensors[i] for i in operator.outputs)
        operators.append(Operator(name, operator.builtinOptions, inputs, outputs, weights))
    return tuple(tensors[i] for i in main.inputs), tuple(operators)
