"""What is computed of constants alone becomes a constant."""

import numpy as np

from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import File, Graph, Signature, Tensor
from keraslayers.export.file.graph import read_graph
from keraslayers.export.file.schema import FIELDS
from keraslayers.export.rewrites._each import each
from keraslayers.export.runtimes import cpu

# Weights that are stored in fewer bits and widened when a file is loaded stay so.
WIDENING = ("DENSIFY", "DEQUANTIZE")
RANDOM = ("MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM", "STABLEHLO_RNG_BIT_GENERATOR")
# A constant that is larger stays computed, unless that makes the file smaller: a file may repeat one number a lot.
MOST_NUMBERS = 2**16


def fold_constants(graph):
    """Computes what depends on no input, by LiteRT's built-in kernels: the first step of a loop that begins with zeros.

    Given:   zeros [1, 8] -> FULLY_CONNECTED -> h; h, x -> ADD
    Result:  x, h -> ADD, where h is a constant

    What asks for the shape of a tensor of known sizes depends on no input either.
    """
    return each(graph, ("SHAPE",), _tell) + _fold(graph)


def _tell(build, operator):
    build.finish(build.constant(np.asarray(operator.inputs[0].shape, operator.output.dtype)))
    return True


def _fold(graph):
    folded = _foldable(graph)
    # Numbers that others of them alone read are not needed.
    results = [
        output
        for operator in folded
        if operator.name not in WIDENING
        for output in operator.outputs
        if output.readers.keys() - folded.keys()
    ]
    if not results:
        return []
    places = []
    values = _computed(folded, results)
    if values is None:
        return []
    for tensor, numbers in zip(results, values, strict=True):
        places.append((tensor.maker.name, tensor.name))
        build = Builder(graph)
        build.name = tensor.name
        graph.redirect(tensor, build.constant(numbers, like=tensor))
    return places


def _foldable(graph):
    """The operators that depend on no input, in their order, as keys."""
    known = {}
    for operator in graph.operators:
        inputs = [tensor for tensor in operator.inputs if tensor is not None]
        constant = inputs and all(tensor.constant or tensor.maker in known for tensor in inputs)
        if not constant or operator.effects or operator.open or operator.name in RANDOM:
            continue
        small = sum(t.size for t in operator.outputs) <= max(MOST_NUMBERS, sum(t.size for t in inputs))
        plain = all(t.dtype in FIELDS and not t.channelwise and not graph.given(t) for t in operator.outputs)
        if small and plain:
            known[operator] = None
    return known


def _computed(operators, results):
    """The numbers that some tensors hold; None where LiteRT has no kernel for an operator among them."""
    call = Tensor("call", (1,), "float32")  # a file without inputs is never called
    part = Graph("constants", [call], list(results), list(operators))
    # Tensors may have one name; those of a signature are their own.
    outputs = {str(i): tensor for i, tensor in enumerate(results)}
    blob = File([part], [Signature("constants", part, {"call": call}, outputs)]).write()
    about = read_graph(blob)
    made = cpu.run_reference(blob, about, {"call": np.zeros((1, 1), "float32")}).outputs
    return None if made is None else [made[name][0] for name in outputs]
