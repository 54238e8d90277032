"""Padding of integers, and of true and false."""

import numpy as np

from keraslayers.export.rewrites._each import each


def pad_integers(graph):
    """Writes the padding of integers of 32 bits, and of truth values, as a concatenation with constants.

    LiteRT's GPU runtime pads these with other numbers without a word.

    Given:   places [1, 6, 8] -> PAD [[0, 0], [1, 2], [0, 0]] -> y
    Result:  zeros [1, 1, 8], places, zeros [1, 2, 8] -> CONCATENATION -> y
    """
    return each(graph, ("PAD", "PADV2"), _lower)


def _lower(build, operator):
    x, sizes, *value = operator.inputs
    if x.dtype not in ("bool", "int32") or sizes.values is None or len(x.shape) > 4:
        return False
    if value and value[0].values is None:
        return False
    number = value[0].values.reshape(()) if value else np.asarray(0, x.dtype)
    made = x
    for axis, counts in enumerate(sizes.values.reshape(-1, 2)):
        sides = []
        for count in counts:
            shape = [int(count) if i == axis else size for i, size in enumerate(made.shape)]
            sides.append([build.constant(np.full(shape, number))] if count else [])
        before, after = sides
        made = build.concatenate([*before, made, *after], axis)
    build.finish(made)
    return True
