"""Rewrites of a .tflite file that leave its outputs unchanged and suit a runtime better; one kind a file.

A rewrite is a function from a graph of `file.edit` to the places that it changed, as `each` gives them. Its law: on
LiteRT's built-in kernels the file gives the same before and after; run again, it changes nothing; names, signatures,
quantization and metadata stay; and where the runtime refused or erred before, the file is PROVEN after.
"""

from keraslayers.export.precisions import INTEGER
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.drop_state import drop_state
from keraslayers.export.rewrites.fold_constants import fold_constants
from keraslayers.export.rewrites.fold_reshapes import fold_reshapes
from keraslayers.export.rewrites.inline_branches import inline_branches
from keraslayers.export.rewrites.unroll_loops import unroll_loops

__all__ = ["REWRITES", "drop_state", "each", "fold_constants", "fold_reshapes", "inline_branches", "unroll_loops"]


def _on_all(target, precision):
    return True


def _on_gpu(target, precision):
    return "gpu" in target.runtimes


def _without_loops(target, precision):
    """GPUs have none, and the converter's quantizer dies of them."""
    return _on_gpu(target, precision) or precision in INTEGER


# Name -> (function, whether a file of that precision for that target wants it), in the order in which they run: what
# takes operators apart comes before what looks at the parts.
REWRITES = {
    "inline_branches": (inline_branches, _without_loops),
    "unroll_loops": (unroll_loops, _without_loops),
    "drop_state": (drop_state, _on_all),
    "fold_constants": (fold_constants, _without_loops),
    "fold_reshapes": (fold_reshapes, _on_gpu),
}
