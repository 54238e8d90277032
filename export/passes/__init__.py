"""Rewrites of a Keras model that leave its outputs unchanged and suit a runtime better; one function a file."""

from keraslayers.export.passes.bound_by_samples import bound_by_samples
from keraslayers.export.passes.bound_deformable import bound_deformable
from keraslayers.export.passes.lower_average_pooling import lower_average_pooling
from keraslayers.export.passes.lower_group_normalization import lower_group_normalization
from keraslayers.export.passes.lower_hard_sigmoid import lower_hard_sigmoid
from keraslayers.export.passes.lower_hard_swish import lower_hard_swish
from keraslayers.export.passes.lower_relu import lower_relu
from keraslayers.export.passes.lower_subsampling import lower_subsampling
from keraslayers.export.passes.lower_up_sampling import lower_up_sampling
from keraslayers.export.passes.mix_kernels import mix_kernels
from keraslayers.export.passes.split_hard_swish import split_hard_swish

__all__ = [
    "PASSES",
    "bound_by_samples",
    "bound_deformable",
    "lower_average_pooling",
    "lower_group_normalization",
    "lower_hard_sigmoid",
    "lower_hard_swish",
    "lower_relu",
    "lower_subsampling",
    "lower_up_sampling",
    "mix_kernels",
    "split_hard_swish",
]


def _always(target, precision):
    return True


def _on_gpu(target, precision):
    return "gpu" in target.kinds


def _in_integers(target, precision):
    return precision in ("int8", "int16x8")


def _in_int8_on_cpu(target, precision):
    return precision == "int8" and "cpu" in target.kinds


def _without_hard_swish(target, precision):
    # No runtime has a kernel for 16 bits. For 8 bits microcontrollers have one.
    return precision == "int16x8" or _in_int8_on_cpu(target, precision)


def _in_floats_on_cpu(target, precision):
    return precision in ("float32", "float16") and target.kinds[0] == "cpu"


# Name -> (function, whether a file of that target and precision wants it), in the order in which they run: what splits
# layers up comes before what looks for the parts.
PASSES = {
    "bound_by_samples": (bound_by_samples, _in_integers),
    "bound_deformable": (
        bound_deformable,
        lambda target, precision: _in_integers(target, precision) or _on_gpu(target, precision),
    ),
    "mix_kernels": (mix_kernels, _in_floats_on_cpu),
    "split_hard_swish": (split_hard_swish, _without_hard_swish),
    "lower_hard_swish": (lower_hard_swish, _without_hard_swish),
    "lower_hard_sigmoid": (lower_hard_sigmoid, _in_floats_on_cpu),
    "lower_group_normalization": (lower_group_normalization, _on_gpu),
    "lower_up_sampling": (lower_up_sampling, _always),
    "lower_subsampling": (lower_subsampling, _always),
    "lower_average_pooling": (lower_average_pooling, _in_int8_on_cpu),
    "lower_relu": (lower_relu, _in_int8_on_cpu),
}
