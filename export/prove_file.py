"""Proof for a file that is there already; needs neither Keras nor TensorFlow."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from keraslayers._hints import File, Model, Samples
from keraslayers._printable import printable
from keraslayers.export.file import strange
from keraslayers.export.file.edit import by_signature
from keraslayers.export.file.graph import read_graph
from keraslayers.export.precisions import precision_of
from keraslayers.export.proof.blame import half_blamed
from keraslayers.export.proof.evidence import Evidence
from keraslayers.export.proof.match import LOST
from keraslayers.export.proof.proof import Proof, Verdict, chosen, prove_blob
from keraslayers.export.report.report import Report, describe
from keraslayers.export.runtimes import RUNTIMES, several
from keraslayers.export.runtimes.elsewhere import Runtime
from keraslayers.export.source.counterpart import expected_of
from keraslayers.export.source.samples import make_up, name_samples

# What `prove` proves without being told. A file for microcontrollers is another one.
PHONE = ("cpu", "gpu", "gpu-fp16")
# Types of inputs and outputs that a proof can compare: NumPy has them, and they are numbers.
NUMBERS = ("float16", "float32", "float64", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
# An image of 4096 x 4096 x 1; a damaged file may claim any size, and the proof makes up eight samples of it.
MOST_ELEMENTS = 2**24
# Of a file alone nobody knows what it would compute in floats.
IN_THE_FILE = "it is the file that is off, by its quantization or by what its tool made of the model"


def prove(
    tflite: File,
    runtimes: Runtime | Iterable[Runtime] | None = None,
    samples: Samples | None = None,
    model: Model | None = None,
) -> Report:
    """Proves an existing .tflite file against LiteRT's built-in kernels, the code that defines the format.

    Args:
        tflite: path of the file, or its bytes.
        runtimes: names out of `"cpu"`, `"gpu"`, `"gpu-fp16"`, `"browser"`, `"micro"` and others, or `ssh(...)`; by
            default a phone's, the first three. `"all"` are those that are on this machine; the report says what the
            others want.
        samples: inputs to run, as in `to_tflite`; made up from a fixed seed by default. Of a file of several signatures
            they are for the first, or a dict of such by the name of a signature; those that have none are run on what
            is made up.
        model: the Keras model that the file was made of: its outputs must match, too, as far as the file's precision
            lets them. Inputs and outputs are matched by their names, else in their order.

    Returns:
        A `Report`.

    Raises:
        FileNotFoundError: if there is no such file.
        IsADirectoryError: if it is a folder.
        ValueError: if it is no TFLite file, a runtime is unknown, or samples or model do not fit.
    """
    who = "prove"
    absent = {}
    if isinstance(runtimes, str) and runtimes == "all":
        absent = {name: lacking for name, runtime in RUNTIMES.items() if (lacking := runtime.available())}
    runtimes = several(who, "runtimes", PHONE if runtimes is None else runtimes)
    if not runtimes:
        raise ValueError(f"`{who}`: `runtimes` is empty: nothing would be proven. Give some of {', '.join(RUNTIMES)}.")
    blob, name, graph = opened(who, tflite)
    given = _by_signature(graph, samples)
    first, *_ = graph.signatures or [""]
    tested = samples_for(who, graph, given.get(first))
    expected = None if model is None else expected_of(who, graph, model, tested)
    proofs = prove_all(blob, graph, tested, runtimes, given, expected=expected, made_up=first not in given)
    proofs = half_blamed(proofs, runtimes, blob, tested, model)
    return describe(blob, graph, without_cause(proofs), name=name, absent=absent, signatures=graph.signatures)


def _by_signature(graph, samples):
    """Samples by the signature that they are for."""
    keys = graph.signatures or [""]
    if samples is None:
        return {}
    inputs = {tensor.name for tensor in graph.inputs}
    named = len(keys) > 1 and isinstance(samples, dict) and set(samples) != inputs and set(samples) <= set(keys)
    return samples if named else {keys[0]: samples}


def prove_all(blob, graph, samples, runtimes, others=None, **of_first):
    """Proves a file with all of its signatures, each as a file of its own; of a file without, what its graph does.

    Args:
        blob: the file.
        graph: what `read_graph` says of it, of its first signature.
        samples: by input name of that one.
        runtimes: their names; or what runs elsewhere, `ssh(...)`.
        others: samples by signature; for those that it has not they are made up.
        **of_first: further arguments of `prove_blob`, for that one.

    Returns:
        A tuple of `Proof`, one a runtime: of the signature with the worst verdict.
    """
    precision = precision_of(graph)
    found = [("", prove_blob(blob, graph, samples, runtimes, precision=precision, **of_first))]
    if len(graph.signatures) > 1:
        found = [(graph.signatures[0], found[0][1])]
        given = others or {}
        found += [(key, _prove_alone(part, key, runtimes, given.get(key))) for key, part in by_signature(blob)[1:]]
    return tuple(_worst([(key, proofs[i]) for key, proofs in found]) for i in range(len(runtimes)))


def _prove_alone(blob, key, runtimes, samples):
    graph = read_graph(blob)
    try:
        _check_borders("prove", f"signature {key}", graph)
    except ValueError as error:
        return tuple(Proof(str(runtime), Verdict.UNTESTED, str(error)) for runtime in runtimes)
    tested = samples_for("prove", graph, samples)
    return prove_blob(blob, graph, tested, runtimes, precision=precision_of(graph), made_up=samples is None)


def _worst(proofs):
    """Of several signatures' proofs on a runtime the worst: it is to blame, if one is."""
    order = (Verdict.WRONG, Verdict.REJECTED, Verdict.UNTESTED, Verdict.PROVEN)
    key, proof = min(proofs, key=lambda each: (order.index(each[1].verdict), each[1].snr_db or math.inf))
    if proof.verdict is Verdict.PROVEN or len(proofs) == 1:
        return proof
    return replace(proof, reason=f"signature `{key}`: {proof.reason}")


def without_cause(proofs):
    """Proofs of a file alone, which do not tell why its numbers are not the model's."""
    return tuple(replace(proof, reason=proof.reason.replace(LOST, IN_THE_FILE)) for proof in proofs)


def opened(who, tflite):
    """A file from elsewhere: (its bytes, its name, what `read_graph` says of it); for what is raised see `prove`."""
    if isinstance(tflite, bytes | bytearray):
        blob, name = bytes(tflite), "model.tflite"
    else:
        path = Path(os.fspath(tflite))
        if path.is_dir():
            raise IsADirectoryError(f"`{who}`: `tflite` must be a file; {str(path)!r} is a folder.")
        if not path.is_file():
            raise FileNotFoundError(f"`{who}`: `tflite`: there is no file {str(path)!r}.")
        blob, name = path.read_bytes(), path.name
    try:
        strange.check(blob)
        graph = read_graph(blob)
    except ValueError as error:
        raise ValueError(f"`{who}`: `tflite` {name!r} is {error}") from error.__cause__
    _check_borders(who, name, graph)
    return blob, name, graph


def samples_for(who, graph, samples):
    """By input name what to run a file on: of what was given as much as a proof runs, else made up."""
    return make_up(graph.inputs) if samples is None else chosen(name_samples(who, samples, graph.inputs))


def evidence_of(who, graph, samples=None, model=None):
    """The `Evidence` that a page of a file carries; for samples and model see `prove`."""
    tested = samples_for(who, graph, samples)
    expected = None if model is None else expected_of(who, graph, model, tested)
    return Evidence(tested, expected, precision_of(graph), made_up=samples is None).few()


def _check_borders(who, name, graph):
    """Refuses a file whose inputs or outputs are no arrays of numbers of a size to speak of."""
    for side, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        if not tensors:
            raise ValueError(f"`{who}`: `tflite` {name!r} has no {side}s: there is nothing to compare.")
        elements = 0  # of all together
        for tensor in tensors:
            where = f"`{who}`: `tflite` {name!r}: {side} `{printable(tensor.name)}`"
            if tensor.dtype not in NUMBERS:
                raise ValueError(
                    f"{where} is of type {tensor.dtype}; only numbers can be compared: {', '.join(NUMBERS)}."
                )
            elements += math.prod(tensor.shape)
            if elements > MOST_ELEMENTS:
                raise ValueError(f"{where} of shape {tensor.shape} is too large to run.")
