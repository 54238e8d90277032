"""From a Keras model to a file with proof: the way in."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal

from keraslayers._hints import Model, Precision, Samples, TargetName
from keraslayers.export.artifact import Artifact
from keraslayers.export.file.graph import read_graph
from keraslayers.export.made import converted, finished, measured, readied, rewritten
from keraslayers.export.precisions import INTEGER
from keraslayers.export.predict import Source
from keraslayers.export.progress import step
from keraslayers.export.proof.blame import all_blamed
from keraslayers.export.proof.evidence import Evidence
from keraslayers.export.proof.match import LOST
from keraslayers.export.proof.parts import SEVERAL_SCALES
from keraslayers.export.proof.proof import FEWEST_SAMPLES, Verdict, chosen, prove_blob
from keraslayers.export.report.report import describe
from keraslayers.export.source.fork import check_fork
from keraslayers.export.targets import Target

# Whether a report names the layer that a runtime fails on; to find it takes a dozen runs of parts of the file.
BLAME = True
# Where Keras takes longer than this for the fewest samples of a proof, in seconds, it runs no more of them.
QUICK = 10


def to_tflite(
    model: Model,
    *,
    target: TargetName | Target = "cpu",
    precision: Precision | Literal["auto"] = "float32",
    samples: Samples | None = None,
    io: Literal["float32", "int8", "uint8", "int16"] = "float32",
    batch_size: int = 1,
    preprocessing: Callable[..., Any] | None = None,
    skip: Iterable[str | type] = (),
    evaluate: Callable[[Callable[..., Any]], float] | None = None,
    max_drop: float | None = None,
    prefer: Literal["latency", "size"] | None = None,
    layer_errors: bool = False,
) -> Artifact:
    """Exports a Keras 3 model to TFLite and proves the file on the real runtimes.

    The model stays as it is. The names of its inputs and outputs become those of the file's signature, whatever
    characters they have. One that computes in other floats, as under the dtype policy mixed_float16, is exported as a
    copy in float32 with its weights: the report lists it under `passes`, as `in_float32`, and the file is compared with
    the copy, which must agree with the model within roundings.

    Args:
        model: a built `keras.Model`: Functional, Sequential, or subclassed and called once. One that
            `optimize.quantize_aware` gave takes the ranges it was trained with; of a pruned or clustered one the
            ordinary model inside is exported.
        target: `"cpu"`, `"gpu"`, `"gpu-fp32"` (for apps that ask the GPU for 32-bit floats), `"browser"`,
            `"browser-gpu"` or `"micro"`, or a `Target`: the runtimes that the file is proven on.
        precision: `"float32"`; `"float16"` (weights of 16 bits); `"dynamic"` (weights of 8 bits, activations in
            floats); `"int4"` (weights of 4 bits, activations in floats; needs the extra `quantizer`); `"int8"` (all
            integer, but in files for phones for what XNNPACK computes in floats alone, as products of two activations,
            for what reads an image where that is little of the work, and, where the numbers are lost in 8 bits, for the
            layers that lose most, which the report lists; needs samples); `"int16x8"` (integer, with activations of 16
            bits); `"auto"` (int8, with as many layers left in floats as it takes to keep the model's accuracy).
        samples: typical inputs, prepared as for training: an array of (samples, ...), a list of arrays for several
            inputs, a dict by input name, or a `tf.data.Dataset` (read up to 512 samples). Integer files take
            their ranges from all of them; the proof runs 64, spread over all. Without them the proof makes inputs up.
        io: dtype of the file's inputs and outputs: `"int8"` and `"uint8"` go with int8 precision, `"int16"` with
            int16x8 only.
        batch_size: the file's batch; phones want 1.
        preprocessing: what training did to pixels of 0 to 255 before the one input of the model: a layer such as
            `keras.layers.Rescaling(1 / 255)`, or a function of tensors such as
            `keras.applications.mobilenet_v2.preprocess_input`; `keras.layers.Identity()` if the model does it. It
            becomes part of the file, and of what the file is compared with. The file then takes pixels as they are,
            and so must the samples be. With `io="uint8"` an int8 file's input has the scale 1 and the zero point 0;
            files of floats get an input of uint8, too, and keep their float outputs.
        skip: what an int8 file leaves in floats: names of layers, names of their classes, or the classes.
        evaluate: for `"auto"`: called as evaluate(predict), once for the Keras model and once for every file tried;
            predict(x) takes what `samples` may be and gives the outputs as an array, a dict by name of several;
            returns a number, more being better.
        max_drop: for `"auto"`: how far that number may fall below the Keras model's, 0.01 say.
        prefer: for `"auto"`: float32, float16, dynamic and, where litert-quantizer is installed, int4 are tried, too;
            of the files that score within `max_drop` and are PROVEN the one that takes the least time,
            `"latency"`, or the fewest bytes, `"size"`. The time is that of the target's first runtime, which must be
            a CPU: of this host, or of a board behind `ssh`.
        layer_errors: whether the report of a file in int8 or float16 ranks the layers by the error that each adds;
            takes about as long as the proof. `"auto"` always does.

    Returns:
        An `Artifact`. Its report tells whether the file is PROVEN; nothing is raised if it is not, see
        `Report.require`.

    Raises:
        TypeError, ValueError: if an argument does not fit; before any work is done. ValueError, too, if the model
            gives NaN or infinity on the samples; before the conversion.
        RuntimeError: if the converter refuses the model, if it ends in as many boxes as the numbers say, or if this
            process was forked from one that computed with TensorFlow.
    """
    # Here, as `import keraslayers.export` comes before `prove`, which needs neither Keras nor TensorFlow.
    from keraslayers.export.convert import converter
    from keraslayers.export.plan import planned
    from keraslayers.export.source.in_float32 import float32_policy

    check_fork("to_tflite")
    with float32_policy():
        plan = planned(
            "to_tflite",
            model,
            target=target,
            precision=precision,
            samples=samples,
            io=io,
            batch_size=batch_size,
            preprocessing=preprocessing,
            skip=skip,
            evaluate=evaluate,
            max_drop=max_drop,
            prefer=prefer,
            layer_errors=layer_errors,
        )
        converter.start()  # it imports TensorFlow meanwhile
        tested, expected = _expected(plan)
        way, proofs = _best(_ways(plan), tested, expected)
        plan, ready, passes, made = way.plan, way.ready, way.passes, way.made
        if any(LOST in proof.reason for proof in proofs) and not (plan.trained or plan.auto):
            try:
                made, proofs = _kept(plan, ready, made, proofs, tested, expected)
            except Exception as error:  # whatever it is: the file is there all the same, and the report says so
                proofs = _adding(proofs, f"What to do could not be found out ({type(error).__name__}: {error})")
        evidence = Evidence(tested, expected, plan.precision, plan.trained, made_up=not plan.given).few()
        source = Source(model, plan.theirs, plan.pixels, next(iter(plan.shapes.values()))[0])
        return Artifact(made.blob, _described(plan, made, passes, proofs), evidence, source)


def _expected(plan):
    """(The samples that prove the file, what the Keras model computes of them); it must be numbers."""
    from keraslayers.export.source.finite import check_finite
    from keraslayers.export.source.in_float32 import check_same

    samples, more = chosen(plan.samples, FEWEST_SAMPLES), chosen(plan.samples)
    batch = next(iter(plan.shapes.values()))[0]
    with step(f"running {plan.model.name} in Keras"):
        try:
            before = time.monotonic()
            expected = plan.interface.predict(samples, batch)
            if len(more[next(iter(more))]) > len(samples[next(iter(samples))]) and time.monotonic() - before < QUICK:
                samples, expected = more, plan.interface.predict(more, batch)
        except Exception as error:  # of whatever class the model's own code raises
            error.add_note(f"`{plan.who}`: model {plan.model.name!r} failed in Keras on the samples.")
            raise
        if plan.others:
            check_same(plan.who, plan.model.name, plan.theirs.predict(samples, batch), expected)
        check_finite(plan.who, plan.interface, samples, expected, made_up=not plan.given)
    return samples, expected


def _ways(plan):
    """The files that will do, the best first; one unless there is something to prefer."""
    from keraslayers.export.convert.preferred import Way, ranked

    def way_of(plan):
        ready, passes = readied(plan)
        return Way(plan, ready, passes, converted(plan, ready))

    first = way_of(plan)
    return ranked(first, way_of) if plan.prefer else [first]


def _best(ways, tested, expected):
    """The first that is PROVEN, and its proofs; where none is, those of the first say why."""
    for way in ways:
        proofs = _proven(way.plan, way.made, tested, expected)
        if all(proof.verdict is Verdict.PROVEN for proof in proofs):
            return way, proofs
        if way is ways[0]:
            of_first = proofs
    return ways[0], of_first


def _kept(plan, ready, made, proofs, tested, expected):
    """What becomes of a file that lost the numbers: (the file, its proofs).

    One in int8 for phones gets its numbers back where few layers in floats will do; of others the proofs say what to
    do. If the file in floats has none either, it was not quantization, and the proofs say so.
    """
    from keraslayers._rewrite import graph_of
    from keraslayers.export.convert.advice import advice
    from keraslayers.export.convert.convert import convert
    from keraslayers.export.convert.float16 import float16_errors
    from keraslayers.export.convert.keep_numbers import keep_numbers

    def fault(blob, precision):
        (proof,) = prove_blob(blob, read_graph(blob), tested, ["cpu"], expected=expected, precision=precision)
        return proof.reason

    def in_floats(blob):
        """The proofs, if they are not to blame on quantization."""
        wrong = fault(blob, "float32")
        instead = f"it is not quantization that lost the numbers: of the file in floats {wrong}"
        return wrong and tuple(dataclasses.replace(p, reason=p.reason.replace(LOST, instead)) for p in proofs)

    def right(blob):  # as it will be: what is rewritten for the target rounds otherwise
        return not fault(rewritten(plan, blob)[0], plan.precision)

    if plan.precision not in INTEGER:
        if other := in_floats(convert(plan.interface, ready, plan.shapes, "float32", "float32")):
            return made, other
        ranked = plan.precision == "float16" and graph_of(plan.model) is not None
        errors = float16_errors(plan.interface, plan.samples) if ranked else ()
        return made, _adding(proofs, advice(plan.precision, *(error.layer for error in errors[:1])))
    if plan.io != "float32" and any(SEVERAL_SCALES in proof.reason for proof in proofs):
        return made, _adding(proofs, f"An {plan.io} has one scale for all of them: io='float32' keeps each")
    with measured(plan, ready) as again:
        if other := in_floats(again.given):
            return made, other
        floats = None
        if plan.precision == "int8" and "cpu" in plan.target.kinds:
            floats = keep_numbers(again, plan.floats, right)
        if floats is None:
            known = made.errors and made.errors[0].layer
            worst = known or (again.worst if plan.precision == "int8" else None)
            return made, _adding(proofs, advice(plan.precision, worst))
        blob = again.file(set(floats))
        made = finished(plan, blob, floats, again.rewrites, again.growth, again.kept, errors=made.errors)
    return made, _proven(plan, made, tested, expected)


def _adding(proofs, words):
    """The same proofs, those that say that the numbers are lost with more words."""
    return tuple(
        dataclasses.replace(proof, reason=f"{proof.reason.rstrip('. ')}. {words}") if LOST in proof.reason else proof
        for proof in proofs
    )


def _proven(plan, made, tested, expected):
    """What the file does on the target's runtimes, the layer to blame named where it fails."""
    proofs = prove_blob(
        made.blob,
        made.graph,
        tested,
        plan.target.runtimes,
        expected=expected,
        precision=plan.precision,
        trained=plan.trained,
        made_up=not plan.given,
    )
    if not BLAME:
        return proofs
    return all_blamed(proofs, plan.target.runtimes, made.blob, tested, plan.model, plan.precision)


def _described(plan, made, passes, proofs):
    """The report; it warns where the model comes near the end of float16."""
    from keraslayers._rewrite import graph_of
    from keraslayers.export.convert.float16 import float16_errors, largest_value
    from keraslayers.export.convert.largest import FLOAT16_MAX
    from keraslayers.export.source.layer_names import namer
    from keraslayers.export.source.preprocessing import name_of

    largest, errors = None, made.errors
    if (plan.precision == "float16" or "gpu" in plan.target.kinds) and graph_of(plan.model) is not None:
        largest = largest_value(plan.interface, plan.samples)
        if largest.value > FLOAT16_MAX / 4:
            warnings.warn(f"`{plan.who}`: model {plan.model.name!r}: {largest}.", stacklevel=3)
        if plan.layer_errors and plan.precision == "float16":
            errors = float16_errors(plan.interface, plan.samples)
    return describe(
        made.blob,
        made.graph,
        proofs,
        name=plan.model.name,
        target=plan.target.name,
        precision=plan.precision,
        io=plan.io,
        passes=passes,
        preprocessing=name_of(plan.preprocessing),
        parameters=plan.model.count_params(),
        largest=largest,
        float_layers=made.floats,
        layer_of=namer(plan.model),
        layer_errors=errors,
        trials=made.trials,
        rewrites=made.rewrites,
        original_size=made.original_size,
    )
