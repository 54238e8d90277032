"""Tensors and operators of a .tflite file, which know each other."""

from dataclasses import dataclass

import numpy as np

from keraslayers.export.file import versions
from keraslayers.export.file.schema import FIELDS, OPTIONS, builtins, dtypes, new_table, numbers, schema

# Operators that do more than compute their outputs.
EFFECTS = ("ASSIGN_VARIABLE", "CALL", "CALL_ONCE", "CUSTOM", "HASHTABLE_IMPORT", "IF", "STABLEHLO_WHILE", "WHILE")


@dataclass(eq=False)
class Buffer:
    """The bytes of a constant; tensors may share one.

    Attributes:
        data: an array of uint8 that looks into the file it was read from; None of tensors that are computed. Constants
            without elements have an empty one.
    """

    data: np.ndarray | None = None


class Tensor:
    """A tensor of a graph.

    Attributes:
        name: its own; several may have the same.
        shape: sizes; of one that the file leaves open, what stands in for it, 1 as a rule.
        dtype: NumPy's name of the type, or the format's in small letters where NumPy has none.
        quantization: the format's parameters, or None.
        buffer: its `Buffer`.
        variable: whether it holds a state from call to call.
        maker: the operator that computes it; None of inputs and constants.
        readers: the operators that compute with it.
    """

    def __init__(self, name, shape, dtype, quantization=None, data=None):
        self._table = new_table("Tensor", name=name, shape=list(shape), type=dtypes()[dtype], quantization=quantization)
        self.buffer = Buffer(data)
        self._link()

    @classmethod
    def _read(cls, table, buffer):
        tensor = cls.__new__(cls)
        tensor._table, tensor.buffer = table, buffer
        tensor._link()
        return tensor

    def twin(self):
        """Another like it, with the same bytes, that no operator reads."""
        return Tensor._read(copied(self._table), self.buffer)

    def _link(self):
        self.maker, self.readers = None, {}
        self.shape = () if self._table.shape is None else tuple(int(size) for size in self._table.shape)
        self.dtype = numbers()[self._table.type]
        name = self._table.name or b""  # files of other tools may leave names out
        self.name = name.decode(errors="replace") if isinstance(name, bytes) else name

    def __repr__(self):
        return f"{self.name}: {self.dtype}{list(self.shape)}"

    @property
    def quantization(self):
        return self._table.quantization

    def quantize(self, quantization):
        """Gives it other parameters, as `quantized.quantization` gives; its integers stand for other numbers then."""
        self._table.quantization = quantization

    @property
    def variable(self):
        return self._table.isVariable

    @property
    def constant(self):
        """Whether its values stand in the file."""
        return self.buffer.data is not None and self.maker is None and not self.variable

    @property
    def open(self):
        """Whether the file leaves one of its sizes to be set when it is run."""
        return bool(self.open_axes)

    @property
    def open_axes(self):
        """The axes whose sizes the file leaves open."""
        signature = self._table.shapeSignature
        return () if signature is None else tuple(axis for axis, size in enumerate(signature) if size < 0)

    def fix(self, shape):
        """Gives it sizes that are known from now on."""
        self.shape = tuple(int(size) for size in shape)
        self._table.shape, self._table.shapeSignature = list(self.shape), None

    def retype(self, dtype):
        """Gives it another type; whoever makes it has to make that."""
        self.dtype, self._table.type = dtype, dtypes()[dtype]

    @property
    def size(self):
        """Number of elements."""
        return int(np.prod(self.shape, dtype="int64"))

    @property
    def values(self):
        """The values of a constant as an array that must not be written to.

        None of types that NumPy has not, and of constants of which the file leaves the zeros out.

        Raises:
            ValueError: if the file holds more of them, or fewer, than it says.
        """
        numbers = self.held
        if numbers is not None and numbers.size != self.size:
            raise ValueError(
                f"the file is damaged: constant {self.name!r} is of {self.dtype} and {self.shape}, and {numbers.size} "
                f"numbers are there in place of {self.size}. Have the tool that wrote it make it anew"
            )
        return None if numbers is None else numbers.reshape(self.shape)

    @property
    def held(self):
        """The numbers of a constant as they lie in the file, one after the other; None where `values` is."""
        if self.constant and self.dtype in FIELDS and self._table.sparsity is None:
            return self.buffer.data.view(FIELDS[self.dtype])
        return None

    def fill(self, values):
        """Gives a constant other values of its type; others that share its bytes keep them."""
        self.buffer = Buffer(np.ascontiguousarray(values).reshape(-1).view("uint8"))

    @property
    def scale(self):
        """Real value = scale * (integer - zero_point); None where it is not quantized, or not by one scale."""
        scales = None if self.quantization is None else self.quantization.scale
        return float(scales[0]) if scales is not None and len(scales) == 1 else None

    @property
    def zero_point(self):
        points = None if self.quantization is None else self.quantization.zeroPoint
        return int(points[0]) if points is not None and len(points) == 1 else 0

    @property
    def channelwise(self):
        """Whether each channel, or each block, has a scale of its own."""
        found = self.quantization
        scales = None if found is None else found.scale
        return (scales is not None and len(scales) > 1) or (found is not None and found.details is not None)

    def quantized_as(self, other):
        """Whether equal integers mean equal numbers in both."""
        mine, others = self.quantization, other.quantization

        def same(a, b):
            return np.array_equal([] if a is None else a, [] if b is None else b)

        if mine is None or others is None or mine is others:
            return mine is others or not (_scales(mine) or _scales(others))
        return same(mine.scale, others.scale) and same(mine.zeroPoint, others.zeroPoint) and not self.channelwise


def _scales(quantization):
    return quantization is not None and quantization.scale is not None and len(quantization.scale) > 0


class Operator:
    """An operator of a graph. Change what it reads and makes by the methods of its `Graph`.

    Attributes:
        name: as the format calls it, or the name of a custom one.
        options: what the format holds of it, under its own names, with the defaults where the file leaves them out;
            None of operators without.
        inputs: tensors; None for one that is left out.
        outputs: tensors.
        version: the lowest version of the operator that a runtime needs to have.
        intermediates: tensors inside it that hold ranges, as those of an LSTM.
    """

    def __init__(self, name, inputs, outputs, options=None):
        self._table = new_table("Operator")
        self.name, self.custom = name, False
        self.inputs, self.outputs, self.intermediates = tuple(inputs), tuple(outputs), ()
        self.options = options
        self.version = versions.least(self) or 1

    @classmethod
    def _read(cls, table, code, tensors):
        operator = cls.__new__(cls)
        operator._table = table
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        operator.name = builtins()[builtin]
        operator.custom = operator.name == "CUSTOM"
        if operator.custom:
            operator.name = (code.customCode or b"").decode()
        operator.version = code.version
        operator.options = table.builtinOptions
        if operator.options is None:
            operator.options = table.builtinOptions2
        if operator.options is None and operator.name in OPTIONS:  # the format leaves defaults out
            operator.options = new_table(OPTIONS[operator.name])

        def many(indices):
            return () if indices is None else tuple(tensors[i] if i >= 0 else None for i in indices)

        operator.inputs, operator.outputs = many(table.inputs), many(table.outputs)
        operator.intermediates = many(table.intermediates)
        return operator

    def __repr__(self):
        return f"{', '.join(map(repr, self.outputs))} = {self.name}({', '.join(map(repr, self.inputs))})"

    def twin(self, inputs, outputs):
        """The same operator of other tensors, not yet in a graph."""
        twin = copied(self)
        twin.inputs, twin.outputs, twin.options = tuple(inputs), tuple(outputs), copied(self.options)
        return twin

    @property
    def output(self):
        """The first of what it makes."""
        return self.outputs[0]

    @property
    def activation(self):
        """The name of the activation that is part of it, "NONE" as a rule."""
        code = getattr(self.options, "fusedActivationFunction", 0)
        return next(name for name, number in vars(schema().ActivationFunctionType).items() if number == code)

    @property
    def effects(self):
        """Whether it does more than compute what it gives, so that it stays though nobody reads that."""
        changes = any(tensor is not None and tensor.variable for tensor in self.inputs)
        return not self.outputs or changes or self.custom or self.name in EFFECTS

    @property
    def open(self):
        """Whether the size of something that it reads or makes is not known."""
        return any(tensor is not None and tensor.open for tensor in (*self.inputs, *self.outputs))


def calls_of(operator):
    """The names of those of its options that hold a graph, or its number."""
    if operator.options is None:
        return ()
    return [name for name in vars(operator.options) if name.endswith("ubgraphIndex") or name == "subgraph"]


def copied(table):
    if table is None:
        return None
    copy = type(table).__new__(type(table))
    vars(copy).update(vars(table))
    return copy
