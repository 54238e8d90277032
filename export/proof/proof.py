"""Runs a file on the real runtimes and says whether its numbers are right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from keraslayers.export.measures import snr_db
from keraslayers.export.precisions import precision_of
from keraslayers.export.progress import step
from keraslayers.export.proof.match import (
    AS_THE_FILE,
    DRAWN,
    MAX_TRAINED_STEPS,
    NO_NUMBERS,
    coarse_in_half,
    fault,
    nothing_said,
    still,
)
from keraslayers.export.runtimes import cpu, kind, of


class Verdict(StrEnum):
    """What is known of a file on a runtime."""

    PROVEN = "PROVEN"  # it ran entirely on that runtime and its numbers match
    WRONG = "WRONG"  # it ran, and its numbers do not match
    REJECTED = "REJECTED"  # the runtime would not take it
    UNTESTED = "UNTESTED"  # that runtime is not on this machine, or the inputs test nothing


# So many samples are run, spread over all that were given; or so few where each takes long.
PROOF_SAMPLES, FEWEST_SAMPLES = 64, 16


@dataclass(frozen=True)
class Proof:
    """What a file did on a runtime.

    Attributes:
        runtime: its name.
        verdict: PROVEN, WRONG, REJECTED or UNTESTED.
        reason: why it is not PROVEN; empty if it is.
        note: what these samples do not test, though the rest is PROVEN, or how coarse it is; empty if there is nothing
            to say.
        arithmetic: what the runtime computes the file in: float32, float16, int8, int16, or integers beside floats.
        delegated: how many operators the runtime's accelerator took.
        operators: of how many.
        left: how often each operator stands among those that it left to the built-in kernels.
        left_at: of each of these its number in the file, its name and the layer it belongs to.
        partitions: in how many pieces it took them. None for these on a runtime that has no accelerator.
        max_error: largest difference to the reference, over all outputs.
        snr_db: signal over noise against the reference, in decibels; of the worst output. None if exact.
        agreement: part of the samples whose largest class is the reference's; None without class scores.
        probability_error: largest error of a probability; None where outputs are none that add up to 1.
        max_steps: largest difference to LiteRT's built-in kernels in quantization steps; integer files only.
        rms_steps: rms difference to the reference in quantization steps, of the worst output; integer files only.
        latency_ms: median milliseconds of one call on the host that made the proof, or behind ssh: not a phone's. None
            of emulated code, whose time means nothing.
        device: what computed.
        arena_bytes: the least memory in which it ran, weights not counted; of `micro` alone.
        reference: what it was compared with.
        samples: how many samples it ran.
    """

    runtime: str
    verdict: Verdict
    reason: str = ""
    note: str = ""
    arithmetic: str = ""
    delegated: int | None = None
    operators: int | None = None
    left: dict[str, int] | None = None
    left_at: tuple[tuple[int, str, str], ...] = ()
    partitions: int | None = None
    max_error: float | None = None
    snr_db: float | None = None
    agreement: float | None = None
    probability_error: float | None = None
    max_steps: float | None = None
    rms_steps: float | None = None
    latency_ms: float | None = None
    device: str = ""
    arena_bytes: int | None = None
    reference: str = ""
    samples: int = 0


def chosen(samples, most=PROOF_SAMPLES):
    """Of samples as many as a proof runs, spread over all: folders of images come in the order of their classes.

    The first few are spread over all, too, as a runtime that takes long runs these alone.

    Args:
        samples: by input name arrays of equally many.
        most: how many.
    """
    count = len(next(iter(samples.values()), ()))
    places = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    rounds = -(-len(places) // FEWEST_SAMPLES)
    order = np.concatenate([places[start::rounds] for start in range(rounds)]) if count else places
    return {name: np.asarray(values)[order] for name, values in samples.items()}


def prove_blob(blob, graph, samples, runtimes, *, expected=None, precision=None, trained=False, made_up=False):
    """Runs a file on runtimes and compares.

    Args:
        blob: the file.
        graph: what `read_graph` says of it.
        samples: by input name an array of (samples, ...); all are run, see `chosen`.
        runtimes: their names; or what runs elsewhere, `ssh(...)`.
        expected: by output name the Keras model's outputs on all samples. Without it the file is compared with
            LiteRT's built-in kernels alone.
        precision: what the file was made for, where `expected` is given.
        trained: whether the Keras model rounds as the file does, so that `MAX_TRAINED_STEPS` holds.
        made_up: whether nobody gave the samples.

    Returns:
        A tuple of `Proof`, one a runtime.
    """
    inputs, count = calls_of(samples, graph)
    silent = _silent(inputs)
    meanings = {}
    proofs = []
    for asked in runtimes:
        name, runtime = str(asked), of(asked)
        lacking = runtime.available()
        if lacking:
            proofs.append(Proof(name, Verdict.UNTESTED, lacking))
            continue
        with step(f"running on {name}"):
            outcome = runtime.run(blob, graph, inputs)
        plain, meaning = runtime.PLAIN, None
        if outcome.outputs is not None and (expected is None or graph.integer):
            if plain not in meanings:
                with step("running LiteRT's built-in kernels"):
                    meanings[plain] = cpu.run_reference(blob, graph, inputs, plain=plain)
                    if plain and meanings[plain].outputs is None:  # there is no plain kernel for some, ELU
                        meanings[plain] = cpu.run_reference(blob, graph, inputs)
            if meanings[plain].outputs is None:
                proofs.append(Proof(name, Verdict.REJECTED, meanings[plain].reason))
                continue
            meaning = meanings[plain].outputs
        proof = _judge(name, runtime, outcome, graph, meaning, expected, precision, count, trained)
        proofs.append(_tested(proof, inputs, silent, graph, expected is None, made_up))
    pairs = zip(proofs, runtimes, strict=True)
    return tuple(replace(proof, arithmetic=arithmetic_of(runtime, graph)) for proof, runtime in pairs)


def _silent(inputs):
    """Names of inputs that are the same in every sample; all of one number where there is one sample."""
    return [name for name, calls in inputs.items() if calls.size > 1 and np.array_equal(*_borders(calls))]


def _borders(calls):
    axis = 0 if len(calls) > 1 else None
    # NaN and infinity differ from nothing; what a file does with them is not asked here.
    return np.min(calls, axis=axis), np.max(calls, axis=axis)


def _tested(proof, inputs, silent, graph, alone, made_up):
    """The same proof; UNTESTED where the samples test nothing, with a note where they do not test something."""
    if alone and proof.verdict is Verdict.WRONG and DRAWN in proof.reason:
        return replace(proof, verdict=Verdict.UNTESTED)
    if made_up and proof.verdict is Verdict.WRONG and NO_NUMBERS in proof.reason:
        reason = f"the inputs were made up, and {proof.reason}: give `samples`, typical inputs"
        return replace(proof, verdict=Verdict.UNTESTED, reason=reason)
    if proof.verdict is not Verdict.PROVEN or not silent:
        return proof
    if nothing := tests_nothing(inputs, graph, proof.samples):
        return replace(proof, verdict=Verdict.UNTESTED, reason=nothing)
    same = ", ".join(f"`{name}`" for name in silent)
    return replace(proof, note=f"input {same} is the same in every sample: what depends on it was not tested")


def tests_nothing(inputs, graph, count):
    """Why so many samples test nothing, as the file takes them; empty if they do."""
    if len(_silent(inputs)) < len(inputs) or not inputs or _states(graph):
        return ""
    what = "are all alike" if count > 1 else "hold one number all over"
    return f"the samples {what}, as the file takes them: they test nothing. Give typical ones"


def _states(graph):
    """Whether a file may give something else for the same inputs."""
    return any(name in ("ASSIGN_VARIABLE", "READ_VARIABLE") for name in graph.operators)


def _judge(name, runtime, outcome, graph, meaning, expected, precision, count, trained):
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
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _compare(name, runtime, outcome, figures, graph, meaning, expected, precision, count, trained)


def arithmetic_of(runtime, graph):
    """What a runtime computes a file in. A GPU computes in floats whatever the file holds."""
    floats = f"float{of(runtime).FLOATS}"
    if kind(runtime) in ("gpu", "browser-gpu") or not (graph.integer or graph.hybrid):
        return floats
    integers = "int16" if precision_of(graph) == "int16x8" else "int8"
    return f"{integers}, {floats}" if graph.hybrid or graph.float_operators else integers


def _compare(name, runtime, outcome, figures, graph, meant, expected, precision, count, trained):
    # A runtime that takes long runs fewer.
    count = min([count] + [_count(outputs, graph, count) for outputs in (outcome.outputs, meant) if outputs])
    got = values_of(outcome.outputs, graph, count)
    meaning = None if meant is None else values_of(meant, graph, count)
    figures |= {
        "latency_ms": outcome.latency_ms,
        "reference": "LiteRT's built-in kernels" if expected is None else "the Keras model",
        "samples": count,
    }
    if other := _other_shapes(got, outcome.outputs, meaning, meant, expected, count):
        return Proof(name, Verdict.WRONG, other, **figures)
    # A file may have fewer axes than the model, for the same numbers.
    wanted = meaning if expected is None else {key: expected[key][:count].reshape(got[key].shape) for key in got}
    figures |= {
        "max_error": max(float(np.max(np.abs(got[key] - wanted[key]), initial=0)) for key in got),
        "snr_db": min((snr for key in got if (snr := snr_db(wanted[key], got[key])) is not None), default=None),
        "agreement": agreement(wanted, got),
        "probability_error": _probability_error(wanted, got),
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
    precision = None if expected is None else precision
    reason = fault(got, wanted, meaning, graph, precision, runtime.PLAIN, runtime.FLOATS)
    if not reason and expected is None and (nothing := nothing_said(got, meaning, graph)):
        return Proof(name, Verdict.UNTESTED, nothing, **figures)
    if not reason and still(got):
        figures["note"] = "no output differs from sample to sample: what they say of the inputs was not tested"
    if runtime.FLOATS == 16 and not (graph.integer or graph.hybrid) and (coarse := coarse_in_half(figures["snr_db"])):
        figures.setdefault("note", coarse)
    steps = figures.get("rms_steps")
    if trained and not reason and steps is not None and steps > MAX_TRAINED_STEPS:
        reason = (
            f"it is {steps:.1f} steps of its outputs (rms) from the model that trained with its rounding; a file must "
            f"be within {MAX_TRAINED_STEPS}{AS_THE_FILE}"
        )
    return Proof(name, Verdict.WRONG if reason else Verdict.PROVEN, reason, **figures)


def _count(outputs, graph, most):
    """How many samples outputs are of."""
    batch = next((tensor.shape[0] for tensor in graph.inputs if tensor.shape), 1)
    return min([most] + [len(calls) * batch for calls in outputs.values()])


def _other_shapes(got, outputs, meaning, meant, expected, count):
    """Which output has another shape than it must; empty if none has."""
    for key, values in got.items():
        ours, theirs = _shapes(outputs[key]), None if meant is None else _shapes(meant[key])
        if theirs is not None and ours != theirs[: len(ours)]:
            place = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
            return (
                f"output `{key}` has the shape {ours[place]} in call {place}; LiteRT's built-in kernels give "
                f"{theirs[place]}"
            )
        if expected is not None and expected[key][:count].size != values.size:
            return f"output `{key}` has {values.size} numbers; the Keras model gives {expected[key][:count].size}"
    return ""


def _shapes(calls):
    return [tuple(call.shape) for call in calls]


def _probability_error(wanted, got):
    """The largest error of a probability, over all outputs that add up to 1 along their last axis."""
    errors = [
        float(np.max(np.abs(got[key] - values)))
        for key, values in wanted.items()
        if values.ndim > 1
        and values.shape[-1] > 1
        and np.min(values) >= 0
        and np.allclose(np.sum(values, axis=-1), 1, atol=1e-3)
    ]
    return max(errors, default=None)


def agreement(wanted, got):
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
    batches = {tensor.name: (tensor.shape or (1,))[0] or 1 for tensor in graph.inputs}
    # Inputs of a foreign file may differ in their first axis.
    calls = min((-(-len(samples[name]) // batch) for name, batch in batches.items()), default=1)
    inputs = {}
    for tensor in graph.inputs:
        values = samples[tensor.name][: calls * batches[tensor.name]]
        # The last call is filled up with the last sample.
        values = np.concatenate([values, np.repeat(values[-1:], -len(values) % batches[tensor.name], axis=0)])
        inputs[tensor.name] = tensor.quantize(values).reshape(calls, *tensor.shape)
    return inputs, count


def values_of(outputs, graph, count):
    """What the file gave, call by call, to real values sample by sample; call by call where it drops the batch.

    Where the shape of an output depends on the input, its numbers come one after the other.
    """
    values = {}
    batch = next((tensor.shape[0] for tensor in graph.inputs if tensor.shape), 1)
    for tensor in graph.outputs:
        calls = outputs[tensor.name]
        if isinstance(calls, list):
            calls = calls[: -(-count // batch)]
            values[tensor.name] = tensor.dequantize(np.concatenate([np.reshape(call, -1) for call in calls]))
            continue
        real = tensor.dequantize(calls)
        if tensor.shape and tensor.shape[0] == batch and real.shape[1:2] == (batch,):
            real = real.reshape(len(real) * batch, *real.shape[2:])
        values[tensor.name] = real[:count]
    return values
