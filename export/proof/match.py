"""What it means that numbers match: how far they may be apart, and why as far as that."""

from functools import partial

import numpy as np

from keraslayers.export.measures import differing, snr_db, spread
from keraslayers.export.proof.parts import fault_of_part

# How far a file may be from the Keras model: signal over noise in decibels, and the largest error as a part of the
# outputs' spread; of the worst output. What the networks of benchmarks/limits.py give stands in docs/proof.md.
LIMITS = {
    "float32": (60.0, 1e-3),  # another order of summing gives 100 dB and more, a wrong operator 20 and less
    "float16": (20.0, 3e-2),  # weights of 11 bits, carried through a deep network
    "dynamic": (15.0, None),  # weights of 8 bits, activations rounded to 8 bits call by call
    "int8": (10.0, None),  # weights and activations of 8 bits; single samples near a decision may flip
    "int16x8": (15.0, None),  # weights of 8 bits; activations of 16 add next to nothing
    "int4": (3.0, None),  # weights of 4 bits: outputs that have nothing to do with the model's give 0 dB and less
}
# A part of an output, a channel say, may be so many decibels below what the whole must reach: 10 were seen.
PART = 12.0
# By what factor of its own a part of an output may be off. With kernels of 8 bits 0.006 was seen, and 0.04 where it
# explained little of the error; with activations of 8 bits 0.09; with kernels of 4 bits 0.6, which hides all.
FACTORS = {"float32": 0.01, "float16": 0.01, "dynamic": 0.03, "int8": 0.15, "int16x8": 0.03, "int4": 1.0}
# A runtime that computes in 16-bit floats rounds each number to 11 bits, in a deep network thousands of times, and the
# next layers carry it on. So far, and no less than the file's precision, may it be from the model, and from LiteRT's
# built-in kernels on the same file; what trained networks give stands in docs/proof.md.
HALF, FACTOR_OF_HALF, EQUAL_OF_HALF = (10.0, None), 0.05, 0.9
# Trained networks give 50 dB and more in 16-bit floats. What random weights give, which amplify each rounding, is as
# right and as far off as files of 8 bits may be; a file that is so far off is told of.
USUAL_OF_HALF = 30.0
# The share of class ids, masks and counts that must equal the Keras model's: they are names, no sizes.
EQUAL = {"float32": 0.99, "float16": 0.97, "dynamic": 0.85, "int8": 0.8, "int16x8": 0.85, "int4": 0.6}
# A value that so many of the elements have must be found again in half of its places.
FREQUENT = 0.01
# Outputs whose signal is less than this over their roundings say nothing.
NOTHING_DB = 3.0
# Outputs that differ by less than this part of their size are named as the cause where a file fails.
FEW = 0.1
# How far a runtime may be from LiteRT's built-in kernels on the same file. Floats: the largest difference as a part
# of the outputs' spread. Integers: the same, and the rms difference as a part of the outputs' standard deviation.
# Right integer kernels round differently here and there, and a deep network carries it on: 0.14 and 0.27 were seen
# on XNNPACK in an untrained MobileNetV3-Large. A wrong operator gives 0.6 and 1.2 (squeeze-and-excite with Dense).
# Each part of an output may be as far as this in decibels, with a correlation and a factor as against a model.
MAX_FLOAT_DIFFERENCE = 1e-3
MAX_INTEGER_DIFFERENCE = 0.5
PART_OF_INTEGERS = 0.0
# Differences of so few steps are right whatever the outputs' spread.
MAX_STEPS = 3
# More of them are right between kernels that are the same plain loops, if the output is so many decibels over them: of
# the recurrent networks of benchmarks/limits.py 5 to 13 steps were seen, at 39 to 82 dB. A wrong operator gives 20 dB
# and less.
PLAIN_DB = 26.0
# How far a file may be from the model that trained with its rounding, as the rms difference in steps of an output, of
# which an output has 256. Both compute the same but for ties: 0.5 to 10.2 were seen in the networks of
# benchmarks/trained.py, where LiteRT's built-in kernels and XNNPACK part by up to 12 on one file, as outputs of random
# weights carry each tie on. What the outputs of these say of the samples is 45 to 60 steps.
MAX_TRAINED_STEPS = 20
# Differences below this are none: the numbers next to zero that processors flush to it.
TINY = 1e-30
# Where nothing but zero is wanted there is no size to compare with: below this is none, in float32.
NONE = 1e-6
KERNELS = "LiteRT's built-in kernels on the same file"
NO_NUMBERS = "holds NaN or infinity"
LOST = "it is quantization that lost the numbers"
AS_THE_FILE = f"; the runtime computes what the file says, so {LOST}"
RANDOM = ("MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM")
DRAWN = "; it draws random numbers of its own, others than the model and in every call: give them to it as an input"


def limits(precision, floats=32):
    """How far a file of a precision may be from the model: decibels, a part of the spread or None, a factor, a share.

    They are those of `LIMITS`, `FACTORS` and `EQUAL`; on a runtime that computes in 16-bit floats the wider ones of
    these and its own.
    """
    (least, part), factor, equal = LIMITS[precision], FACTORS[precision], EQUAL[precision]
    if floats == 32:
        return least, part, factor, equal
    return min(least, HALF[0]), HALF[1], max(factor, FACTOR_OF_HALF), min(equal, EQUAL_OF_HALF)


def fault(got, wanted, meaning, graph, precision, plain, floats=32):
    """What is wrong with the numbers; empty if nothing is."""
    rounded = graph.integer or graph.hybrid
    drawn = any(name in graph.operators for name in RANDOM)
    for tensor in graph.outputs:
        key = tensor.name
        if not got[key].size:
            continue  # nothing was found, of which there may be none
        if not np.all(np.isfinite(got[key])):
            return f"output `{key}` {NO_NUMBERS}"
        compare = partial(_unequal if tensor.counted else _too_far, joined=tensor.joined, floats=floats)
        if meaning is not None and (off := _off(meaning[key], got[key], rounded, tensor, plain, floats)):
            # Numbers that are lost hang on single steps, which runtimes round in their own ways: where a vector next to
            # zero is one step long or none, UnitNormalization makes ones or zeros of it.
            far = "" if precision is None else compare(wanted[key], meaning[key], precision)
            if far and not drawn:
                off = off.replace(KERNELS, "these kernels")
                return f"output `{key}` of LiteRT's built-in kernels {far}; so {LOST}; the runtime {off}"
            return f"output `{key}` {off}{DRAWN if drawn else ''}"
        if precision is not None:
            far = compare(wanted[key], got[key], precision)
            if far:
                return f"output `{key}` {far}{DRAWN if drawn else '' if meaning is None else AS_THE_FILE}"
    return ""


def nothing_said(got, meaning, graph):
    """Why outputs that match prove nothing: they hardly move with the samples. Empty if they do."""
    if still(got):
        return "no output differs from sample to sample: these samples test nothing. Give typical ones"
    for tensor in graph.outputs:
        ratio = None if tensor.counted else snr_db(meaning[tensor.name], got[tensor.name])
        if ratio is not None and ratio < NOTHING_DB:
            return (
                f"output `{tensor.name}` differs no more from sample to sample than its roundings do ({ratio:.1f} dB): "
                "these samples test nothing. Give typical ones"
            )
    return ""


def coarse_in_half(ratio):
    """What to say of numbers that match in 16-bit floats and are far off for these; empty if they are not."""
    if ratio is None or ratio >= USUAL_OF_HALF:
        return ""
    return (
        f"16-bit floats leave {ratio:.1f} dB over the error, as 8 bits would; trained networks keep 50 dB and more. If "
        "this one is trained, target='gpu-fp32' and an app that asks for 32-bit floats keep its numbers"
    )


def still(got):
    """Whether no output differs from sample to sample, though there are several."""
    return all(
        len(values) > 1 and np.array_equal(values, np.broadcast_to(values[:1], values.shape)) for values in got.values()
    )


def wrong_numbers(got, meaning, graph, plain, floats=32):
    """How a runtime's outputs are not those of LiteRT's built-in kernels; empty if they are."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return fault(got, meaning, meaning, graph, None, plain, floats)


def _off(meaning, got, rounded, tensor, plain, floats):
    """How a runtime computes something else than LiteRT's built-in kernels; empty if it does not."""
    if tensor.counted:
        unequal = _unequal(meaning, got, "int8" if rounded else "float32", floats=floats)
        return unequal.replace("the Keras model", KERNELS)
    if floats == 16 and not rounded:
        return _too_far(meaning, got, "float32", tensor.joined, floats).replace("the Keras model", KERNELS)
    if _differs(meaning, got, rounded, tensor.step, plain):
        return (
            f"is off by {float(np.max(np.abs(got - meaning))):.3g} from {KERNELS}, "
            f"whose outputs spread over {spread(meaning):.3g}"
        )
    if few_steps(meaning, got, tensor.step):
        return ""
    least, factor = (PART_OF_INTEGERS, FACTORS["int8"]) if rounded else (LIMITS["float32"][0] - PART, 0.01)
    part = fault_of_part(meaning, got, least, factor, rough=rounded, joined=tensor.joined)
    return part and f"is not right throughout: {part.format(KERNELS)}"


def few_steps(meaning, got, step):
    """Whether outputs of integers are so few steps apart that they are right."""
    # Half a step more: rounding in floats must not decide.
    return bool(step) and float(np.max(np.abs(got - meaning))) <= (MAX_STEPS + 0.5) * step


def _differs(meaning, got, rounded, step, plain=False):
    """Whether a runtime computes something else than the built-in kernels, over the output as a whole.

    Args:
        meaning: what these give.
        got: what the runtime gives.
        rounded: whether activations are rounded to integers on the way.
        step: the smallest difference between two outputs, if there is one.
        plain: whether both are the same plain loops, so that few steps are all they may differ.
    """
    error = np.abs(got - meaning)
    if not rounded:
        return float(np.max(error)) > max(MAX_FLOAT_DIFFERENCE * spread(meaning), TINY if np.any(meaning) else NONE)
    if few_steps(meaning, got, step):
        return False
    if step and plain:
        ratio = snr_db(meaning, got)
        return ratio is not None and ratio < PLAIN_DB
    rms = float(np.sqrt(np.mean(np.square(error))))
    return float(np.max(error)) > MAX_INTEGER_DIFFERENCE * spread(meaning) or rms > MAX_INTEGER_DIFFERENCE * float(
        np.std(meaning)
    )


def _too_far(wanted, got, precision, joined=False, floats=32):
    """How numbers are further from the Keras model's than the precision explains; empty if they are not."""
    least, part, factor, _ = limits(precision, floats)
    half = floats == 16
    ratio = snr_db(wanted, got)
    if ratio is not None and ratio < least:
        what = f"{precision} in 16-bit floats" if half else precision
        fault = f"is {ratio:.1f} dB over its error against the Keras model; {what} must reach {least:.0f} dB"
        part = differing(wanted)
        if part < FEW:
            fault += (
                f". It differs by {100 * part:.2g} % of its size from sample to sample, which few bits cannot show: "
                "the model is hardly trained, or the samples are all alike"
            )
        return fault
    error = float(np.max(np.abs(got - wanted)))
    if part is not None and error > max(part * spread(wanted), TINY if np.any(wanted) else NONE):
        return (
            f"is off by {error:.3g} from the Keras model, whose outputs spread over {spread(wanted):.3g}; "
            f"{precision} may be off by {part:g} of that"
        )
    of_floats = precision in ("float32", "float16")
    rough, drowns = half or not of_floats, not (half and of_floats)
    wrong = fault_of_part(wanted, got, least - PART, factor, rough=rough, joined=joined, drowns=drowns)
    return wrong and f"is not right throughout: {wrong.format('the Keras model')}"


def _unequal(wanted, got, precision, joined=False, floats=32):
    """How class ids, masks and counts differ from the Keras model's; empty if enough are equal."""
    equal = got == wanted
    share, least = float(np.mean(equal)), limits(precision, floats)[-1]
    # One of few is more than a share of them.
    if np.sum(~equal) > max(1, (1 - least) * equal.size):
        return f"equals the Keras model's in {share:.1%} of its elements; {precision} must reach {least:.0%}"
    values, counts = np.unique(wanted, return_counts=True)
    for value in values[counts >= max(FREQUENT * wanted.size, 2)]:
        found = float(np.mean(got[wanted == value] == value))
        if found < 0.5:
            return f"has {value:g} in {found:.1%} of the elements where the Keras model has it; half is the least"
    made_up, counts = np.unique(got[~np.isin(got, values)], return_counts=True)
    for value in made_up[counts > max(FREQUENT, (1 - least) / 2) * got.size]:
        return f"has {value:g} in {np.mean(got == value):.1%} of its elements, where the Keras model has it nowhere"
    return ""
