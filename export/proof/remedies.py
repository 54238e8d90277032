"""What to write in place of an operator that a runtime fails on, where the operator is of the kind that it fails on."""

from dataclasses import dataclass, field

import numpy as np

# Of a concatenation the GPU has seen 25 parts right and 49 wrong.
_MOST_PARTS = 25
_SAME = 0  # padding, as the format numbers it


@dataclass(frozen=True, eq=False)
class Seen:
    """An operator with what a remedy depends on.

    Attributes:
        name: as the format calls it.
        options: what the format holds of it, under its own names; None where it holds nothing.
        inputs: indices of its inputs.
        shapes, dtypes: of its inputs.
        constants: by the place among its inputs the values of those that stand in the file as 32-bit integers; None
            of other constants.
        made_by: the operators that made its inputs; None of inputs of the model and of constants.
        outputs: shapes of its outputs.
    """

    name: str
    options: object
    inputs: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    outputs: tuple[tuple[int, ...], ...]
    constants: dict = field(default_factory=dict)
    made_by: tuple = ()


def remedy(runtime, seen):
    """What to write in place of an operator; empty where nothing is known of one of its kind.

    Args:
        runtime: that fails on it.
        seen: the operator.
    """
    return next(
        (
            words
            for names, applies, words in RULES.get(runtime, ())
            if (names is None or seen.name in names.split()) and applies(seen)
        ),
        "",
    )


def _always(seen):
    return True


def _many_axes(seen):
    return max(map(len, (*seen.shapes, *seen.outputs)), default=0) > 4


def _grouped(seen):
    return seen.shapes[0][-1] != seen.shapes[1][-1]


def _pointwise_with_strides(seen):
    return seen.shapes[1][1:3] == (1, 1) and max(seen.options.strideW, seen.options.strideH) > 1


def _kernel_computed(seen):
    return 1 not in seen.constants


def _gate_of_dense(seen):
    """Whether an image is multiplied with a vector of two axes, or with one that a Reshape gave those of an image."""
    vectors = [
        len(shape) == 2 or (maker is not None and maker.name == "RESHAPE" and len(maker.shapes[0]) == 2)
        for maker, shape in zip(seen.made_by, seen.shapes, strict=True)
    ]
    return any(vectors) and max(map(len, seen.shapes)) == 4


def _vector_of_integers(seen):
    return "int8" in seen.dtypes and any(np.prod(shape[1:]) == shape[-1] for shape in seen.shapes if shape)


def _behind_a_split(seen):
    return any(maker is not None and maker.name in ("SPLIT", "SPLIT_V") for maker in seen.made_by)


def _of_itself(seen):
    return seen.inputs[0] == seen.inputs[1]


def _takes_one(seen):
    return bool(seen.options.shrinkAxisMask)


def _adds_axes(seen):
    return bool(seen.options.newAxisMask)


def _backwards(seen):
    steps = seen.constants.get(3)
    return steps is not None and bool(np.any(steps < 0))


def _in_rows(seen):
    return len(seen.shapes[1]) != 1 or bool(seen.options.batchDims)


def _padded_same(seen):
    return seen.options.padding == _SAME


# By runtime (operators or None for any, whether the rule is about this one, what to write). The first that fits holds.
RULES = {
    "gpu": (
        (
            "BATCH_MATMUL",
            _of_itself,
            "multiply two different tensors: the product of a tensor with itself kills this runtime",
        ),
        (
            "ASSIGN_VARIABLE CALL_ONCE READ_VARIABLE VAR_HANDLE",
            _always,
            "take the state as an input and give it as an output, by `initial_state` and `return_state=True` in place "
            "of `stateful=True`: this runtime keeps none",
        ),
        (
            "WHILE",
            _always,
            "write `unroll=True` in LSTM, GRU and SimpleRNN, Python's `range` in code of one's own: this runtime has "
            "no loops",
        ),
        (
            "NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5",
            _always,
            "end the model with boxes and scores, and suppress in the app",
        ),
        ("CONV_3D", _always, "write Conv2D layers: this runtime has no convolution over three axes"),
        ("STRIDED_SLICE", _takes_one, "write x[:, i : i + 1] and a Reshape in place of x[:, i]"),
        ("STRIDED_SLICE", _adds_axes, "write a Reshape in place of an index None"),
        ("STRIDED_SLICE", _backwards, "write keras.ops.flip in place of a negative step"),
        (
            "TILE RESHAPE TRANSPOSE",
            _many_axes,
            "write tensors of four axes at most: ChannelShuffle for a shuffle, Resizing(interpolation='nearest') for "
            "repeated pixels",
        ),
        (None, _many_axes, "write tensors of four axes at most, the batch among them"),
        ("GATHER", lambda seen: seen.dtypes[1] == "int64", "write indices of int32: NumPy's are of int64"),
        ("GATHER", _in_rows, "write indices of one axis (a Reshape before and behind), or slices"),
        ("GATHER_ND SCATTER_ND", _always, "write slices, keras.ops.take along one axis, or a resampling layer"),
        ("LOCAL_RESPONSE_NORMALIZATION", _always, "write keraslayers.LocalResponseNormalization"),
        ("LOG_SOFTMAX", _always, "write the logarithm of a softmax"),
        ("BROADCAST_TO", _always, "write keras.ops.tile, or leave it to the sum or product that follows"),
        ("ADD_N", _always, "write sums of two, x + y + z"),
        ("TOPK_V2", _always, "leave it out of the model: sort in the app"),
        ("SPLIT SPLIT_V", _always, "write slices, x[..., a:b]"),
        ("PACK UNPACK", _always, "write slices and keras.ops.concatenate"),
        ("CONCATENATION", _behind_a_split, "write slices, x[..., a:b], in place of keras.ops.split before it"),
        (
            "CONCATENATION",
            lambda seen: len(seen.inputs) > _MOST_PARTS,
            "write concatenations of a few parts, and those joined",
        ),
        ("CUMSUM", _always, "write it along another axis than the last, or as a product with a triangle of ones"),
        ("LOGICAL_AND LOGICAL_OR", _always, "write products of zeros and ones"),
        ("RFFT2D REAL IMAG COMPLEX_ABS", _always, "leave it out of the model: transform in the app"),
        ("CONV_2D", _kernel_computed, "write a kernel that is constant"),
        (
            "CONV_2D",
            _grouped,
            "write channels per group that are a multiple of 4, or one Conv2D for each group instead",
        ),
        ("CONV_2D", _pointwise_with_strides, "write MaxPooling2D(1, strides) before a 1x1 convolution without any"),
        ("AVERAGE_POOL_2D", _padded_same, "write padding='valid', or GlobalAveragePooling2D"),
        (
            "MUL",
            _gate_of_dense,
            "write the weights of channels as 1x1 convolutions of GlobalAveragePooling2D(keepdims=True), as "
            "keraslayers.SqueezeExcite does",
        ),
        ("ADD", _vector_of_integers, "write x - (-y): sums of integers with a single pixel are wrong here"),
    )
}
