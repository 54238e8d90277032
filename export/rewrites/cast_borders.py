"""Inputs and outputs of types that web pages cannot hand over."""

from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import Tensor
from keraslayers.export.file.schema import dtypes
from keraslayers.export.rewrites.narrow_borders import rename

# By what holds every number of it, as far as a page can count.
_INTO = {"bool": "int32", "int8": "int32", "int16": "int32", "uint16": "int32", "int64": "int32", "float16": "float32"}


def cast_borders(graph):
    """Gives inputs and outputs of booleans and of other integers int32, those of 16-bit floats float32.

    LiteRT.js hands over float32, int32 and uint8. Those that are quantized stay: of them `io` decides.

    Given:   x [int64] -> GATHER -> a -> GREATER -> y [bool]
    Result:  x [int32] -> CAST -> GATHER -> a -> GREATER -> CAST -> y [int32]
    """
    if graph.file is None:
        return []
    places, first = [], graph.operators[0] if graph.operators else None
    for tensor in [tensor for tensor in graph.inputs if _is_cast(tensor)]:
        new = _replace(graph, "inputs", tensor)
        _cast(Builder(graph, first), new, tensor)
        places.append(("INPUT", tensor.name))
    for tensor in [tensor for tensor in dict.fromkeys(graph.outputs) if _is_cast(tensor)]:
        _cast(Builder(graph), tensor, _replace(graph, "outputs", tensor))
        places.append(("OUTPUT", tensor.name))
    return places


def real_outputs(graph):
    """The same of outputs, and those that are quantized become floats: a part of a file ends anywhere."""
    for tensor in dict.fromkeys(graph.outputs):
        if tensor.scale is not None and tensor.dtype != "int32":
            new = _replace(graph, "outputs", tensor, "float32")
            Builder(graph).add("DEQUANTIZE", (tensor,), new)
        elif _is_cast(tensor):
            _cast(Builder(graph), tensor, _replace(graph, "outputs", tensor))


def _is_cast(tensor):
    return tensor.dtype in _INTO and tensor.scale is None and not tensor.channelwise and not tensor.open


def _replace(graph, side, tensor, dtype=None):
    """Another one in its place among the inputs or outputs."""
    new = Tensor(tensor.name, tensor.shape, dtype or _INTO[tensor.dtype])
    ends = getattr(graph, side)
    ends[:] = [new if each is tensor else each for each in ends]
    rename(graph, side, tensor, new)
    return new


def _cast(build, x, y):
    build.name = y.name
    build.add("CAST", (x,), y, inDataType=dtypes()[x.dtype], outDataType=dtypes()[y.dtype])
