"""Masks of attention, whose large numbers 16-bit floats do not hold."""

import numpy as np

from keraslayers.export.file.build import before_reshapes
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites._ranges import LARGEST, numbers_of, scalar

# What Keras takes in float16, too: its exponential is 0 beside that of any other number.
MASKED = -32768.0


def bound_masks(graph):
    """Writes what hides places from a SOFTMAX with numbers that 16-bit floats hold.

    Given:   SELECT_V2(mask, x, -1e9) -> SOFTMAX
    Result:  SELECT_V2(mask, x, -32768) -> SOFTMAX

    Given:   x + (1 - mask) * -1e9 -> SOFTMAX
    Result:  x * mask + (1 - mask) * -32768 -> SOFTMAX

    In 16-bit floats -1e9 is minus infinity: a row of which all is hidden became NaN, and so did 0 * -1e9. Of such rows
    all places have the same share, before as after: x is as good as nothing beside 1e9. Within rounding.
    """
    return each(graph, ("ADD", "SELECT", "SELECT_V2"), _bound)


def _bound(build, operator):
    output = operator.output
    readers = list(output.readers)
    hidden = readers and all(reader.name == "SOFTMAX" for reader in readers) and not build.graph.given(output)
    if not hidden or output.dtype != "float32" or operator.activation != "NONE":
        return False
    return _added(build, operator) if operator.name == "ADD" else _selected(build, operator)


def _selected(build, operator):
    inputs = list(operator.inputs)
    far = [i for i in (1, 2) if (number := scalar(inputs[i])) is not None and number < -LARGEST]
    if len(far) != 1:
        return False
    inputs[far[0]] = build.constant(np.full(inputs[far[0]].shape, MASKED, "float32"))
    build.graph.rewire(operator, inputs)
    return True


def _added(build, operator):
    for x, mask in (operator.inputs, operator.inputs[::-1]):
        if x.shape != operator.output.shape:
            continue
        if (values := numbers_of(mask)) is not None:
            low = values < -LARGEST
            if low.any() and not low.all(-1).any():  # of whole rows the numbers would count
                bounded = np.where(low, np.float32(MASKED), values)
                build.graph.rewire(operator, (x, build.constant(bounded)))
                return True
        elif (found := _times_far(mask)) is not None:
            away, kept = found
            kept = build.computed("SUB", (_one(build), away), away.shape) if kept is None else kept
            low = build.computed("MUL", (away, build.constant(np.full(1, MASKED, "float32"))), away.shape)
            if low.shape != mask.shape:
                low, kept = build.reshape(low, mask.shape), build.reshape(kept, mask.shape)
            x = build.computed("MUL", (x, kept), x.shape)
            build.finish(build.computed("ADD", (x, low), x.shape))
            return True
    return False


def _one(build):
    return build.constant(np.ones(1, "float32"))


def _times_far(tensor):
    """(A mask of zeros and ones, 1 less it or None) if a tensor is it times a number too far below 0; else None."""
    product = before_reshapes(tensor).maker
    if product is None or product.name != "MUL" or product.activation != "NONE":
        return None
    for mask, far in (product.inputs, product.inputs[::-1]):
        number = scalar(far)
        if number is None or number >= -LARGEST:
            continue
        source = before_reshapes(mask)
        maker = source.maker
        if maker is not None and maker.name == "CAST" and maker.inputs[0].dtype == "bool":
            return mask, None
        if maker is not None and maker.name == "SUB" and maker.activation == "NONE" and scalar(maker.inputs[0]) == 1:
            kept = maker.inputs[1]
            return (mask, None) if source is not mask or kept.shape != mask.shape else (mask, kept)
    return None
