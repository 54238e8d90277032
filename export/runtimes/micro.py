"""TensorFlow Lite for Microcontrollers: its own interpreter and reference kernels, in one block of memory.

It has no accelerator to leave operators to: it runs a file whole or refuses it.
"""

import dataclasses
import importlib.util
import os
import re
from pathlib import Path

# More memory than any microcontroller has, and the steps in which the interpreter hands it out.
MOST, GRAIN = 2**30, 16

LIMITS = ("float32, int8 and int16x8 alone: no weights of fewer bits than what it computes with",)
# 0 steps from the reference kernels were seen in int8, 1 in int16x8, over all layers and small models of the tests.
PLAIN = True
FLOATS = 32


def available():
    """Returns "" where this runtime can run, else what to install."""
    if importlib.util.find_spec("tflite_micro"):
        return ""
    return "TensorFlow Lite for Microcontrollers is not installed: pip install 'keraslayers[micro]'"


def run(blob, graph, inputs):
    """Runs a file in the smallest arena it runs in. Pointers are of the host's size: a 32-bit device needs less."""
    from keraslayers.export.runtimes.child import run_in_child

    outcome, said = run_in_child(__file__, blob, graph, inputs, options={"most": MOST, "grain": GRAIN})
    if outcome.outputs is not None:
        return outcome
    return dataclasses.replace(
        outcome,
        reason=(outcome.reason if outcome.died else _own_words(said) or outcome.reason) + _remedy(graph),
        operators=graph.total,
    )


def load(path, inputs, outputs, most, grain):
    """Loads a file, in the child; for the arguments and what is returned see `worker.py`."""
    from tflite_micro.python.tflite_micro import runtime

    blob = Path(path).read_bytes()
    size = smallest_arena(lambda size: runtime.Interpreter(blob, [], size), most, grain)
    # In the smallest arena, as a microcontroller runs it. Where none is enough, this one says why not.
    interpreter = runtime.Interpreter(blob, [], size or most)
    (main, *_) = runtime.convert_bytearray_to_object(blob).subgraphs
    place_in, place_out = list(main.inputs).index, list(main.outputs).index

    def call(values):
        for (_, index), value in zip(inputs, values, strict=True):
            interpreter.set_input(value, place_in(index))
        interpreter.invoke()
        return [interpreter.get_output(place_out(index)) for _, index, _, _ in outputs]

    return call, {"arena_bytes": size, "operators": len(main.operators), "device": "reference kernels, 1 thread"}


def smallest_arena(start, most, grain):
    """The least memory, a multiple of `grain` bytes, in which `start(size)` succeeds; None if `most` is not enough.

    A size that is too small may kill the process, so each is tried in a copy of it.
    """

    def enough(size):
        copy = os.fork()
        if copy == 0:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            failed = True
            try:
                start(size)
                failed = False
            finally:
                os._exit(failed)
        return os.waitpid(copy, 0)[1] == 0

    if not enough(most):
        return None
    low, high = 0, most // grain
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle * grain) else (middle, high)
    return high * grain


def _remedy(graph):
    """Which precision to take in place of one that it has no kernels for; empty if it is not that."""
    if graph.hybrid or "float16" in graph.weight_dtypes:
        return ". It computes with weights in float32, or with integers all through: export with precision='int8'"
    return ""


def _own_words(said):
    """Why it refused, which stands on stderr alone, without the paths of its sources."""
    if lacking := re.search(r"Didn't find op for builtin opcode '(\w+)'", said):
        return f"{lacking[0]}: write another layer in its place"
    lines = [re.sub(r"^tensorflow/lite/\S+ ", "", line.strip()) for line in said.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line))[:600]
