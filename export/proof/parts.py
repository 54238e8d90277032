"""An output part by part: every slice along every axis, as boxes and scores may stand side by side in one tensor."""

from dataclasses import dataclass

import numpy as np

from keraslayers.export.measures import CONSTANT

# A part that has so little to do with the one wanted has nothing to do with it: 0.84 and more were seen in right files
# of every precision, of classes that are next to never likely; 0 is a constant, or another part in its place.
LEAST_CORRELATION = 0.5
# Roundings of floats, as a part of the largest number in the tensor: where large ones cancel out, noise is left.
ROUNDING = 3e-7
# A part may be so many decibels below half of the parts: 16 were seen. It need not reach more than so many above what a
# part must reach in any file, since layers in floats may stand beside layers in integers.
BELOW, MORE = 20.0, 10.0
# Of so many parts, as of the classes of an image, the smallest is small by chance: of a thousand numbers it is about a
# thousandth of the others. One that is off by at most so many times what half of the parts are is not wrong by that.
MANY, ALIKE = 100, 2.0
# What differs from sample to sample by less than this part of its size has no correlation to speak of.
VARIES = 1e-3
# Of so few numbers neither a correlation nor a factor is known.
FEWEST = 8
# Probabilities that differ by less than this (rms) from sample to sample are judged with the others: 8 bits cannot show
# more of a class that is never likely.
UNLIKELY = 0.05
# Parts that are smaller than the roundings of the others may be lost, but not as many as this of all. Units of a
# network may be all but dead; where tensors of several scales were put together, it is a loss.
DROWNED, DROWNED_OF_JOINED = 0.25, 0.1
# A factor must explain so much of the error, else it is one of many.
EXPLAINED = 0.5
# How many decibels more than a part half of the samples must reach, each against its own distance from the others.
TYPICAL, LEAST_TYPICAL = 6.0, 1.5
# How sure it must be that a factor is none by chance.
CHANCE = 1e-4
# One sample in so many may be lost altogether, though of most of them little is.
LOST_SAMPLES = 1 / 16
SEVERAL_SCALES = "numbers of several scales in one tensor"


@dataclass(frozen=True)
class Figures:
    """Of each slice along an axis: powers of the signal and of the error, and how it goes along with the one wanted.

    Attributes:
        signal: sums of squares of what differs from sample to sample; a hundredth of the size at least.
        differing: without that.
        varies: whether that is more than roundings of its size.
        noise: of the error.
        largest: the largest error.
        correlation: with the one wanted.
        factor: by which it is the one wanted, in the sense of least squares.
        explained: the part of the power of the error, less its mean, that this factor explains.
        count: numbers in a slice.
    """

    signal: np.ndarray
    differing: np.ndarray
    varies: np.ndarray
    noise: np.ndarray
    largest: np.ndarray
    correlation: np.ndarray
    factor: np.ndarray
    explained: np.ndarray
    count: int


def figures(wanted, got, axis):
    """The `Figures` of the slices along an axis; of the whole if it is None."""
    if axis is None:
        wanted, got, axis = wanted[..., None], got[..., None], wanted.ndim
    others = tuple(place for place in range(wanted.ndim) if place != axis)
    count = wanted.size // wanted.shape[axis]
    own = wanted - np.mean(wanted, axis=others, keepdims=True)
    gotten = got - np.mean(got, axis=others, keepdims=True)
    differing = _power(wanted - np.mean(wanted, axis=0), others) if len(wanted) > 1 else _power(own, others)
    error = got - wanted
    noise, power = _power(error, others), _power(own, others)
    together = np.sum(own * gotten, axis=others)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        correlation = np.nan_to_num(together / np.sqrt(power * _power(gotten, others)))
        factor = np.where(power > 0, together / power, 1.0)
        explained = np.nan_to_num(np.square(factor - 1) * power / _power(gotten - own, others))
    whole = _power(wanted, others)
    signal = np.maximum(differing, CONSTANT**2 * whole)
    largest = np.max(np.abs(error), axis=others)
    return Figures(
        signal, differing, differing > VARIES**2 * whole, noise, largest, correlation, factor, explained, count
    )


def _power(values, axes):
    return np.sum(np.square(values), axis=axes)


def fault_of_part(wanted, got, least, factor, *, rough, joined=False, drowns=True):
    """Which part of an output is wrong, and how; empty if none is.

    Args:
        wanted, got: arrays of (samples, ...).
        least: how many decibels each part must be over its error.
        factor: how far a part may be from the one wanted by a factor of its own.
        rough: whether it is computed with 8 bits or fewer, or in 16-bit floats.
        joined: whether the file puts it together of several tensors.
        drowns: whether small numbers may be lost beside large ones; floats hold both.
    """
    rounding = ROUNDING * float(np.max(np.abs(wanted), initial=0))
    axes = [axis for axis in range(1, wanted.ndim) if wanted.shape[axis] > 1]
    likely = rough and _probabilities(wanted)
    for axis in axes or [None]:
        f = figures(wanted, got, axis)
        judged = f.largest > rounding
        if likely:
            judged &= f.differing >= f.count * UNLIKELY**2
        usual = ALIKE**2 * np.median(f.noise)
        alike = (f.noise <= usual) & (len(f.noise) >= MANY)
        drowned = judged & (f.signal <= np.mean(f.noise)) & (len(f.noise) > 1) & drowns
        drowned |= judged & (f.signal <= usual) & alike
        unlike = (f.correlation < LEAST_CORRELATION) & f.varies & (f.count >= FEWEST)
        lost = drowned & unlike
        most = DROWNED_OF_JOINED if joined else DROWNED
        if np.sum(lost) >= most * len(lost):
            return (
                f"loses {np.sum(lost)} of {len(lost)} parts along axis {axis}, which are smaller than the roundings of "
                f"the others: {SEVERAL_SCALES}. Give each an output of its own"
            )
        judged &= ~drowned
        # What differs by less than the others are off cannot be seen to differ, however large it is.
        others = (np.sum(f.noise) - f.noise) / max(len(f.noise) - 1, 1)
        unlike &= (f.differing > others) | (len(f.noise) == 1) | (not drowns)
        ratio = 10 * np.log10(np.maximum(f.signal, 1e-200) / np.maximum(f.noise, 1e-200))
        below = np.median(ratio) - BELOW
        needed = np.full(len(ratio), min(max(below, least), least + MORE))
        needed[alike] = np.minimum(needed[alike], below - 20 * np.log10(len(ratio)))
        faint = ratio < needed
        # A part of a file that is far off may be so by a factor.
        moved = _factors(f, max(factor, 10 ** (-np.median(ratio) / 20)))
        for place in np.flatnonzero(judged & (unlike | faint | moved))[:1]:
            where = "it" if axis is None else f"part {place} of {len(lost)} along axis {axis}"
            if unlike[place]:
                return f"{where} has nothing to do with that of {{}} (correlation {f.correlation[place]:.2f})"
            if faint[place]:
                against = f"over its error against that of {{}}; {needed[place]:.0f} dB is the least here"
                return f"{where} is {ratio[place]:.1f} dB {against}"
            return f"{where} is {f.factor[place]:.3f} times that of {{}}"
    return _samples(wanted, got, least, likely)


def _factors(f, most):
    """Which parts are others by a factor that the rest does not have, and that no roundings give by chance."""
    usual = np.median(f.factor) if len(f.factor) > 2 else 1.0
    with np.errstate(divide="ignore"):
        chance = np.log(np.maximum(1 - f.explained, 1e-200)) * (f.count - 2) / 2 + np.log(len(f.factor))
    surely = f.varies & (f.count >= FEWEST) & (f.explained > EXPLAINED) & (chance < np.log(CHANCE))
    return surely & (np.abs(f.factor - usual) > most) & (np.abs(f.factor - 1) > most)


def _probabilities(wanted):
    return bool(np.min(wanted) >= 0 and 0.5 <= np.max(wanted) <= 1 + 1e-6)


def _samples(wanted, got, least, likely):
    """Whether some samples are lost altogether, though most are right; or most are, though one is so large."""
    rows = len(wanted)
    if rows < FEWEST or not wanted.any():
        return ""
    noise = np.sum(np.square(got - wanted).reshape(rows, -1), axis=1)
    own = np.sum(np.square(wanted - np.median(wanted, axis=0)).reshape(rows, -1), axis=1)
    own = np.maximum(own, CONSTANT**2 * np.sum(np.square(wanted).reshape(rows, -1), axis=1))
    if likely:
        own = np.maximum(own, UNLIKELY**2 * wanted[0].size)
    signal = np.mean(own)
    lost = np.sum(noise >= signal)
    if signal > 0 and lost >= LOST_SAMPLES * rows and np.median(noise) < signal / 16:
        return f"{lost} of {rows} samples have nothing to do with those of {{}}, though the others have"
    rounding = np.square(ROUNDING * np.max(np.abs(wanted))) * wanted[0].size
    ratio = 10 * float(np.log10(np.median(np.maximum(own, 1e-200) / np.maximum(noise, rounding))))
    needed = max(least + TYPICAL, LEAST_TYPICAL)
    if signal > 0 and np.median(noise) > rounding and ratio < needed:
        against = f"over its error against that of {{}}; {needed:.1f} dB is the least"
        return f"of half of the samples it is {ratio:.1f} dB or less {against}. Some are so large that others are lost"
    return ""
