"""Tensors cut in parts, as phones' GPUs compute it rightly."""

from itertools import accumulate

from keraslayers.export.file.build import before_reshapes
from keraslayers.export.rewrites._blocks import MOST_AXES
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.align_ranks import KINDS as OF_TWO

_JOINING = ("CONCATENATION", "PACK")
_MOVING = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
# Tried up to here.
MOST_CHANNELS = 3072


def lower_split(graph):
    """Writes SPLIT, SPLIT_V and UNPACK as slices where the GPU errs.

    LiteRT's GPU runtime makes one operator of these and a concatenation of their parts: in another order it computes
    them wrongly, and does not start if they cut the graph's input. So it does of a part that meets what was computed of
    another: GELU(a) * b. Channels are cut by a program that names each four of them: of 3,840, as Swin-L has 4,608, the
    driver dies that has to compile it. It refuses integers of 32 bits, true and false, and
    tensors of more than four axes; it does not run with a part of no numbers, and dies where a part of 8 bits is read
    by nobody, as that of the forget gate in a first step.

    Given:   a, b = SPLIT(x); CONCATENATION(b, a) -> y
    Result:  a = SLICE(x); b = SLICE(x); CONCATENATION(b, a) -> y
    """
    return each(graph, ("SPLIT", "SPLIT_V", "UNPACK"), _lower)


def _lower(build, operator):
    found = _cut(operator)
    if found is None:
        return False
    x, axis = found
    empty = any(0 in output.shape for output in operator.outputs)
    taken = len(x.shape) <= MOST_AXES and x.dtype not in ("bool", "int32") and not empty
    # In integers of 8 bits what stands between keeps them apart; but a part that nobody reads kills the GPU there.
    wrong = _joined(operator) or _gates(operator) if x.scale is None else _unread(build.graph, operator)
    wide = axis == len(x.shape) - 1 and x.shape[axis] > MOST_CHANNELS
    if taken and not wrong and not wide:
        return False
    sizes = [1 if operator.name == "UNPACK" else output.shape[axis] for output in operator.outputs]
    begins = accumulate(sizes, initial=0)
    parts = [build.part(x, axis, begin, size) for begin, size in zip(begins, sizes, strict=False)]
    build.finish(*(build.reshape(part, output.shape) for part, output in zip(parts, operator.outputs, strict=True)))
    return True


def _cut(operator):
    """(what is cut, along which axis), None where that is not known."""
    if operator.name == "UNPACK":
        x, axis = operator.inputs[0], operator.options.axis
    else:
        x, axis = operator.inputs[operator.name == "SPLIT"], operator.inputs[0 if operator.name == "SPLIT" else 2]
        if axis.values is None:
            return None
        axis = int(axis.values.reshape(()))
    return None if x.channelwise else (x, axis % len(x.shape))


def _joined(operator):
    """Whether a concatenation takes parts of it alone, by way of reshapes at most."""
    joining = [reader for part in operator.outputs for reader in _readers(part) if reader.name in _JOINING]
    return any(all(before_reshapes(x).maker is operator for x in reader.inputs) for reader in joining)


def _gates(operator):
    """Whether a part meets what was computed of another, as in the gated units of transformers."""
    for part in operator.outputs:
        for reader in (reader for reader in _readers(part) if reader.name in OF_TWO):
            others = [before_reshapes(x).maker for x in reader.inputs if before_reshapes(x) is not part]
            if any(maker is not None and maker is not operator for maker in others):
                return True
    return False


def _unread(graph, operator):
    return any(not part.readers and not graph.given(part) for part in operator.outputs)


def _readers(tensor):
    for reader in tensor.readers:
        yield reader
        if reader.name in _MOVING:
            yield from _readers(reader.output)
