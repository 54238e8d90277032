"""Copies the operators of a called graph to where it is called, with what is known there."""

import math

import numpy as np

from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import Graph, Tensor
from keraslayers.export.file.evaluate import evaluate, slices, strided
from keraslayers.export.rewrites._each import RANDOM
from keraslayers.export.rewrites._parts import Parts, Rows, compute, flat

# Numbers that count are few; larger constants are not made anew for every copy.
MOST_NUMBERS = 4096
# Kinds whose outputs have the shape of their inputs, the smaller ones repeated.
_ELEMENTWISE = """
    ABS ADD CAST COS DEQUANTIZE DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD GELU GREATER GREATER_EQUAL HARD_SWISH
    LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC MAXIMUM MINIMUM MUL NEG NOT_EQUAL POW
    QUANTIZE RELU RELU6 RSQRT SELECT SELECT_V2 SIN SOFTMAX SQRT SQUARE SQUARED_DIFFERENCE SUB TANH ZEROS_LIKE
"""


class UnknownError(Exception):
    """What a graph computes is not known before it runs: a size, or whether a loop goes on."""


class Copier:
    """Copies of called graphs, in a row; nothing of the calling graph is changed before `place`.

    Args:
        graph: the calling graph.
        call: the operator of it that calls.
    """

    def __init__(self, graph, call):
        self.graph, self.call = graph, call
        self.made = Graph(graph.name, [], [], [])
        self.build = _Apart(self.made)
        self.rows = Rows()
        self.constants = {}
        self.computed = {}
        self.made_of = {}

    def copy(self, graph, inputs):
        """Copies a graph.

        Args:
            graph: what is called.
            inputs: tensors, or `Parts`, that it is called with.

        Returns:
            Its outputs.

        Raises:
            UnknownError: if the size of something in it is not known.
        """
        known = {}
        for own, given in zip(graph.inputs, inputs, strict=True):
            if own.dtype != given.dtype or not given.quantized_as(own) or own.variable:
                raise UnknownError
            known[own] = given
        for operator in graph.operators:
            given = [self._input(tensor, known) for tensor in operator.inputs]
            known.update(zip(operator.outputs, self._copied(operator, given), strict=True))
        return [self._input(tensor, known) for tensor in graph.outputs]

    def _input(self, tensor, known):
        if tensor is None or tensor in known:
            return known.get(tensor)
        if not tensor.constant:
            raise UnknownError  # a state that is kept inside
        if tensor not in self.constants:
            self.constants[tensor] = tensor.twin()
        return self.constants[tensor]

    def _copied(self, operator, inputs):
        self.build.name = operator.output.name if operator.outputs else ""
        values = [None if x is None else x.values for x in inputs]
        if operator.name == "SHAPE":  # which is known without the numbers
            values = [np.broadcast_to(np.False_, inputs[0].shape)]
        found = evaluate(operator, values)
        if found is not None and found.size <= MOST_NUMBERS:
            return [self.build.constant(found)]
        moved = _MOVES[operator.name](self, operator, inputs, values) if operator.name in _MOVES else None
        if moved is not None:
            return [moved]
        inputs = [self.tensor(x) if isinstance(x, Parts) else x for x in inputs]
        outputs = [
            Tensor(tensor.name, self._shape(operator, inputs, tensor), tensor.dtype, tensor.quantization)
            for tensor in operator.outputs
        ]
        made = self.made_of.setdefault(_key(operator, inputs), outputs) if _repeats(operator) else outputs
        same = all(old.quantized_as(new) for old, new in zip(made, outputs, strict=True))
        if made is not outputs and same:
            return made  # a layer that gives its state computes both twice
        self.made.insert(operator.twin(inputs, outputs))
        return outputs

    def tensor(self, parts):
        """`Parts` computed, once."""
        if parts not in self.computed:
            self.computed[parts] = compute(self.build, parts)
        return self.computed[parts]

    def _shape(self, operator, inputs, output):
        """The shape of an output, which the graph may leave open where here it is known."""
        as_known = all(
            own is None or own.constant or (own.shape == given.shape and not own.open)
            for own, given in zip(operator.inputs, inputs, strict=True)
        )
        if as_known and not output.open:
            return output.shape
        if operator.name not in _ELEMENTWISE.split():
            raise UnknownError
        return np.broadcast_shapes(*(x.shape for x in inputs))

    def drop(self):
        """Takes the copies back."""
        for operator in self.made.operators:
            self.made.untie(operator)

    def place(self, results):
        """Puts the copies in place of the call.

        Args:
            results: for each output of it the tensor, or the `Parts`, that it is.
        """
        graph, call = self.graph, self.call
        results = [
            output if not (output.readers or graph.given(output)) else self.tensor(x) if isinstance(x, Parts) else x
            for output, x in zip(call.outputs, results, strict=True)
        ]
        first = graph.operators.index(call)
        graph.operators[first:first] = self.made.operators
        Builder(graph, call).finish(*results)


class _Apart(Builder):
    """Builds at the end of a graph of its own, from tensors of another."""

    def __init__(self, graph):
        super().__init__(graph)
        self._mine = set()

    def add(self, kind, inputs, output, **options):
        super().add(kind, inputs, output, **options)
        self._mine.add(output.maker)
        return output

    def _is_earlier(self, operator):
        return operator in self._mine


def _repeats(operator):
    """Whether it gives the same of the same."""
    return not operator.effects and operator.name not in RANDOM


def _key(operator, inputs):
    """What two operators have in common that compute the same."""
    options = None if operator.options is None else repr(sorted(vars(operator.options).items()))
    return operator.name, options, tuple(map(_same, inputs))


def _same(tensor):
    """What a tensor has in common with others of the same numbers."""
    if tensor is None or tensor.values is None or tensor.size > MOST_NUMBERS or tensor.scale or tensor.channelwise:
        return tensor
    return tensor.dtype, tensor.shape, tensor.values.tobytes()


def _whole(values):
    """Places and sizes, which are none of them computed."""
    return all(value is not None for value in values)


def _is_moved(inputs, operator, places):
    """Whether something is known of its inputs that its graph does not know."""
    news = any(isinstance(x, Parts) for x in inputs)
    return news or operator.open or any(not operator.inputs[i].constant for i in places)


def _gather(copier, operator, inputs, values):
    x, axis = inputs[0], operator.options.axis % len(inputs[0].shape)
    if not _whole(values[1:]) or values[1].size != 1 or operator.options.batchDims:
        return None
    index = int(values[1].reshape(()))
    if not _is_moved(inputs[:1], operator, (1,)) or not flat(x.shape, axis) or not 0 <= index < x.shape[axis]:
        return None
    row = math.prod(x.shape[axis + 1 :])
    shape = x.shape[:axis] + values[1].shape + x.shape[axis + 1 :]
    return copier.rows.cut(x, index * row, row, shape)


def _range(copier, operator, x, index, places):
    """A part of a tensor by an index of NumPy's, if its elements lie behind each other."""
    if index is None or not _is_moved((x,), operator, places):
        return None
    shape, first, counts = [], 0, []
    for axis, part in enumerate(index):
        kept = isinstance(part, slice)
        begin, end, step = part.indices(x.shape[axis]) if kept else (part % x.shape[axis], part % x.shape[axis] + 1, 1)
        counts.append(max(0, end - begin))
        if step != 1:
            return None
        first += begin * math.prod(x.shape[axis + 1 :])
        shape += counts[-1:] if kept else []
    if 0 not in counts:
        cut = next((axis for axis, count in enumerate(counts) if count > 1), len(counts))
        if tuple(counts[cut + 1 :]) != x.shape[cut + 1 :]:
            return None
    return copier.rows.cut(x, first, math.prod(shape), shape)


def _slice(copier, operator, inputs, values):
    x = inputs[0]
    return _range(copier, operator, x, slices(x.shape, *values[1:]), (1, 2)) if _whole(values[1:]) else None


def _strided_slice(copier, operator, inputs, values):
    x = inputs[0]
    index = strided(operator.options, x.shape, *values[1:]) if _whole(values[1:]) else None
    return _range(copier, operator, x, index, (1, 2, 3))


def _dynamic_update_slice(copier, operator, inputs, values):
    x, part = inputs[:2]
    if values[2] is None:
        return None
    # What would reach beyond the end is moved to within it.
    begin = np.clip(values[2], 0, np.subtract(x.shape, part.shape))
    first = int(np.ravel_multi_index(begin, x.shape)) if x.size else 0
    there = _range(copier, operator, x, slices(x.shape, begin, np.asarray(part.shape)), (2,))
    if there is None or not part.quantized_as(x):
        return None
    last = first + part.size
    ends = copier.rows.cut(x, 0, first, (first,)), copier.rows.cut(x, last, x.size - last, (x.size - last,))
    return copier.rows.join((ends[0], part, ends[1]), x.shape)


def _concatenation(copier, operator, inputs, values):
    axis = operator.options.axis % len(inputs[0].shape)
    if not _is_moved(inputs, operator, ()) or operator.activation != "NONE" or not flat(inputs[0].shape, axis):
        return None
    if not all(x.quantized_as(operator.output) for x in inputs):
        return None
    shape = list(inputs[0].shape)
    shape[axis] = sum(x.shape[axis] for x in inputs)
    return copier.rows.join(inputs, shape)


def _reshape(copier, operator, inputs, values):
    x = inputs[0]
    if not _is_moved((x,), operator, ()) or not x.quantized_as(operator.output):
        return None
    if not operator.output.open:
        shape = operator.output.shape
    elif operator.name == "RESHAPE" and len(inputs) > 1 and values[1] is not None:
        shape = [int(size) for size in values[1].reshape(-1)]
        if -1 in shape:
            known = -math.prod(shape)
            shape = [x.size // known if known and size == -1 else size for size in shape]
    else:
        return None
    if math.prod(shape) != x.size:
        raise UnknownError
    return copier.rows.cut(x, 0, x.size, shape)


def _select(copier, operator, inputs, values):
    if values[0] is None or values[0].size == 0 or values[0].min() != values[0].max():
        return None
    chosen = inputs[1 if values[0].reshape(-1)[0] else 2]
    whole = np.broadcast_shapes(*(x.shape for x in inputs))
    return chosen if chosen.shape == whole and chosen.quantized_as(operator.output) else None


# What only moves numbers, by kind: called with the copier, the operator, the inputs and their values where they are
# constants; None where it is to be copied as it is.
_MOVES = {
    "CONCATENATION": _concatenation,
    "DYNAMIC_UPDATE_SLICE": _dynamic_update_slice,
    "EXPAND_DIMS": _reshape,
    "GATHER": _gather,
    "RESHAPE": _reshape,
    "SELECT": _select,
    "SELECT_V2": _select,
    "SLICE": _slice,
    "SQUEEZE": _reshape,
    "STRIDED_SLICE": _strided_slice,
}
