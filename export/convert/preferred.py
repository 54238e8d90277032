"""Which of a model's files is best: of those that score well enough the smallest, or the quickest."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

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
    plan, others = first.plan, []
    trials = list(first.made.trials)
    for precision in OTHERS:
        if precision != "int4" or not four_bits.available():
            way = way_of(replace(plan, precision=precision))
            score = score_of(plan.who, plan.evaluate, predictor(plan.who, way.made.blob))
            trials.append(Trial((), score, len(way.made.blob), precision))
            others.append(way)
    ways = [first, *others]
    # The file in int8 is the one with the fewest layers in floats that scores well enough.
    mixed = next(i for i, trial in enumerate(trials) if trial.floats == first.made.floats)
    trials[mixed] = replace(trials[mixed], size=len(first.made.blob))  # rewritten, as the others are
    at = [mixed, *range(-len(others), 0)]
    if plan.prefer == "latency":
        for place, milliseconds in zip(at, _milliseconds(ways), strict=True):
            trials[place] = replace(trials[place], latency_ms=milliseconds)
    measure = {"latency": lambda trial: trial.latency_ms, "size": lambda trial: trial.size}[plan.prefer]
    good = [i for i, place in enumerate(at) if trials[place].score >= first.made.least]
    order = sorted(good, key=lambda i: measure(trials[at[i]]))
    return [replace(ways[i], made=replace(ways[i].made, trials=tuple(trials))) for i in order]


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
