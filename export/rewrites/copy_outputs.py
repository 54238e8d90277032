"""Outputs of a file that compute nothing, or that are lost as another output is computed from them."""

from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import Tensor

# What the GPU makes one operator of with the sum before it.
_REDUCING = ("MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM")
_MOVING = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
# Into whose kernels it takes constants that are added or multiplied before or behind.
_CONVOLVING = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def copy_outputs(graph):
    """Computes a copy where an output is an input of the graph, or an output before it, or is joined to what reads it.

    Phones' GPUs give garbage for an output that is an input, and refuse a tensor that is an output twice. They compute
    a sum and what is reduced of it as one operator, and give something else for the sum. A constant that is added or
    multiplied they take into the kernel of the convolution before or behind it, and give garbage for what stood
    between.

    Given:   y -> RELU; outputs: y, y, x
    Result:  y -> RELU; y -> RESHAPE -> z; x -> RESHAPE -> w; outputs: y, z, w

    Given:   s = ADD(a, b); t = SUM(s); outputs: t, s
    Result:  s = ADD(a, b); t = SUM(s); s -> RESHAPE -> z; outputs: t, z

    Given:   y = MUL(x, constant); t = FULLY_CONNECTED(y); outputs: t, y (or y = CONV_2D(x); t = ADD(y, constant))
    Result:  y = MUL(x, constant); t = FULLY_CONNECTED(y); y -> RESHAPE -> z; outputs: t, z
    """
    if graph.file is None:
        return []
    return _apart(graph) + _repeated(graph)


def _apart(graph):
    """Outputs that the GPU would join to what reads them, told apart from what that reads."""
    places = []
    for tensor in dict.fromkeys(graph.outputs):
        maker = tensor.maker
        if maker is None or tensor.open or not (_is_reduced(tensor) or _is_taken_in(tensor)):
            continue
        build = Builder(graph)
        build.name = tensor.name
        inner = build.tensor(tensor.shape, tensor)
        graph.redirect(tensor, inner)
        graph.make(maker, inner)
        build.reshape(inner, tensor.shape, tensor)
        places.append((maker.name, tensor.name))
    return places


def _is_taken_in(tensor):
    """Whether what makes it and what reads it are a convolution and a constant that the GPU takes into the kernel."""

    def moves(operator):
        return operator.name in ("ADD", "MUL") and any(x.constant for x in operator.inputs)

    def convolves(operator):
        return operator.name in _CONVOLVING

    return any(
        (moves(tensor.maker) and convolves(reader)) or (convolves(tensor.maker) and moves(reader))
        for reader in tensor.readers
    )


def _is_reduced(tensor):
    return tensor.maker.name == "ADD" and _goes_into_a_reduction(tensor)


def _goes_into_a_reduction(tensor):
    return any(
        reader.name in _REDUCING or (reader.name in _MOVING and _goes_into_a_reduction(reader.output))
        for reader in tensor.readers
    )


def _repeated(graph):
    """Outputs that are inputs, and those that stand there twice."""
    copies = {}  # what stands for a tensor among the outputs, place by place
    for i, tensor in enumerate(graph.outputs):
        first = tensor not in copies and not any(tensor is given for given in graph.inputs)
        known = first or tensor.open or tensor.dtype == "string"
        graph.outputs[i] = tensor if known else _copy(graph, tensor)
        copies.setdefault(tensor, []).append(graph.outputs[i])
    for signature in graph.file.signatures:
        if signature.graph is graph:
            left = {tensor: list(made) for tensor, made in copies.items()}
            for name, tensor in signature.outputs.items():
                made = left.get(tensor)
                if made:
                    signature.outputs[name] = made.pop(0) if len(made) > 1 else made[0]
    graph.kept = {t for s in graph.file.signatures if s.graph is graph for t in s.outputs.values()}
    return [("RESHAPE", tensor.name) for tensor, made in copies.items() for copy in made if copy is not tensor]


def _copy(graph, tensor):
    build = Builder(graph)
    build.name = tensor.name
    return build.reshape(tensor, tensor.shape, Tensor(tensor.name, tensor.shape, tensor.dtype, tensor.quantization))
