"""Every message the layers raise: who, which argument, what was expected, what came."""

import keras
import numpy as np
import pytest

import keraslayers
from keraslayers import ChannelShuffle, HardSigmoid, SqueezeExcite, _checks, channel_shuffle, hard_sigmoid

IMAGE = np.zeros((2, 4, 5, 6), "float32")

VARIANTS = "`variant` must be one of 'mobilenet', 'keras2', 'binarynet'; got "
FORMATS = "`data_format` must be one of 'channels_last', 'channels_first'; got "


def unbuildable(layer, *shape):
    return lambda: layer(keras.Input(shape))


def check(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message
    # A foreign error underneath would be shown first, and hide the message.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


INDIVISIBLE = "`{}`: `groups` must divide the channels; got groups={} for {} channels."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChannelShuffle(4)(IMAGE), INDIVISIBLE.format("ChannelShuffle", 4, 6)),
        (lambda: ChannelShuffle(12)(IMAGE), INDIVISIBLE.format("ChannelShuffle", 12, 6)),
        (unbuildable(ChannelShuffle(3), 8, 8, 64), INDIVISIBLE.format("ChannelShuffle", 3, 64)),
        (lambda: ChannelShuffle(3, data_format="channels_first")(IMAGE), INDIVISIBLE.format("ChannelShuffle", 3, 4)),
        (lambda: channel_shuffle(IMAGE, 4), INDIVISIBLE.format("channel_shuffle", 4, 6)),
        (lambda: channel_shuffle(IMAGE, 3, "channels_first"), INDIVISIBLE.format("channel_shuffle", 3, 4)),
        (lambda: channel_shuffle(keras.Input((8, 8, 64)), 3), INDIVISIBLE.format("channel_shuffle", 3, 64)),
    ],
)
def test_groups_must_divide_the_channels(make, message):
    check(make, ValueError, message)


def test_a_built_shuffle_meets_other_channels():
    layer = ChannelShuffle(3)
    layer(IMAGE)
    with pytest.raises(ValueError, match="`groups` must divide the channels; got groups=3 for 5 channels"):
        layer(IMAGE[..., :5])


# An argument that must be a whole number above zero, each by its owner.
WHOLE = {
    ("ChannelShuffle", "groups"): lambda value: ChannelShuffle(value),
    ("channel_shuffle", "groups"): lambda value: channel_shuffle(IMAGE, value),
    ("SqueezeExcite", "squeeze_filters"): lambda value: SqueezeExcite(squeeze_filters=value),
}
whole = pytest.mark.parametrize(("who", "argument"), WHOLE)


@whole
@pytest.mark.parametrize("value", ["3", 3.0, True, [3], (1, 2), np.array([3, 3]), np.float32(3)], ids=repr)
def test_whole_numbers_of_another_type(who, argument, value):
    message = f"`{who}`: `{argument}` must be a whole number; got {value!r}."
    check(lambda: WHOLE[who, argument](value), TypeError, message)


@whole
@pytest.mark.parametrize("value", [0, -2, np.int64(0)])
def test_whole_numbers_below_one(who, argument, value):
    message = f"`{who}`: `{argument}` must be at least 1; got {int(value)}."
    check(lambda: WHOLE[who, argument](value), ValueError, message)


def test_groups_must_be_there():
    check(lambda: ChannelShuffle(None), TypeError, "`ChannelShuffle`: `groups` must be a whole number; got None.")


@pytest.mark.parametrize("value", [4, np.int64(4), np.array(4)])
def test_whole_numbers_of_every_kind_are_kept_as_int(value):
    assert type(ChannelShuffle(value).get_config()["groups"]) is int
    assert type(SqueezeExcite(squeeze_filters=value).get_config()["squeeze_filters"]) is int


@pytest.mark.parametrize("value", ["a", None, True, [0.5], 1j], ids=repr)
def test_ratio_of_another_type(value):
    message = f"`SqueezeExcite`: `ratio` must be a number within (0, 1]; got {value!r}."
    check(lambda: SqueezeExcite(ratio=value), TypeError, message)


@pytest.mark.parametrize("value", [0, -0.5, 1.01, 16, float("nan")])
def test_ratio_out_of_range(value):
    message = f"`SqueezeExcite`: `ratio` must be within (0, 1]; got {value!r}."
    check(lambda: SqueezeExcite(ratio=value), ValueError, message)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5)])
def test_ratios_of_every_kind_are_kept_as_float(value):
    assert type(SqueezeExcite(ratio=value).get_config()["ratio"]) is float


@pytest.mark.parametrize(
    ("variant", "tail"),
    [
        ("mobilnet", "'mobilnet'. Did you mean 'mobilenet' or 'binarynet'?"),
        ("keras", "'keras'. Did you mean 'keras2'?"),
        ("BinaryNet", "'BinaryNet'. Did you mean 'binarynet'?"),
        ("sigmoid", "'sigmoid'."),
        (None, "None."),
        (3, "3."),
        (["keras2"], "['keras2']. Did you mean 'keras2'?"),
    ],
    ids=repr,
)
def test_unknown_variant(variant, tail):
    check(lambda: HardSigmoid(variant), ValueError, f"`HardSigmoid`: {VARIANTS}{tail}")
    check(lambda: hard_sigmoid(IMAGE, variant), ValueError, f"`hard_sigmoid`: {VARIANTS}{tail}")


@pytest.mark.parametrize(
    ("who", "make"),
    [
        ("ChannelShuffle", lambda value: ChannelShuffle(2, data_format=value)),
        ("SqueezeExcite", lambda value: SqueezeExcite(data_format=value)),
        ("channel_shuffle", lambda value: channel_shuffle(IMAGE, 2, data_format=value)),
    ],
)
def test_unknown_data_format(who, make):
    tail = "'channel_last'. Did you mean 'channels_last' or 'channels_first'?"
    check(lambda: make("channel_last"), ValueError, f"`{who}`: {FORMATS}{tail}")
    check(lambda: make("NHWC"), ValueError, f"`{who}`: {FORMATS}'NHWC'.")


UNKNOWN = "`{}`: the channels must be known, which are axis {} with data_format='{}'; got the shape {}."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            unbuildable(ChannelShuffle(2), 4, 4, None),
            UNKNOWN.format("ChannelShuffle", -1, "channels_last", (None, 4, 4, None)),
        ),
        (
            lambda: channel_shuffle(keras.Input((None, 4, 4)), 2, "channels_first"),
            UNKNOWN.format("channel_shuffle", 1, "channels_first", (None, None, 4, 4)),
        ),
        (
            unbuildable(SqueezeExcite(), 4, 4, None),
            UNKNOWN.format("SqueezeExcite", -1, "channels_last", (None, 4, 4, None)),
        ),
        (
            unbuildable(SqueezeExcite(squeeze_filters=2, data_format="channels_first"), None, 4, 4),
            UNKNOWN.format("SqueezeExcite", 1, "channels_first", (None, None, 4, 4)),
        ),
    ],
)
def test_unknown_channels(make, message):
    check(make, ValueError, message)


AXES = "`{}`: the input must have {} axes, the batch included; got the shape {}."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChannelShuffle(2)(IMAGE[0, 0, 0]), AXES.format("ChannelShuffle", "2 or more", (6,))),
        (lambda: channel_shuffle(IMAGE[0, 0, 0], 2), AXES.format("channel_shuffle", "2 or more", (6,))),
        (lambda: SqueezeExcite()(IMAGE[0, 0]), AXES.format("SqueezeExcite", 4, (5, 6))),
        (lambda: SqueezeExcite()(IMAGE[0]), AXES.format("SqueezeExcite", 4, (4, 5, 6))),
        (unbuildable(SqueezeExcite(), 2, 4, 5, 6), AXES.format("SqueezeExcite", 4, (None, 2, 4, 5, 6))),
    ],
)
def test_too_few_or_too_many_axes(make, message):
    check(make, ValueError, message)


def test_a_built_squeeze_excite_meets_another_shape():
    layer = SqueezeExcite(name="gate")
    layer(IMAGE)
    with pytest.raises(ValueError, match=r".gate. is incompatible with the layer: expected axis -1 .* value 6"):
        layer(IMAGE[..., :5])
    with pytest.raises(ValueError, match=r".gate. is incompatible with the layer: expected ndim=4, found ndim=3"):
        layer(IMAGE[0])


def test_nearest_of_many_choices_come_first():
    def choose(choices):
        return _checks.choice("who", "what", "mobilenet_v9", choices)

    message = "`who`: `what` must be one of 'vgg16', 'mobilenet_v1'; got 'mobilenet_v9'. Did you mean 'mobilenet_v1'?"
    check(lambda: choose(["vgg16", "mobilenet_v1"]), ValueError, message)
    check(lambda: choose(name for name in ["vgg16", "mobilenet_v1"]), ValueError, message)  # read only once


def test_unknown_attribute_of_the_package():
    check(
        lambda: keraslayers.ChannelShufle,
        AttributeError,
        "module 'keraslayers' has no attribute 'ChannelShufle'",
    )
