"""One row a layer and a way of using it; every row meets every law in test_layers.py."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np

import keraslayers
from tests import oracles, oracles_tokens


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is fed to whom with which options, and who judges it. Shapes leave out the batch."""

    name: str
    options: dict
    input_shape: tuple
    # (inputs, list of weights, options) -> outputs, all numpy.
    oracle: Callable
    # Inputs at which the slope jumps: values are compared there, numeric gradients keep away from them.
    kinks: tuple = ()
    # Moves or clips values without arithmetic, so that it is exact in every dtype.
    exact: bool = False
    # Of a convolution of channels_first: makes Keras's own, of a kernel size. Not every backend has all of them.
    # TensorFlow on a CPU has no gradient in float64 (a test holds it to channels_last's), on some CPUs no float16.
    stock: Callable | None = None
    # The output shape where it is not the input's.
    output_shape: tuple | None = None
    # How many products an output adds up: roundings grow with the square root of it.
    terms: int = 1

    def inputs(self, batch=2, shape=None):
        """Normal inputs of scale 4, with every kink and two values far outside among them."""
        x = 4 * np.random.default_rng(0).normal(size=(batch, *(shape or self.input_shape)))
        if self.kinks:
            planted = (*self.kinks, -20.0, 20.0)
            x.flat[: len(planted)] = planted
        return x.astype("float32")

    def outputs_shape(self, batch=2):
        return (batch, *(self.output_shape or self.input_shape))


@dataclass(frozen=True, kw_only=True)
class Case(Row):
    """A layer class, made with `options`."""

    layer: type
    # How many weights the layer makes, all of them trainable.
    weights: int = 0
    # The axis, without the batch, whose size must be known; None if none must.
    channel_axis: int | None = -1
    # Hands a mask on.
    masks: bool = False
    # Whether an int8 file keeps the numbers.
    int8: bool = True
    # The size of its random weights.
    weight_scale: float = 1.0
    # The least signal over error of an int8 file, in decibels.
    int8_db: float = 24
    # Its options fit one height and width alone.
    fixed_size: bool = False
    # Height and width must be known.
    known_size: bool = False
    # The public layers that a layer of the tests is made of.
    parts: tuple = ()
    # By precision, why XNNPACK leaves operators of a file on the CPU to LiteRT's built-in kernels.
    left_out: dict = field(default_factory=dict)

    def make(self, **more):
        return self.layer(**self.options, **more)


@dataclass(frozen=True, kw_only=True)
class Function(Row):
    """A public function of a tensor, called with `options`."""

    function: Callable
    # Makes the further tensors of the inputs; the oracle does so itself.
    more: Callable = lambda x: ()

    def __call__(self, x):
        return self.function(x, *self.more(x), **self.options)


IMAGE = (4, 5, 6)
FIRST = (6, 4, 5)

CONV2D = functools.partial(keras.layers.Conv2D, 4)

# Where each formula of the hard sigmoid begins and ends.
HARD_SIGMOID_KINKS = {"mobilenet": (-3.0, 3.0), "keras2": (-2.5, 2.5), "binarynet": (-1.0, 1.0)}


def _activation(layer, oracle, name, kinks, input_shape=IMAGE, exact=False, **options):
    return Case(
        name=name,
        layer=layer,
        options=options,
        input_shape=input_shape,
        oracle=oracle,
        kinks=kinks,
        channel_axis=None,
        exact=exact,
        masks=True,
    )


def _shuffle(name, input_shape=IMAGE, channel_axis=-1, **options):
    return Case(
        name=f"channel_shuffle_{name}",
        layer=keraslayers.ChannelShuffle,
        options=options,
        input_shape=input_shape,
        oracle=oracles.channel_shuffle,
        channel_axis=channel_axis,
        exact=True,
        masks=True,
    )


def _squeeze_excite(name, input_shape=(3, 4, 8), channel_axis=-1, **options):
    return Case(
        name=name,
        layer=keraslayers.SqueezeExcite,
        options=options,
        input_shape=input_shape,
        oracle=oracles.squeeze_excite,
        channel_axis=channel_axis,
        weights=4,
    )


def _padded(name, output_shape, input_shape=(4, 5, 4), channel_axis=-1, **options):
    options = {"filters": 4, "kernel_size": (3, 3), **options}
    return Case(
        name=f"padded_{name}",
        layer=keraslayers.PaddedConv2D,
        options=options,
        input_shape=input_shape,
        output_shape=output_shape,
        oracle=oracles.padded_conv2d,
        channel_axis=channel_axis,
        weights=1 + options.get("use_bias", True),
        terms=math.prod(options["kernel_size"]) * input_shape[channel_axis],
        stock=CONV2D if "data_format" in options else None,
    )


def _image_kernel(name, output_shape=None, input_shape=(4, 5, 3), channel_axis=-1, **options):
    return Case(
        name=f"image_kernel_{name}",
        layer=keraslayers.ImageKernel2D,
        options=options,
        input_shape=input_shape,
        output_shape=output_shape,
        oracle=oracles.image_kernel,
        channel_axis=channel_axis,
        terms=9,
        stock=keras.layers.DepthwiseConv2D if "data_format" in options else None,
    )


def _separable(name, output_shape, input_shape=(4, 5, 3), channel_axis=-1, **options):
    options = {"filters": 4, "kernel_size": (3, 2), **options}
    return Case(
        name=f"separable_{name}",
        layer=keraslayers.SpatialSeparableConv2D,
        options=options,
        input_shape=input_shape,
        output_shape=output_shape,
        oracle=oracles.spatial_separable,
        channel_axis=channel_axis,
        weights=2 + options.get("use_bias", True),
        # The second convolution adds up 8 sums of 9.
        terms=72,
        stock=CONV2D if "data_format" in options else None,
    )


def _dynamic(name, output_shape, input_shape=(4, 5, 8), channel_axis=-1, **options):
    options = {"filters": 4, "kernel_size": (3, 3), "reduction": 2, **options}
    squeezes = options.get("routing", "softmax") == "softmax"
    return Case(
        name=f"dynamic_{name}",
        layer=keraslayers.DynamicConv2D,
        options=options,
        input_shape=input_shape,
        output_shape=output_shape,
        oracle=oracles.dynamic_conv2d,
        channel_axis=channel_axis,
        weights=1 + options.get("use_bias", True) + (4 if squeezes else 2),
        # Those of the window, of each kernel.
        terms=options.get("num_kernels", 4) * math.prod(options["kernel_size"]) * input_shape[channel_axis],
        stock=CONV2D if "data_format" in options else None,
    )


def _local_response(name, input_shape=IMAGE, channel_axis=-1, **options):
    return Case(
        name=f"local_response_{name}",
        layer=keraslayers.LocalResponseNormalization,
        options=options,
        input_shape=input_shape,
        oracle=oracles.local_response_normalization,
        channel_axis=channel_axis,
        left_out={"int8": "XNNPACK has no int8 LOG, EXP and MAXIMUM"},
        masks=True,
    )


def _maxout(name, output_shape, input_shape=IMAGE, channel_axis=-1, **options):
    return Case(
        name=f"maxout_{name}",
        layer=keraslayers.Maxout,
        options=options,
        input_shape=input_shape,
        output_shape=output_shape,
        oracle=oracles.maxout,
        channel_axis=channel_axis,
        exact=True,
        masks=True,
    )


@keras.saving.register_keras_serializable("tests")
class PooledAndBack(keras.layers.Layer):
    """Max pooling and unpooling: both layers have a pair on one side, the laws want one tensor on either."""

    def __init__(self, pool_size, output_size=None, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.pool = keraslayers.MaxPoolWithIndices2D(pool_size, data_format=data_format, dtype=self.dtype_policy)
        self.unpool = keraslayers.MaxUnpool2D(
            pool_size, output_size=output_size, data_format=data_format, dtype=self.dtype_policy
        )

    def build(self, input_shape):
        self.pool.build(input_shape)
        self.unpool.build(self.pool.compute_output_shape(input_shape))

    def call(self, inputs):
        pooled, indices = self.pool(inputs)
        return self.unpool([pooled, indices])

    def compute_output_shape(self, input_shape):
        return self.unpool.compute_output_shape(self.pool.compute_output_shape(input_shape))

    def get_config(self):
        return {
            **super().get_config(),
            "pool_size": self.pool.pool_size,
            "output_size": self.unpool.output_size,
            "data_format": self.pool.data_format,
        }


def _pooled(name, output_shape, input_shape, channel_axis=-1, **options):
    return Case(
        name=f"pooled_{name}",
        layer=PooledAndBack,
        options=options,
        input_shape=input_shape,
        output_shape=output_shape,
        oracle=oracles.pooled_and_back,
        channel_axis=channel_axis,
        fixed_size="output_size" in options,
        parts=(keraslayers.MaxPoolWithIndices2D, keraslayers.MaxUnpool2D),
        exact=True,
        # Two maxima within a step are one in int8, and the value may come back to the wrong place.
        int8_db=10,
        left_out=dict.fromkeys(("float32", "int8"), "XNNPACK has neither comparisons nor 32-bit integers"),
    )


NEAREST = "XNNPACK has no RESIZE_NEAREST_NEIGHBOR"


def _resample(name, output_shape, reason="", input_shape=IMAGE, **options):
    return Case(
        name=f"resample_{name}",
        layer=keraslayers.Resample2D,
        options=options,
        input_shape=input_shape,
        output_shape=output_shape,
        oracle=oracles.resample_2d,
        channel_axis=None,
        exact=options.get("method") == "nearest",
        terms=4,  # without antialiasing; with it the weights of more still add up to one
        left_out=dict.fromkeys(("float32", "int8"), reason) if reason else {},
    )


def _soft_argmax(name, input_shape=IMAGE, channel_axis=-1, **options):
    return Case(
        name=f"soft_argmax_{name}",
        layer=keraslayers.SoftArgmax,
        options=options,
        input_shape=input_shape,
        output_shape=(input_shape[channel_axis], 2),
        oracle=oracles.soft_argmax,
        channel_axis=channel_axis,
        terms=20,
    )


def _table(name, input_shape=IMAGE, **options):
    return Case(
        name=f"table_{name}",
        layer=keraslayers.TableActivation,
        options=options,
        input_shape=input_shape,
        oracle=oracles.table_activation,
        # The table's ends; other entries are met by no input.
        kinks=(options.get("low", -8.0), options.get("high", 8.0)),
        channel_axis=None,
        left_out=dict.fromkeys(("float32", "int8"), "XNNPACK has no GATHER"),
        masks=True,
    )


def _left_out_of_deformable(options):
    reach = options.get("max_offset")
    if reach is None:
        return {"float32": "XNNPACK has no GATHER"}
    if max(options.get("strides", (1, 1))) > 1:
        return dict.fromkeys(("float32", "int8"), "XNNPACK has no slices with strides")
    return {}


def _deformable(name, output_shape, input_shape=(4, 5, 4), channel_axis=-1, **options):
    options = {"filters": 4, "kernel_size": (3, 3), "padding": "same", **options}
    return Case(
        name=f"deformable_{name}",
        layer=keraslayers.DeformableConv2D,
        options=options,
        input_shape=input_shape,
        output_shape=output_shape,
        oracle=oracles.deformable_conv2d,
        channel_axis=channel_axis,
        weights=3 + options.get("use_bias", True),
        weight_scale=0.1,  # of offsets that are about two pixels long
        terms=math.prod(options["kernel_size"]) * input_shape[channel_axis],
        # Free offsets an int8 file bounds by the samples, most of these farther than the GPU computes: test_deformable.
        int8="max_offset" in options,
        int8_db=22,  # measured: 23.9 and more
        left_out=_left_out_of_deformable(options),
    )


CASES = [
    _activation(keraslayers.HardSigmoid, oracles.hard_sigmoid, "hard_sigmoid", (-3.0, 3.0)),
    *(
        _activation(keraslayers.HardSigmoid, oracles.hard_sigmoid, f"hard_sigmoid_{variant}", kinks, variant=variant)
        for variant, kinks in HARD_SIGMOID_KINKS.items()
    ),
    _activation(keraslayers.HardSigmoid, oracles.hard_sigmoid, "hard_sigmoid_vector", (-3.0, 3.0), (7,)),
    _activation(keraslayers.HardSwish, oracles.hard_swish, "hard_swish", (-3.0, 3.0)),
    _activation(keraslayers.AuxiliaryOutput, oracles.identity, "auxiliary_output", (), exact=True),
    _activation(keraslayers.HardTanh, oracles.hard_tanh, "hard_tanh", (-1.0, 1.0), exact=True),
    _activation(keraslayers.ReLU6, oracles.relu6, "relu6", (0.0, 6.0), exact=True),
    _shuffle("2", groups=2),
    _shuffle("3", groups=3),
    _shuffle("4", (4, 5, 12), groups=4),
    _shuffle("one_group", groups=1),
    _shuffle("all_groups", groups=6),
    _shuffle("first", FIRST, 0, groups=3, data_format="channels_first"),
    _shuffle("sequence", (5, 6), groups=2),
    _shuffle("vector", (12,), groups=3),
    _shuffle("vector_first", (12,), 0, groups=3, data_format="channels_first"),
    # LiteRT's GPU accelerator takes tensors of four axes at most.
    _shuffle("volume", (2, 3, 2, 6), groups=2),
    _squeeze_excite("squeeze_excite"),
    _squeeze_excite("squeeze_excite_ratio", ratio=0.5),
    _squeeze_excite("squeeze_excite_to_one", ratio=1 / 16),
    _squeeze_excite("squeeze_excite_mobilenet_v3", squeeze_filters=3, gate_activation="hard_sigmoid"),
    _squeeze_excite("squeeze_excite_first", (8, 3, 4), 0, squeeze_filters=3, data_format="channels_first"),
    _padded("valid", (2, 3, 4)),
    _padded("same", (2, 5, 4), padding="same", strides=(2, 1)),
    _padded("full", (6, 7, 4), padding="full"),
    _padded("pairs", (3, 3, 4), padding=((1, 0), (2, 1)), strides=(1, 2)),
    _padded("reflect", (4, 5, 4), padding="same", padding_mode="reflect", activation="relu", use_bias=False),
    _padded("reflect_far", (7, 8, 4), padding=((3, 2), (2, 3)), padding_mode="reflect"),
    _padded("reflect_strides", (2, 2, 4), padding="same", padding_mode="reflect", kernel_size=(3, 2), strides=(2, 3)),
    _padded("symmetric", (4, 8, 4), padding=((1, 1), (2, 3)), padding_mode="symmetric"),
    _padded("edge_full", (8, 7, 4), padding="full", padding_mode="edge", dilation_rate=(2, 1)),
    _padded("edge_far", (3, 19, 4), padding=((0, 1), (8, 8)), padding_mode="edge"),
    _padded("edge_strides", (3, 2, 4), (5, 4, 4), padding="same", padding_mode="edge", strides=(2, 2)),
    _padded("groups", (4, 5, 8), (4, 5, 8), filters=8, groups=2, padding="same", padding_mode="edge"),
    # As wide as it has filters, so that a bias by column would do, too.
    _padded("first", (4, 5, 4), (4, 5, 4), 0, padding="same", padding_mode="reflect", data_format="channels_first"),
]

RIDGE = [[0.5, -1.0], [2.0, 0.25], [-3.0, 1.0]]

CASES += [
    *(
        _image_kernel(name, kernel=name)
        for name in ("edge_cross", "edge_laplace", "sharpen", "box_blur", "gaussian_blur", "sobel_x", "sobel_y")
    ),
    _image_kernel("identity", (3, 4, 3), kernel="identity", padding=((1, 0), (0, 1)), padding_mode="edge"),
    _image_kernel("numbers", kernel=RIDGE),
    _image_kernel("flip", kernel=RIDGE, padding_mode="reflect", flip=True),
    _image_kernel("valid", (2, 3, 3), kernel="sobel_x", padding="valid", flip=True),
    _image_kernel("full", (6, 7, 3), kernel="gaussian_blur", padding="full", padding_mode="symmetric"),
    _image_kernel("strides", (2, 3, 3), kernel="box_blur", padding_mode="edge", strides=(2, 2)),
    _image_kernel("first", (3, 4, 5), (3, 4, 5), 0, kernel=RIDGE, padding_mode="edge", data_format="channels_first"),
]

CASES += [
    _separable("valid", (2, 4, 4)),
    _separable("same", (4, 5, 4), padding="same", activation="relu"),
    _separable("strides", (2, 3, 4), padding="same", strides=(3, 2), use_bias=False),
    _separable("dilation", (2, 2, 4), kernel_size=(2, 2), dilation_rate=(2, 3)),
    _separable("narrow", (4, 5, 4), padding="same", rank=2),
    _separable("first", (4, 2, 4), (3, 4, 5), 0, data_format="channels_first"),
]

CASES += [
    _dynamic("valid", (2, 3, 4), temperature=2.0),
    _dynamic("same", (4, 5, 4), padding="same", num_kernels=3, activation="relu"),
    _dynamic("pointwise", (4, 5, 4), kernel_size=(1, 1)),
    _dynamic("sigmoid", (2, 3, 4), routing="sigmoid", padding="same", strides=(2, 2)),
    _dynamic("dilation", (2, 2, 4), routing="sigmoid", kernel_size=(2, 2), dilation_rate=(2, 3), use_bias=False),
    _dynamic("dilation_same", (4, 5, 4), padding="same", kernel_size=(2, 2), dilation_rate=(1, 2)),
    _dynamic("first", (4, 2, 4), (8, 4, 6), 0, num_kernels=2, data_format="channels_first"),
]

CASES += [
    _activation(keraslayers.ShiftLeakyReLU, oracles.shift_leaky_relu, "shift_leaky_relu", (0.0,)),
    _activation(
        keraslayers.ShiftLeakyReLU, oracles.shift_leaky_relu, "shift_leaky_relu_4", (0.0,), multiplier=1, shift=2
    ),
    _local_response("default"),
    _local_response("paper", (4, 5, 16), depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75),
    _local_response("strong", (4, 5, 7), depth_radius=1, bias=0.5, alpha=0.1, beta=0.75),
    _local_response("itself_alone", depth_radius=0, bias=1.0, alpha=0.1, beta=1.0),
    _local_response("first", (7, 4, 5), 0, depth_radius=2, alpha=0.1, data_format="channels_first"),
    _local_response("vector", (12,), depth_radius=2, alpha=0.1),
    _maxout("2", (4, 5, 3), pieces=2),
    _maxout("3", (4, 5, 4), (4, 5, 12), pieces=3),
    _maxout("first", (2, 4, 5), FIRST, 0, pieces=3, data_format="channels_first"),
    _maxout("vector", (3,), (12,), pieces=4),
    _soft_argmax("parts"),
    _soft_argmax("pixels", size=(32, 48)),
    _soft_argmax("first", input_shape=FIRST, channel_axis=0, data_format="channels_first"),
    _resample("up", (8, 10, 6), scale=(2.0, 2.0)),
    _resample("size", (7, 3, 6), size=(7, 3)),
    _resample("fraction", (6, 3, 6), scale=(1.6, 0.6)),
    _resample("first", (6, 6, 3), input_shape=FIRST, size=(6, 3), data_format="channels_first"),
    _resample("antialias", (3, 2, 6), input_shape=(7, 9, 6), size=(3, 2), antialias=True),
    _resample("antialias_half", (2, 4, 6), input_shape=(4, 8, 6), scale=(0.5, 0.5), antialias=True),
    _resample("antialias_one_axis", (2, 10, 6), size=(2, 10), antialias=True),
    _resample(
        "antialias_first", (6, 2, 3), input_shape=FIRST, scale=(0.5, 0.6), antialias=True, data_format="channels_first"
    ),
    _resample("nearest", (8, 15, 6), scale=(2.0, 3.0), method="nearest"),
    _resample("nearest_six", (24, 5, 6), size=(24, 5), method="nearest"),
    _resample(
        "nearest_first", (6, 8, 10), input_shape=FIRST, scale=(2.0, 2.0), method="nearest", data_format="channels_first"
    ),
    _resample("nearest_seven", (4, 35, 6), size=(4, 35), method="nearest"),
    _resample("nearest_size", (7, 3, 6), NEAREST, size=(7, 3), method="nearest"),
    _resample("nearest_half", (4, 3, 6), NEAREST, input_shape=(8, 6, 6), scale=(0.5, 0.5), method="nearest"),
    _pooled("2", (4, 6, 5), (4, 6, 5), pool_size=(2, 2)),
    _pooled("cropped", (4, 6, 5), (5, 7, 5), pool_size=(2, 2)),
    _pooled("odd", (5, 7, 6), (5, 7, 6), pool_size=(2, 2), output_size=(5, 7)),
    _pooled("oblong", (6, 4, 4), (6, 5, 4), pool_size=(3, 2)),
    _pooled("first", (5, 4, 6), (5, 4, 6), 0, pool_size=(2, 3), data_format="channels_first"),
    _table("sigmoid", function="sigmoid"),
    _table("silu", function="silu", low=-6.0, high=5, entries=100),
    _table("coarse", (7,), function="tanh", low=-2.0, high=2.0, entries=9),
]

CASES += [
    _deformable("same", (4, 5, 4)),
    _deformable(
        "all_options",
        (2, 3, 4),
        (6, 4, 4),
        kernel_size=(3, 2),
        strides=(2, 1),
        padding=((1, 0), (0, 0)),
        dilation_rate=(2, 1),
        groups=2,
        offset_groups=4,
        modulated=True,
        activation="relu",
        use_bias=False,
    ),
    _deformable("bounded_1", (4, 5, 4), max_offset=1),
    _deformable("bounded_2", (2, 2, 4), max_offset=2, padding="valid", kernel_size=(3, 4)),
    _deformable("bounded_modulated", (2, 3, 4), max_offset=1, modulated=True, strides=(2, 2), offset_groups=2),
    _deformable(
        "bounded_all_options",
        (3, 5, 6),
        (6, 5, 4),
        filters=6,
        kernel_size=(2, 2),
        strides=(2, 1),
        dilation_rate=(1, 2),
        groups=2,
        offset_groups=2,
        max_offset=2,
        modulated=True,
    ),
    _deformable("first", (4, 3, 5), (4, 3, 5), 0, offset_groups=2, modulated=True, data_format="channels_first"),
    _deformable("bounded_first", (4, 3, 5), (4, 3, 5), 0, max_offset=1, data_format="channels_first"),
]


def _tokens(layer, name, oracle, output_shape=None, input_shape=(6, 4), **options):
    return Case(
        name=name,
        layer=layer,
        options=options,
        input_shape=input_shape,
        output_shape=output_shape,
        oracle=oracle,
        weights=1,
        fixed_size=layer is keraslayers.LearnedPositions,
    )


def _affine(name, input_shape=IMAGE, channel_axis=-1, **options):
    return Case(
        name=f"affine_{name}",
        layer=keraslayers.Affine,
        options=options,
        input_shape=input_shape,
        oracle=oracles.affine,
        channel_axis=channel_axis,
        weights=1 + options.get("center", True),
        masks=True,
    )


CASES += [
    _affine("default"),
    _affine("tokens", (5, 6), center=False),
    _affine("first", FIRST, 0, axis=1),
    _affine("last", (12,), axis=1),
    Case(
        name="layer_scale",
        layer=keraslayers.LayerScale,
        options={"initial_value": 0.1},
        input_shape=IMAGE,
        oracle=oracles.affine,
        weights=1,
        masks=True,
    ),
    _tokens(keraslayers.ClassToken, "class_token", oracles.class_token, (7, 4)),
    _tokens(keraslayers.ClassToken, "class_token_registers", oracles.class_token, (9, 4), count=3),
    _tokens(keraslayers.LearnedPositions, "learned_positions", oracles.learned_positions, size=(2, 3)),
    _tokens(keraslayers.LearnedPositions, "learned_positions_prefix", oracles.learned_positions, size=(5, 1), prefix=1),
]


def _window_attention(name, input_shape=(4, 4, 4), **options):
    return Case(
        name=f"window_attention_{name}",
        layer=keraslayers.WindowAttention,
        options={"num_heads": 2, **options},
        input_shape=input_shape,
        oracle=oracles.window_attention,
        weights=4 + options.get("use_bias", True),
        weight_scale=0.3,  # scores of some units
        known_size=True,
        terms=input_shape[-1],
    )


CASES += [
    _window_attention("plain", window_size=(2, 2)),
    _window_attention("shifted", (4, 6, 4), window_size=(2, 3), shift_size=(1, 1), use_bias=False),
    # Filled up with zeros in one direction, no larger than a window in the other.
    _window_attention("filled", (5, 2, 4), window_size=(3, 3), shift_size=(1, 1)),
]


@keras.saving.register_keras_serializable("tests")
class DepthwiseByItself(keras.layers.Layer):
    """A depthwise convolution whose kernels are a 1x1 convolution of the same image: the laws want one tensor."""

    def __init__(self, kernel_size, groups, per_place, **kwargs):
        super().__init__(**kwargs)
        self.convolution = keraslayers.DynamicDepthwiseConv2D(kernel_size, dtype=self.dtype_policy)
        self.groups, self.per_place = groups, per_place

    def build(self, input_shape):
        taps = math.prod(self.convolution.kernel_size)
        self.kernels = keras.layers.Conv2D(taps * self.groups, 1, dtype=self.dtype_policy, name="kernels")
        self.kernels.build(input_shape)
        self.convolution.build([input_shape, self.kernels.compute_output_shape(input_shape)])

    def call(self, inputs):
        source = inputs if self.per_place else keras.ops.mean(inputs, axis=(1, 2), keepdims=True)
        return self.convolution([inputs, self.kernels(source)])

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        size = self.convolution.kernel_size
        return {**super().get_config(), "kernel_size": size, "groups": self.groups, "per_place": self.per_place}


def _depthwise(name, **options):
    return Case(
        name=f"dynamic_depthwise_{name}",
        layer=DepthwiseByItself,
        options=options,
        input_shape=(4, 5, 4),
        oracle=oracles.depthwise_by_itself,
        weights=2,
        weight_scale=0.1,
        parts=(keraslayers.DynamicDepthwiseConv2D,),
        terms=math.prod(options["kernel_size"]) * 4,
    )


CASES += [
    _depthwise("of_all", kernel_size=(3, 3), groups=4, per_place=False),
    _depthwise("of_places", kernel_size=(3, 2), groups=2, per_place=True),
    _depthwise("of_one_group", kernel_size=(2, 3), groups=1, per_place=True),
]

TAPS = np.random.default_rng(5).integers(-4, 5, (1, 1, 1, 6 * 6)).astype("float32") / 8


def _hard_sigmoid(name, kinks, input_shape=IMAGE, **options):
    return Function(
        name=name,
        function=keraslayers.hard_sigmoid,
        options=options,
        input_shape=input_shape,
        oracle=oracles.hard_sigmoid,
        kinks=kinks,
    )


def _channel_shuffle(name, input_shape=IMAGE, **options):
    return Function(
        name=f"channel_shuffle_{name}",
        function=keraslayers.channel_shuffle,
        options=options,
        input_shape=input_shape,
        oracle=oracles.channel_shuffle,
        exact=True,
    )


FUNCTIONS = [
    _hard_sigmoid("hard_sigmoid", (-3.0, 3.0), (7,)),
    *(
        _hard_sigmoid(f"hard_sigmoid_{variant}", kinks, variant=variant)
        for variant, kinks in HARD_SIGMOID_KINKS.items()
    ),
    *(_channel_shuffle(str(groups), groups=groups) for groups in (1, 2, 3, 6)),
    _channel_shuffle("last", groups=2, data_format="channels_last"),
    _channel_shuffle("first", FIRST, groups=2, data_format="channels_first"),
    _channel_shuffle("vector", (12,), groups=4),
    *(
        Function(
            name=f"local_response_{name}",
            function=keraslayers.local_response_normalization,
            options={"alpha": 0.1, **options},
            input_shape=shape,
            oracle=oracles.local_response_normalization,
        )
        for name, shape, options in (
            ("image", IMAGE, {"depth_radius": 2, "beta": 0.75}),
            ("first", FIRST, {"depth_radius": 1, "data_format": "channels_first"}),
            ("vector", (12,), {}),
        )
    ),
    *(
        Function(
            name=f"maxout_{name}",
            function=keraslayers.maxout,
            options=options,
            input_shape=shape,
            output_shape=output_shape,
            oracle=oracles.maxout,
            exact=True,
        )
        for name, shape, output_shape, options in (
            ("image", IMAGE, (4, 5, 2), {"pieces": 3}),
            ("first", FIRST, (3, 4, 5), {"pieces": 2, "data_format": "channels_first"}),
            ("one", IMAGE, IMAGE, {"pieces": 1}),
        )
    ),
    *(
        Function(
            name=name,
            function=function,
            options={"window_size": (2, 3), **options},
            input_shape=shape,
            output_shape=output_shape,
            oracle=oracle,
            exact=True,
        )
        for name, function, shape, output_shape, oracle, options in (
            ("window_partition", keraslayers.window_partition, (4, 6, 5), (6, 5), oracles.window_partition, {}),
            ("window_merge", keraslayers.window_merge, (6, 5), (2, 6, 5), oracles.window_merge, {"size": (2, 6)}),
        )
    ),
]

DEFORMED = np.random.default_rng(4).normal(size=(1, 3, 6, 5)).astype("float32")


def _deformed(x):
    # An eighth is exact in every dtype.
    return 0.125 * x, DEFORMED


def _deform_oracle(inputs, weights, options):
    return oracles.deform_conv2d(inputs, *_deformed(inputs), None, None, options)


FUNCTIONS += [
    Function(
        name="dynamic_depthwise_conv2d",
        function=keraslayers.dynamic_depthwise_conv2d,
        options={"kernel_size": (2, 3)},
        more=lambda x: (TAPS,),
        input_shape=IMAGE,
        oracle=lambda x, weights, options: oracles_tokens.dynamic_depthwise(x, TAPS, options["kernel_size"]),
        terms=6,
    )
]

FUNCTIONS += [
    Function(
        name=f"deform_conv2d_{name}",
        function=keraslayers.deform_conv2d,
        options=options,
        more=_deformed,
        input_shape=shape,
        output_shape=output_shape,
        oracle=_deform_oracle,
        terms=18,
    )
    for name, shape, output_shape, options in (
        ("same", IMAGE, (4, 5, 5), {"padding": "same"}),
        ("bounded", IMAGE, (4, 5, 5), {"padding": (0, 2), "dilation_rate": 2, "max_offset": 1}),
        ("first", FIRST, (5, 4, 5), {"padding": "same", "data_format": "channels_first"}),
    )
]

# Public functions that are not of a tensor, and the file whose tests judge them.
TOOLS = {
    keraslayers.separate: "test_spatial_separable.py",
    keraslayers.fold_batch_norm: "test_fold.py",
    keraslayers.fold_shuffle: "test_fold.py",
    keraslayers.analyze: "test_analysis.py",
    keraslayers.design_resolution: "test_sizes.py",
    keraslayers.output_size: "test_sizes.py",
    keraslayers.receptive_field: "test_receptive_field.py",
    keraslayers.reparameterize: "test_reparameterize.py",
}
