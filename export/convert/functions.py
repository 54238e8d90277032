"""What a network makes of single numbers before it sums them again: the activation behind a convolution, say."""

import math

import numpy as np


def _gelu(x):
    return x * np.vectorize(lambda value: (1 + math.erf(value / math.sqrt(2))) / 2, otypes=[float])(x)


def _logistic(x):
    return (1 + np.tanh(x / 2)) / 2


_ACTIVATIONS = {
    "NONE": lambda x: x,
    "RELU": lambda x: np.maximum(x, 0),
    "RELU6": lambda x: np.clip(x, 0, 6),
    "RELU_0_TO_1": lambda x: np.clip(x, 0, 1),
    "RELU_N1_TO_1": lambda x: np.clip(x, -1, 1),
}
_FUNCTIONS = _ACTIVATIONS | {
    "ABS": np.abs,
    "ADD": np.add,
    "GELU": _gelu,
    "HARD_SWISH": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "LOGISTIC": _logistic,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MUL": np.multiply,
    "NEG": np.negative,
    "SQUARE": np.square,
    "SUB": np.subtract,
    "TANH": np.tanh,
}


def function_behind(graph, tensor):
    """The function that all which reads a tensor amounts to, number by number.

    Given:   CONV_2D -> x; x -> LOGISTIC -> s; x, s -> MUL -> y -> CONV_2D
    Result:  x / (1 + exp(-x))

    Args:
        graph: an `edit.Graph` of floats.
        tensor: one of its tensors.

    Returns:
        A function of arrays: the longest that ends in one tensor. None where something else reads the tensor, too, or
        nothing is known of what does.
    """
    steps = steps_behind(graph, tensor)
    if not steps:
        return None

    def function(x):
        values = {tensor: np.asarray(x, "float64")}
        for operator in steps:
            found = _FUNCTIONS[operator.name](*(values.get(x, x.values) for x in operator.inputs))
            values[operator.output] = _ACTIVATIONS[operator.activation](found)
        return values[steps[-1].output]

    return function


def steps_behind(graph, tensor):
    """The operators of that function, in their order; none where there is none."""
    chain, steps, last = [tensor], [], 0
    while (operator := _next(chain)) is not None:
        steps.append(operator)
        chain.append(operator.output)
        if _ends_in_one(graph, chain):
            last = len(steps)
    return steps[:last]


def _next(chain):
    """An operator that makes one number of each of those that a chain knows, and of none else."""
    for tensor in chain:
        for reader in tensor.readers:
            if (
                reader.name in _FUNCTIONS
                and reader.activation in _ACTIVATIONS
                and reader.output not in chain
                and reader.output.shape == chain[0].shape
                and all(x in chain or (x.size == 1 and x.values is not None) for x in reader.inputs)
            ):
                return reader
    return None


def _ends_in_one(graph, chain):
    """Whether nothing but the last of a chain is read by others, or given on as an output."""
    return not any(
        graph.given(tensor) or any(output not in chain for reader in tensor.readers for output in reader.outputs)
        for tensor in chain[:-1]
    )
