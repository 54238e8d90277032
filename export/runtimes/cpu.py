"""LiteRT on the CPU: with XNNPACK, as apps run it, and without, as the reference."""

import dataclasses
import importlib.util
from collections import Counter

import numpy as np

LIMITS = ("int16x8 runs on built-in kernels alone, without XNNPACK",)
PLAIN = False
FLOATS = 32


def available():
    """Returns "" where this runtime can run, else what to install."""
    if importlib.util.find_spec("ai_edge_litert"):
        return ""
    return "LiteRT is not installed: pip install ai-edge-litert"


def run(blob, graph, inputs, **elsewhere):
    """Runs a file with XNNPACK on one thread; `place` is where, by default here."""
    from keraslayers.export.runtimes.child import run_in_child

    return run_in_child(__file__, blob, graph, inputs, options={"delegates": True, "threads": 1}, **elsewhere)[0]


def run_reference(blob, graph, inputs, *, plain=False):
    """Runs a file with LiteRT's built-in kernels alone: what the file means, by the code that defines it.

    With `plain` they are the reference kernels: loops without any optimization, slow in large files.
    """
    from keraslayers.export.runtimes.child import run_in_child

    options = {"delegates": False, "threads": 1, "plain": plain}
    return run_in_child(__file__, blob, graph, inputs, timed=False, options=options)[0]


def shapes(blob, graph):
    """The shapes of the main graph's tensors by their numbers, when it is run: none if they depend on the values."""
    from keraslayers.export.runtimes.child import run_in_child

    # Of zeros and of ones: where a file looks for something, it finds another number of it.
    inputs = {t.name: np.stack([np.zeros(t.shape, t.dtype), np.ones(t.shape, t.dtype)]) for t in graph.inputs}
    options = {"delegates": False, "threads": 1, "shapes": True}
    first, second = run_in_child(__file__, blob, graph, inputs, timed=False, options=options)[0].shapes or ([], [])
    return first if first == second else []


def ranges(blob, graph, inputs):
    """By the numbers of the main graph's tensors of floats the (lowest, highest) number that each had; none if it died.

    Args:
        blob, graph, inputs: as for `run_reference`.
    """
    from keraslayers.export.runtimes.child import run_in_child

    options = {"delegates": False, "threads": 1, "ranges": True}
    found = run_in_child(__file__, blob, graph, inputs, timed=False, options=options)[0].ranges or {}
    return {int(number): tuple(range_) for number, range_ in found.items()}


def values(blob, graph, inputs, tensors):
    """What tensors of the main graph hold, wherever they stand in it, as `run_reference` gives what outputs hold.

    Args:
        blob, graph, inputs: as for `run_reference`.
        tensors: as those of `graph`.
    """
    from keraslayers.export.runtimes.child import run_in_child

    options = {"delegates": False, "threads": 1, "keep": True}
    graph = dataclasses.replace(graph, outputs=tuple(tensors))
    return run_in_child(__file__, blob, graph, inputs, timed=False, options=options)[0]


def load(path, inputs, outputs, delegates, threads, plain=False, shapes=False, ranges=False, keep=False):
    """Loads a file, in the child; for the arguments and what is returned see `worker.py`."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.AUTO if delegates else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    if plain:
        resolver = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(
        path,
        num_threads=threads,
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=bool(ranges or keep),
    )
    interpreter.allocate_tensors()

    def call(values):
        for (_, index), value in zip(inputs, values, strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        if shapes:
            found = [tensor["shape"].tolist() for tensor in interpreter.get_tensor_details()]
            figures.setdefault("shapes", []).append(found)
        if ranges:
            _widen(figures.setdefault("ranges", {}), interpreter, made)
        return [read(index) for _, index, _, _ in outputs]

    def read(index):
        found = interpreter._get_tensor_details(index, 0)
        # One without elements it does not give.
        return interpreter.get_tensor(index) if np.all(found["shape"]) else np.zeros(found["shape"], found["dtype"])

    nodes = interpreter._get_ops_details()
    pieces = [node for node in nodes if node["op_name"] == "DELEGATE"]
    nodes = [node for node in nodes if node["op_name"] != "DELEGATE"]
    made = [int(tensor) for node in nodes for tensor in node["outputs"]]
    inside = taken(nodes, pieces)
    names = {tensor["index"]: tensor["name"] for tensor in interpreter.get_tensor_details()}
    figures = {
        "operators": len(nodes),
        "delegated": len(inside),
        "left": dict(Counter(node["op_name"] for i, node in enumerate(nodes) if i not in inside)),
        "left_at": [[i, node["op_name"], _made(node, names)] for i, node in enumerate(nodes) if i not in inside],
        "partitions": len(pieces),
        "device": f"XNNPACK, {threads} thread" if delegates else "built-in kernels",
    }
    return call, figures


def _widen(ranges, interpreter, tensors):
    """Has ranges hold the numbers that tensors of floats have."""
    for tensor in tensors:
        detail = interpreter._get_tensor_details(tensor, 0)
        if detail["dtype"] != np.float32 or not np.all(detail["shape"]):
            continue
        values = interpreter.get_tensor(tensor)
        low, high = ranges.get(tensor, (np.inf, -np.inf))
        ranges[tensor] = min(low, float(values.min())), max(high, float(values.max()))


def _made(node, names):
    """The name of what a node computes; empty where it only changes a state."""
    return next((names[tensor] for tensor in node["outputs"]), "")


def taken(nodes, pieces):
    """Indices of the nodes inside the pieces: all that lies between a piece's outputs and its inputs."""
    maker = {tensor: i for i, node in enumerate(nodes) for tensor in node["outputs"]}
    inside = set()
    for piece in pieces:
        border = set(piece["inputs"])
        waiting = list(piece["outputs"])
        while waiting:
            tensor = waiting.pop()
            node = maker.get(tensor)
            if node is not None and node not in inside and tensor not in border:
                inside.add(node)
                waiting.extend(nodes[node]["inputs"])
    return inside
