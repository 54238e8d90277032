"""A .tflite file to be changed: graphs of operators and tensors that know each other, read and written whole."""

import io
import struct
import zipfile
from dataclasses import dataclass, field

import numpy as np

from keraslayers.export.file import versions
from keraslayers.export.file.schema import FIELDS, OPTIONS, builtins, dtypes, numbers, schema

# What the format's offsets reach, and what LiteRT loads.
MOST_BYTES = 2**31 - 1
# XNNPACK and the kernels read constants in place, 16 bytes at a time.
ALIGNMENT = 16
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
        self._table = schema().TensorT(name=name, shape=list(shape), type=dtypes()[dtype], quantization=quantization)
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
        return Tensor._read(_copy(self._table), self.buffer)

    def _link(self):
        self.maker, self.readers, self._values = None, {}, None
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
        """
        if self._values is None and self.constant and self.dtype in FIELDS and self._table.sparsity is None:
            self._values = self.buffer.data.view(FIELDS[self.dtype]).reshape(self.shape)
        return self._values

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
        self._table = schema().OperatorT()
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
            operator.options = getattr(schema(), f"{OPTIONS[operator.name]}T")()

        def many(indices):
            return () if indices is None else tuple(tensors[i] if i >= 0 else None for i in indices)

        operator.inputs, operator.outputs = many(table.inputs), many(table.outputs)
        operator.intermediates = many(table.intermediates)
        return operator

    def __repr__(self):
        return f"{', '.join(map(repr, self.outputs))} = {self.name}({', '.join(map(repr, self.inputs))})"

    def twin(self, inputs, outputs):
        """The same operator of other tensors, not yet in a graph."""
        twin = _copy(self)
        twin.inputs, twin.outputs, twin.options = tuple(inputs), tuple(outputs), _copy(self.options)
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


class Graph:
    """A graph of a file, what runs first or what a loop calls.

    Attributes:
        name: its own.
        inputs, outputs: tensors, in the order of the file. They stay what they are, whatever becomes of the operators.
        operators: in an order in which what is read was made before.
        file: the `File` that it is of.
    """

    def __init__(self, name, inputs, outputs, operators):
        self.name, self.inputs, self.outputs, self.operators = name, inputs, outputs, operators
        self.kept = set()  # tensors that signatures name
        self.file = None
        for operator in operators:
            self._tie(operator)

    def _tie(self, operator):
        for tensor in operator.outputs:
            tensor.maker = operator
        for tensor in operator.inputs:
            if tensor is not None:
                tensor.readers[operator] = None

    def untie(self, operator):
        """Has its tensors know no more of an operator."""
        for tensor in operator.outputs:
            if tensor.maker is operator:
                tensor.maker = None
        for tensor in operator.inputs:
            if tensor is not None:
                tensor.readers.pop(operator, None)

    def insert(self, operator, before=None):
        """Puts an operator in front of another; at the end where none is named."""
        place = len(self.operators) if before is None else self.operators.index(before)
        self.operators.insert(place, operator)
        self._tie(operator)

    def remove(self, operator):
        """Takes an operator away; what it made is to be made by another, or read by none."""
        self.operators.remove(operator)
        self.untie(operator)

    def rewire(self, operator, inputs):
        """Has an operator read other tensors."""
        self.untie(operator)
        operator.inputs = tuple(inputs)
        self._tie(operator)

    def make(self, operator, *outputs):
        """Has an operator make other tensors; what it made is to be made by another, or read by none."""
        self.untie(operator)
        operator.outputs = outputs
        self._tie(operator)

    def redirect(self, old, new):
        """Has every operator that reads one tensor read another; the graph's own outputs stay."""
        for operator in list(old.readers):
            self.rewire(operator, (new if tensor is old else tensor for tensor in operator.inputs))

    def given(self, tensor):
        """Whether it is an output of the graph, which has to stay."""
        return tensor in self.kept or any(tensor is output for output in self.outputs)

    def sweep(self):
        """Takes away operators whose outputs nothing reads, and returns how many."""
        kept = {*self.outputs, *self.kept}
        gone = set()
        for operator in reversed(self.operators):
            wanted = any(output.readers or output in kept for output in operator.outputs)
            if not wanted and not operator.effects:
                self.untie(operator)
                gone.add(operator)
        self.operators = [operator for operator in self.operators if operator not in gone]
        return len(gone)


@dataclass(eq=False)
class Signature:
    """A way in that apps call by name.

    Attributes:
        key: its name.
        graph: what it runs.
        inputs, outputs: tensors of the graph by name.
    """

    key: str
    graph: Graph
    inputs: dict
    outputs: dict


@dataclass(eq=False)
class File:
    """A .tflite file.

    Attributes:
        graphs: the main one first.
        signatures: in the order of the file.
        metadata: `Buffer` by name.
        files: what is attached in a zip archive behind it: (zipfile.ZipInfo, bytes) each.
        description: a line of the converter's.
        tensors: those of the file that was read, graph by graph, by their numbers there; they keep that order.
    """

    graphs: list
    signatures: list = field(default_factory=list)
    metadata: dict = field(default_factory=dict)
    files: list = field(default_factory=list)
    description: bytes | None = None
    version: int = 3
    tensors: list = field(default_factory=list)

    def __post_init__(self):
        for graph in self.graphs:
            graph.file = self

    @property
    def main(self):
        return self.graphs[0]

    def entrances(self):
        """The graphs that apps run: the main one, and those of other signatures."""
        return list(dict.fromkeys([self.main, *(signature.graph for signature in self.signatures)]))

    def sweep(self):
        """Takes away what nothing reads: operators, and graphs that none calls."""
        for graph in self.graphs:
            graph.sweep()
        called = called_by(self.entrances())
        self.graphs = [graph for graph in self.graphs if graph in called]

    def write(self):
        """Returns the bytes of the file. Constants are copied once, into them.

        Raises:
            ValueError: if they are more than the format holds.
        """
        return _write(self)


def called_by(graphs):
    """Some graphs, and all that they call."""
    found = list(graphs)
    for graph in found:  # which grows meanwhile
        called = [getattr(operator.options, name) for operator in graph.operators for name in _calls(operator)]
        found += [other for other in dict.fromkeys(called) if other not in found]
    return found


def read(blob):
    """Reads the bytes of a .tflite file; constants are looked at where they lie.

    Raises:
        ValueError: if it is no .tflite file, a damaged one, or one with its constants in other files.
    """
    if len(blob) < 8 or bytes(blob[4:8]) != b"TFL3":
        raise ValueError(f"not a TFLite file: bytes 4 to 8 must be b'TFL3', got {bytes(blob[4:8])!r}.")
    try:
        return _read(blob)
    # What the flatbuffer reader raises on offsets that lead out of the file.
    except (struct.error, IndexError, KeyError, TypeError, AttributeError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError(f"a damaged TFLite file ({len(blob)} bytes): its tables point outside of it.") from error


def _read(blob):
    model = schema().ModelT.InitFromPackedBuf(blob, 0)
    if model.externalBuffers:
        raise ValueError("a TFLite file with its constants in other files: it cannot be rewritten alone.")
    buffers = [Buffer(_behind(blob, buffer.offset, buffer.size, buffer.data)) for buffer in model.buffers]
    for table in model.subgraphs:
        for operator in _list(table.operators):
            place = operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize
            operator.customOptions = _behind(blob, *place, operator.customOptions)
            operator.largeCustomOptionsOffset = operator.largeCustomOptionsSize = 0
    graphs, tensors_of = [], []
    for table in model.subgraphs:
        tensors = [Tensor._read(tensor, buffers[tensor.buffer]) for tensor in _list(table.tensors)]
        operators = [
            Operator._read(operator, model.operatorCodes[operator.opcodeIndex], tensors)
            for operator in _list(table.operators)
        ]
        inputs = [tensors[i] for i in _list(table.inputs)]
        outputs = [tensors[i] for i in _list(table.outputs)]
        graphs.append(Graph(table.name, inputs, outputs, operators))
        tensors_of.append(tensors)
    for graph in graphs:
        for operator in graph.operators:
            for name in _calls(operator):
                setattr(operator.options, name, graphs[getattr(operator.options, name)])
    signatures = []
    for entry in _list(model.signatureDefs):
        tensors = tensors_of[entry.subgraphIndex]
        inputs, outputs = (
            {pair.name.decode(): tensors[pair.tensorIndex] for pair in _list(side)}
            for side in (entry.inputs, entry.outputs)
        )
        signatures.append(Signature(entry.signatureKey.decode(), graphs[entry.subgraphIndex], inputs, outputs))
        graphs[entry.subgraphIndex].kept.update(outputs.values())
    metadata = {entry.name.decode(): buffers[entry.buffer] for entry in _list(model.metadata)}
    order = [tensor for tensors in tensors_of for tensor in tensors]
    return File(graphs, signatures, metadata, _attached(blob), model.description, model.version, order)


def _behind(blob, offset, size, inside):
    """Bytes that a file may hold behind its tables, as those of more than 2 GB must; written, they are among these."""
    if offset <= 1:  # 1 is the place of what is still to be written
        return inside
    if offset + size > len(blob):
        raise IndexError("constants outside of the file")
    return np.frombuffer(blob, "uint8", size, offset)


def _list(values):
    return () if values is None else values


def _calls(operator):
    """The names of those of its options that hold a graph, or its number."""
    if operator.options is None:
        return ()
    return [name for name in vars(operator.options) if name.endswith("ubgraphIndex") or name == "subgraph"]


def _attached(blob):
    whole = io.BytesIO(blob)
    if not zipfile.is_zipfile(whole):
        return []
    with zipfile.ZipFile(whole) as archive:
        return [(info, archive.read(info)) for info in archive.infolist()]


def _write(file):
    made = schema()
    codes, graphs, buffers = {}, [], {None: 0}
    # Buffer 0 stands for no data.
    datas = [None]
    number = {graph: i for i, graph in enumerate(file.graphs)}
    place = {tensor: i for i, tensor in enumerate(file.tensors)}

    def number_of(buffer):
        if buffer.data is None:
            return 0
        if buffer not in buffers:
            buffers[buffer] = len(datas)
            datas.append(buffer.data)
        return buffers[buffer]

    index_of = {}  # of all graphs' tensors
    for graph in file.graphs:
        tensors = _tensors(graph, [s for s in file.signatures if s.graph is graph])
        tensors.sort(key=lambda tensor: place.get(tensor, len(place)))
        index = {tensor: i for i, tensor in enumerate(tensors)}
        index_of.update(index)

        def many(held, index=index):
            return [-1 if tensor is None else index[tensor] for tensor in held]

        operators = [_operator(operator, codes, many, number) for operator in graph.operators]
        tables = []
        for tensor in tensors:
            table = _copy(tensor._table)
            table.name, table.buffer = tensor.name, number_of(tensor.buffer)
            tables.append(table)
        graphs.append(
            made.SubGraphT(
                tensors=tables,
                inputs=many(graph.inputs),
                outputs=many(graph.outputs),
                operators=operators,
                name=graph.name,
            )
        )
    signatures = [
        made.SignatureDefT(
            signatureKey=signature.key,
            subgraphIndex=number[signature.graph],
            **{
                side: [made.TensorMapT(name, index_of[tensor]) for name, tensor in getattr(signature, side).items()]
                for side in ("inputs", "outputs")
            },
        )
        for signature in file.signatures
    ]
    metadata = [made.MetadataT(name, number_of(buffer)) for name, buffer in file.metadata.items()]
    model = made.ModelT(
        version=file.version,
        operatorCodes=list(codes.values()),
        subgraphs=graphs,
        description=file.description,
        buffers=[made.BufferT(data=None if data is None else np.zeros(0, "uint8")) for data in datas],
        metadata=metadata or None,
        signatureDefs=signatures or None,
    )
    return _with_files(_packed(model, datas), file.files)


def _tensors(graph, signatures):
    """All that a graph's operators, borders and signatures name, each once."""
    named = [
        *graph.inputs,
        *graph.outputs,
        *(t for s in signatures for t in (*s.inputs.values(), *s.outputs.values())),
        *(t for op in graph.operators for t in (*op.inputs, *op.intermediates, *op.outputs) if t is not None),
    ]
    return list(dict.fromkeys(named))


def _operator(operator, codes, many, number):
    made = schema()
    # One label stands for all operators of a kind, and the highest of them stamps it: each gets its own.
    version = min(operator.version, versions.least(operator) or operator.version)
    key = (operator.name, operator.custom, version)
    if key not in codes:
        code = made.BuiltinOperator.CUSTOM if operator.custom else getattr(made.BuiltinOperator, operator.name)
        codes[key] = made.OperatorCodeT(
            deprecatedBuiltinCode=min(code, made.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES),
            builtinCode=code,
            customCode=operator.name if operator.custom else None,
            version=version,
        )
    table = _copy(operator._table)
    table.opcodeIndex = list(codes).index(key)
    table.inputs, table.outputs = many(operator.inputs), many(operator.outputs)
    table.intermediates = many(operator.intermediates) or None
    options = operator.options
    if calls := _calls(operator):
        options = _copy(options)
        for name in calls:
            setattr(options, name, number[getattr(options, name)])
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        if hasattr(made.BuiltinOptions, kind):
            table.builtinOptionsType, table.builtinOptions = getattr(made.BuiltinOptions, kind), options
        else:
            table.builtinOptions2Type, table.builtinOptions2 = getattr(made.BuiltinOptions2, kind), options
    return table


def _copy(table):
    if table is None:
        return None
    copy = type(table).__new__(type(table))
    vars(copy).update(vars(table))
    return copy


def _packed(model, datas):
    """The bytes of a model whose constants are written behind its tables: building them in would copy each many times.

    Tables are written with vectors of no bytes, whose places are then changed to where the bytes are put.
    """
    import flatbuffers

    builder = flatbuffers.Builder(2**16)
    builder.Finish(model.Pack(builder), b"TFL3")
    head = builder.Output()
    table = schema().Model.GetRootAsModel(head, 0)
    parts, end = [head], len(head)
    total = len(head) + sum(len(data) + 2 * ALIGNMENT for data in datas if data is not None)
    if total > MOST_BYTES:
        raise ValueError(
            f"a TFLite file of {total / 2**30:.1f} GB: the format holds 2 GB. Make one with weights of fewer bits."
        )
    for i, data in enumerate(datas):
        if data is None:
            continue
        raw = table.Buffers(i)._tab
        field = raw.Pos + raw.Offset(4)  # the first field of a Buffer, its data
        space = -(end + 4) % ALIGNMENT  # so that the bytes behind the length are aligned
        struct.pack_into("<I", head, field, end + space - field)
        parts += [bytes(space), struct.pack("<I", len(data)), memoryview(np.ascontiguousarray(data)).cast("B")]
        end += space + 4 + len(data)
    return b"".join(parts)


def _with_files(blob, files):
    """The bytes with an archive behind them."""
    if not files:
        return blob
    whole = io.BytesIO(blob)
    with zipfile.ZipFile(whole, "a") as archive:  # stored, not compressed: apps map it into memory
        for info, data in files:
            archive.writestr(info, data)
    return whole.getvalue()
