"""Integers of 64 bits that count or index, in 32 bits."""

import numpy as np

from keraslayers.export.file.build import Builder
from keraslayers.export.file.schema import dtypes
from keraslayers.export.rewrites._each import each

_LARGEST = np.iinfo("int32")
_COMPARING = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
# All of whose numbers are of one type.
_ALIKE = (
    "ABS",
    "ADD",
    "CONCATENATION",
    "FLOOR_DIV",
    "FLOOR_MOD",
    "MAXIMUM",
    "MINIMUM",
    "MUL",
    "NEG",
    "PACK",
    "RANGE",
    "SUB",
    "UNPACK",
)
# Whose first is data, the others say where or how many.
_MOVING = (
    "BROADCAST_TO",
    "CUMSUM",
    "EXPAND_DIMS",
    "GATHER",
    "GATHER_ND",
    "PAD",
    "REDUCE_MAX",
    "REDUCE_MIN",
    "RESHAPE",
    "REVERSE_V2",
    "SLICE",
    "SPLIT_V",
    "SQUEEZE",
    "STRIDED_SLICE",
    "SUM",
    "TILE",
    "TRANSPOSE",
)
# Bounds beyond a tensor's end mean its end.
_BOUNDED = ("SLICE", "STRIDED_SLICE")


def narrow_integers(graph):
    """Computes with 32 bits where a file has integers of 64, of numbers that fit.

    LiteRT's GPU runtime has none of 64 bits, as ARG_MAX, shapes and indices of other tools are. Inputs and outputs of
    the file keep their type, and what is computed between them alone does: it would be refused all the same.

    Given:   x -> ARG_MAX (int64) -> y; table, y -> GATHER
    Result:  x -> ARG_MAX (int32) -> y; table, y -> GATHER
    """
    blocked = _blocked(graph)
    places = []
    for operator in list(graph.operators):
        groups = [group for group in _groups(operator) if not blocked.intersection(group) and _fits(operator, group)]
        if not groups:
            continue
        places.append((operator.name, operator.output.name))
        narrow = {tensor for group in groups for tensor in group if tensor.dtype == "int64"}
        build = Builder(graph, operator)
        for tensor in narrow:
            if tensor.maker is operator:
                tensor.retype("int32")
        graph.rewire(operator, [_narrow(build, t) if t in narrow and t.constant else t for t in operator.inputs])
    for operator in graph.operators:
        _relabel(operator)
    return places + each(graph, ("CAST",), _leave_out)


def _narrow(build, constant):
    return build.integers(np.clip(constant.values, _LARGEST.min, _LARGEST.max))


def _groups(operator):
    """The tensors of an operator in groups of one type each: those of 64 bits; none of kinds that need them."""
    inputs, outputs = operator.inputs, operator.outputs
    if operator.name in _ALIKE:
        groups = [(*inputs, *outputs)]
    elif operator.name in _COMPARING:
        groups = [inputs]
    elif operator.name in _MOVING:
        groups = [(inputs[0], *outputs), inputs[1:]]
    elif operator.name in ("SELECT", "SELECT_V2"):
        groups = [(*inputs[1:], *outputs)]
    elif operator.name == "SPLIT":
        groups = [(inputs[1], *outputs)]
    elif operator.name == "CAST":
        groups = [inputs, outputs]
    elif operator.name in ("ARG_MAX", "ARG_MIN"):
        groups = [outputs, inputs[1:]]
    elif operator.name == "ONE_HOT":
        groups = [inputs[:1], (*inputs[2:], *outputs)]
    elif operator.name == "FILL":
        groups = [inputs[:1], (*inputs[1:], *outputs)]
    elif operator.name == "SCATTER_ND":
        groups = [(inputs[0], inputs[2]), (inputs[1], *outputs)]
    else:
        return []
    groups = [tuple(tensor for tensor in group if tensor is not None) for group in groups]
    return [group for group in groups if any(tensor.dtype == "int64" for tensor in group)]


def _blocked(graph):
    """Tensors that are computed, or given, and stay as they are."""
    blocked = {tensor for tensor in (*graph.inputs, *graph.outputs, *graph.kept) if tensor.dtype == "int64"}
    groups_of = {}
    for operator in graph.operators:
        groups = _groups(operator)
        grouped = {tensor for group in groups for tensor in group}
        loose = {*operator.inputs, *operator.outputs} - grouped - {None}
        blocked.update(tensor for tensor in loose if tensor.dtype == "int64" and not tensor.constant)
        for group in groups:
            computed = [tensor for tensor in group if not tensor.constant]
            if not _fits(operator, group) or any(tensor.variable for tensor in computed):
                blocked.update(computed)
            for tensor in computed:
                groups_of.setdefault(tensor, []).append(computed)
    waiting = list(blocked)
    while waiting:
        for group in groups_of.get(waiting.pop(), ()):
            waiting += [tensor for tensor in group if tensor not in blocked]
            blocked.update(group)
    return blocked


def _fits(operator, group):
    """Whether the constants of a group are numbers of 32 bits, or bounds."""
    bounds = operator.inputs[1:] if operator.name in _BOUNDED else ()
    held = [t.values for t in group if t.constant and t.dtype == "int64" and t.size and t not in bounds]
    return all(_LARGEST.min <= values.min() and values.max() <= _LARGEST.max for values in held)


def _relabel(operator):
    """Has the options tell the types that there are."""
    codes, options = dtypes(), operator.options
    if operator.name == "CAST":
        options.inDataType, options.outDataType = codes[operator.inputs[0].dtype], codes[operator.output.dtype]
    elif operator.name in ("ARG_MAX", "ARG_MIN"):
        options.outputType = codes[operator.output.dtype]


def _leave_out(build, operator):
    x, output = operator.inputs[0], operator.output
    if x.dtype != output.dtype or x.dtype != "int32" or build.graph.given(output):
        return False
    build.finish(x)
    return True
