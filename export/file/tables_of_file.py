"""The operators of a .tflite file with their shapes, options and constants."""

from dataclasses import dataclass, field

from keraslayers.export.file import edit, strange
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


def widens(operator):
    """Whether an operator of `edit` only widens a constant, which is done when the file is loaded."""
    return operator.name == "DEQUANTIZE" and operator.inputs[0].constant


def widened(tensor):
    """The constant of fewer bits that a tensor of `edit` is widened from; None where it is not."""
    return tensor.maker.inputs[0] if tensor.maker is not None and widens(tensor.maker) else None


def read_tables(blob):
    """Reads (inputs, operators) of the main graph of a file.

    Constants that a file stores in 16 bits and widens when it is loaded count as constants.

    Raises:
        ValueError: if it is no .tflite file, or a damaged one.
    """
    strange.check(blob)
    read_graph(blob)  # which knows all that may be wrong
    try:
        return _read(blob)
    except (IndexError, ValueError) as error:
        raise ValueError(f"a damaged TFLite file ({len(blob)} bytes): its tables point outside of it.") from error


def _read(blob):
    main = edit.read(blob).main
    stored, known = {}, {}  # of what is widened when the file is loaded, what went in

    def of(tensor):
        tensor = stored.get(tensor, tensor)
        if tensor not in known:
            constant = tensor.maker is None and tensor not in main.inputs
            values = tensor.values if constant and tensor.dtype == "int32" else None
            known[tensor] = Tensor(tensor.name, tuple(max(1, size) for size in tensor.shape), constant, values)
        return known[tensor]

    operators = []
    for operator in main.operators:
        inputs = tuple(of(tensor) for tensor in operator.inputs if tensor is not None)
        if widens(operator):
            stored[operator.output] = operator.inputs[0]
            continue
        weights = () if operator.name in _PLACES.split() else tuple(tensor for tensor in inputs if tensor.constant)
        if operator.name == "TRANSPOSE_CONV":
            weights = weights[1:]  # the first is the size that it makes
        outputs = tuple(map(of, operator.outputs))
        operators.append(Operator(operator.name, operator.options, inputs, outputs, weights))
    return tuple(map(of, main.inputs)), tuple(operators)
