"""Times a file's operators on this machine, each alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from keraslayers._hints import File, Samples
from keraslayers.export.file import edit
from keraslayers.export.file.alone import alike, alone, fed, made
from keraslayers.export.file.analyze_file import analyze_file
from keraslayers.export.file.graph import Tensor, read_graph
from keraslayers.export.file.least_bytes import least_bytes
from keraslayers.export.file.schema import FIELDS
from keraslayers.export.file.tables_of_file import widens
from keraslayers.export.file.tensor_names import place
from keraslayers.export.measures import snr_db
from keraslayers.export.progress import step
from keraslayers.export.proof.match import DRAWN, wrong_numbers
from keraslayers.export.proof.proof import Verdict, calls_of, values_of
from keraslayers.export.prove_file import opened, samples_for
from keraslayers.export.report.operator_times import OperatorTime, Profile
from keraslayers.export.runtimes import cpu
from keraslayers.export.runtimes.peaks import peaks_of, probes
from keraslayers.export.runtimes.timed import Given, run

# So many calls give the numbers that operators are judged by.
CALLS = 2
# Calls are timed for so many seconds, and so often at least: of a network that takes a second, seconds are few.
SECONDS, ROUNDS = 6.0, 7
WHOLE = "the whole file"
NO_ARRAY = "what it reads or makes is no array of numbers of one shape"


def profile(file: File, samples: Samples | None = None) -> Profile:
    """Times each operator of a .tflite file on this machine, beside the least that it can take here.

    LiteRT tells Python no times of single operators, so each is run alone, as a file of its own with its constants and
    with the inputs that the samples bring to it, with XNNPACK on one thread, in turn with the others and with the whole
    file; operators of one kind, with equal shapes and options, are timed once. How well the sum explains the whole the
    profile says. Numbers come out of the caches, as far as they fit; and what XNNPACK makes one operator of several, it
    cannot here.

    The floor of an operator is the longer of its multiply-adds over the most that large convolutions reach on this
    machine, and the bytes that it has to move over the most that additions and products with vectors of as many bytes
    reach: both measured in LiteRT, on one thread, in a few seconds. That is a roofline: an operator far above its floor
    has a slow kernel, one near it can only be made smaller.

    These are figures of this machine, not of a phone.

    Args:
        file: path of a .tflite file, or its bytes.
        samples: inputs of it, as in `prove`; made up from a fixed seed by default. The first two calls are run.

    Returns:
        A `Profile`.

    Raises:
        FileNotFoundError: if there is no such file.
        IsADirectoryError: if it is a folder.
        ValueError: if it is no TFLite file, or the samples do not fit.
        RuntimeError: if LiteRT does not run it on the CPU, or dies of one of its operators.

    Source: Williams, Waterman, Patterson 2009, Roofline, doi:10.1145/1498765.1498785.
    """
    who = "profile"
    blob, name, graph = opened(who, file)
    inputs, _ = calls_of(samples_for(who, graph, samples), graph)
    inputs = {key: calls[:CALLS] for key, calls in inputs.items()}
    whole = edit.read(blob)
    operators = [operator for operator in whole.main.operators if not widens(operator)]
    with step(f"what the operators of {name} are given"):
        values = _values(who, name, blob, graph, whole, operators, inputs)
    for tensor, calls in values.items():
        tensor.fix(calls.shape[1:])  # the file may leave sizes open
    parts = {operator: part for operator in operators if (part := _part(operator, whole.main, values))}
    kinds = list(dict.fromkeys(map(alike, parts)))
    tests = probes()
    given = {
        **tests,
        WHOLE: Given(blob, _in_order(whole, graph, inputs)),
        **{operator: replace(part, kind=kinds.index(alike(operator))) for operator, part in parts.items()},
    }
    with step(f"timing {name}, whole and by its operators"):
        try:
            outcomes = dict(zip(given, run(list(given.values()), seconds=SECONDS, rounds=ROUNDS), strict=True))
        except RuntimeError as error:
            raise RuntimeError(f"`{who}`: running {name!r} and each of its operators alone: {error}") from error
    if outcomes[WHOLE].reason:
        raise RuntimeError(f"`{who}`: LiteRT does not run {name!r} on the CPU: {outcomes[WHOLE].reason.rstrip('. ')}.")
    peaks = peaks_of({key: outcomes[key] for key in tests})
    rows = []
    for operator, cost in zip(operators, analyze_file(whole.write()).layers, strict=True):
        part, outcome = parts.get(operator), outcomes.get(operator)
        times = outcome.times_ms if outcome else ()
        meant = [values[tensor] for tensor in made(operator, whole.main)] if part else []
        verdict, snr, reason = _judged(part, outcome, meant)
        moved = least_bytes(operator)
        rows.append(
            OperatorTime(
                tensor=cost.name,
                operator=operator.name,
                layer=place(cost.name),
                output_shape=operator.output.shape if operator.outputs else (),
                multiply_adds=cost.multiply_adds,
                moved_bytes=moved,
                floor_ms=peaks.floor_ms(cost.multiply_adds or 0, _kind(operator), moved),
                ms=max(0.0, float(np.median(times)) - peaks.call_ms) if len(times) else None,
                xnnpack=bool(outcome and outcome.taken),
                verdict=verdict,
                snr_db=snr,
                reason=reason,
            )
        )
    title = (whole.main.name or b"").decode(errors="replace")
    return Profile(name, float(np.median(outcomes[WHOLE].times_ms)), tuple(rows), peaks, title)


def _in_order(whole, graph, inputs):
    """What a file is given, in the order of its main graph, which is not that of a signature."""
    by_number = {tensor.index: inputs[tensor.name] for tensor in graph.inputs}
    return tuple(by_number[whole.tensors.index(tensor)] for tensor in whole.main.inputs)


def _values(who, name, blob, graph, whole, operators, inputs):
    """By tensor what LiteRT's built-in kernels give it: of all that operators are given, and of what they give."""
    numbers = {tensor: number for number, tensor in enumerate(whole.tensors)}
    wanted = dict.fromkeys(tensor for operator in operators for tensor in (*fed(operator), *made(operator, whole.main)))
    kept = [t for t in wanted if t.dtype in FIELDS and t in numbers]
    told = [
        Tensor(str(numbers[t]), numbers[t], tuple(max(1, size) for size in t.shape), t.dtype, None, None) for t in kept
    ]
    outcome = cpu.values(blob, graph, inputs, told)
    if outcome.outputs is None:
        raise RuntimeError(f"`{who}`: LiteRT does not run {name!r} on the CPU: {outcome.reason.rstrip('. ')}.")
    found = {tensor: outcome.outputs[str(numbers[tensor])] for tensor in kept}
    return {tensor: calls for tensor, calls in found.items() if isinstance(calls, np.ndarray)}


def _part(operator, graph, values):
    """An operator as a file with what it is given; None where that is no array of numbers, or nothing is made of it."""
    tensors, given = fed(operator), made(operator, graph)
    if not given or not all(tensor in values for tensor in (*tensors, *given)):
        return None
    return Given(alone(operator, graph), tuple(values[tensor] for tensor in tensors))


def _judged(part, outcome, meant):
    """(Verdict, decibels, reason) of what an operator gave alone; `meant` is what LiteRT's built-in kernels give."""
    if outcome is None:
        return Verdict.UNTESTED, None, NO_ARRAY
    if outcome.reason:
        return Verdict.UNTESTED, None, f"it does not run alone: {outcome.reason.rstrip('. ')}"
    graph = read_graph(part.blob)
    calls = max((len(given) for given in part.inputs), default=1)  # of constants alone one
    meant = [values[:calls] for values in meant]
    if any(a.shape != b.shape for a, b in zip(outcome.outputs, meant, strict=True)):
        return Verdict.UNTESTED, None, "alone it gives another shape"
    names = [tensor.name for tensor in graph.outputs]
    got, wanted = (values_of(dict(zip(names, each, strict=True)), graph, None) for each in (outcome.outputs, meant))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        snrs = [snr_db(wanted[key], got[key]) for key in wanted]
        reason = wrong_numbers(got, wanted, graph, plain=False)
    if DRAWN in reason:
        return Verdict.UNTESTED, None, "it draws random numbers of its own"
    snr = min((value for value in snrs if value is not None), default=float("inf"))
    return Verdict.WRONG if reason else Verdict.PROVEN, snr, reason


def _kind(operator):
    """What products of an operator are of: integers where its second factor is, whatever the first."""
    factor = operator.inputs[1] if len(operator.inputs) > 1 else None
    return "int8" if factor is not None and not factor.dtype.startswith("float") else "float32"
