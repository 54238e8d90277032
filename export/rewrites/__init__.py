"""Rewrites of a .tflite file that leave its outputs unchanged and suit a runtime better; one kind a file.

A rewrite is a function from a graph of `file.edit` to the places that it changed, as `each` gives them. Its law: on
LiteRT's built-in kernels the file gives the same before and after; run again, it changes nothing; names, signatures,
quantization and metadata stay; and where the runtime refused or erred before, the file is PROVEN after.
"""

from keraslayers.export import runtimes
from keraslayers.export.precisions import INTEGER
from keraslayers.export.rewrites._each import each
from keraslayers.export.rewrites.align_constants import align_constants
from keraslayers.export.rewrites.align_integers import align_integers
from keraslayers.export.rewrites.align_ranks import align_ranks
from keraslayers.export.rewrites.align_selection import align_selection
from keraslayers.export.rewrites.average_sums import average_sums
from keraslayers.export.rewrites.bound_masks import bound_masks
from keraslayers.export.rewrites.cast_borders import cast_borders
from keraslayers.export.rewrites.center_normalization import center_normalization
from keraslayers.export.rewrites.copy_outputs import copy_outputs
from keraslayers.export.rewrites.crop_transposed import crop_transposed
from keraslayers.export.rewrites.dilate_convolutions import dilate_convolutions
from keraslayers.export.rewrites.drop_clamps import drop_clamps
from keraslayers.export.rewrites.drop_slopes import drop_slopes
from keraslayers.export.rewrites.drop_state import drop_state
from keraslayers.export.rewrites.drop_terms import drop_terms
from keraslayers.export.rewrites.fill_groups import fill_groups
from keraslayers.export.rewrites.flatten_biases import flatten_biases
from keraslayers.export.rewrites.fold_affine import fold_affine
from keraslayers.export.rewrites.fold_constants import fold_constants
from keraslayers.export.rewrites.fold_gamma import fold_gamma
from keraslayers.export.rewrites.fold_patches import fold_patches
from keraslayers.export.rewrites.fold_reshapes import fold_reshapes
from keraslayers.export.rewrites.inline_branches import inline_branches
from keraslayers.export.rewrites.join_in_floats import join_in_floats
from keraslayers.export.rewrites.keep_padding import keep_padding
from keraslayers.export.rewrites.lower_add_n import lower_add_n
from keraslayers.export.rewrites.lower_arg_min import lower_arg_min
from keraslayers.export.rewrites.lower_average_pooling import lower_average_pooling
from keraslayers.export.rewrites.lower_broadcast import lower_broadcast
from keraslayers.export.rewrites.lower_convolution_3d import lower_convolution_3d
from keraslayers.export.rewrites.lower_dense import lower_dense
from keraslayers.export.rewrites.lower_fourier import lower_fourier
from keraslayers.export.rewrites.lower_gather import lower_gather
from keraslayers.export.rewrites.lower_hard_swish import lower_hard_swish
from keraslayers.export.rewrites.lower_indices import lower_indices
from keraslayers.export.rewrites.lower_normalization import lower_normalization
from keraslayers.export.rewrites.lower_one_hot import lower_one_hot
from keraslayers.export.rewrites.lower_pack import lower_pack
from keraslayers.export.rewrites.lower_pad import lower_pad
from keraslayers.export.rewrites.lower_relu import lower_relu
from keraslayers.export.rewrites.lower_relu_0_to_1 import lower_relu_0_to_1
from keraslayers.export.rewrites.lower_reshapes import lower_reshapes
from keraslayers.export.rewrites.lower_reverse import lower_reverse
from keraslayers.export.rewrites.lower_scatter import lower_scatter
from keraslayers.export.rewrites.lower_split import lower_split
from keraslayers.export.rewrites.lower_sums import lower_sums
from keraslayers.export.rewrites.merge_branches import merge_branches
from keraslayers.export.rewrites.merge_groups import merge_groups
from keraslayers.export.rewrites.merge_pixels import merge_pixels
from keraslayers.export.rewrites.multiply_matrices import multiply_matrices
from keraslayers.export.rewrites.narrow_axis import narrow_axis
from keraslayers.export.rewrites.narrow_borders import narrow_borders
from keraslayers.export.rewrites.narrow_elementwise import narrow_elementwise
from keraslayers.export.rewrites.narrow_integers import narrow_integers
from keraslayers.export.rewrites.narrow_pad import narrow_pad
from keraslayers.export.rewrites.narrow_products import narrow_products
from keraslayers.export.rewrites.narrow_reduction import narrow_reduction
from keraslayers.export.rewrites.narrow_slice import narrow_slice
from keraslayers.export.rewrites.narrow_transpose import narrow_transpose
from keraslayers.export.rewrites.nest_concatenations import nest_concatenations
from keraslayers.export.rewrites.nest_sums import nest_sums
from keraslayers.export.rewrites.pad_classes import pad_classes
from keraslayers.export.rewrites.pad_integers import pad_integers
from keraslayers.export.rewrites.part_factors import part_factors
from keraslayers.export.rewrites.part_kernels import part_kernels
from keraslayers.export.rewrites.part_transposes import part_transposes
from keraslayers.export.rewrites.part_twins import part_twins
from keraslayers.export.rewrites.pool_maxima import pool_maxima
from keraslayers.export.rewrites.repeat_channels import repeat_channels
from keraslayers.export.rewrites.scale_before_product import scale_before_product
from keraslayers.export.rewrites.scale_squares import scale_squares
from keraslayers.export.rewrites.shift_exponentials import shift_exponentials
from keraslayers.export.rewrites.split_transposed_relu import split_transposed_relu
from keraslayers.export.rewrites.spread_slopes import spread_slopes
from keraslayers.export.rewrites.subsample_pointwise import subsample_pointwise
from keraslayers.export.rewrites.turn_products import turn_products
from keraslayers.export.rewrites.unroll_loops import unroll_loops
from keraslayers.export.rewrites.widen_pointwise import widen_pointwise

__all__ = [
    "REWRITES",
    "align_constants",
    "align_integers",
    "align_ranks",
    "align_selection",
    "average_sums",
    "bound_masks",
    "cast_borders",
    "center_normalization",
    "copy_outputs",
    "crop_transposed",
    "dilate_convolutions",
    "drop_clamps",
    "drop_slopes",
    "drop_state",
    "drop_terms",
    "each",
    "fill_groups",
    "flatten_biases",
    "fold_affine",
    "fold_constants",
    "fold_gamma",
    "fold_patches",
    "fold_reshapes",
    "inline_branches",
    "join_in_floats",
    "keep_padding",
    "lower_add_n",
    "lower_arg_min",
    "lower_average_pooling",
    "lower_broadcast",
    "lower_convolution_3d",
    "lower_dense",
    "lower_fourier",
    "lower_gather",
    "lower_hard_swish",
    "lower_indices",
    "lower_normalization",
    "lower_one_hot",
    "lower_pack",
    "lower_pad",
    "lower_relu",
    "lower_relu_0_to_1",
    "lower_reshapes",
    "lower_reverse",
    "lower_scatter",
    "lower_split",
    "lower_sums",
    "merge_branches",
    "merge_groups",
    "merge_pixels",
    "multiply_matrices",
    "narrow_axis",
    "narrow_borders",
    "narrow_elementwise",
    "narrow_integers",
    "narrow_pad",
    "narrow_products",
    "narrow_reduction",
    "narrow_slice",
    "narrow_transpose",
    "nest_concatenations",
    "nest_sums",
    "pad_classes",
    "pad_integers",
    "part_factors",
    "part_kernels",
    "part_transposes",
    "part_twins",
    "pool_maxima",
    "repeat_channels",
    "scale_before_product",
    "scale_squares",
    "shift_exponentials",
    "split_transposed_relu",
    "spread_slopes",
    "subsample_pointwise",
    "turn_products",
    "unroll_loops",
    "widen_pointwise",
]


def _on_all(target, precision):
    return True


def _on_cpu(target, precision):
    return "cpu" in target.kinds


def _on_gpu(target, precision):
    return "gpu" in target.kinds and precision != "int16x8"  # of which it has no kernels


def _on_phones(target, precision):
    return "cpu" in target.kinds or "gpu" in target.kinds


def _in_16_bits(target, precision):
    """Phones' GPUs compute in floats whatever the precision, and in those of 16 bits unless the app asks for 32."""
    return any(runtimes.of(runtime).FLOATS == 16 for runtime in target.runtimes) and precision != "int16x8"


def _in_pages(target, precision):
    return target.types is not None


def _on_web_gpu(target, precision):
    return "browser-gpu" in target.runtimes


def _for_xnnpack(target, precision):
    """What makes XNNPACK faster and GPUs a little slower: where it comes first, and of integers, which are for it."""
    return target.kinds[0] in ("cpu", "browser") or (_on_cpu(target, precision) and precision in INTEGER)


def _on_gpu_or_in_pages(target, precision):
    return _on_gpu(target, precision) or _in_pages(target, precision)


def _without_loops(target, precision):
    """GPUs have none, and the converter's quantizer dies of them."""
    return _on_gpu(target, precision) or precision in INTEGER


# Name -> (function, whether a file of that precision for that target wants it), in the order in which they run: what
# takes operators apart comes before what looks at the parts.
REWRITES = {
    "flatten_biases": (flatten_biases, _on_all),
    "inline_branches": (inline_branches, _without_loops),
    "unroll_loops": (unroll_loops, _without_loops),
    "drop_state": (drop_state, _on_all),
    "join_in_floats": (join_in_floats, _on_all),
    "lower_convolution_3d": (lower_convolution_3d, _on_phones),
    "cast_borders": (cast_borders, _in_pages),
    "narrow_borders": (narrow_borders, _on_gpu),
    "fold_constants": (fold_constants, _without_loops),
    "merge_branches": (merge_branches, _on_all),
    "turn_products": (turn_products, _on_all),
    "fold_affine": (fold_affine, _on_all),
    "narrow_integers": (narrow_integers, _on_gpu),
    "lower_reshapes": (lower_reshapes, _on_gpu),
    "lower_indices": (lower_indices, _on_gpu),
    "lower_reverse": (lower_reverse, _on_gpu),
    "lower_split": (lower_split, _on_gpu),
    "lower_pack": (lower_pack, _on_gpu),
    "lower_gather": (lower_gather, _on_gpu),
    "lower_scatter": (lower_scatter, _on_gpu),
    "lower_one_hot": (lower_one_hot, _on_gpu),
    "lower_broadcast": (lower_broadcast, _on_gpu),
    "align_selection": (align_selection, _on_gpu),
    "merge_pixels": (merge_pixels, _on_gpu),
    "narrow_transpose": (narrow_transpose, _on_gpu),
    "narrow_elementwise": (narrow_elementwise, _on_gpu),
    "narrow_reduction": (narrow_reduction, _on_gpu),
    "narrow_slice": (narrow_slice, _on_gpu),
    "narrow_axis": (narrow_axis, _on_gpu),
    "narrow_pad": (narrow_pad, _on_gpu),
    "narrow_products": (narrow_products, _on_gpu),
    "split_transposed_relu": (split_transposed_relu, _on_gpu),
    "crop_transposed": (crop_transposed, _on_gpu),
    "keep_padding": (keep_padding, _on_gpu),
    "pool_maxima": (pool_maxima, _on_gpu),
    "subsample_pointwise": (subsample_pointwise, _on_gpu),
    "widen_pointwise": (widen_pointwise, _on_gpu),
    "merge_groups": (merge_groups, _on_gpu),
    "part_twins": (part_twins, _on_gpu),
    "align_integers": (align_integers, _on_gpu),
    "align_ranks": (align_ranks, _on_gpu),
    "pad_integers": (pad_integers, _on_gpu),
    "dilate_convolutions": (dilate_convolutions, _on_all),
    "lower_fourier": (lower_fourier, _on_gpu),
    "lower_add_n": (lower_add_n, _on_gpu),
    "lower_arg_min": (lower_arg_min, _on_gpu),
    "pad_classes": (pad_classes, _on_gpu),
    "repeat_channels": (repeat_channels, _for_xnnpack),
    "fill_groups": (fill_groups, _for_xnnpack),
    "fold_patches": (fold_patches, _for_xnnpack),
    "part_kernels": (part_kernels, _for_xnnpack),
    "part_transposes": (part_transposes, _for_xnnpack),
    "drop_clamps": (drop_clamps, _on_cpu),
    "lower_relu_0_to_1": (lower_relu_0_to_1, _on_gpu),
    "lower_dense": (lower_dense, _on_gpu),
    "lower_pad": (lower_pad, _on_gpu),
    "lower_sums": (lower_sums, _on_gpu),
    "lower_normalization": (lower_normalization, _on_gpu),
    "average_sums": (average_sums, _in_16_bits),
    "center_normalization": (center_normalization, _on_all),
    "fold_gamma": (fold_gamma, _on_all),
    "scale_squares": (scale_squares, _in_16_bits),
    "shift_exponentials": (shift_exponentials, _in_16_bits),
    "scale_before_product": (scale_before_product, _in_16_bits),
    "bound_masks": (bound_masks, _in_16_bits),
    "part_factors": (part_factors, _in_16_bits),
    "align_constants": (align_constants, _on_gpu),
    "spread_slopes": (spread_slopes, _on_gpu),
    "lower_relu": (lower_relu, _on_cpu),
    "lower_hard_swish": (lower_hard_swish, _on_cpu),
    "lower_average_pooling": (lower_average_pooling, _on_cpu),
    "drop_terms": (drop_terms, _on_cpu),
    "drop_slopes": (drop_slopes, _on_all),
    "nest_concatenations": (nest_concatenations, _on_cpu),
    "nest_sums": (nest_sums, _on_web_gpu),
    "multiply_matrices": (multiply_matrices, _on_gpu),
    "fold_reshapes": (fold_reshapes, _on_gpu),
    "copy_outputs": (copy_outputs, _on_gpu_or_in_pages),
}
