"""Runs a file on as many inputs as there are."""

import numpy as np

from keraslayers import _checks
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof.proof import calls_of, values_of
from keraslayers.export.runtimes import RUNTIMES
from keraslayers.export.source.samples import name_samples

# So many calls a child process, or so many samples at a time.
AT_ONCE = 256


def runner(who, blob, runtime):
    """A function that runs a file on all samples it is given, and returns its outputs by name.

    Args:
        who: function to name in errors.
        blob: the file.
        runtime: the name of one that is on this machine.
    """
    _checks.choice(who, "runtime", runtime, RUNTIMES)
    if lacking := RUNTIMES[runtime].available():
        raise RuntimeError(f"`{who}`: {lacking}.")
    graph = read_graph(blob)

    def run(x):
        inputs, count = calls_of(name_samples(who, x, graph.inputs), graph)
        calls = len(next(iter(inputs.values())))
        parts, done = [], 0
        while done < calls:  # a runtime that takes long gives fewer than it was asked for
            some = {name: values[done : done + AT_ONCE] for name, values in inputs.items()}
            outcome = RUNTIMES[runtime].run(blob, graph, some)
            if outcome.outputs is None:
                raise RuntimeError(f"`{who}`: {runtime} does not run the file: {outcome.reason}.")
            parts.append(outcome.outputs)
            done += len(next(iter(outcome.outputs.values())))
        return values_of({name: _joined([part[name] for part in parts]) for name in parts[0]}, graph, count)

    return run


def _joined(parts):
    if any(isinstance(part, list) for part in parts):  # shapes that depend on the input
        return [call for part in parts for call in part]
    return np.concatenate(parts)
