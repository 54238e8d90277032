"""Repetition of slices in tensors of rank 4."""

import math

from keras import ops

# XNNPACK concatenates so many tensors at most.
_MOST_AT_ONCE = 5


def repeat(x, axis, times):
    """Every slice of a rank-4 tensor along axis 1, 2 or 3 `times` times in a row.

    `keras.ops.repeat` does the same with a fifth axis, which the GPU runtime of LiteRT refuses.
    """
    while times > 1:
        now = next((n for n in range(_MOST_AT_ONCE, 1, -1) if times % n == 0), times)
        shape = ops.shape(x)
        # Before the new axis two axes are left, the batch and what stands between; all that lies behind is one.
        flat = ops.reshape(x, (shape[0], math.prod(shape[1 : axis + 1]), 1, math.prod(shape[axis + 1 :])))
        x = ops.reshape(ops.concatenate([flat] * now, axis=2), (*shape[:axis], shape[axis] * now, *shape[axis + 1 :]))
        times //= now
    return x
