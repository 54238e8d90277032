"""Numbers gathered from places, by one row of 32-bit indices, as phones' GPUs take it."""

import math

import numpy as np

from keraslayers.export.rewrites._each import each


def lower_gather(graph):
    """Writes GATHER and GATHER_ND with one axis of 32-bit indices, for all of a batch at once.

    LiteRT's GPU runtime refuses indices of two axes (tokens), of no axis, of 64 bits, batches of them, and GATHER_ND.

    Given:   table [100, 8]; tokens [1, 5] -> GATHER -> y [1, 5, 8]
    Result:  table; tokens -> RESHAPE [5] -> GATHER [5, 8] -> RESHAPE -> y [1, 5, 8]

    GATHER_ND has the coordinates of a place in its indices: they become the number of the place, which is what stands
    in the file where the indices do, and a sum of products otherwise.
    """
    return each(graph, ("GATHER", "GATHER_ND"), _lower)


def _lower(build, operator):
    x, places = operator.inputs
    if x.dtype == "string" or x.channelwise:
        return False
    if places.dtype != "int32" and places.values is None:
        return False
    if operator.name == "GATHER_ND":
        result = _at_coordinates(build, x, places)
    else:
        result = _along_axis(build, operator, x, places)
    if result is None:
        return False
    build.finish(build.reshape(result, operator.output.shape))
    return True


def gathered(build, x, places, axis):
    """Numbers at places, a tensor or an array of one axis, along an axis."""
    if isinstance(places, np.ndarray):
        first, count = int(places[0]), len(places)
        if np.array_equal(places, np.arange(first, first + count)):
            return build.part(x, axis, first, count)
        places = build.integers(places)
    shape = (*x.shape[:axis], places.size, *x.shape[axis + 1 :])
    return build.computed("GATHER", (x, places), shape, axis=axis)


def _along_axis(build, operator, x, places):
    axis, batched = operator.options.axis % len(x.shape), operator.options.batchDims % (len(places.shape) or 1)
    batch, size = math.prod(x.shape[:batched]), x.shape[axis]
    few = len(x.shape) <= 4
    if few and not operator.options.batchDims and len(places.shape) == 1 and places.dtype == "int32":
        return None
    if places.size == 0:
        return None
    if batch == 1:
        if not few:
            x, axis = build.reshape(x, (math.prod(x.shape[:axis]), size, -1)), 1
        return gathered(build, x, _flat(build, places), axis)
    # The rows of all of the batch are one table; each sample has its own part of it.
    between, inner = math.prod(x.shape[batched:axis]), math.prod(x.shape[axis + 1 :])
    each_one = places.size // batch
    rows = build.transpose(build.reshape(x, (batch, between, size, inner)), (0, 2, 1, 3)) if between > 1 else x
    rows = build.reshape(rows, (batch * size, between * inner))
    offsets = np.repeat(np.arange(batch) * size, each_one)
    found = gathered(build, rows, _flat(build, places, offsets), 0)
    if between > 1:
        found = build.transpose(build.reshape(found, (batch, each_one, between, inner)), (0, 2, 1, 3))
    return found


def _at_coordinates(build, x, places):
    count = places.shape[-1]
    sizes = x.shape[:count]
    steps = [math.prod(sizes[axis + 1 :]) for axis in range(count)]
    if count == 0 or places.size == 0:
        return None
    if places.values is not None:
        numbers = (places.values.reshape(-1, count).astype("int64") * steps).sum(-1)
    else:
        rows = build.reshape(places, (-1, count))
        numbers = None
        for axis, step in enumerate(steps):
            part = build.part(rows, 1, axis, 1)
            if step != 1:
                part = build.computed("MUL", (part, build.constant(np.asarray(step, places.dtype))), part.shape)
            numbers = part if numbers is None else build.computed("ADD", (numbers, part), part.shape)
        numbers = build.reshape(numbers, (-1,))
    return gathered(build, build.reshape(x, (math.prod(sizes), -1)), numbers, 0)


def _flat(build, places, offsets=None):
    """Indices along one axis, an array where they stand in the file."""
    if places.values is not None:
        numbers = places.values.reshape(-1).astype("int64")
        return numbers if offsets is None else numbers + offsets
    flat = build.reshape(places, (-1,))
    if offsets is None:
        return flat
    return build.computed("ADD", (flat, build.constant(offsets.astype(places.dtype))), flat.shape)
