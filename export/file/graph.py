"""Reads what a .tflite file says of itself: inputs, outputs, operators, tensor types."""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from keraslayers.export.file.borders import domain, joined

# Calibration gives a tensor that is always zero a scale near 1e-8.
FLAT = 1e-7
# Operators with a kernel, and which of their inputs is the bias, if there is one.
BIASED = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
WITH_KERNEL = tuple(BIASED)
# From floats to integers, between integers, and back.
ENDS = ("QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True)
class Tensor:
    """An input or output of a .tflite file.

    Attributes:
        name: name in the file's signature, else the tensor's own.
        index: index of the tensor in the file.
        shape: with a 1 where the file leaves the size open.
        dtype: NumPy's name of the type.
        scale, zero_point: real value = scale * (integer - zero_point); None where not quantized.
        step: smallest difference between two values: its scale, or that of the integers which the file turns into
            floats at its end. None for floats all through.
        open: whether the file leaves sizes of it open, the batch aside.
        domain: of an input the lowest and highest number that it is made for, as far as what reads it tells.
        joined: of an output whether the file puts it together of several tensors.
    """

    name: str
    index: int
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None
    step: float | None = None
    open: bool = False
    domain: tuple[float, float] | None = None
    joined: bool = False

    @property
    def counted(self) -> bool:
        """Whether its elements are names, as class ids and masks are, or counts: right or wrong, no more or less."""
        return self.step is None and (self.dtype == "bool" or self.dtype.startswith("int"))

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Real values to what this tensor holds. Values that are of its dtype already pass through."""
        values = np.asarray(values)
        if self.scale is None or values.dtype == self.dtype:
            return values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.round(values / self.scale) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def dequantize(self, values: np.ndarray) -> np.ndarray:
        """What this tensor holds to real values, in float64."""
        values = np.asarray(values, "float64")
        return values if self.scale is None else (values - self.zero_point) * self.scale


@dataclass(frozen=True)
class Computed:
    """What an operator of a .tflite file computes.

    Attributes:
        operator: its name.
        tensor: the name of its first output; empty of operators without any.
        dtypes: of its outputs.
        kernel: of a convolution or dense layer the type in which its constant kernel is stored; None of others.
        inner: whether other operators compute with it: it is not what the file gives, `ENDS` aside.
    """

    operator: str
    tensor: str
    dtypes: tuple[str, ...]
    kernel: str | None
    inner: bool

    @property
    def floats(self) -> bool:
        """Whether it computes floats."""
        return any(dtype.startswith("float") for dtype in self.dtypes)


@dataclass(frozen=True)
class Graph:
    """What a .tflite file says of itself.

    Attributes:
        inputs, outputs: tensors, in the order of the file's signature.
        computed: by each operator of the main graph, a `Computed` each, in the order of the file.
        integer: whether there are integers among its activations: all of them, or those of layers not left in floats.
        weight_dtypes: the types of its constant tensors, most elements first.
        flat: names of integer activations whose range is next to nothing: they were zero on every sample.
        constants: bytes of weights by the name of what the operator that reads them computes.
        hybrid: whether some compute in floats with kernels of integers: runtimes round their inputs call by call.
        signatures: names of all; the inputs and outputs are of the first, which is the main graph's.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    computed: tuple[Computed, ...]
    integer: bool
    weight_dtypes: tuple[str, ...]
    flat: tuple[str, ...]
    constants: dict[str, int]
    hybrid: bool
    signatures: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of operators in the main graph."""
        return len(self.computed)

    @property
    def operators(self) -> dict[str, int]:
        """How often each operator stands in the main graph, by name, the most frequent first."""
        counts = Counter(made.operator for made in self.computed)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @property
    def float_operators(self) -> dict[str, int]:
        """How often each operator that computes in floats stands in the main graph, by name."""
        counts = Counter(made.operator for made in self.computed if made.floats and made.operator != "DEQUANTIZE")
        return dict(sorted(counts.items()))

    @property
    def kernels(self) -> dict[str, Any]:
        """By operator with a kernel (convolutions, dense layers) the types of its constant kernels."""
        dtypes = {}
        for made in self.computed:
            if made.kernel:
                dtypes.setdefault(made.operator, set()).add(made.kernel)
        return {name: tuple(sorted(found)) for name, found in sorted(dtypes.items())}


def read_graph(blob: bytes) -> Graph:
    """Reads the bytes of a .tflite file.

    Raises:
        ValueError: if they are empty, of another format, or damaged.
    """
    if len(blob) == 0:
        raise ValueError("not a TFLite file: it is empty.")
    if len(blob) < 8 or bytes(blob[4:8]) != b"TFL3":
        raise ValueError(
            f"not a TFLite file: bytes 4 to 8 must be b'TFL3', got {bytes(blob[4:8])!r}. "
            "Give a .tflite file; a .keras model becomes one with `keraslayers export`."
        )
    try:
        return _read(bytes(blob))
    # What the flatbuffer reader raises on offsets that lead out of the file.
    except (struct.error, IndexError, KeyError, TypeError, AttributeError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError(f"a damaged TFLite file ({len(blob)} bytes): its tables point outside of it.") from error
    except ValueError as error:
        raise ValueError(f"a damaged TFLite file ({len(blob)} bytes): {error}") from error


def _read(blob):
    from ai_edge_litert import schema_py_generated as schema  # slow to import, needed only here

    operator_names = _names(schema.BuiltinOperator)
    type_names = {code: name.lower() for code, name in _names(schema.TensorType).items()}
    model = schema.Model.GetRootAsModel(blob, 0)
    if model.SubgraphsLength() < 1:
        raise ValueError("it holds no graph.")
    main = model.Subgraphs(0)

    def many(length):
        # A damaged length could otherwise keep the loop busy for hours.
        if length * 4 > len(blob):
            raise ValueError("a list in it is longer than the file.")
        return range(length)

    codes = []
    for i in many(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = operator_names[builtin]
        codes.append(code.CustomCode().decode() if name == "CUSTOM" else name)

    def name_of(index):
        return (main.Tensors(index).Name() or b"").decode()  # files of other tools may leave names out

    # Where the file ends in DEQUANTIZE, the integers before it tell how fine its outputs can be; and a kernel that
    # comes out of one is stored as what went in.
    integers_of = {}
    activations = {main.Inputs(i) for i in many(main.InputsLength())}
    for i in many(main.OperatorsLength()):
        operator = main.Operators(i)
        activations.update(operator.Outputs(j) for j in many(operator.OutputsLength()))
        if codes[operator.OpcodeIndex()] == "DEQUANTIZE":
            integers_of[operator.Outputs(0)] = operator.Inputs(0)
    computed, hybrid, read = [], False, set()
    for i in reversed(many(main.OperatorsLength())):  # what reads a tensor stands behind what makes it
        operator = main.Operators(i)
        name = codes[operator.OpcodeIndex()]
        outputs = [operator.Outputs(j) for j in many(operator.OutputsLength())]
        made = tuple(type_names[main.Tensors(index).Type()] for index in outputs)
        stored = None
        if name in WITH_KERNEL:
            kernel = operator.Inputs(1)
            hybrid |= made == ("float32",) and type_names[main.Tensors(kernel).Type()] in ("int4", "int8")
            kernel = integers_of.get(kernel, kernel)
            if kernel not in activations:
                stored = type_names[main.Tensors(kernel).Type()]
        inner = not read.isdisjoint(outputs)
        computed.append(Computed(name, name_of(outputs[0]) if outputs else "", made, stored, inner))
        if inner or name not in ENDS:
            read.update(operator.Inputs(j) for j in many(operator.InputsLength()))
    constants, counted = Counter(), set()
    for i in many(main.OperatorsLength()):
        operator = main.Operators(i)
        for j in many(operator.InputsLength()):
            index = operator.Inputs(j)  # -1 stands for none
            if index < 0 or index in activations or (buffer := main.Tensors(index).Buffer()) in counted:
                continue
            counted.add(buffer)
            constants[name_of(operator.Outputs(0))] += model.Buffers(buffer).DataLength()
    sizes = Counter()
    for i in many(main.TensorsLength()):
        tensor = main.Tensors(i)
        if i not in activations:
            sizes[type_names[tensor.Type()]] += math.prod(_shape(tensor, many))
    # The borders may be floats though all between them are integers.
    takes = {main.Inputs(i) for i in many(main.InputsLength())}
    gives = {main.Outputs(i) for i in many(main.OutputsLength())}
    borders = takes | gives
    held = Counter(type_names[main.Tensors(i).Type()] for i in activations - borders - set(integers_of) or borders)

    def quantization_of(tensor):
        quantization = tensor.Quantization()
        if quantization is None or quantization.ScaleLength() != 1:
            return None, None
        scale = float(quantization.Scale(0))
        if not (math.isfinite(scale) and scale >= 0):
            raise ValueError(f"the scale of a tensor in it is {scale}.")
        if scale == 0:  # which the format has for none
            return None, None
        return scale, int(quantization.ZeroPoint(0)) if quantization.ZeroPointLength() else 0

    plain = [
        (
            codes[op.OpcodeIndex()],
            [op.Inputs(j) for j in many(op.InputsLength())],
            [op.Outputs(j) for j in many(op.OutputsLength())],
        )
        for op in map(main.Operators, many(main.OperatorsLength()))
    ]

    def interval(index):
        """What a tensor's integers can show."""
        tensor = main.Tensors(index)
        (scale, zero_point), kind = quantization_of(tensor), type_names[tensor.Type()]
        if scale is None or kind not in ("int8", "uint8", "int16"):
            return None
        limits = np.iinfo(kind)
        return (limits.min - zero_point) * scale, (limits.max - zero_point) * scale

    def table(number, place):
        """The size of the axis that an operator takes rows of."""
        op = main.Operators(number)
        shape = _shape(main.Tensors(op.Inputs(place)), many)
        axis = 0
        if codes[op.OpcodeIndex()] == "GATHER" and op.BuiltinOptions() is not None:
            options = schema.GatherOptions()
            options.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
            axis = options.Axis()
        return shape[axis] if shape else 1

    def describe(index, name):
        tensor = main.Tensors(index)
        scale, zero_point = quantization_of(tensor)
        dtype = type_names[tensor.Type()]
        name = name or name_of(index)
        step = scale or quantization_of(main.Tensors(integers_of.get(index, index)))[0]
        open = any(tensor.ShapeSignature(i) < 0 for i in many(tensor.ShapeSignatureLength()) if i)
        made_for = domain(index, plain, dtype, table, interval) if index in takes else None
        together = index in gives and joined(index, plain, activations)
        return Tensor(name, index, _shape(tensor, many), dtype, scale, zero_point, step, open, made_for, together)

    flat = [name_of(i) for i in sorted(activations) if 0 < (quantization_of(main.Tensors(i))[0] or 0) < FLAT]

    # Signature names are what an app uses; a file without a signature has tensor names only.
    named = {"Inputs": {}, "Outputs": {}}
    signatures = sorted(
        map(model.SignatureDefs, many(model.SignatureDefsLength())), key=lambda s: s.SubgraphIndex() > 0
    )
    if signatures and signatures[0].SubgraphIndex() == 0:
        signature = signatures[0]
        for side, names in named.items():
            for i in many(getattr(signature, f"{side}Length")()):
                entry = getattr(signature, side)(i)
                names[entry.Name().decode()] = entry.TensorIndex()
    for side, names in named.items():
        if not names:
            for i in many(getattr(main, f"{side}Length")()):
                index = getattr(main, side)(i)
                names[_another(name_of(index), names)] = index
    return Graph(
        inputs=tuple(describe(index, name) for name, index in named["Inputs"].items()),
        outputs=tuple(describe(index, name) for name, index in named["Outputs"].items()),
        computed=tuple(reversed(computed)),
        integer=held["int8"] + held["int16"] + held["uint8"] > 0,
        weight_dtypes=tuple(dtype for dtype, _ in sizes.most_common()),
        flat=tuple(flat),
        constants=dict(constants.most_common()),
        hybrid=hybrid,
        signatures=tuple((signature.SignatureKey() or b"").decode() for signature in signatures),
    )


def _another(name, names):
    """The name, or one after it where another tensor has it: files without a signature may have it twice."""
    return next(new for n in range(len(names) + 1) if (new := f"{name}_{n}" if n else name) not in names)


def _names(enumeration):
    return {code: name for name, code in vars(enumeration).items() if isinstance(code, int)}


def _shape(tensor, many):
    return tuple(1 if tensor.Shape(j) < 0 else tensor.Shape(j) for j in many(tensor.ShapeLength()))
