"""What a file from elsewhere must not be: a few bytes that take gigabytes, or hours, to read.

In a FlatBuffer tables and vectors may be referred to as often as one likes: a thousand operators that share one vector
of a million inputs are a file of some megabytes and a list of a billion numbers.
"""

import contextlib
import functools
import io
import math
import struct
import zipfile
import zlib

from keraslayers.export.file.schema import schema

# The entries of all lists, and the letters of all names, are as many as the file has bytes at most, if each has a place
# of its own. The files of converters, quantizers and rewriters at hand have 1.0 at most; some may share names.
MOST_TIMES = 2
# No kernel takes more than eight.
MOST_AXES = 64
# LiteRT's kernels count the elements of a tensor in 32 bits.
MOST_ELEMENTS = 2**31 - 1
# Labels, vocabularies and the like, in bytes: what is attached to a file is read whole.
MOST_ATTACHED = 2**28


def check(blob):
    """Refuses a file that would take more than its bytes are worth.

    Args:
        blob: its bytes. What is no .tflite file at all is for its reader to tell.

    Raises:
        ValueError: which goes on behind "x.tflite is".
    """
    if bytes(blob[4:8]) != b"TFL3":
        return
    with contextlib.suppress(zipfile.BadZipFile), _archive(blob) as archive:
        if archive is not None:
            _check_size(archive)
    try:
        _Counter(blob).model()
    # What the flatbuffer reader raises on offsets that lead out of the file.
    except (struct.error, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a damaged TFLite file ({len(blob)} bytes): its tables point outside of it.") from error


class _Counter:
    def __init__(self, blob):
        self.blob, self.left, self.seen = blob, MOST_TIMES * len(blob), set()

    def model(self):
        model = schema().Model.GetRootAsModel(self.blob, 0)
        self.take(model)
        for i in range(model.OperatorCodesLength()):
            self.take(model.OperatorCodes(i), model.OperatorCodes(i).CustomCode())
        for i in range(model.BuffersLength()):
            self.take(model.Buffers(i))
        for i in range(model.MetadataLength()):
            self.take(model.Metadata(i), model.Metadata(i).Name())
        for i in range(model.SignatureDefsLength()):
            signature = model.SignatureDefs(i)
            self.take(signature, signature.SignatureKey())
            for side in ("Inputs", "Outputs"):
                for j in range(getattr(signature, f"{side}Length")()):
                    pair = getattr(signature, side)(j)
                    self.take(pair, pair.Name())
        for i in range(model.SubgraphsLength()):
            self.graph(model.Subgraphs(i))

    def graph(self, graph):
        self.once(graph)
        self.take(graph, graph.Name())
        for i in range(graph.TensorsLength()):
            tensor = graph.Tensors(i)
            self.once(tensor)
            self.take(tensor, tensor.Name())
            if tensor.ShapeLength() > MOST_AXES:
                raise ValueError(f"a TFLite file with a tensor of {tensor.ShapeLength():,} axes.")
            sizes = [max(1, tensor.Shape(axis)) for axis in range(tensor.ShapeLength())]
            if math.prod(sizes) > MOST_ELEMENTS:
                raise ValueError(
                    f"a TFLite file with a tensor of shape {tuple(sizes)}, whose elements no kernel can count."
                )
            for part in (tensor.Quantization(), tensor.Sparsity()):
                if part is not None:
                    self.take(part)
        for i in range(graph.OperatorsLength()):
            operator = graph.Operators(i)
            self.once(operator)
            self.take(operator)
            for kinds, kind, options in (
                (_options(), operator.BuiltinOptionsType(), operator.BuiltinOptions()),
                (_options2(), operator.BuiltinOptions2Type(), operator.BuiltinOptions2()),
            ):
                if options is not None and kind in kinds:
                    table = kinds[kind]()
                    table.Init(options.Bytes, options.Pos)
                    self.take(table)

    def once(self, table):
        """Refuses a table that stands in several lists, or several times in one: no tool writes such."""
        if table._tab.Pos in self.seen:
            raise ValueError(
                f"a damaged TFLite file ({len(self.blob)} bytes): one of its tables stands in several lists."
            )
        self.seen.add(table._tab.Pos)

    def take(self, table, name=None):
        """Counts a table with its lists and its name."""
        self.left -= 1 + len(name or b"")
        for length in _lengths(type(table)):
            self.left -= length(table)
        if self.left < 0:
            raise ValueError(
                f"a damaged TFLite file ({len(self.blob)} bytes): its lists have more entries than it has bytes."
            )


@functools.cache
def _lengths(kind):
    """The methods of a table's class that tell how long its lists are."""
    return [method for name, method in vars(kind).items() if name.endswith("Length")]


def _classes(enumeration):
    return {number: getattr(schema(), name) for name, number in vars(enumeration).items() if hasattr(schema(), name)}


@functools.cache
def _options():
    return _classes(schema().BuiltinOptions)


@functools.cache
def _options2():
    return _classes(schema().BuiltinOptions2)


def attached(blob):
    """What is attached to a file in a zip archive behind it: (zipfile.ZipInfo, bytes) each.

    Raises:
        ValueError: if it cannot be read, or is larger than labels are.
    """
    try:
        with _archive(blob) as archive:
            if archive is None:
                return []
            _check_size(archive)
            return [(info, archive.read(info)) for info in archive.infolist()]
    # What Python's reader raises on archives that are damaged, encrypted, or of another compression.
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, RuntimeError) as error:
        raise ValueError(f"a TFLite file with an archive behind it that cannot be read: {error}") from error


def _archive(blob):
    """The zip archive behind a file, opened; None where there is none."""
    whole = io.BytesIO(blob)
    return zipfile.ZipFile(whole) if zipfile.is_zipfile(whole) else contextlib.nullcontext()


def _check_size(archive):
    size = sum(info.file_size for info in archive.infolist())
    if size > MOST_ATTACHED:
        raise ValueError(f"a TFLite file with an archive behind it that unpacks to {size:,} bytes.")
