"""Rewrites of a .tflite file that leave its outputs unchanged and suit a runtime better; one kind a file.

A rewrite is a function from a graph of `file.edit` to the places that it changed, as `each` gives them. Its law: on
LiteRT's built-in kernels the file gives the same before and after; run again, it changes nothing; names, signatures,
quantization and metadata stay; and where the runtime refused or erred before, the file is PROVEN after.
"""

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.align_constants import align_constants
from keraslayers.export.rewrites.drop_state import drop_state
from keraslayers.export.rewrites.fold_constants import fold_constants
from keraslayers.export.rewrites.fold_reshapes import fold_reshapes
from keraslayers.export.rewrites.inline_calls import inline_calls
from keraslayers.export.rewrites.multiply_matrices import multiply_matrices
from keraslayers.export.rewrites.spread_slopes import spread_slopes
from keraslayers.export.rewrites.unroll_loops import unroll_loops

__all__ = [
    "REWRITES",
    "align_constants",
    "drop_state",
    "each",
    "fold_constants",
    "fold_reshapes",
    "inline_calls",
    "multiply_matrices",
    "spread_slopes",
    "unroll_loops",
]


def _on_all(target, precision):
    return True


def _on_gpu(target, precision):
    return "gpu" in target.runtimes


# Name -> (function, whether a file of that precision for that target wants it), in the order in which they run: what
# takes operators apart comes before what looks at the parts.
REWRITES = {
    "inline_calls": (inline_calls, _on_gpu),
    "unroll_loops": (unroll_loops, _on_gpu),
    "drop_state": (drop_state, _on_all),
    "fold_constants": (fold_constants, _on_gpu),
    "align_constants": (align_constants, _on_gpu),
    "spread_slopes": (spread_slopes, _on_gpu),
    "multiply_matrices": (multiply_matrices, _on_gpu),
    "fold_reshapes": (fold_reshapes, _on_gpu),
}
