"""The child process of `timed.py`: `timed_worker.py FOLDER`. Imports neither keraslayers nor TensorFlow."""

import json
import random
import sys
import time
from pathlib import Path

import numpy as np

# Rounds of files that take long end after so many seconds, however few they are.
LONG = 120


def main(folder):
    folder = Path(folder)
    request = json.loads((folder / "request.json").read_text())
    calls, answers, kept, first = {}, [], {}, {}
    with np.load(folder / "inputs.npz", allow_pickle=False) as stored:
        for number, (count, kind) in enumerate(request["files"]):
            inputs = [stored[f"{number} {i}"] for i in range(count)]
            try:
                call, taken, outputs = loaded(folder / f"{number}.tflite", inputs)
            except (RuntimeError, ValueError) as error:
                answers.append(
                    {"taken": False, "outputs": 0, "reason": str(error).strip() or "LiteRT does not say why"}
                )
                continue
            place = first.setdefault((kind, taken), number)
            if place == number:
                calls[number] = call
            kept.update({f"{number} {i}": values for i, values in enumerate(outputs)})
            answers.append({"taken": taken, "outputs": len(outputs), "timed": place, "reason": ""})
    times = timed(calls, request["seconds"], request["rounds"])
    kept.update({f"times {number}": values for number, values in times.items()})
    np.savez(folder / "outputs.npz", **kept)
    # Written last: a folder without it means that the process died.
    (folder / "answer.json").write_text(json.dumps(answers))


def loaded(path, inputs):
    """(A function of nothing that runs a file, whether XNNPACK took it whole, what it gave for each call's inputs)."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    details, given = interpreter.get_input_details(), []
    for call in range(max((len(values) for values in inputs), default=1)):
        for detail, values in zip(details, inputs, strict=True):
            interpreter.set_tensor(detail["index"], values[call])
        interpreter.invoke()
        given.append([interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()])
    nodes = interpreter._get_ops_details()
    pieces = [node for node in nodes if node["op_name"] == "DELEGATE"]
    taken = len(pieces) == 1 and {*pieces[0]["outputs"]} >= {d["index"] for d in interpreter.get_output_details()}
    return interpreter.invoke, taken, [np.stack(values) for values in zip(*given, strict=True)]


def timed(calls, seconds, rounds):
    """By number milliseconds of calls, in rounds of all in another order each; so many at least, if none is long."""
    times = {number: [] for number in calls}
    order, shuffle = list(calls), random.Random(0).shuffle
    begin, done = time.perf_counter(), 0
    while order and (not done or time.perf_counter() - begin < (LONG if done < rounds else seconds)):
        shuffle(order)
        for number in order:
            call = calls[number]
            call()  # so that what it reads is near
            # Of the thread: under a limit of its time the system tells that of a process in steps of milliseconds.
            before = time.thread_time()
            call()
            times[number].append(1000 * (time.thread_time() - before))
        done += 1
    return times


if __name__ == "__main__":
    main(sys.argv[1])
