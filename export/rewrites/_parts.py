"""Tensors that are rows of other tensors side by side, which need not be computed as long as only rows are read."""

import math
from dataclasses import dataclass

import numpy as np

from keraslayers.export.file.build import before_reshapes
from keraslayers.export.file.edit import Tensor

# XNNPACK concatenates so many tensors at most, the GPU some more.
MOST_AT_ONCE = 5


@dataclass(frozen=True, eq=False)
class Parts:
    """A tensor that is not computed: runs of elements of others, one behind the other.

    Attributes:
        shape: sizes.
        like: a tensor that has its type and quantization.
        runs: (tensor, first element, number of elements) each.
    """

    shape: tuple
    like: Tensor
    runs: tuple

    @property
    def dtype(self):
        return self.like.dtype

    @property
    def quantization(self):
        return self.like.quantization

    @property
    def channelwise(self):
        return self.like.channelwise

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def values(self):
        """As those of a tensor: an array where all of it is constant."""
        if any(tensor.values is None for tensor, _, _ in self.runs):
            return None
        values = [tensor.values.reshape(-1)[first : first + count] for tensor, first, count in self.runs]
        return np.concatenate([np.zeros(0, self.dtype), *values]).reshape(self.shape)

    def quantized_as(self, other):
        return self.like.quantized_as(other)


class Rows:
    """Reads and writes rows, and remembers what tensors are concatenations of."""

    def __init__(self):
        self._runs = {}

    def runs(self, x):
        """A tensor, or `Parts`, as runs of elements of tensors that are none of others."""
        if isinstance(x, Parts):
            return x.runs
        if x not in self._runs:
            self._runs[x] = self._look(x)
        return self._runs[x]

    def _look(self, x):
        source = before_reshapes(x)
        maker = source.maker
        joins = maker is not None and maker.name == "CONCATENATION" and maker.activation == "NONE"
        if joins and flat(source.shape, maker.options.axis) and all(t.quantized_as(x) for t in maker.inputs):
            return tuple(run for part in maker.inputs for run in self.runs(part))
        return ((source, 0, source.size),)

    def cut(self, x, first, count, shape):
        """The part of `count` elements from `first` on, as a tensor of a shape."""
        runs, place, last = [], 0, first + count
        for tensor, begin, size in self.runs(x):
            low, high = max(first, place), min(last, place + size)
            if low < high:
                runs.append((tensor, begin + low - place, high - low))
            place += size
        return Parts(tuple(shape), x.like if isinstance(x, Parts) else x, tuple(runs))

    def join(self, parts, shape):
        """Tensors, or `Parts`, behind each other."""
        runs = []
        for tensor, begin, size in (run for part in parts for run in self.runs(part)):
            if runs and runs[-1][0] is tensor and runs[-1][1] + runs[-1][2] == begin:
                _, begin, before = runs.pop()
                size += before
            runs.append((tensor, begin, size))
        first = parts[0]
        return Parts(tuple(shape), first.like if isinstance(first, Parts) else first, tuple(runs))


def flat(shape, axis):
    """Whether what lies behind each other along an axis does so in memory, too."""
    return math.prod(shape[: axis % len(shape)]) == 1


def compute(build, parts):
    """Has a tensor that is `Parts` computed: a slice of each, which then are joined."""
    like, runs = parts.like, parts.runs
    if parts.values is not None:
        return build.constant(parts.values, like=like)
    # Rows as [1, rows, row]: the GPU takes the first axis for the batch, and no more than four.
    row = math.gcd(*(count for _, _, count in runs))
    cuts = []
    for tensor, first, count in runs:
        if count == tensor.size:
            cuts.append(build.reshape(tensor, (1, count // row, row)))
        elif tensor.values is not None:
            values = tensor.values.reshape(-1)[first : first + count]
            cuts.append(build.constant(values.reshape(1, count // row, row), like=like))
        else:
            own = math.gcd(first, count, tensor.size)
            cut = build.part(build.reshape(tensor, (1, -1, own)), 1, first // own, count // own)
            cuts.append(cut if own == row or len(runs) == 1 else build.reshape(cut, (1, count // row, row)))
    while len(cuts) > 1:
        several = [cuts[i : i + MOST_AT_ONCE] for i in range(0, len(cuts), MOST_AT_ONCE)]
        cuts = [build.concatenate(group, 1) for group in several]
    return build.reshape(cuts[0], parts.shape)
