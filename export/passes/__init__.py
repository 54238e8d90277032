"""Rewrites of a Keras model that leave its outputs unchanged and suit a runtime better; one function a file."""

from keraslayers.export.passes.bound_deformable import bound_deformable
from keraslayers.export.passes.lower_hard_swish import lower_hard_swish

__all__ = ["PASSES", "bound_deformable", "lower_hard_swish"]

# Name -> (function, whether a file of that target and precision wants it).
PASSES = {
    "bound_deformable": (
        bound_deformable,
        lambda target, precision: precision == "int8" or "gpu" in target.runtimes,
    ),
    "lower_hard_swish": (lower_hard_swish, lambda target, precision: precision == "int8"),
}
