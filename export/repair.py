"""Repair: any tool's file to one that a target's runtimes take and compute right; needs no TensorFlow."""

from __future__ import annotations

import numpy as np

from keraslayers._hints import File, Model, Samples, TargetName
from keraslayers.export.artifact import Artifact
from keraslayers.export.file import edit
from keraslayers.export.file.graph import read_graph
from keraslayers.export.measures import snr_db
from keraslayers.export.precisions import precision_of
from keraslayers.export.progress import step
from keraslayers.export.proof.blame import all_blamed
from keraslayers.export.proof.evidence import Evidence
from keraslayers.export.proof.match import wrong_numbers
from keraslayers.export.proof.proof import FEWEST_SAMPLES, Verdict, calls_of, chosen, values_of
from keraslayers.export.prove_file import opened, prove_all, samples_for, without_cause
from keraslayers.export.report.report import describe
from keraslayers.export.rewrites import REWRITES
from keraslayers.export.rewrites.rewrite import rewrite
from keraslayers.export.runtimes import cpu
from keraslayers.export.source.counterpart import expected_of
from keraslayers.export.targets import Target, find_target

# A file in floats is the same after rewriting if its outputs on LiteRT's built-in kernels are: sums in another order
# gave 120 dB and more through deep networks, an operator rewritten wrongly gives 20 and less.
LEAST_DB = 90.0
# The rewrite for files that say themselves what is wrong.
MENDS = "join_in_floats"
# The rewrite for files that say what they compute in a way that LiteRT does not load.
SPELLS = "flatten_biases"


def repair(
    tflite: File, *, target: TargetName | Target = "gpu", samples: Samples | None = None, model: Model | None = None
) -> Artifact:
    """Rewrites an existing .tflite file so that the target's runtimes run it, and proves the result.

    The file may come from any tool. What it computes stays: a rewritten file whose outputs on LiteRT's built-in
    kernels are not those of the file given is not kept, nor is one that is PROVEN on fewer runtimes. The report's
    `rewrites` say what was changed where; a file that is PROVEN already and cut into no pieces, or cannot be helped,
    comes back as it was. One in int8 that puts numbers of several scales into one tensor, boxes beside scores, has them
    put there in floats: what the runtimes make of the scores is PROVEN, and zero.

    Args:
        tflite: path of the file, or its bytes. It is not written to.
        target: `"cpu"`, `"gpu"`, `"gpu-fp32"` (for apps that ask the GPU for 32-bit floats), `"browser"`,
            `"browser-gpu"` or `"micro"`, or a `Target`: the runtimes that the file is proven on.
        samples: inputs to run, as in `to_tflite`; made up from a fixed seed by default.
        model: the Keras model that the file was made of, to compare with that, too; as in `prove`.

    Returns:
        An `Artifact`. Its report tells whether the file is PROVEN; nothing is raised if it is not, see
        `Report.require`.

    Raises:
        FileNotFoundError: if there is no such file.
        IsADirectoryError: if it is a folder.
        ValueError: if it is no TFLite file, the target is unknown, or samples or model do not fit.
    """
    who = "repair"
    target = find_target(who, target)
    blob, name, graph = opened(who, tflite)
    given = samples_for(who, graph, samples)
    expected = None if model is None else expected_of(who, graph, model, given)
    precision = precision_of(graph)
    evidence = Evidence(given, expected, precision, made_up=samples is None).few()

    def proven(blob, graph):
        return prove_all(blob, graph, given, target.runtimes, expected=expected, made_up=samples is None)

    about = {"name": name, "target": target.name, "rewrites": {}, "signatures": graph.signatures}
    proofs = proven(blob, graph)
    whole = all(proof.verdict is Verdict.PROVEN for proof in proofs)
    if not whole or _pieces(proofs) > len(proofs) or (precision == "int8" and _rounds_away(blob)):
        reference = _meant(blob, graph, given, target, precision)
        if reference.outputs is None:  # nor can an operator be blamed: its numbers are not known
            about["unrepaired"] = f"LiteRT's built-in kernels do not run it: {reference.reason}"
            return Artifact(blob, describe(blob, graph, without_cause(proofs), **about), evidence)
        with step(f"rewriting {name}"):
            try:
                few = None if samples is None else calls_of(chosen(given, FEWEST_SAMPLES), graph)[0]
                made, done = rewrite(blob, target, precision, few)
            except ValueError as error:
                error.add_note(f"`{who}`: `tflite` {name!r}.")
                raise
        if done:
            after = read_graph(made)
            if fault := moved(reference, graph, made, after, given):
                about["unrepaired"] = f"rewriting it ({', '.join(done)}) moved its numbers: {fault}"
            else:
                tried = proven(made, after)
                if lost := _lost(proofs, tried):
                    about["unrepaired"] = f"rewriting it ({', '.join(done)}) lost it on {lost}"
                elif not whole or _pieces(tried) < _pieces(proofs) or MENDS in done:
                    about |= {"rewrites": done, "original_size": len(blob)}
                    blob, graph, proofs = made, after, tried
    if whole:
        about.pop("unrepaired", None)  # nothing was broken
    proofs = without_cause(all_blamed(proofs, target.runtimes, blob, given, model, precision))
    return Artifact(blob, describe(blob, graph, proofs, **about), evidence)


def _rounds_away(blob):
    """Whether numbers are lost in a file that every runtime computes as it stands."""
    function, _ = REWRITES[MENDS]
    return any(function(graph) for graph in edit.read(blob).entrances())


def _lost(before, after):
    """The runtimes on which a file was PROVEN before alone."""
    pairs = zip(before, after, strict=True)
    return ", ".join(old.runtime for old, new in pairs if Verdict.PROVEN is old.verdict is not new.verdict)


def _pieces(proofs):
    """In how many pieces the runtimes took a file, all together."""
    return sum(max(1, proof.partitions or 1) for proof in proofs)


def _computed(blob, graph, samples):
    """What LiteRT's built-in kernels make of a file and samples."""
    with step("computing on LiteRT's built-in kernels"):
        return cpu.run_reference(blob, graph, calls_of(samples, graph)[0])


def _meant(blob, graph, samples, target, precision):
    """The same; of a file that they do not load, as it is to be spelled."""
    found = _computed(blob, graph, samples)
    if found.outputs is None:
        spelled, done = rewrite(blob, target, precision, but=REWRITES.keys() - {SPELLS})
        found = _computed(spelled, read_graph(spelled), samples) if done else found
    return found


def moved(reference, graph, made, after, samples):
    """How the outputs of a file changed on LiteRT's built-in kernels; empty if they did not.

    Args:
        reference: what they made of the file as it was.
        graph: what `read_graph` says of that.
        made, after: the file that became of it, and what `read_graph` says of that.
        samples: by input name arrays.
    """
    outcome = _computed(made, after, samples)
    if outcome.outputs is None:
        return f"LiteRT's built-in kernels do not run the result: {outcome.reason}"
    count = min(len(values) for values in samples.values())
    wanted, got = values_of(reference.outputs, graph, count), values_of(outcome.outputs, after, count)
    got = {name: values.reshape(wanted[name].shape) for name, values in got.items()}
    if graph.integer or graph.hybrid:
        return wrong_numbers(got, wanted, graph, False)
    for name, values in wanted.items():
        if np.array_equal(values, got[name], equal_nan=True):
            continue
        ratio = snr_db(values, got[name])
        if ratio is not None and not ratio >= LEAST_DB:
            return f"output `{name}` is {ratio:.0f} dB over the difference"
    return ""
