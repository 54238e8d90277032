"""The child's part of `observe`: what a file in floats computes on samples, and kernels rounded to suit that.

Loaded by file name, by `runtimes/worker.py`, so that it imports nothing of keraslayers.
"""

import itertools
import os

import numpy as np

BINS = 2048
# Of a tensor so many numbers a call stand for all.
NUMBERS = 2**14
# Places at which a kernel is seen to read, over all calls: at least so many, and so many times its inputs.
PLACES, TIMES = 4096, 4
# The rounding of an input is made up for by so many others at most: the work grows with the square of that.
TOGETHER = 512
# After so many inputs all behind them learn of their errors at once.
BLOCK = 64
# This part of an average input's power is added to each, so that few places do not tell too much.
DAMPING = 0.003
LARGEST = 127
# So often each number stands in a kernel that has few of them.
REPEATED = 4


def load(path, inputs, outputs, counted, made, kernels):
    """Loads a file, as the child's worker wants it.

    Args:
        path, inputs, outputs: see `runtimes/worker.py`.
        counted: of how many calls all is wanted, of those behind only how far numbers reach.
        made: numbers of the tensors of floats of which it is wanted how far they reach.
        kernels: of each operator with a kernel a dict: the numbers of its `input` and its `kernel`, that of the first
            kernel of the same bytes (`same`), whether it has a bias (`biased`), and how it reads: `size`, `strides`,
            `dilations`, `padded`, `out` (its output's height and width), `channels` that an output reads, and whether
            it is `depthwise`. A dense layer is a convolution of 1 x 1.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        path,
        num_threads=os.cpu_count(),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    random = np.random.default_rng(0)
    histograms = {number: Histogram() for number in made}
    means, powers, calls = [Mean() for _ in kernels], {}, itertools.count()

    def call(values):
        for (_, index), value in zip(inputs, values, strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        all_of_it = next(calls) < counted
        for number, histogram in histograms.items():
            histogram.add(interpreter.get_tensor(number).reshape(-1), all_of_it, random)
        for mean, kernel in zip(means, kernels, strict=True) if all_of_it else ():
            seen = windows(interpreter.get_tensor(kernel["input"]), kernel)
            rows = grouped(some(seen, counted, random), kernel)
            mean.add(rows)
            powers.setdefault(kernel["same"], Powers()).add(parted(rows))
        return []

    def arrays():
        found = {f"counts {number}": histogram.counts for number, histogram in histograms.items()}
        found |= {f"reach {number}": (histogram.low, histogram.high) for number, histogram in histograms.items()}
        for place, kernel in enumerate(kernels):
            values, same = interpreter.get_tensor(kernel["kernel"]), f"kernel {kernel['same']}"
            rows, steps = rows_of(values, kernel)
            if same not in found:
                integers = np.round(rows / steps)
                if not repeats(rows):
                    integers = rounded(rows / steps, powers.pop(kernel["same"]).products_of_two(kernel["biased"]))
                found[same] = (integers.T if kernel["depthwise"] else integers).reshape(values.shape).astype("int8")
                found[f"steps {kernel['same']}"] = steps[:, 0]
            off, mean = rows_of(found[same], kernel)[0] * steps - rows, means[place].average()
            found[f"moved {place}"] = np.einsum("gok,gk->go", off.reshape(len(mean), -1, rows.shape[1]), mean)
        return found

    return call, {"arrays": arrays}


def windows(found, kernel):
    """All that a kernel reads, without a copy: (images, height, width of the output, channels, size of the kernel)."""
    if found.ndim != 4 or kernel["out"] is None:
        found = found.reshape(-1, 1, 1, kernel["channels"])
    spans = [(taps - 1) * dilation + 1 for taps, dilation in zip(kernel["size"], kernel["dilations"], strict=True)]
    if kernel["padded"]:
        around = [
            max((count - 1) * stride + span - size, 0)
            for count, stride, span, size in zip(kernel["out"], kernel["strides"], spans, found.shape[1:3], strict=True)
        ]
        found = np.pad(found, ((0, 0), *((more // 2, more - more // 2) for more in around), (0, 0)))
    (down, right), (tall, wide) = kernel["strides"], kernel["dilations"]
    return np.lib.stride_tricks.sliding_window_view(found, spans, (1, 2))[:, ::down, ::right, :, ::tall, ::wide]


def some(seen, calls, random):
    """Windows at some of all places: (places, channels, size of the kernel)."""
    count = int(np.prod(seen.shape[:3]))
    most = -(-max(PLACES, TIMES * min(int(np.prod(seen.shape[3:])), TOGETHER)) // calls)
    places = np.arange(count) if count <= most else random.choice(count, most, replace=False)
    return seen[np.unravel_index(places, seen.shape[:3])]


def grouped(seen, kernel):
    """Windows (..., channels, size) as (groups, ..., inputs of one output), in the order of a kernel's rows."""
    before, (channels, *size) = seen.shape[:-3], seen.shape[-3:]
    each = 1 if kernel["depthwise"] else kernel["channels"]
    seen = np.moveaxis(seen.reshape(*before, channels // each, each, *size), -3, -1)
    return np.moveaxis(seen.reshape(*before, channels // each, -1), -2, 0)


def parted(rows):
    """(groups, places, inputs) with no more inputs than are rounded together: what has more becomes several groups."""
    groups, places, width = rows.shape
    if width <= TOGETHER:
        return rows
    parts = -(-width // TOGETHER)
    inside = -(-width // parts)
    rows = np.pad(rows, ((0, 0), (0, 0), (0, parts * inside - width)))
    return rows.reshape(groups, places, parts, inside).transpose(0, 2, 1, 3).reshape(-1, places, inside)


class Histogram:
    """How many numbers lie where, between the lowest and the highest yet, zero among them."""

    def __init__(self):
        self.low, self.high, self.counts = 0.0, 0.0, np.zeros(BINS)

    def add(self, found, counted, random):
        """Adds numbers; those that are not `counted` may only make it wider."""
        low, high = float(found.min(initial=0)), float(found.max(initial=0))
        if not np.isfinite(high - low):
            found = found[np.isfinite(found)]
            low, high = float(found.min(initial=0)), float(found.max(initial=0))
        self._widen(min(self.low, low), max(self.high, high))
        if counted and self.low < self.high:
            if found.size > NUMBERS:
                found = found[random.integers(found.size, size=NUMBERS)]
            places = (found - self.low) * (BINS / (self.high - self.low))
            self.counts += np.bincount(np.minimum(places.astype("int32"), BINS - 1), minlength=BINS)

    def _widen(self, low, high):
        if (low, high) != (self.low, self.high) and self.counts.any():
            edges = np.linspace(self.low, self.high, BINS + 1)
            self.counts = np.histogram((edges[1:] + edges[:-1]) / 2, BINS, (low, high), weights=self.counts)[0]
        self.low, self.high = low, high


class Mean:
    """What inputs are on the average."""

    def __init__(self):
        self.count, self.total = 0, 0

    def add(self, rows):
        """Adds what is read at some places: (groups, places, inputs)."""
        self.count += rows.shape[1]
        self.total += rows.sum(1, dtype="float64")

    def average(self):
        """(groups, inputs)."""
        return self.total / self.count


class Powers(Mean):
    """What products inputs have on the average, summed around where they lie.

    Of squares of large numbers 32 bits would leave nothing of what differs.
    """

    def __init__(self):
        super().__init__()
        self.middle, self.products = None, 0

    def add(self, rows):
        """Adds what is read at some places, as `parted` gives it."""
        if self.middle is None:
            self.middle = rows.mean(1, keepdims=True)
        rows = rows - self.middle
        super().add(rows)
        self.products += (rows.transpose(0, 2, 1) @ rows).astype("float64")

    def products_of_two(self, around):
        """(groups, inputs, inputs); with `around` without what a bias makes up for."""
        mean = self.average()
        found = self.products / self.count - mean[:, :, None] * mean[:, None]
        if not around:
            mean = mean + self.middle[:, 0]
            found += mean[:, :, None] * mean[:, None]
        places = np.arange(found.shape[1])
        # Inputs that never change go with none, and are rounded to the nearest.
        found[:, places, places] += np.maximum(DAMPING * found[:, places, places].mean(1, keepdims=True), 1e-12)
        return found


def rows_of(values, kernel):
    """A kernel as (outputs, inputs of one output), and the steps of these rows; 1 of rows of nothing."""
    rows = values[0].reshape(-1, values.shape[-1]).T if kernel["depthwise"] else values.reshape(len(values), -1)
    steps = np.abs(rows).max(1, keepdims=True).astype("float32") / np.float32(LARGEST)
    return rows.astype("float64"), np.where(steps, steps, 1).astype("float64")


def repeats(rows):
    """Whether a kernel has few numbers, many times each, as clustering leaves them: equal ones stay equal."""
    numbers = rows[rows != 0]
    return len(np.unique(numbers)) * REPEATED <= len(numbers)


def rounded(rows, powers):
    """Rows in steps to integers, such that the errors of their inputs make up for each other; zeros stay zeros.

    Frantar et al. 2023, arXiv:2210.17323: inputs are rounded one after the other, those of most power first, and what
    one is off is taken back by those that come after, as far as they go together with it.

    Args:
        rows: (outputs, inputs of one output).
        powers: (groups, inputs, inputs), as `Powers` has it of `parted` inputs.
    """
    outputs, width = rows.shape
    parts = -(-width // powers.shape[1])
    rows = np.pad(rows, ((0, 0), (0, parts * powers.shape[1] - width)))
    rows = rows.reshape(len(powers) // parts, -1, parts, powers.shape[1]).transpose(0, 2, 1, 3)
    shape = rows.shape
    found = _one_by_one(rows.reshape(len(powers), -1, powers.shape[1]), powers)
    return found.reshape(shape).transpose(0, 2, 1, 3).reshape(outputs, -1)[:, :width]


def _one_by_one(rows, powers):
    """Rounds (groups, outputs, inputs), in steps, by the (groups, inputs, inputs) powers of what they read."""
    order = np.argsort(-np.diagonal(powers, axis1=1, axis2=2), axis=1, kind="stable")
    rows = np.take_along_axis(rows, order[:, None], 2)
    zeros = rows == 0
    powers = np.take_along_axis(np.take_along_axis(powers, order[:, :, None], 1), order[:, None], 2)
    # Its row i tells how what input i is off is best taken back by those behind it, which alone are free by then.
    upper = np.linalg.cholesky(np.linalg.inv(powers)).transpose(0, 2, 1)
    found = np.empty_like(rows)
    for start in range(0, rows.shape[2], BLOCK):
        end = min(start + BLOCK, rows.shape[2])
        errors = np.empty((*rows.shape[:2], end - start))
        for i in range(start, end):
            found[:, :, i] = np.where(zeros[:, :, i], 0, np.clip(np.round(rows[:, :, i]), -LARGEST, LARGEST))
            errors[:, :, i - start] = (rows[:, :, i] - found[:, :, i]) / upper[:, i, i, None]
            rows[:, :, i + 1 : end] -= errors[:, :, i - start, None] * upper[:, None, i, i + 1 : end]
        rows[:, :, end:] -= errors @ upper[:, start:end, end:]
    return np.take_along_axis(found, np.argsort(order, axis=1)[:, None], 2)
