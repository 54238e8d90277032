"""Exports models that nobody here wrote, by us and by the stock tools, and tells how that went: `make bench-models`.

The work is done in other processes: where a model crashes one or takes too long, the next goes on without it. Results
are kept in benchmarks/others.json, and only what is missing there is run. `python -m benchmarks.others WORD...` runs
these anew: a kind, "keras_hub", or a model, "keras_hub/bert"; a way, "int8", alone where that is named.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from rich.console import Console

from benchmarks.others import KINDS, WAYS, builders
from benchmarks.others.table import write

RESULTS = Path(__file__).parent.with_name("others.json")
TIME_LIMIT = 600
COMMAND = ("-m", "benchmarks.others")
# TensorFlow 2.21's oneDNN dies of the product of (32, 1, 2, 2) with (2, 16), which is in keras-hub's SAM.
ENVIRONMENT = {"TF_ENABLE_ONEDNN_OPTS": "0"}
# What other packages print, too, is no result.
MARK = "\x1e"


def main(words):
    console = Console(stderr=True)
    keys = [f"{kind}/{name}" for kind in KINDS for name in builders(kind)]
    unknown = set(words) - {*KINDS, *WAYS, *keys}
    if unknown:
        sys.exit(f"nothing is called {', '.join(sorted(unknown))}; there are {', '.join((*KINDS, *WAYS, *keys))}")
    ways = [way for way in WAYS if way in words] or list(WAYS)
    chosen = [key for key in keys if {key, key.partition("/")[0]} & set(words)]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = {key: results[key] for key in keys if key in results}
    anew = bool(chosen)
    left = [(key, way) for key in chosen or keys for way in ways if anew or not whole(results.get(key, {}), way)]
    try:
        for key, way, found in in_other_processes(left):
            results.setdefault(key, {})[way] = found
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
            told = ", ".join(f"{runtime} {proof['verdict']}" for runtime, proof in found["proofs"].items())
            console.print(f"{key}, {way}: {told}")
    finally:  # it takes an hour or two, and may be stopped: the table tells what was not run
        write(keys, results)


def whole(found, way):
    """Whether what became of a model is known on every runtime."""
    return way in found and set(WAYS[way]) <= set(found[way]["proofs"])


def in_other_processes(left):
    """Yields (key, way, what became of it) for each (key, way)."""
    left = list(left)
    while left:
        words = [f"{key}={way}" for key, way in left]
        process = subprocess.Popen(
            [sys.executable, *COMMAND, "--child", *words],
            cwd=RESULTS.parent.parent,
            env=os.environ | ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # so that it ends with all that it started
        )
        late = threading.Event()
        with process:
            watch = _watch(process, late)
            for line in process.stdout:
                if line.startswith(MARK):
                    watch.cancel()
                    key, way, found = json.loads(line[len(MARK) :])
                    left.remove((key, way))
                    yield key, way, found
                    watch = _watch(process, late)
            watch.cancel()
        code = process.returncode
        if left:  # the first of them is what it was at
            key, way = left.pop(0)
            ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            why = f"it took more than {TIME_LIMIT} s" if late.is_set() else f"the process {ended}"
            yield key, way, nothing(way, why)


def _watch(process, late):
    """A timer that ends the process if nothing comes of it."""

    def end():
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(TIME_LIMIT, end)
    timer.daemon = True
    timer.start()
    return timer


def child(words):
    """Makes the files, and prints what became of each as soon as it is known."""
    import keras

    from benchmarks.others import ways

    key = None
    for word in words:
        wanted, _, way = word.partition("=")
        if wanted != key:
            key, (kind, name) = wanted, wanted.split("/")
            keras.backend.clear_session()
            keras.utils.set_random_seed(0)
            model, samples = builders(kind)[name]()
        try:
            proofs = getattr(ways, way)(model, samples)
        except Exception as error:  # of whatever class a converter raises; the table tells of it
            found = nothing(way, f"{type(error).__name__}: {_first_line(error)}")
        else:
            found = {"proofs": {p.runtime: {"verdict": str(p.verdict), "reason": p.reason} for p in proofs}}
        found["parameters"] = model.count_params()
        print(MARK + json.dumps([key, way, found]), flush=True)


def nothing(way, why):
    """The same of a way that led to no file."""
    return {"proofs": {runtime: {"verdict": "no file", "reason": why} for runtime in WAYS[way]}}


def _first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else ""


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        main(sys.argv[1:])
