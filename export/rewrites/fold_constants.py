"""What is computed of constants alone becomes a constant."""

import numpy as np

from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import File, Graph, Signature, Tensor
from keraslayers.export.file.evaluate import evaluate
from keraslayers.export.file.graph import read_graph
from keraslayers.export.file.schema import FIELDS
from keraslayers.export.rewrites._each import RANDOM, each
from keraslayers.export.runtimes import cpu

# Weights that are stored in fewer bits and widened when a file is loaded stay so.
WIDENING = ("DEQUANTIZE",)
# A constant that is larger stays computed, unless that makes the file smaller: a file may repeat one number a lot.
MOST_NUMBERS = 2**16


def fold_constants(graph):
    """Computes what depends on no input: sizes that are known, and the first step of a loop that begins with zeros.

    Given:   ones [1, 8] -> FULLY_CONNECTED -> h; zeros [1, 8] -> FULLY_CONNECTED -> z; x, h, z -> ADD, ADD -> y
    Result:  x, h -> ADD -> y, where h is a constant, as LiteRT's built-in kernels compute it

    Weights of which a file leaves the zeros out get them: no GPU takes DENSIFY.
    """
    return [*_computed_here(graph), *each(graph, ("ADD",), _add)]


def _add(build, operator):
    """Adds no zeros: in integers their range would be nothing, of which kernels die."""
    output = operator.output
    for x, zeros in (operator.inputs, operator.inputs[::-1]):
        nothing = zeros.values is not None and zeros.dtype == "float32" and not zeros.values.any()
        if nothing and operator.activation == "NONE" and x.shape == output.shape and not build.graph.given(output):
            build.finish(x)
            return True
    return False


def _computed_here(graph):
    places, left = [], {}
    for operator in graph.operators:
        if _known(operator, left) and not any(graph.given(tensor) for tensor in operator.outputs):
            values = evaluate(operator, [None if x is None else _numbers(operator, x) for x in operator.inputs])
            if values is None:
                left[operator] = None
            elif operator.output.readers:
                places.append(_put(graph, operator.output, values))
    gone = [operator for operator in left if operator.name not in WIDENING]
    results = [
        output
        for operator in gone
        for output in operator.outputs
        if output.readers.keys() - set(gone)  # what they alone read is not needed
    ]
    values = _computed(left, results) if results else []
    return places + [_put(graph, *pair) for pair in zip(results, values, strict=bool(values))]


def _known(operator, left):
    """Whether an operator depends on no input; `left` are those so far that do not, either."""
    inputs = [tensor for tensor in operator.inputs if tensor is not None]
    if not inputs or operator.effects or operator.open or operator.name in RANDOM:
        return False
    if operator.name != "SHAPE" and not all(tensor.constant or tensor.maker in left for tensor in inputs):
        return False
    small = sum(t.size for t in operator.outputs) <= max(MOST_NUMBERS, sum(t.size for t in inputs))
    return small and all(tensor.dtype in FIELDS and not tensor.channelwise for tensor in operator.outputs)


def _numbers(operator, tensor):
    """The numbers that an operator reads; of SHAPE none are needed."""
    return np.broadcast_to(np.False_, tensor.shape) if operator.name == "SHAPE" else tensor.values


def _put(graph, tensor, values):
    """Has a constant read in place of a tensor."""
    build = Builder(graph)
    build.name = tensor.name
    graph.redirect(tensor, build.constant(values, like=tensor))
    return tensor.maker.name, tensor.name


def _computed(operators, results):
    """The numbers that some tensors hold; none where LiteRT has no kernel for an operator among them."""
    call = Tensor("call", (1,), "float32")  # a file without inputs is never called
    part = Graph("constants", [call], results, list(operators))
    named = {str(number): tensor for number, tensor in enumerate(results)}  # several may have one name
    blob = File([part], [Signature("constants", part, {"call": call}, named)]).write()
    made = cpu.run_reference(blob, read_graph(blob), {"call": np.zeros((1, 1), "float32")}).outputs
    return [] if made is None else [made[name][0] for name in named]
