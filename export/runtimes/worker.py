"""The child process: loads a .tflite file into one runtime, runs it, writes outputs and figures.

Started by file name, and given that of the runtime, so that neither keraslayers nor TensorFlow is imported:
`worker.py FOLDER`. Of the runtime's file it calls load(path, inputs, outputs, **options) with the path of the .tflite
file, a (name, index) of each input and a (name, index, shape, dtype) of each output. It returns a function of the
inputs' values for one call that returns the outputs', and a dict of what an `Outcome` tells of the file; its `arrays`,
where it has any, is a function that is called behind all calls. What a runtime raises when it refuses one is a
RuntimeError or ValueError.
"""

import importlib.util
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

# After so many calls, those that took more than so many seconds all together are enough, where nobody wants all.
FEWEST, ENOUGH = 16, 30
NO_MEMORY = "it takes more memory than an app may have on a phone"


def main(folder):
    folder = Path(folder)
    request = json.loads((folder / "request.json").read_text())
    with np.load(folder / "inputs.npz", allow_pickle=False) as stored:
        inputs = [stored[f"arr_{i}"] for i in range(len(request["inputs"]))]
    runtime = imported(folder / request["runtime"])
    try:
        call, figures = runtime.load(
            str(folder / "model.tflite"), request["inputs"], request["outputs"], **request["options"]
        )
        calls, times = [], []
        for values in zip(*inputs, strict=True):
            if not request["all"] and len(calls) >= FEWEST and sum(times) > ENOUGH:
                break
            before = time.perf_counter()
            calls.append(call(values))
            times.append(time.perf_counter() - before)
        parts = [together(values) for values in zip(*calls, strict=True)]
        outputs, shapes = [part for part, _ in parts], [shape for _, shape in parts]
        if request["timed"] is not None:
            first = [values[0] for values in inputs]
            figures["latency_ms"] = latency(lambda: call(first), times[1:], request["timed"])
        arrays = figures.pop("arrays", dict)()
    except MemoryError:
        answer = {"error": NO_MEMORY}
    except (RuntimeError, ValueError) as error:
        # Of memory that it does not get LiteRT says nothing.
        answer = {"error": str(error).strip() or NO_MEMORY}
    else:
        np.savez(folder / "outputs.npz", *outputs, **arrays)
        answer = {**figures, "ragged": shapes}
    # Written last: a folder without it means that the process died.
    (folder / "answer.json").write_text(json.dumps(answer))


def together(calls):
    """An output of all calls in one array, and None; one after the other, and their shapes, where these differ."""
    shapes = [np.shape(call) for call in calls]
    if len(set(shapes)) == 1:
        return np.stack(calls), None
    return np.concatenate([np.reshape(call, -1) for call in calls]), shapes


def imported(path):
    """The module in a file, outside of any package."""
    spec = importlib.util.spec_from_file_location("runtime", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def latency(call, times, seconds, most=100):
    """Median milliseconds of a call: of those that made the outputs, but the first, and of more where these are few."""
    while not times or (len(times) < most and sum(times) < seconds):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main(sys.argv[1])
