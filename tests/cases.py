"""One row a layer and a way of using it; every row meets every law in test_layers.py."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import keraslayers
from tests import oracles


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

    def inputs(self, batch=2, shape=None):
        """Normal inputs of scale 4, with every kink and two values far outside among them."""
        x = 4 * np.random.default_rng(0).normal(size=(batch, *(shape or self.input_shape)))
        if self.kinks:
            planted = (*self.kinks, -20.0, 20.0)
            x.flat[: len(planted)] = planted
        return x.astype("float32")


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
    # Becomes a .tflite file that runs on every runtime; False: on the CPU alone.
    exports: bool = True
    # The output shape where it is not the input's.
    output_shape: tuple | None = None

    def make(self, **more):
        return self.layer(**self.options, **more)

    def outputs_shape(self, batch=2):
        return (batch, *(self.output_shape or self.input_shape))


@dataclass(frozen=True, kw_only=True)
class Function(Row):
    """A public function of a tensor, called with `options`."""

    function: Callable

    def __call__(self, x):
        return self.function(x, **self.options)


IMAGE = (4, 5, 6)
FIRST = (6, 4, 5)

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


def _shuffle(name, input_shape=IMAGE, channel_axis=-1, exports=True, **options):
    return Case(
        name=f"channel_shuffle_{name}",
        layer=keraslayers.ChannelShuffle,
        options=options,
        input_shape=input_shape,
        oracle=oracles.channel_shuffle,
        channel_axis=channel_axis,
        exports=exports,
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


CASES = [
    _activation(keraslayers.HardSigmoid, oracles.hard_sigmoid, "hard_sigmoid", (-3.0, 3.0)),
    *(
        _activation(keraslayers.HardSigmoid, oracles.hard_sigmoid, f"hard_sigmoid_{variant}", kinks, variant=variant)
        for variant, kinks in HARD_SIGMOID_KINKS.items()
    ),
    _activation(keraslayers.HardSigmoid, oracles.hard_sigmoid, "hard_sigmoid_vector", (-3.0, 3.0), (7,)),
    _activation(keraslayers.HardSwish, oracles.hard_swish, "hard_swish", (-3.0, 3.0)),
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
    _shuffle("volume", (2, 3, 2, 6), exports=False, groups=2),
    _squeeze_excite("squeeze_excite"),
    _squeeze_excite("squeeze_excite_ratio", ratio=0.5),
    _squeeze_excite("squeeze_excite_to_one", ratio=1 / 16),
    _squeeze_excite("squeeze_excite_mobilenet_v3", squeeze_filters=3, gate_activation="hard_sigmoid"),
    _squeeze_excite("squeeze_excite_first", (8, 3, 4), 0, squeeze_filters=3, data_format="channels_first"),
]


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
]
