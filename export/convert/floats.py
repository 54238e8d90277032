"""What of a file for phones stays in floats when the rest becomes integers: what XNNPACK has no int8 kernels for."""

from keraslayers.export.convert.functions import steps_behind
from keraslayers.export.convert.several_scales import MOVES
from keraslayers.export.file import operator_costs

# Without kernels of integers in XNNPACK the graph would fall into pieces, and the built-in product of two activations
# takes ten times as long as XNNPACK's in floats. A small vision transformer fell into 11 pieces and took three times as
# long.
IN_FLOATS = ("BATCH_MATMUL", "DIV", "GELU", "RSQRT", "SQRT", "SQUARED_DIFFERENCE")
# Nor has it any for a softmax. In floats, nets with one in the middle took 0.58 of the time (over 64 channels of every
# pixel), 0.96 (over all pixels), and the same within 2 per cent (over four kernels, over two branches). One that ends a
# net cuts nothing; it goes with the others where there are some.
SOFTMAX = "SOFTMAX"
# What stands between a product of activations and its softmax: a mask is added there, whose -1e9 leave no step of 256
# to the numbers beside it.
SCORES = ("ADD", "CAST", "DIV", "MAXIMUM", "MINIMUM", "MUL", "SELECT", "SELECT_V2", "SUB", *MOVES)
# What normalizations compute with the numbers and their statistics.
APPLIED = ("ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "NEG", "SUB")
STATISTICS = ("MEAN", "RESHAPE", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SUM", *APPLIED)
# What adds and multiplies in next to no time either way.
SUMS = ("ADD", "MEAN", "MUL", "SUB", "SUM")
# So many integers are multiplied at a time, of the channels of one place, where floats go one by one.
TOGETHER = 4
# Convolutions of images stay in floats if that makes all multiply-adds take so much longer at most, as a part of their
# time. Here it was 0 to 0.03, of EfficientNet-B0 0.02.
LONGER = 0.08


def in_floats(graph, io):
    """The operators of a graph in floats that stay in floats in a file for phones.

    They are known whoever wrote them: normalizations by their square roots, attention by its softmax.

    Args:
        graph: an `edit.Graph`.
        io: dtype of the file's inputs and outputs.
    """
    found = _cutting(graph)
    return found | _first(graph, found) if io == "float32" else found


def _first(graph, found):
    """What reads images: convolutions whose numbers would be rounded twice, before a curve and behind it.

    Given:   image -> PAD -> CONV_2D -> x; x -> LOGISTIC -> s; x, s -> MUL -> y -> CONV_2D
    Result:  all but the last

    All that comes after works with what is lost here, and channels are few. A trained MobileViT gained 0.9 dB by it,
    networks of the benchmark that have such a curve up to 1.4.
    """
    first, longer = set(), 0
    for op in graph.operators:
        if op.name == "CONV_2D":
            maker = op.inputs[0].maker
            pads = {maker} if maker is not None and maker.name == "PAD" else set()
            image = maker.inputs[0] if pads else op.inputs[0]
            curve = steps_behind(graph, op.output)
            if image in graph.inputs and (curve or not found.isdisjoint(op.output.readers)):
                first |= {*pads, op, *curve}
                channels = op.inputs[1].shape[-1]
                longer += _products(op) * (TOGETHER - -(-channels // TOGETHER) * TOGETHER / channels)
    return first if longer <= LONGER * sum(map(_products, graph.operators)) else set()


def _products(op):
    cost = operator_costs.of(op, 2)
    return cost.multiply_adds or 0 if cost else 0


def _cutting(graph):
    """What XNNPACK has no kernels of integers for, and what goes with it; nothing where that cuts nothing."""
    found = {op for op in graph.operators if op.name in IN_FLOATS}
    softmaxes = {op for op in graph.operators if op.name == SOFTMAX}
    if not found and not any(op.output.readers for op in softmaxes):
        return found
    for op in graph.operators:
        if op.name in ("RSQRT", "SQRT"):
            found |= _normalization(op)
    return _with_sums(graph, _with_scores(graph, found | softmaxes, softmaxes))


def _with_scores(graph, found, softmaxes):
    """The same operators, and those that compute scores and masks for softmaxes alone."""
    scores = set(softmaxes)
    for op in reversed(graph.operators):  # who reads stands behind
        readers = op.output.readers if len(op.outputs) == 1 else ()
        if op.name in SCORES and readers and scores.issuperset(readers) and not graph.given(op.output):
            scores.add(op)
    for op in graph.operators:
        # Integers are moved in a quarter of the time.
        if op in scores and not (op.name in MOVES and op.inputs[0].maker not in found):
            found.add(op)
    return found


def _with_sums(graph, found):
    """The same operators, and what adds and multiplies for these, or what these gave; what is moved between them, too.

    Given:   x -> normalization -> FULLY_CONNECTED -> ADD x -> y; y -> normalization -> FULLY_CONNECTED -> ADD y -> ...
    Result:  the sums, too

    Whoever computes in floats reads them as such: rounded to 8 bits in between, such a stream of sums loses more with
    each, and a vision transformer of 12 blocks lost half its decibels there. It takes no longer.
    """
    for op in reversed(graph.operators):  # who reads stands behind
        if op.name in SUMS and op.output.dtype == "float32" and not found.isdisjoint(_readers(op.output)):
            found.add(op)
    for op in graph.operators:
        given = found.issuperset(x.maker for x in op.inputs if x is not None and not x.constant)
        if given and (op.name in SUMS or (op.name in MOVES and _taken(op, found))):
            found.add(op)
    return found


def _taken(op, found):
    """Whether all that reads what an operator moves, as it is or moved again, is in floats."""
    return all(found.issuperset(_readers(moved)) for moved in op.outputs)


def _readers(tensor):
    """What reads a tensor, as it is or moved."""
    for reader in tensor.readers:
        if reader.name in MOVES:
            for moved in reader.outputs:
                yield from _readers(moved)
        else:
            yield reader


def _normalization(root):
    """All that a normalization computes, found from its square root.

    Given:   x -> MEAN m, SQUARED_DIFFERENCE(x, m) -> MEAN -> ADD epsilon -> RSQRT r; x * r + (beta - m * r)
    Result:  these eight, but not what made x
    """
    size, found, sources, waiting = root.output.size, {root}, set(), [root]
    while waiting:  # backwards, from statistics to what they are of
        for tensor in filter(None, waiting.pop().inputs):
            maker = tensor.maker
            if maker in found:
                continue
            if maker is not None and _is_statistic(maker, size):
                found.add(maker)
                waiting.append(maker)
            else:
                sources.add(tensor)
    waiting = list(found)
    while waiting:  # forwards, as long as it is of these numbers alone
        for reader in waiting.pop().output.readers:
            known = all(x.maker in found or x in sources or x.constant for x in filter(None, reader.inputs))
            if reader.name in APPLIED and reader not in found and known:
                found.add(reader)
                waiting.append(reader)
    return found


def _is_statistic(op, size):
    """Whether it computes one of so many statistics, or squares numbers for them, or takes one from numbers."""
    if op.name not in STATISTICS:
        return False
    squares = op.name in ("SQUARE", "SQUARED_DIFFERENCE") or (op.name == "MUL" and op.inputs[0] is op.inputs[1])
    centers = op.name == "SUB" and any(x.maker is not None and x.size == size for x in op.inputs)
    return op.output.size == size or squares or centers
