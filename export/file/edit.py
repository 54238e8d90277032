"""A .tflite file to be changed: graphs of operators and tensors that know each other, read and written whole."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from keraslayers.export.file.nodes import Buffer, Operator, Tensor, calls_of
from keraslayers.export.file.schema import schema
from keraslayers.export.file.strange import attached
from keraslayers.export.file.write import written

__all__ = ["Buffer", "File", "Graph", "Operator", "Signature", "Tensor", "called_by", "read"]


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
        ranges: a function that gives the (lowest, highest) number which a tensor of the main graph had on samples, or
            None of a new one; None where there are no samples.
    """

    graphs: list
    signatures: list = field(default_factory=list)
    metadata: dict = field(default_factory=dict)
    files: list = field(default_factory=list)
    description: bytes | None = None
    version: int = 3
    tensors: list = field(default_factory=list)
    ranges: Callable | None = None

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
        return written(self)


def called_by(graphs):
    """Some graphs, and all that they call."""
    found = list(graphs)
    for graph in found:  # which grows meanwhile
        called = [getattr(operator.options, name) for operator in graph.operators for name in calls_of(operator)]
        found += [other for other in dict.fromkeys(called) if other not in found]
    return found


def by_signature(blob):
    """A file of several signatures as a file of each: (its name, the bytes), that of the main graph first."""
    file = read(blob)
    ordered = sorted(file.signatures, key=lambda signature: signature.graph is not file.main)
    return [
        (signature.key, File(called_by([signature.graph]), [signature], tensors=file.tensors).write())
        for signature in ordered
    ]


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
    if _fields(blob) > len(vars(model)):
        raise ValueError(
            "a TFLite file that says more than the installed LiteRT knows, such as of constants in other files: "
            "pip install --upgrade ai-edge-litert."
        )
    if getattr(model, "externalBuffers", None):  # LiteRT 2.0 does not know them
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
        for tensor in tensors:
            computed = tensor.maker or tensor.variable or tensor in inputs
            if not (tensor.size or tensor.open or computed or tensor.buffer.data is not None):
                tensor.buffer = Buffer(np.zeros(0, "uint8"))  # a constant without elements; some tools write no bytes
        tensors_of.append(tensors)
    for graph in graphs:
        for operator in graph.operators:
            for name in calls_of(operator):
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
    return File(graphs, signatures, metadata, attached(blob), model.description, model.version, order)


def _fields(blob):
    """How many fields the table of the model has, with those that a schema of another age does not know."""
    (root,) = struct.unpack_from("<I", blob, 0)
    (back,) = struct.unpack_from("<i", blob, root)
    (size,) = struct.unpack_from("<H", blob, root - back)
    slots = struct.unpack_from(f"<{(size - 4) // 2}H", blob, root - back + 4)
    return max((place + 1 for place, offset in enumerate(slots) if offset), default=0)


def _behind(blob, offset, size, inside):
    """Bytes that a file may hold behind its tables, as those of more than 2 GB must; written, they are among these."""
    if offset <= 1:  # 1 is the place of what is still to be written
        return inside
    if offset + size > len(blob):
        raise IndexError("constants outside of the file")
    return np.frombuffer(blob, "uint8", size, offset)


def _list(values):
    return () if values is None else values
