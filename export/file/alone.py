"""An operator of a file as a file of its own, which can be run by itself."""

from keraslayers.export.file.edit import File, Graph, called_by
from keraslayers.export.file.nodes import EFFECTS, calls_of
from keraslayers.export.file.tables_of_file import widened

# Constants of so many bytes say where or how large: operators with others of these are not alike.
PLACES = 256


def fed(operator):
    """The tensors that an operator is given when it is run, each once: what it reads but for constants and states.

    A constant that is stored in fewer bits and widened when the file is loaded is a constant.
    """
    read = (tensor for tensor in operator.inputs if tensor is not None)
    return tuple(dict.fromkeys(t for t in read if not (t.constant or t.variable or widened(t))))


def made(operator, graph):
    """The tensors that an operator makes for others, or for who runs the graph; a loop makes some for nobody."""
    return tuple(tensor for tensor in operator.outputs if tensor.readers or graph.given(tensor))


def alone(operator, graph):
    """The bytes of a file that holds one operator of a graph, its constants with it; the graph stays as it is.

    Its inputs are what `fed` gives, in that order, its outputs what `made` does.
    """
    twins, widening = {}, []

    def twin(tensor):
        if tensor is not None and tensor not in twins:
            twins[tensor] = tensor.twin()
            if (stored := widened(tensor)) is not None:
                widening.append(tensor.maker.twin([stored.twin()], [twins[tensor]]))
        return tensor and twins[tensor]

    inputs = [twin(tensor) for tensor in operator.inputs]
    outputs = [twin(tensor) for tensor in operator.outputs]
    given = [twins[tensor] for tensor in made(operator, graph)]
    whole = Graph(
        "main", [twins[tensor] for tensor in fed(operator)], given, [*widening, operator.twin(inputs, outputs)]
    )
    return File(called_by([whole])).write()


def alike(operator):
    """A key that operators have in common which take the same time: of one kind, with equal shapes, types and options.

    What their constants hold is left out, but for those that say where or how large.
    """
    if calls_of(operator) or operator.custom or operator.name in EFFECTS:
        return id(operator)
    options = None if operator.options is None else tuple((k, _plain(v)) for k, v in vars(operator.options).items())
    return operator.name, options, *(map(_told, (*operator.inputs, None, *operator.outputs)))


def _told(tensor):
    if tensor is None:
        return None
    small = tensor.constant and tensor.dtype in ("int32", "int64") and tensor.buffer.data.nbytes <= PLACES
    kind = "constant" if tensor.constant or widened(tensor) else "variable" if tensor.variable else "computed"
    return tensor.shape, tensor.dtype, kind, tensor.buffer.data.tobytes() if small else b"", tensor.channelwise


def _plain(value):
    return tuple(map(_plain, value)) if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else value
