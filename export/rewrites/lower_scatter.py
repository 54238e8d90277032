"""Rows put at places and summed by segment, where the file says which go where."""

import math

import numpy as np

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.lower_gather import gathered

SEGMENTS = ("SEGMENT_SUM", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN", "UNSORTED_SEGMENT_SUM")


def lower_scatter(graph):
    """Writes SCATTER_ND and sums, maxima and minima of segments with operators that the GPU has.

    LiteRT's GPU runtime has none of these. A place that one row goes to is a place to gather from; places that several
    go to are a matrix product with ones where a row belongs; of maxima the rows of a segment lie side by side.

    Given:   rows [4, 8] -> SCATTER_ND at places [[5], [0], [2], [7]] -> y [9, 8]
    Result:  rows, a row of zeros -> CONCATENATION -> GATHER [1, 4, 2, 4, 4, 0, 4, 3, 4] -> y [9, 8]

    Given:   messages [6, 8] -> UNSORTED_SEGMENT_SUM by segments [0, 2, 2, 0, 1, 2] -> y [3, 8]
    Result:  messages -> TRANSPOSE -> FULLY_CONNECTED (ones where a message belongs) -> TRANSPOSE -> y [3, 8]
    """
    return each(graph, ("SCATTER_ND", *SEGMENTS), _lower)


def _lower(build, operator):
    if operator.name == "SCATTER_ND":
        places, rows, shape = operator.inputs
        if places.values is None or shape.values is None or not places.size:
            return False
        count = places.shape[-1]
        sizes = operator.output.shape[:count]
        steps = [math.prod(sizes[axis + 1 :]) for axis in range(count)]
        belongs = (places.values.reshape(-1, count).astype("int64") * steps).sum(-1)
    else:
        rows, places = operator.inputs[:2]
        if places.values is None or not places.size:
            return False
        belongs = places.values.reshape(-1).astype("int64")
        sizes = operator.output.shape[:1]
    if rows.channelwise or not rows.quantized_as(operator.output):
        return False
    rows = build.reshape(rows, (len(belongs), -1))
    lower = _joined(operator.name, build, rows, belongs, math.prod(sizes))
    if lower is None:
        return False
    build.finish(build.reshape(lower, operator.output.shape))
    return True


def _joined(kind, build, rows, belongs, count):
    """Rows [rows, numbers] brought to the `count` places where each belongs; None where that is not known how."""
    members = [np.flatnonzero(belongs == place) for place in range(count)]
    most = max(map(len, members))
    if most == 0:
        return None
    if most == 1:
        return _placed(kind, build, rows, members)
    if "MAX" in kind or "MIN" in kind:
        return _extreme(kind, build, rows, members, most)
    return _summed(build, rows, members) if rows.dtype == "float32" else None


def _placed(kind, build, rows, members):
    """Each place's one row."""
    if any(len(found) == 0 for found in members):
        rows = _with_empty(kind, build, rows)
    last = rows.shape[0] - 1
    return gathered(build, rows, np.asarray([found[0] if len(found) else last for found in members]), 0)


def _with_empty(kind, build, rows):
    """Rows, and one more for where none belongs."""
    limits = np.finfo(rows.dtype) if rows.dtype.startswith("float") else np.iinfo(rows.dtype)
    empty = limits.min if "MAX" in kind else limits.max if "MIN" in kind else 0
    return build.concatenate((rows, build.constant(np.full((1, rows.shape[1]), empty, rows.dtype), like=rows)), 0)


def _extreme(kind, build, rows, members, most):
    """The largest or smallest of rows side by side; a segment of fewer has one of them several times."""
    empty = rows.shape[0]
    if any(len(found) == 0 for found in members):
        rows = _with_empty(kind, build, rows)
    filled = [np.resize(found, most) if len(found) else np.full(most, empty) for found in members]
    side_by_side = gathered(build, rows, np.concatenate(filled), 0)
    side_by_side = build.reshape(side_by_side, (1, len(members), most, -1))
    reduce = "REDUCE_MAX" if "MAX" in kind else "REDUCE_MIN"
    shape = (1, len(members), 1, rows.shape[1])
    return build.computed(reduce, (side_by_side, build.integers([2])), shape, keepDims=True)


def _summed(build, rows, members):
    ones = np.zeros((len(members), rows.shape[0]), "float32")
    for place, found in enumerate(members):
        ones[place, found] = 1
    columns = build.transpose(rows, (1, 0))
    shape = (columns.shape[0], len(members))
    sums = build.computed("FULLY_CONNECTED", (columns, build.constant(ones)), shape, keepNumDims=True)
    return build.transpose(sums, (1, 0))
