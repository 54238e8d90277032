"""Runs the rewrites that a target and a precision want over a file."""

import functools

from keraslayers.export.file import edit
from keraslayers.export.file.graph import read_graph
from keraslayers.export.progress import step
from keraslayers.export.rewrites import REWRITES
from keraslayers.export.rewrites.fix_sizes import fix_sizes
from keraslayers.export.runtimes import cpu

# One rewrite may open the way for another; in graphs of the world two rounds were enough.
MOST_ROUNDS = 8


def rewrite(blob, target, precision, inputs=None, but=()):
    """Rewrites the bytes of a .tflite file.

    Args:
        blob: the file.
        target: a `Target`.
        precision: what it was made for.
        inputs: by input name an array of (calls, *shape), as the file wants it, from the app's world: they tell how
            large the file's numbers become, if a rewrite asks. Without them nothing is known of that.
        but: names of rewrites that come later.

    Returns:
        (the bytes, a dict by the rewrite's name of the places it changed: (operator, tensor) each). A file that
        nothing is to be changed of comes back as it is.

    Raises:
        ValueError: if it is no file that can be rewritten.
    """
    wanted = {
        name: function for name, (function, wants) in REWRITES.items() if name not in but and wants(target, precision)
    }
    if not wanted:
        return blob, {}
    file = edit.read(blob)
    if inputs is not None:
        file.ranges = _ranges(blob, file, inputs)
    fixed = fix_sizes(file, blob) if "gpu" in target.kinds or target.types else []
    done = {"fix_sizes": fixed} if fixed else {}
    for graph in file.entrances():
        for _ in range(MOST_ROUNDS):
            if not _round(graph, wanted, done):
                break
    if not done:
        return blob, {}
    file.sweep()
    return file.write(), done


def _ranges(blob, file, inputs):
    """The function that `File.ranges` is; the file runs when it is first asked, on LiteRT's built-in kernels."""

    @functools.cache
    def measured():
        with step("measuring how large the numbers become"):
            found = cpu.ranges(blob, read_graph(blob), inputs)
        return {file.tensors[number]: range_ for number, range_ in found.items() if number < len(file.tensors)}

    return lambda tensor: measured().get(tensor)


def _round(graph, wanted, done):
    changed = False
    for name, function in wanted.items():
        if places := function(graph):
            graph.sweep()
            done.setdefault(name, []).extend(places)
            changed = True
    return changed
