"""Sizes of what windows make, against Keras; and the sizes that networks halve evenly."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers import design_resolution, models, output_size


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_output_size_is_what_keras_makes(padding):
    for size, kernel, stride, dilation in itertools.product((7, 8, 13), (1, 2, 3, 5), (1, 2, 3), (1, 2)):
        if (kernel - 1) * dilation >= size or (stride > 1 and dilation > 1):
            continue
        layer = layers.Conv1D(1, kernel, strides=stride, padding=padding, dilation_rate=dilation)
        made = layer(np.zeros((1, size, 1), "float32")).shape[1]
        assert output_size(size, kernel, stride, padding, dilation) == made, (size, kernel, stride, dilation)


@pytest.mark.parametrize("padding", [0, 1, 2, (0, 3), (2, 1)])
def test_explicit_padding_is_zeros_around_it(padding):
    before, after = padding if isinstance(padding, tuple) else (padding, padding)
    for size, kernel, stride in itertools.product((5, 6, 9), (2, 3, 4), (1, 2, 3)):
        padded = layers.ZeroPadding1D((before, after))(np.zeros((1, size, 1), "float32"))
        made = layers.Conv1D(1, kernel, strides=stride)(padded).shape[1]
        assert output_size(size, kernel, stride, padding) == made


def test_full_padding_is_all_places_that_the_window_touches():
    for size, kernel, dilation in itertools.product((1, 4, 7), (1, 2, 3), (1, 2)):
        dilated = np.zeros((kernel - 1) * dilation + 1)
        dilated[::dilation] = 1
        assert output_size(size, kernel, 1, "full", dilation) == len(np.convolve(np.ones(size), dilated, "full"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, 4), ValueError, "`output_size`: the window spans 4 places; got size=3, 3 with its padding. Pad more, or"),
        ((8, 3, 1, "sane"), ValueError, "`output_size`: `padding` must be one of .* Did you mean 'same'"),
        ((8, 3, 1, (1, 2, 3)), TypeError, r"`padding` must be a name, a whole number .* got \(1, 2, 3\)"),
        ((8, 3, 1, -1), ValueError, "`output_size`: `padding` must be at least 0; got -1"),
        ((8, 3, 1, 1.5), TypeError, "`output_size`: `padding` must be a whole number; got 1.5"),
        ((0, 3), ValueError, "`output_size`: `size` must be at least 1; got 0"),
        ((8, 3.0), TypeError, "`output_size`: `kernel` must be a whole number; got 3.0"),
        ((8, 3, 0), ValueError, "`output_size`: `stride` must be at least 1; got 0"),
        ((8, 3, 1, "valid", 0), ValueError, "`output_size`: `dilation` must be at least 1; got 0"),
    ],
)
def test_output_size_refuses_what_makes_nothing(arguments, error, message):
    with pytest.raises(error, match=message):
        output_size(*arguments)


def test_design_resolution_is_the_last_map_times_the_halvings():
    assert design_resolution(5) == 224
    assert design_resolution(4, final=8) == 128
    assert design_resolution(0, final=3) == 3


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "resnet18", "densenet121", "squeezenet"])
def test_a_network_of_that_size_ends_in_maps_of_the_final_size(name):
    size = design_resolution(models.create(name, include_top=False, input_shape=(None, None, 3)), final=3)
    assert np.log2(size / 3) % 1 == 0
    made = models.create(name, include_top=False, input_shape=(size, size, 3)).output_shape
    # SqueezeNet pads nothing, and loses a place.
    assert made[1:3] == ((3, 3) if name != "squeezenet" else (2, 2))


def test_design_resolution_needs_a_model_that_shrinks_alike():
    image = keras.Input((16, 16, 3), name="image")
    with pytest.raises(ValueError, match=r"must shrink all axes alike; the strides of its smallest maps are \(2, 1\)"):
        design_resolution(keras.Model(image, layers.MaxPooling2D((2, 1))(image)))
    vector = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="must have layers that slide over places; it has none"):
        design_resolution(vector)
    with pytest.raises(TypeError, match="`design_resolution`: `model` must be a Keras model; got str"):
        design_resolution("resnet18")
    with pytest.raises(ValueError, match="`design_resolution`: `final` must be at least 1; got 0"):
        design_resolution(5, final=0)
    with pytest.raises(ValueError, match="`model` 'code' is a subclassed model"):
        design_resolution(Code(name="code"))


class Code(keras.Model):
    def call(self, x):
        return x
