"""Inputs and outputs of many axes."""

import math

from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import Tensor
from keraslayers.export.rewrites._blocks import MOST_AXES


def narrow_borders(graph):
    """Gives inputs and outputs of more than four axes four: an app hands over the same numbers in the same order.

    LiteRT's GPU runtime takes no file with more, as those of videos and of volumes are. Those of several samples stay.

    Given:   x [1, 5, 16, 16, 3] -> a -> y [1, 5, 8, 8, 4]
    Result:  z [1, 80, 16, 3] -> RESHAPE [1, 5, 16, 16, 3] -> a -> RESHAPE [1, 40, 8, 4] -> w
    """
    if graph.file is None:
        return []
    places = []
    for i, tensor in enumerate(graph.inputs):
        if _is_wide(tensor):
            graph.inputs[i] = new = _narrow(tensor)
            rename(graph, "inputs", tensor, new)
            build = Builder(graph, graph.operators[0])
            build.name = tensor.name
            build.reshape(new, tensor.shape, tensor)
            places.append(("INPUT", tensor.name))
    for i, tensor in enumerate(graph.outputs):
        if _is_wide(tensor):
            graph.outputs[i] = new = _narrow(tensor)
            rename(graph, "outputs", tensor, new)
            build = Builder(graph)
            build.reshape(tensor, new.shape, new)
            places.append(("OUTPUT", tensor.name))
    return places


def _is_wide(tensor):
    return len(tensor.shape) > MOST_AXES and tensor.shape[0] == 1 and not tensor.open and not tensor.channelwise


def _narrow(tensor):
    *_, width, channels = tensor.shape
    shape = (1, math.prod(tensor.shape[1:-2]), width, channels)
    return Tensor(tensor.name, shape, tensor.dtype, tensor.quantization)


def rename(graph, side, old, new):
    """Has the signatures of a graph name a new input or output in place of an old one."""
    for signature in graph.file.signatures:
        if signature.graph is graph:
            named = getattr(signature, side)
            named.update({name: new for name, tensor in named.items() if tensor is old})
    graph.kept = {t for s in graph.file.signatures if s.graph is graph for t in s.outputs.values()}
