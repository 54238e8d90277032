"""The file that a plan asks for, not yet proven: the model made ready, converted, rewritten for the target."""

from __future__ import annotations

import dataclasses
from functools import partial

from keraslayers.export.file.graph import read_graph
from keraslayers.export.precisions import INTEGER, check_kernels
from keraslayers.export.progress import step
from keraslayers.export.proof.proof import FEWEST_SAMPLES, calls_of, chosen
from keraslayers.export.rewrites.rewrite import rewrite


@dataclasses.dataclass(frozen=True)
class Made:
    """A file as the converter gave it.

    Attributes:
        blob: its bytes.
        graph: what `read_graph` says of it.
        floats: names of the layers that it leaves in floats.
        errors: what each layer loses in int8, where that was measured.
        trials: the files that were tried for precision "auto".
        least: what each had to score.
        rewrites: by name the places that each changed in it.
        original_size: bytes before that.
    """

    blob: bytes
    graph: object
    floats: tuple = ()
    errors: tuple = ()
    trials: tuple = ()
    least: float | None = None
    rewrites: dict = dataclasses.field(default_factory=dict)
    original_size: int | None = None


def readied(plan):
    """The model as the target wants it: (a Keras model, the count of changes by pass)."""
    from keraslayers._rewrite import sized
    from keraslayers.export.passes.prepare import prepare

    with step(f"preparing {plan.model.name}"):
        ready, passes = sized(plan.model, plan.shapes.values()), {}
        if not plan.trained:  # the passes of a model that trained with rounding come before the training
            measure = partial(plan.interface.largest, plan.samples) if plan.given else None
            ready, passes = prepare(ready, plan.target, plan.precision, measure)
    before = {"drop_auxiliary": plan.dropped, "in_float32": plan.others}
    return ready, {**{name: count for name, count in before.items() if count}, **passes}


def converted(plan, ready):
    """The file, and what was found out on the way; its kernels are what the precision says."""
    from keraslayers.export.convert.auto import model_predictor, score_of, search
    from keraslayers.export.convert.convert import convert
    from keraslayers.export.optimize.deploy import deployed

    who, precision, floats, errors, trials, least = plan.who, plan.precision, plan.floats, (), (), None
    rewrites, growth, kept = {}, 1.0, set()
    with step(f"converting {plan.model.name} to {precision}"):
        if precision in INTEGER and not plan.trained:
            with measured(plan, ready) as made:
                if plan.auto:
                    score = score_of(who, plan.evaluate, model_predictor(who, plan.interface, plan.pixels))
                    least = score - plan.max_drop
                    blob, floats, trials = search(who, made, plan.evaluate, plan.max_drop, score)
                else:
                    blob = made.file(set(floats))
                errors = made.errors if plan.auto or plan.layer_errors else ()
                rewrites, growth, kept = made.rewrites, made.growth, made.kept
        else:
            with deployed(plan.model):
                blob = convert(plan.interface, ready, plan.shapes, precision, plan.io)
    return finished(plan, blob, floats, rewrites, growth, kept, errors=errors, trials=trials, least=least)


def measured(plan, ready):
    """The model in floats with its ranges, of which files of integers are made."""
    from keraslayers.export.convert.mixed import calibrated
    from keraslayers.export.source.preprocessing import span

    samples = span(plan.samples) if plan.pixels else plan.samples
    return calibrated(plan.interface, ready, plan.shapes, samples, plan.precision, plan.io, plan.target)


def finished(plan, blob, floats, rewrites, growth, kept, **found):
    """A file as the target wants it.

    Args:
        plan: what was to be made.
        blob: the file.
        floats: names of the layers that it leaves in floats.
        rewrites, growth: what was rewritten before it was quantized, and how many times larger that made it.
        kept: names of the layers of which operators are in floats in every such file.
        **found: further fields of `Made`.
    """
    from keraslayers.export.convert.refusals import refuse_open_outputs
    from keraslayers.export.optimize.deploy import check_integers
    from keraslayers.export.source.layer_names import namer
    from keraslayers.export.source.preprocessing import require_pixels

    original, rewrites = round(len(blob) / growth), dict(rewrites)
    graph = read_graph(blob)
    if plan.trained:
        floats = check_integers(plan.who, graph, plan.model)
    else:
        check_kernels(plan.who, graph, plan.precision, {*floats, *kept}, namer(plan.model))
    with step(f"rewriting the file of {plan.model.name}"):
        blob, more = rewritten(plan, blob)
        for name, places in more.items():
            rewrites[name] = [*rewrites.get(name, ()), *places]
    graph = read_graph(blob)
    refuse_open_outputs(plan.who, blob, graph, plan.model)
    if plan.pixels:
        require_pixels(plan.who, graph)
    return Made(blob, graph, floats, rewrites=rewrites, original_size=original, **found)


def rewritten(plan, blob):
    """A file rewritten for the target, which may look at what few of the samples make of it; see `rewrite`."""
    few = calls_of(chosen(plan.samples, FEWEST_SAMPLES), read_graph(blob))[0] if plan.given else None
    return rewrite(blob, plan.target, plan.precision, few)
