"""Outputs of a file that compute nothing, or that another output is computed from."""

from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import Tensor

# What the GPU makes one operator of with the sum before it.
_REDUCING = ("MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM")
_MOVING = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def copy_outputs(graph):
    """Computes a copy where an output is an input of the graph, or an output before it, or a sum that is reduced.

    Phones' GPUs give garbage for an output that is an input, and refuse a tensor that is an output twice. They compute
    a sum and what is reduced of it as one operator, and give something else for the sum.

    Given:   y -> RELU; outputs: y, y, x
    Result:  y -> RELU; y -> RESHAPE -> z; x -> RESHAPE -> w; outputs: y, z, w

    Given:   s = ADD(a, b); t = SUM(s); outputs: t, s
    Result:  s = ADD(a, b); t = SUM(s); s -> RESHAPE -> z; outputs: t, z
    """
    if graph.file is None:
        return []
    return _apart(graph) + _repeated(graph)


def _apart(graph):
    """Sums that are outputs, told apart from what is reduced."""
    places = []
    for tensor in dict.fromkeys(graph.outputs):
        maker = tensor.maker
        if maker is None or maker.name != "ADD" or tensor.open or not _is_reduced(tensor):
            continue
        build = Builder(graph)
        build.name = tensor.name
        inner = build.tensor(tensor.shape, tensor)
        graph.redirect(tensor, inner)
        graph.make(maker, inner)
        build.reshape(inner, tensor.shape, tensor)
        places.append((maker.name, tensor.name))
    return places


def _is_reduced(tensor):
    return any(
        reader.name in _REDUCING or (reader.name in _MOVING and _is_reduced(reader.output)) for reader in tensor.readers
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
