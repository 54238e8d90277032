"""Ranges that leave the rarest numbers out, where the others gain more by finer steps than these lose.

Nagel et al. 2021, arXiv:2106.08295, section 3.1, mean squared error; of what an activation makes of the numbers, where
one alone reads them.
"""

import numpy as np

from keraslayers.export.convert.functions import function_behind
from keraslayers.export.convert.several_scales import MOVES
from keraslayers.export.convert.widen import STEPS
from keraslayers.export.file.quantized import ranged

# Parts of a range's ends that are tried.
PARTS = np.linspace(0.05, 1, 96)
# Fewer numbers tell too little of how rare one is.
FEWEST = 1000
# What is gained must be worth it: the others' part of the error.
WORTH = 0.95
# The largest of the numbers that these read decide.
BY_THE_LARGEST = ("ARG_MAX", "ARG_MIN", "EXP", "LOG_SOFTMAX", "SOFTMAX", "TOPK_V2")


def set_ranges(graph, ranges):
    """Tells how far the numbers of a graph's tensors reach.

    The converter's calibrator tells it, too, but looks at what an operator read when the operator is done: where it has
    written over that, as a MUL or ADD of LiteRT may, the range is that of both, a 16th of which the numbers need where
    they are then multiplied by 16.

    Args:
        graph: an `edit.Graph` of floats.
        ranges: by the name of a tensor its (lowest, highest) number.
    """
    for tensor in (*graph.inputs, *(tensor for operator in graph.operators for tensor in operator.outputs)):
        if tensor.name in ranges and tensor.dtype == "float32":
            tensor.quantize(ranged(*ranges[tensor.name]))


def narrow_ranges(graph, histograms, part):
    """Narrows the ranges of what a graph computes, but for its outputs and for scores that are compared.

    Args:
        graph: an `edit.Graph` of floats with ranges.
        histograms: by the name of a tensor how many numbers lie in each of equal parts of its range.
        part: of the samples whose ranges these are, those whose numbers were counted.

    Returns:
        How many became narrower.
    """
    narrowed = 0
    for operator in graph.operators:
        for tensor in operator.outputs:
            counts = histograms.get(tensor.name)
            if (
                counts is None
                or tensor.quantization is None
                or counts.sum() < FEWEST
                or graph.given(tensor)
                or _compared(graph, tensor)
            ):
                continue
            low, high = float(tensor.quantization.min[0]), float(tensor.quantization.max[0])
            found = narrowed_range(counts, low, high, part, function_behind(graph, tensor))
            if found != (low, high):
                tensor.quantize(ranged(*found))
                narrowed += 1
    return narrowed


def narrowed_range(counts, low, high, part=1.0, function=None):
    """The (lowest, highest) number of the range that costs least: by rounding within, by what lies outside.

    Args:
        counts: how many numbers lie in each of equal parts of the range.
        low, high: its ends, zero among them.
        part: see `narrow_ranges`.
        function: what becomes of the numbers, if that is what errors are to be small of: hard-swish is 0 below -3.
    """
    function = function or (lambda x: x)
    width = (high - low) / len(counts)
    edges = low + np.arange(len(counts) + 1) * width
    middles = (edges[:-1] + edges[1:]) / 2
    made, slopes = function(middles), np.diff(function(edges)) / width
    # The ends were seen once at least, on whatever sample.
    counts = counts + part * (np.arange(len(counts)) % (len(counts) - 1) == 0)
    lows = low * PARTS if low < 0 else np.zeros(1)
    highs = high * PARTS if high > 0 else np.zeros(1)
    below = np.array(
        [_outside(counts, made, middles < end, becomes) for end, becomes in zip(lows, function(lows), strict=True)]
    )
    above = np.array(
        [_outside(counts, made, middles > end, becomes) for end, becomes in zip(highs, function(highs), strict=True)]
    )
    rounded = counts * slopes**2 * (np.abs(middles) > width)  # zeros are exact
    within = np.concatenate([[0], np.cumsum(rounded)])
    inside = within[np.searchsorted(middles, highs)][None] - within[np.searchsorted(middles, lows)][:, None]
    steps = (highs[None] - lows[:, None]) / STEPS
    costs = below[:, None] + above[None] + inside * steps**2 / 12
    best = np.unravel_index(np.argmin(costs), costs.shape)
    if costs[best] > WORTH * costs[-1, -1]:
        return low, high
    return float(lows[best[0]]), float(highs[best[1]])


def _outside(counts, made, outside, becomes):
    """What it costs that all numbers beyond an end become what the end does."""
    return np.sum(counts[outside] * (made[outside] - becomes) ** 2)


def _compared(graph, tensor):
    """Whether the largest of its numbers decide, or it is given on as an output as it is."""
    waiting, seen = [tensor], {tensor}
    while waiting:
        for reader in waiting.pop().readers:
            if reader.name in BY_THE_LARGEST:
                return True
            if reader.name in MOVES:
                waiting += [moved for moved in reader.outputs if moved not in seen]
                seen.update(reader.outputs)
    return any(graph.given(each) for each in seen)
