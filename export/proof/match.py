"""What it means that numbers match: how far they may be apart, and why as far as that."""

import numpy as np

from keraslayers.export.measures import differing, snr_db, spread

# How far a file may be from the Keras model: signal over noise in decibels, and the largest error as a part of the
# outputs' spread; of the worst output.
LIMITS = {
    "float32": (60.0, 1e-3),  # another order of summing gives 100 dB and more, a wrong operator 20 and less
    "float16": (20.0, 3e-2),  # weights of 11 bits, carried through a deep network
    "dynamic": (15.0, None),  # weights of 8 bits, activations rounded to 8 bits call by call
    "int8": (10.0, None),  # weights and activations of 8 bits; single samples near a decision may flip
    "int16x8": (15.0, None),  # weights of 8 bits; activations of 16 add next to nothing
    "int4": (3.0, None),  # weights of 4 bits: outputs that have nothing to do with the model's give 0 dB and less
}
# Outputs that differ by less than this part of their size are named as the cause where a file fails.
FEW = 0.1
# How far a runtime may be from LiteRT's built-in kernels on the same file. Floats: the largest difference as a part
# of the outputs' spread. Integers: the same, and the rms difference as a part of the outputs' standard deviation.
# Right integer kernels round differently here and there, and a deep network carries it on: 0.14 and 0.27 were seen
# on XNNPACK in an untrained MobileNetV3-Large. A wrong operator gives 0.6 and 1.2 (squeeze-and-excite with Dense).
MAX_FLOAT_DIFFERENCE = 1e-3
MAX_INTEGER_DIFFERENCE = 0.5
# Differences of so few steps are right whatever the outputs' spread.
MAX_STEPS = 3
# How far a file may be from the model that trained with its rounding, as the rms difference in steps of an output, of
# which an output has 256. Both compute the same but for ties: 0.5 to 10.2 were seen in the networks of
# benchmarks/trained.py, where LiteRT's built-in kernels and XNNPACK part by up to 12 on one file, as outputs of random
# weights carry each tie on. What the outputs of these say of the samples is 45 to 60 steps.
MAX_TRAINED_STEPS = 20
LOST = "it is quantization that lost the numbers"
AS_THE_FILE = f"; the runtime computes what the file says, so {LOST}"
RANDOM = ("MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM")
DRAWN = "; it draws random numbers of its own, others than the model and in every call: give them to it as an input"


def fault(got, wanted, meaning, graph, precision, plain):
    """What is wrong with the numbers; empty if nothing is."""
    rounded = graph.integer or graph.hybrid
    drawn = any(name in graph.operators for name in RANDOM)
    for tensor in graph.outputs:
        key = tensor.name
        if not np.all(np.isfinite(got[key])):
            return f"output `{key}` holds NaN or infinity"
        if meaning is not None and _differs(meaning[key], got[key], rounded, tensor.step, plain):
            difference = float(np.max(np.abs(got[key] - meaning[key])))
            # Numbers that are lost hang on single steps, which runtimes round in their own ways: where a vector next to
            # zero is one step long or none, UnitNormalization makes ones or zeros of it.
            far = "" if precision is None else _too_far(wanted[key], meaning[key], precision)
            if far and not drawn:
                return (
                    f"output `{key}` of LiteRT's built-in kernels {far}; so {LOST}; the runtime is off by "
                    f"{difference:.3g} from these kernels"
                )
            return (
                f"output `{key}` is off by {difference:.3g} from LiteRT's built-in kernels on the same file, "
                f"whose outputs spread over {spread(meaning[key]):.3g}{DRAWN if drawn else ''}"
            )
        if precision is not None:
            far = _too_far(wanted[key], got[key], precision)
            if far:
                return f"output `{key}` {far}{DRAWN if drawn else '' if meaning is None else AS_THE_FILE}"
    return ""


def wrong_numbers(got, meaning, graph, plain):
    """How a runtime's outputs are not those of LiteRT's built-in kernels; empty if they are."""
    with np.errstate(invalid="ignore", over="ignore"):
        return fault(got, meaning, meaning, graph, None, plain)


def _differs(meaning, got, rounded, step, plain=False):
    """Whether a runtime computes something else than the built-in kernels.

    Args:
        meaning: what these give.
        got: what the runtime gives.
        rounded: whether activations are rounded to integers on the way.
        step: the smallest difference between two outputs, if there is one.
        plain: whether both are the same plain loops, so that few steps are all they may differ.
    """
    error = np.abs(got - meaning)
    if not rounded:
        return float(np.max(error)) > max(MAX_FLOAT_DIFFERENCE * spread(meaning), 1e-6)
    if step:
        # Half a step more: rounding in floats must not decide.
        few = float(np.max(error)) <= (MAX_STEPS + 0.5) * step
        if few or plain:
            return not few
    rms = float(np.sqrt(np.mean(np.square(error))))
    return float(np.max(error)) > MAX_INTEGER_DIFFERENCE * spread(meaning) or rms > MAX_INTEGER_DIFFERENCE * float(
        np.std(meaning)
    )


def _too_far(wanted, got, precision):
    """How numbers are further from the Keras model's than the precision explains; empty if they are not."""
    least, part = LIMITS[precision]
    ratio = snr_db(wanted, got)
    if ratio is not None and ratio < least:
        fault = f"is {ratio:.1f} dB over its error against the Keras model; {precision} must reach {least:.0f} dB"
        part = differing(wanted)
        if part < FEW:
            fault += (
                f". It differs by {100 * part:.2g} % of its size from sample to sample, which few bits cannot show: "
                "the model is hardly trained, or the samples are all alike"
            )
        return fault
    error = float(np.max(np.abs(got - wanted)))
    if part is not None and error > max(part * spread(wanted), 1e-6):
        return (
            f"is off by {error:.3g} from the Keras model, whose outputs spread over {spread(wanted):.3g}; "
            f"{precision} may be off by {part:g} of that"
        )
    return ""
