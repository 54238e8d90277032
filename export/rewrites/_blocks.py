"""Axes that are next to each other and treated alike, made one: what a tensor of many axes is in four."""

import functools
import itertools
import math
from itertools import groupby

# Phones' GPUs take tensors of so many axes.
MOST_AXES = 4
# The shortest way to order more blocks anew takes too long to find.
MOST_SEARCHED = 7


def is_wide(operator):
    """Whether it reads or makes a tensor of more axes than phones' GPUs take."""
    tensors = (*operator.inputs, *operator.outputs)
    return any(tensor is not None and len(tensor.shape) > MOST_AXES for tensor in tensors)


def around(shape, axis):
    """A shape in three axes: all before an axis, the axis, all behind it."""
    axis %= len(shape)
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def blocks(keys, sizes):
    """Groups of neighbouring axes of one key, those of a single place left out: (key, axes) each.

    Args:
        keys: of each axis what it has in common with others.
        sizes: of each axis.
    """
    kept = [axis for axis, size in enumerate(sizes) if size != 1]
    return [(key, list(axes)) for key, axes in groupby(kept, key=lambda axis: keys[axis])]


def rows(shape):
    """A shape in three axes, of which the last stays what it is."""
    return (1, math.prod(shape[:-1]), shape[-1])


def transposed(build, x, order):
    """Axes in another order, however many there are: by as few transpositions of four blocks as were found.

    Args:
        build: a `Builder`.
        x: a tensor.
        order: of its axes.

    Returns:
        A tensor with these numbers in a row, of whatever shape.
    """
    found = runs(x.shape, order)
    place = sorted(range(len(found)), key=lambda i: found[i][0])  # the blocks as they lie in x
    sizes = [math.prod(x.shape[axis] for axis in found[i]) for i in place]
    goal = tuple(place.index(i) for i in range(len(found)))
    lie = list(range(len(goal)))
    for groups, turned in _way(goal):
        parts = [[lie[i] for i in group] for group in groups]
        x = build.reshape(x, [math.prod(sizes[i] for i in part) for part in parts])
        x = build.transpose(x, turned)
        lie = [i for group in turned for i in parts[group]]
    return x


def runs(shape, order):
    """Axes that stay behind each other, in lists, in a new order; those of one place are left out."""
    found = []
    for axis in order:
        if shape[axis] == 1:
            continue
        if found and _follows(shape, found[-1][-1], axis):
            found[-1].append(axis)
        else:
            found.append([axis])
    return found


def _follows(shape, first, second):
    """Whether an axis comes behind another, with none of more than one place in between."""
    return first < second and all(size == 1 for size in shape[first + 1 : second])


@functools.cache
def _way(goal):
    """The shortest way from the blocks in order to another order: (groups of places, their new order) at each step."""
    count = len(goal)
    start = tuple(range(count))
    if count <= MOST_AXES:
        return [] if goal == start else [([[i] for i in start], goal)]
    if count > MOST_SEARCHED:
        return _one_by_one(goal)
    moves = _moves(count)
    ways, waiting = {start: []}, [start]
    while goal not in ways:
        found = []
        for lie in waiting:
            for order, move in moves.items():
                new = tuple([lie[i] for i in order])
                if new not in ways:
                    ways[new] = [*ways[lie], move]
                    found.append(new)
        waiting = found
    return ways[goal]


@functools.cache
def _moves(count):
    """Every way to cut a row into four groups at most and to order these anew, by the order that it gives."""
    found = {}
    for cuts in range(1, MOST_AXES):
        for borders in itertools.combinations(range(1, count), cuts):
            ends = (0, *borders, count)
            groups = [list(range(a, b)) for a, b in itertools.pairwise(ends)]
            for turned in itertools.permutations(range(len(groups))):
                found.setdefault(tuple(i for group in turned for i in groups[group]), (groups, turned))
    return found


def _one_by_one(goal):
    """A way that takes one block after the other to its place."""
    way, lie = [], list(range(len(goal)))
    for place, block in enumerate(goal):
        here = lie.index(block)
        if here != place:
            parts = [range(place), range(place, here), range(here, here + 1), range(here + 1, len(lie))]
            order = [i for i in (0, 2, 1, 3) if len(parts[i])]
            kept = sorted(order)
            way.append(([list(parts[i]) for i in kept], tuple(kept.index(i) for i in order)))
            lie.insert(place, lie.pop(here))
    return way
