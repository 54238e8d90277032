"""Which of a model's files is best: of those that score well enough the smallest, or the quickest."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

from keraslayers.export import runtimes
from keraslayers.export.convert import four_bits
from keraslayers.export.convert.auto import Trial, predictor, score_of
from keraslayers.export.proof.proof import FEWEST_SAMPLES, calls_of, chosen

# What is tried beside int8. int16x8 is for what int8 is too coarse for, and slower than floats on phones' CPUs.
OTHERS = ("float32", "float16", "dynamic", "int4")
# Of so many runs, one file after the other, the quickest counts: what else this machine does comes and goes.
ROUNDS = 3


@dataclass(frozen=True)
class Way:
    """A file, and how it was made.

    Attributes:
        plan: what was to be made.
        ready: the model as the target wants it.
        passes: the count of changes by pass that made it so.
        made: the file.
    """

    plan: object
    ready: object
    passes: dict
    made: object


def ranked(first: Way, way_of: Callable):
    """Returns the ways whose files score well enough, the best first; each file carries all trials.

    Args:
        first: the file in int8, which the trials of its search come with.
        way_of: a function of a `Plan`, that goes that way.
    """
    plan, ways = first.plan, [first]
    # Of the search in int8 the file that leaves the fewest layers in floats; rewritten by now, as the others are.
    searched = {trial.floats: trial for trial in first.made.trials}
    tried = [replace(searched.pop(first.made.floats), size=len(first.made.blob))]
    for precision in OTHERS:
        if precision != "int4" or not four_bits.available():
            way = way_of(replace(plan, precision=precision))
            score = score_of(plan.who, plan.evaluate, predictor(plan.who, way.made.blob))
            tried.append(Trial((), score, len(way.made.blob), precision))
            ways.append(way)
    if plan.prefer == "latency":
        tried = [replace(trial, latency_ms=ms) for trial, ms in zip(tried, _milliseconds(ways), strict=True)]
    takes = attrgetter({"latency": "latency_ms", "size": "size"}[plan.prefer])
    good = [i for i, trial in enumerate(tried) if trial.score >= first.made.least]
    trials = (*searched.values(), *tried)
    return [
        replace(ways[i], made=replace(ways[i].made, trials=trials)) for i in sorted(good, key=lambda i: takes(tried[i]))
    ]


def _milliseconds(ways):
    """What a call of each file takes on the target's first runtime, the files run in turn."""
    plan = ways[0].plan
    few = chosen(plan.samples, FEWEST_SAMPLES)
    calls = [
        partial(
            runtimes.of(plan.target.runtimes[0]).run,
            way.made.blob,
            way.made.graph,
            calls_of(few, way.made.graph)[0],
        )
        for way in ways
    ]
    rounds = [[call() for call in calls] for _ in range(ROUNDS)]
    for outcome in rounds[0]:
        if outcome.latency_ms is None:
            told = outcome.reason or "it gives no time"
            raise RuntimeError(f"`{plan.who}`: `prefer`='latency': {plan.target.runtimes[0]} does not tell it: {told}.")
    return [min(outcome.latency_ms for outcome in each) for each in zip(*rounds, strict=True)]
