"""TensorFlow Lite for Microcontrollers: its own interpreter and reference kernels, in one block of memory.

It has no accelerator to leave operators to: it runs a file whole or refuses it.
"""

import dataclasses
import importlib.util
import re

from keraslayers.export.runtimes.child import run_in_child

# More memory than any microcontroller has, and the steps in which the interpreter hands it out.
MOST, GRAIN = 2**30, 16

LIMITS = ("float32, int8 and int16x8 alone: no weights of fewer bits than what it computes with",)


def available():
    """Returns "" where this runtime can run, else what to install."""
    if importlib.util.find_spec("tflite_micro"):
        return ""
    return "TensorFlow Lite for Microcontrollers is not installed: pip install 'keraslayers[micro]'"


def run(blob, graph, inputs):
    """Runs a file in the smallest arena it runs in. Pointers are of the host's size: a 32-bit device needs less."""
    outcome, said = run_in_child("micro", blob, graph, inputs, options={"most": MOST, "grain": GRAIN})
    if outcome.outputs is not None:
        return outcome
    return dataclasses.replace(
        outcome,
        reason=(outcome.reason if outcome.died else _own_words(said) or outcome.reason) + _remedy(graph),
        operators=graph.total,
    )


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
