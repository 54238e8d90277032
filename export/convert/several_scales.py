"""What of a network's ends stays in floats as it holds numbers of several scales: boxes of 640 pixels beside scores."""

import numpy as np

from keraslayers.export.convert.widen import width
from keraslayers.export.rewrites.join_in_floats import SEVERAL

# What puts numbers side by side.
JOINS = ("CONCATENATION", "DYNAMIC_UPDATE_SLICE", "PACK", "SELECT", "SELECT_V2")
MOVES = (
    "BROADCAST_TO",
    "DEPTH_TO_SPACE",
    "EXPAND_DIMS",
    "GATHER",
    "RESHAPE",
    "SLICE",
    "SPLIT",
    "SPLIT_V",
    "SQUEEZE",
    "STRIDED_SLICE",
    "TILE",
    "TRANSPOSE",
    "UNPACK",
)
ONE_BY_ONE = ("ABS", "ADD", "DIV", "EXP", "MAXIMUM", "MINIMUM", "MUL", "NEG", "POW", "SQRT", "SQUARE", "SUB")
# What sums many numbers, in which the rounding of one is little; and what costs most in floats.
SUMS = (
    "AVERAGE_POOL_2D",
    "BATCH_MATMUL",
    "CONV_2D",
    "CONV_3D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "L2_POOL_2D",
    "MAX_POOL_2D",
    "MEAN",
    "SUM",
    "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)
# What a logarithm's numbers are traced back to: functions that tell large numbers from small ones by their steps.
FUNCTIONS = (
    "ELU",
    "EXP",
    "GELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOGISTIC",
    "LOG_SOFTMAX",
    "PRELU",
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "SOFTMAX",
    "TANH",
)


def several_scales(graph, io):
    """All operators of a graph that stay in floats for their numbers' sake.

    Args:
        graph: an `edit.Graph` of floats with ranges.
        io: dtype of the file's inputs and outputs. Integers have one scale in a tensor, whatever is joined there.
    """
    ends = at_the_end(graph) | at_the_beginning(graph) if io == "float32" else set()
    return ends | before_logarithms(graph)


def at_the_end(graph):
    """The operators that join numbers of several scales behind a network's last sums, what decodes them, all behind.

    Given:   x -> MUL by the stride -> boxes 0 to 640; boxes, scores 0 to 1 -> CONCATENATION -> TRANSPOSE -> output
    Result:  these three

    What is summed again, as by a convolution behind a concatenation, is none of these: there integers pay.

    Args:
        graph: an `edit.Graph` of floats with ranges.
    """
    end = set()
    for op in reversed(graph.operators):  # who reads stands behind
        if op.name not in SUMS and any(graph.given(x) or not end.isdisjoint(x.readers) for x in op.outputs):
            end.add(op)
    joins = {op for op in end if _joins(op) or _stretches(op)}
    found = set(joins)
    for op in graph.operators:
        if op in end and not found.isdisjoint(_makers(op)):
            found.add(op)
    for op in reversed(graph.operators):
        if op in end and op.name in JOINS + MOVES + ONE_BY_ONE and _leads(op, found):
            found.add(op)
    return _with_moves_of_floats(graph, found, joins)


def at_the_beginning(graph):
    """The operators that bring columns of several scales to one, from a network's inputs on.

    Given:   ages 0 to 100 beside incomes 0 to 1e6 -> SUB their means -> MUL by one over their deviations -> x
    Result:  these two

    Args:
        graph: an `edit.Graph` of floats with ranges.
    """
    early, found = set(), set()
    for op in graph.operators:
        sources = [x for x in _numbers(op) if not x.constant]
        known = all(any(x is given for given in graph.inputs) or x.maker in early for x in sources)
        if op.name in ONE_BY_ONE + MOVES and sources and known:
            early.add(op)
    for op in reversed(graph.operators):
        if op in early and (_stretches(op) or _cancels(op) or _leads(op, found)):
            found.add(op)
    return found


def before_logarithms(graph):
    """The operators whose numbers a logarithm reads, small ones as exactly as large ones: of spectra, say.

    Given:   audio -> DFT -> SQUARE -> FULLY_CONNECTED mel filters -> MAXIMUM 1e-6 -> LOG -> CONV_2D
    Result:  all up to LOG

    It goes back over sums, too, but over no function whose numbers are of one scale: of what these read a step is a
    step.

    Args:
        graph: an `edit.Graph` of floats.
    """
    found, exponentials = {op for op in graph.operators if op.name == "LOG"}, set()
    for op in reversed(graph.operators):
        if op.name not in FUNCTIONS and op.activation == "NONE" and _leads(op, found):
            found.add(op)
        elif op.name == "EXP" and _leads(op, found):
            exponentials.add(op)
    return found | exponentials


def _with_moves_of_floats(graph, found, joins):
    """The same without what moves integers alone, which takes a quarter of the time."""
    kept = set()
    for op in graph.operators:
        if op in found and (op.name not in JOINS + MOVES or op in joins or not kept.isdisjoint(_makers(op))):
            kept.add(op)
    return kept


def _numbers(op):
    return [x for x in op.inputs if x is not None and x.dtype == "float32"]


def _makers(op):
    return {x.maker for x in _numbers(op)}


def _leads(op, found):
    return any(not found.isdisjoint(x.readers) for x in op.outputs)


def _joins(op):
    """Whether what it puts side by side is of several scales."""
    if op.name not in JOINS:
        return False
    widths = [reach for x in _numbers(op) if (reach := _width(x))]
    return bool(widths) and max(widths) > SEVERAL * min(widths)


def _stretches(op):
    """Whether it multiplies some numbers by more than others, so that they are of several scales before or behind."""
    if op.name not in ("DIV", "MUL"):
        return False
    for x in _numbers(op):
        if x.values is not None and x.size > 1:
            sizes = np.abs(x.values[x.values != 0])
            if sizes.size and sizes.max() > SEVERAL * sizes.min():
                return True
    return False


def _cancels(op):
    """Whether it takes away what most of its numbers are."""
    sources = [x for x in _numbers(op) if not x.constant]
    if op.name not in ("ADD", "SUB") or len(sources) != 1:
        return False
    return 0 < SEVERAL * (_width(op.output) or 0) < (_width(sources[0]) or 0)


def _width(tensor):
    """How far its numbers reach, zero among them as in every range of integers; None where nobody knows."""
    if tensor.values is None:
        return width(tensor)
    return float(tensor.values.max(initial=0)) - float(tensor.values.min(initial=0))
