"""LiteRT on the CPU: with XNNPACK, as apps run it, and without, as the reference."""

import importlib.util

from keraslayers.export.runtimes.child import run_in_child

LIMITS = ("int16x8 runs on built-in kernels alone, without XNNPACK",)


def available():
    """Returns "" where this runtime can run, else what to install."""
    if importlib.util.find_spec("ai_edge_litert"):
        return ""
    return "LiteRT is not installed: pip install ai-edge-litert"


def run(blob, graph, inputs):
    """Runs a file with XNNPACK on one thread."""
    return run_in_child("interpreter", blob, graph, inputs, options={"delegates": True, "threads": 1})[0]


def run_reference(blob, graph, inputs, *, plain=False):
    """Runs a file with LiteRT's built-in kernels alone: what the file means, by the code that defines it.

    With `plain` they are the reference kernels: loops without any optimization, slow in large files.
    """
    options = {"delegates": False, "threads": 1, "plain": plain}
    return run_in_child("interpreter", blob, graph, inputs, options=options)[0]
