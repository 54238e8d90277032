"""What PaddedConv2D promises beyond the laws of every layer, and its messages."""

import itertools

import keras
import numpy as np
import pytest

from keraslayers import PaddedConv2D
from keraslayers.export import to_tflite
from tests import backend, oracles
from tests.export_models import enliven, needs_gpu, samples


def padded(x, **options):
    """The images as the layer's kernel meets them: a kernel of one tap hands them on."""
    layer = PaddedConv2D(x.shape[-1], 1, use_bias=False, **options)
    layer.build(x.shape)
    layer.set_weights([np.eye(x.shape[-1])[None, None]])
    return keras.ops.convert_to_numpy(layer(x))


@pytest.mark.parametrize(
    ("padding", "pairs"),
    [
        (0, ((0, 0), (0, 0))),
        (2, ((2, 2), (2, 2))),
        (np.int64(2), ((2, 2), (2, 2))),
        ((1, 3), ((1, 1), (3, 3))),
        ([1, [0, 2]], ((1, 1), (0, 2))),
        (((1, 2), (3, 0)), ((1, 2), (3, 0))),
    ],
    ids=str,
)
def test_forms_of_widths(padding, pairs):
    layer = PaddedConv2D(2, 1, padding=padding)
    assert layer.padding == layer.get_config()["padding"] == pairs
    x = samples(2, (5, 6, 2))
    np.testing.assert_array_equal(padded(x, padding=padding), np.pad(x, ((0, 0), *pairs, (0, 0))))


@pytest.mark.parametrize("mode", ["constant", "reflect", "symmetric", "edge"])
@pytest.mark.parametrize("pairs", [((1, 0), (0, 3)), ((3, 2), (1, 1)), ((4, 4), (5, 5))], ids=str)
def test_modes_are_those_of_numpy(mode, pairs):
    x = samples(2, (5, 6, 3))
    got = padded(x, padding=pairs, padding_mode="zeros" if mode == "constant" else mode)
    np.testing.assert_array_equal(got, np.pad(x, ((0, 0), *pairs, (0, 0)), mode=mode))


def test_the_widest_borders():
    x = samples(1, (23, 1, 2))
    for mode, width in (("reflect", 22), ("symmetric", 23), ("edge", 40)):
        got = padded(x, padding=((width, width), (0, 0)), padding_mode=mode)
        np.testing.assert_array_equal(got, np.pad(x, ((0, 0), (width, width), (0, 0), (0, 0)), mode=mode))


@pytest.mark.parametrize("options", [{"padding": "valid"}, {"padding": "SAME"}, {"padding": "same", "strides": 2}])
def test_takes_the_weights_of_a_conv2d(options):
    x = samples(2, (7, 6, 4))
    theirs, ours = (layer(6, (3, 2), activation="relu", **options) for layer in (keras.layers.Conv2D, PaddedConv2D))
    for layer in (theirs, ours):
        layer.build(x.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_array_equal(ours(x), theirs(x))


def test_padding_of_half_a_kernel_in_a_strided_layer():
    # PyTorch's: one before and one after, where Keras's "same" has none before an even size.
    x = samples(2, (8, 8, 4))
    layer = PaddedConv2D(5, 3, strides=2, padding=1)
    layer.build(x.shape)
    options = {"padding": ((1, 1), (1, 1)), "strides": (2, 2)}
    np.testing.assert_allclose(layer(x), oracles.padded_conv2d(x, layer.get_weights(), options), rtol=1e-5, atol=1e-5)
    same = keras.layers.Conv2D(5, 3, strides=2, padding="same")
    same.build(x.shape)
    same.set_weights(layer.get_weights())
    assert same(x).shape == layer(x).shape
    assert not np.allclose(same(x), layer(x))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "symmetric", "edge"])
def test_same_of_unknown_sizes(mode):
    """The graph pads alike for every size, and cuts off what is too much."""
    for kernel, stride in itertools.product((1, 2, 3, 4), (1, 2, 3)):
        image = keras.Input((None, None, 2))
        layer = PaddedConv2D(2, kernel, strides=stride, padding="same", padding_mode=mode)
        run = backend.of_any_size(keras.Model(image, layer(image)))
        for height, width in ((4, 5), (6, 7), (9, 8)):
            x = samples(1, (height, width, 2))
            np.testing.assert_allclose(run(x), layer(x), rtol=1e-5, atol=1e-5, err_msg=f"{kernel} {stride} {x.shape}")


@pytest.mark.tensorflow
def test_an_unknown_image_that_is_too_small_is_refused_when_it_comes():
    import tensorflow as tf

    layer = PaddedConv2D(2, 3, padding=4, padding_mode="reflect")
    layer.build((None, None, None, 2))
    run = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 2))])
    with pytest.raises(tf.errors.InvalidArgumentError, match="paddings must be less than the dimension size"):
        run(samples(1, (4, 4, 2)))


def test_bias_of_channels_first_is_that_of_the_channel():
    # As wide as it has filters: Keras's own addition takes the bias for one of the columns there.
    layer = PaddedConv2D(4, 1, data_format="channels_first")
    x = samples(1, (3, 5, 4))
    layer.build(x.shape)
    layer.set_weights([np.zeros((1, 1, 3, 4)), np.arange(4)])
    np.testing.assert_array_equal(layer(x), np.broadcast_to(np.arange(4)[:, None, None], (1, 4, 5, 4)))


def test_lora():
    layer = PaddedConv2D(4, 3, padding="same", padding_mode="edge")
    x = samples(2, (4, 5, 3))
    before = layer(x)
    layer.enable_lora(2)
    np.testing.assert_allclose(layer(x), before, rtol=1e-6, atol=1e-6)  # it starts at zero
    assert len(layer.trainable_weights) == 3


@pytest.mark.tensorflow
@needs_gpu
@pytest.mark.parametrize(("channels", "kernel_size", "precision"), [(8, 3, "int8"), (6, 3, "float32"), (8, 1, "int8")])
def test_groups_are_proven_on_the_gpu(channels, kernel_size, precision):
    """By passes: without them the second and third are wrong."""
    image = keras.Input((6, 6, channels))
    x = PaddedConv2D(channels, kernel_size, padding=kernel_size // 2, groups=2)(keras.layers.Conv2D(channels, 1)(image))
    model = enliven(keras.Model(image, keras.layers.Conv2D(5, 1)(x)))
    to_tflite(model, target="gpu-fp32", precision=precision, samples=samples(16, (6, 6, channels))).report.require()


FORMS = (
    "`PaddedConv2D`: `padding` must be one of 'valid', 'same', 'full', a whole number, (height, width), or "
    "((top, bottom), (left, right)); got "
)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"padding": (1, 2, 3)}, TypeError, FORMS + "(1, 2, 3)."),
        ({"padding": ((1, 2), (3, 4, 5))}, TypeError, FORMS + "((1, 2), (3, 4, 5))."),
        ({"padding": None}, TypeError, "`PaddedConv2D`: `padding` must be a whole number; got None."),
        ({"padding": 1.0}, TypeError, "`PaddedConv2D`: `padding` must be a whole number; got 1.0."),
        ({"padding": (1, "same")}, TypeError, "`PaddedConv2D`: `padding` must be a whole number; got 'same'."),
        ({"padding": ((1, -1), 0)}, ValueError, "`PaddedConv2D`: `padding` must be at least 0; got -1."),
        (
            {"padding": "causal"},
            ValueError,
            "`PaddedConv2D`: `padding` must be one of 'valid', 'same', 'full'; got 'causal'.",
        ),
        (
            {"padding_mode": "reflection"},
            ValueError,
            "`PaddedConv2D`: `padding_mode` must be one of 'zeros', 'reflect', 'symmetric', 'edge'; "
            "got 'reflection'. Did you mean 'reflect'?",
        ),
    ],
    ids=str,
)
def test_messages_of_construction(options, error, message):
    with pytest.raises(error) as caught:
        PaddedConv2D(2, 3, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        (
            {"padding": 4, "padding_mode": "reflect"},
            (4, 9, 3),
            "`PaddedConv2D`: `padding_mode`='reflect' mirrors at most 3 of a height of 4; the padding there is (4, 4). "
            "Pad less, or take padding_mode='edge' or 'zeros'.",
        ),
        (
            {"padding": (0, (1, 5)), "padding_mode": "symmetric"},
            (9, 4, 3),
            "`PaddedConv2D`: `padding_mode`='symmetric' mirrors at most 4 of a width of 4; the padding there is "
            "(1, 5). Pad less, or take padding_mode='edge' or 'zeros'.",
        ),
        (
            {"padding": (1, 0), "dilation_rate": 2},
            (8, 4, 3),
            "`PaddedConv2D`: the kernel spans 5 of the width; got a width of 4, with a padding of (0, 0). "
            "Pad more, or take a smaller kernel.",
        ),
        (
            {},
            (8, 8, 8, 3),
            "`PaddedConv2D`: the input must have 4 axes, the batch included; got the shape (None, 8, 8, 8, 3).",
        ),
        (
            {},
            (8, 8, None),
            "`PaddedConv2D`: the channels must be known, which are axis -1 with data_format='channels_last'; "
            "got the shape (None, 8, 8, None).",
        ),
    ],
    ids=str,
)
def test_messages_of_building(options, shape, message):
    with pytest.raises(ValueError, match="PaddedConv2D") as caught:
        PaddedConv2D(2, 3, **options)(keras.Input(shape))
    assert str(caught.value) == message


def test_a_built_layer_meets_a_smaller_image():
    layer = PaddedConv2D(2, 3, padding=3, padding_mode="reflect")
    layer(samples(1, (4, 4, 3)))
    with pytest.raises(ValueError, match="mirrors at most 2 of a height of 3"):
        layer(samples(1, (3, 4, 3)))
    plain = PaddedConv2D(2, 3)
    plain(samples(1, (4, 4, 3)))
    with pytest.raises(ValueError, match="the kernel spans 3 of the width; got a width of 2"):
        plain(samples(1, (4, 2, 3)))
