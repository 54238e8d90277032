"""Rewrites of a Keras model that leave its outputs unchanged and suit a runtime better; one function a file."""

from keraslayers.export.passes.lower_hard_swish import lower_hard_swish

__all__ = ["PASSES", "lower_hard_swish"]

# Name -> (function, whether a file of that target and precision wants it).
PASSES = {
    "lower_hard_swish": (lower_hard_swish, lambda target, precision: precision == "int8"),
}
