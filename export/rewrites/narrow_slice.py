"""Slices of many axes."""

import math

from keraslayers.export.rewrites._blocks import MOST_AXES, is_wide
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.lower_indices import places_of


def narrow_slice(graph):
    """Slices a tensor of more than four axes in four.

    What is taken whole goes with the axis before it; where more than four axes are left, they are sliced one by one.

    Given:   x [3, 1, 2, 16, 8] -> SLICE x[0:1] -> y [1, 1, 2, 16, 8]
    Result:  x -> RESHAPE [768] -> SLICE x[0:256] -> RESHAPE -> y
    """
    return each(graph, ("SLICE", "STRIDED_SLICE"), _narrow)


def _narrow(build, operator):
    x, *bounds = operator.inputs
    output = operator.output
    if not is_wide(operator) or x.channelwise or any(bound.values is None for bound in bounds) or 0 in output.shape:
        return False
    taken = _taken(operator, x.shape, [bound.values.reshape(-1).tolist() for bound in bounds])
    if taken is None:
        return False
    groups = _groups(x.shape, taken)
    if len(groups) <= MOST_AXES:
        x = _cut(build, build.reshape(x, [size for size, _ in groups]), [places for _, places in groups])
    else:
        sizes = [size for size, _ in groups]
        for axis, (size, places) in enumerate(groups):
            if len(places) != size:
                whole = build.reshape(x, (math.prod(sizes[:axis]), size, math.prod(sizes[axis + 1 :])))
                x = _cut(build, whole, [range(whole.shape[0]), places, range(whole.shape[2])])
                sizes[axis] = len(places)
    build.finish(build.reshape(x, output.shape))
    return True


def _taken(operator, shape, bounds):
    """What is taken along each axis, as ranges; None where it runs backwards or is more than that."""
    if operator.name == "SLICE":
        begin, size = bounds
        return [range(b, n if s == -1 else b + s) for b, s, n in zip(begin, size, shape, strict=True)]
    options = operator.options
    if options.offset or options.ellipsisMask or options.newAxisMask or options.shrinkAxisMask:
        return None  # which `lower_indices` knows
    taken = places_of(options, shape, *bounds)
    return None if taken is None or any(places.step < 0 for places in taken) else taken


def _groups(shape, taken):
    """(size, places taken) of axes in a row, those that are taken whole being part of the one before."""
    groups = []
    for size, places in zip(shape, taken, strict=True):
        if size == 1:
            continue
        if groups and len(places) == size and groups[-1][1].step == 1:
            whole, before = groups[-1]
            groups[-1] = (whole * size, range(before.start * size, before.stop * size))
        else:
            groups.append((size, places))
    return groups or [(1, range(1))]


def _cut(build, x, taken):
    begin, size = [places.start for places in taken], [len(places) for places in taken]
    if all(places.step == 1 for places in taken):
        return build.slice(x, begin, size)
    end = [places[-1] + 1 for places in taken]
    steps = [places.step for places in taken]
    return build.computed("STRIDED_SLICE", (x, *map(build.integers, (begin, end, steps))), size)
