"""Runs a file on the real runtimes and says whether its numbers are right."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from keraslayers.export.progress import step
from keraslayers.export.runtimes import RUNTIMES, cpu


class Verdict(StrEnum):
    """What is known of a file on a runtime."""

    PROVEN = "PROVEN"  # it ran entirely on that runtime and its numbers match
    WRONG = "WRONG"  # it ran, and its numbers do not match
    REJECTED = "REJECTED"  # the runtime would not take it
    UNTESTED = "UNTESTED"  # that runtime is not on this machine


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
# Outputs that differ by less than this part of their size from sample to sample count as differing by so much.
CONSTANT = 0.01
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
# Runtimes whose kernels are LiteRT's plain reference kernels, so that they are compared with these, and few steps are
# all they may differ: 0 were seen in int8, 1 in int16x8, over all layers and small models of the tests.
PLAIN = ("micro",)
PROOF_SAMPLES = 16
LOST = "; the runtime computes what the file says, so it is quantization that lost the numbers"


@dataclass(frozen=True)
class Proof:
    """What a file did on a runtime.

    Attributes:
        runtime: its name.
        verdict: PROVEN, WRONG, REJECTED or UNTESTED.
        reason: why it is not PROVEN; empty if it is.
        delegated: how many operators the runtime's accelerator took.
        operators: of how many.
        left: how often each operator stands among those that it left to the built-in kernels.
        left_at: of each of these its number in the file, its name and the layer it belongs to.
        partitions: in how many pieces it took them. None for these on a runtime that has no accelerator.
        max_error: largest difference to the reference, over all outputs.
        snr_db: signal over noise against the reference, in decibels; of the worst output. None if exact.
        agreement: part of the samples whose largest class is the reference's; None without class scores.
        max_steps: largest difference to LiteRT's built-in kernels in quantization steps; integer files only.
        rms_steps: rms difference to the reference in quantization steps, of the worst output; integer files only.
        latency_ms: median milliseconds of one call on the host that made the proof: not a phone's.
        device: what computed.
        arena_bytes: the least memory in which it ran, weights not counted; of `micro` alone.
        reference: what it was compared with.
        samples: how many samples it ran.
    """

    runtime: str
    verdict: Verdict
    reason: str = ""
    delegated: int | None = None
    operators: int | None = None
    left: dict | None = None
    left_at: tuple = ()
    partitions: int | None = None
    max_error: float | None = None
    snr_db: float | None = None
    agreement: float | None = None
    max_steps: float | None = None
    rms_steps: float | None = None
    latency_ms: float | None = None
    device: str = ""
    arena_bytes: int | None = None
    reference: str = ""
    samples: int = 0


def prove_blob(blob, graph, samples, runtimes, *, expected=None, precision=None, trained=False):
    """Runs a file on runtimes and compares.

    Args:
        blob: the file.
        graph: what `read_graph` says of it.
        samples: by input name an array of (samples, ...).
        runtimes: names.
        expected: by output name the Keras model's outputs on all samples. Without it the file is compared with
            LiteRT's built-in kernels alone.
        precision: what the file was made for, where `expected` is given.
        trained: whether the Keras model rounds as the file does, so that `MAX_TRAINED_STEPS` holds.

    Returns:
        A tuple of `Proof`, one a runtime.
    """
    samples = {name: values[:PROOF_SAMPLES] for name, values in samples.items()}
    inputs, count = calls_of(samples, graph)
    meanings = {}
    proofs = []
    for name in runtimes:
        lacking = RUNTIMES[name].available()
        if lacking:
            proofs.append(Proof(name, Verdict.UNTESTED, lacking))
            continue
        plain, meaning = name in PLAIN, None
        if expected is None or graph.integer:
            if plain not in meanings:
                with step("running LiteRT's built-in kernels"):
                    meanings[plain] = cpu.run_reference(blob, graph, inputs, plain=plain)
                    if plain and meanings[plain].outputs is None:  # there is no plain kernel for some, ELU
                        meanings[plain] = cpu.run_reference(blob, graph, inputs)
            if meanings[plain].outputs is None:
                proofs.append(Proof(name, Verdict.REJECTED, meanings[plain].reason))
                continue
            meaning = values_of(meanings[plain].outputs, graph, count)
        with step(f"running on {name}"):
            outcome = RUNTIMES[name].run(blob, graph, inputs)
        proofs.append(_judge(name, outcome, graph, meaning, expected, precision, count, trained))
    return tuple(proofs)


def _judge(name, outcome, graph, meaning, expected, precision, count, trained):
    figures = {
        "delegated": outcome.delegated,
        "operators": outcome.operators,
        "left": outcome.left,
        "left_at": tuple(map(tuple, outcome.left_at)),
        "partitions": outcome.partitions,
        "device": outcome.device,
        "arena_bytes": outcome.arena_bytes,
    }
    if outcome.outputs is None:
        verdict = Verdict.UNTESTED if outcome.missing else Verdict.REJECTED
        reason = outcome.reason.rstrip(". ")
        if graph.flat and not outcome.missing:
            reason += (
                f". Activation {', '.join(graph.flat[:3])} was zero on every sample, so that its scale is next to "
                "zero and kernels refuse the ratio: give more typical samples, or look for dead units there"
            )
        return Proof(name, verdict, reason, **figures)
    # A file may compute infinity: differences of those are no numbers, and that is what is told.
    with np.errstate(invalid="ignore", over="ignore"):
        return _compare(name, outcome, figures, graph, meaning, expected, precision, count, trained)


def _compare(name, outcome, figures, graph, meaning, expected, precision, count, trained):
    got = values_of(outcome.outputs, graph, count)
    wanted = meaning if expected is None else {key: expected[key][:count] for key in got}
    figures |= {
        "latency_ms": outcome.latency_ms,
        "reference": "LiteRT's built-in kernels" if expected is None else "the Keras model",
        "samples": count,
        "max_error": max(float(np.max(np.abs(got[key] - wanted[key]))) for key in got),
        "snr_db": min((snr for key in got if (snr := snr_db(wanted[key], got[key])) is not None), default=None),
        "agreement": _agreement(wanted, got),
    }
    if graph.integer:
        figures["rms_steps"] = max(
            (
                float(np.sqrt(np.mean(np.square(got[tensor.name] - wanted[tensor.name])))) / tensor.step
                for tensor in graph.outputs
                if tensor.step
            ),
            default=None,
        )
    if meaning is not None and graph.integer:
        figures["max_steps"] = max(
            (
                float(np.max(np.abs(got[tensor.name] - meaning[tensor.name])) / tensor.step)
                for tensor in graph.outputs
                if tensor.step
            ),
            default=None,
        )
    # A file that computes NaN has no error in numbers.
    figures = {key: None if isinstance(f, float) and not np.isfinite(f) else f for key, f in figures.items()}
    reason = _fault(name, got, wanted, meaning, graph, None if expected is None else precision)
    steps = figures.get("rms_steps")
    if trained and not reason and steps is not None and steps > MAX_TRAINED_STEPS:
        reason = (
            f"it is {steps:.1f} steps of its outputs (rms) from the model that trained with its rounding; a file must "
            f"be within {MAX_TRAINED_STEPS}{LOST}"
        )
    return Proof(name, Verdict.WRONG if reason else Verdict.PROVEN, reason, **figures)


def _fault(name, got, wanted, meaning, graph, precision):
    """What is wrong with the numbers; empty if nothing is."""
    rounded = graph.integer or graph.hybrid
    for tensor in graph.outputs:
        key = tensor.name
        if not np.all(np.isfinite(got[key])):
            return f"output `{key}` holds NaN or infinity"
        if meaning is not None and _differs(meaning[key], got[key], rounded, tensor.step, name in PLAIN):
            difference = float(np.max(np.abs(got[key] - meaning[key])))
            return (
                f"output `{key}` is off by {difference:.3g} from LiteRT's built-in kernels on the same file, "
                f"whose outputs spread over {_spread(meaning[key]):.3g}"
            )
        if precision is not None:
            fault = _too_far(wanted[key], got[key], precision)
            if fault:
                fault = f"output `{key}` {fault}"
                if meaning is not None:
                    fault += LOST
                return fault
    return ""


def wrong_numbers(name, got, meaning, graph):
    """How a runtime's outputs are not those of LiteRT's built-in kernels; empty if they are."""
    with np.errstate(invalid="ignore", over="ignore"):
        return _fault(name, got, meaning, meaning, graph, None)


def _differs(meaning, got, rounded, step, plain=False):
    """Whether a runtime computes something else than the built-in kernels.

    Args:
        meaning: what these give.
        got: what the runtime gives.
        rounded: whether activations are rounded to integers on the way.
        step: the smallest difference between two outputs, if there is one.
        plain: whether both are the same plain loops.
    """
    error = np.abs(got - meaning)
    if not rounded:
        return float(np.max(error)) > max(MAX_FLOAT_DIFFERENCE * _spread(meaning), 1e-6)
    if step:
        # Half a step more: rounding in floats must not decide.
        few = float(np.max(error)) <= (MAX_STEPS + 0.5) * step
        if few or plain:
            return not few
    rms = float(np.sqrt(np.mean(np.square(error))))
    return float(np.max(error)) > MAX_INTEGER_DIFFERENCE * _spread(meaning) or rms > MAX_INTEGER_DIFFERENCE * float(
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
    if part is not None and error > max(part * _spread(wanted), 1e-6):
        return (
            f"is off by {error:.3g} from the Keras model, whose outputs spread over {_spread(wanted):.3g}; "
            f"{precision} may be off by {part:g} of that"
        )
    return ""


def _spread(values):
    """Largest minus smallest value, but no less than a tenth of the largest size: a constant has rounding too."""
    return max(float(np.ptp(values)), 0.1 * float(np.max(np.abs(values))))


def snr_db(wanted, got):
    """Power of the signal over power of the error, in decibels; None where there is no error to speak of.

    The signal is what differs from sample to sample, or within the only one: what is the same for every input says
    nothing about it. But it counts as a hundredth of the outputs' size at least, for constants are rounded, too.
    """
    noise = float(np.sum(np.square(got - wanted)))
    signal = float(np.sum(np.square(wanted))) * max(differing(wanted), CONSTANT) ** 2
    # Below 1e-12 of squared error in all, ratios are of rounding, or of zero to zero.
    if noise <= 1e-12:
        return None
    return 10 * float(np.log10(max(signal, 1e-30) / noise))


def differing(values):
    """The rms of what differs from sample to sample, or within the only one, as a part of the rms of the values."""
    differing = values - np.mean(values, axis=0 if len(values) > 1 else None)
    return float(np.sqrt(np.sum(np.square(differing)) / max(np.sum(np.square(values)), 1e-30)))


def _agreement(wanted, got):
    """Part of the samples with the same largest class; for one output of (samples, classes) alone."""
    if len(got) != 1:
        return None
    (key,) = got
    if got[key].ndim != 2 or got[key].shape[1] < 2:
        return None
    return float(np.mean(np.argmax(got[key], -1) == np.argmax(wanted[key], -1)))


def calls_of(samples, graph):
    """Samples to what the file takes, call by call: arrays of (calls, *shape), and how many samples they hold."""
    count = len(next(iter(samples.values()))) if samples else 1
    inputs = {}
    for tensor in graph.inputs:
        batch = tensor.shape[0] if tensor.shape else 1
        values = samples[tensor.name]
        # The last call is filled up with the last sample.
        values = np.concatenate([values, np.repeat(values[-1:], -len(values) % batch, axis=0)])
        inputs[tensor.name] = tensor.quantize(values).reshape(-1, *tensor.shape)
    return inputs, count


def values_of(outputs, graph, count):
    """What the file gave, call by call, to real values sample by sample."""
    values = {}
    for tensor in graph.outputs:
        real = tensor.dequantize(outputs[tensor.name])
        if tensor.shape:
            real = real.reshape(-1, *tensor.shape[1:])
        values[tensor.name] = real[:count]
    return values
