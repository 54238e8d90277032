"""Rewrites of a .tflite file that leave its outputs unchanged and suit a runtime better; one kind a file.

A rewrite is a function from a graph of `file.edit` to the places that it changed, as `each` gives them. Its law: on
LiteRT's built-in kernels the file gives the same before and after; run again, it changes nothing; names, signatures,
quantization and metadata stay; and where the runtime refused or erred before, the file is PROVEN after.
"""

from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.fold_reshapes import fold_reshapes

__all__ = ["REWRITES", "each", "fold_reshapes"]


def _on_gpu(target, precision):
    return "gpu" in target.runtimes


# Name -> (function, whether a file of that precision for that target wants it), in the order in which they run: what
# takes operators apart comes before what looks at the parts.
REWRITES = {
    "fold_reshapes": (fold_reshapes, _on_gpu),
}
