"""What DynamicConv2D promises beyond the laws of every layer, and its messages."""

import keras
import numpy as np
import pytest

from keraslayers import DynamicConv2D
from tests import backend
from tests.export_models import enliven, samples


def built(shape=(None, 6, 7, 8), **options):
    layer = DynamicConv2D(**{"filters": 4, "kernel_size": 3, **options})
    layer.build(shape)
    return layer


@pytest.mark.parametrize(("channels", "reduction", "units"), [(8, 4, 2), (8, 3, 2), (3, 4, 1), (8, 1, 8)])
def test_weights(channels, reduction, units):
    layer = built((None, 6, 7, channels), reduction=reduction)
    assert [weight.shape for weight in layer.weights] == [
        (4, 3, 3, channels, 4),
        (4, 4),
        (1, 1, channels, units),
        (units,),
        (1, 1, units, 4),
        (4,),
    ]
    shapes = [weight.shape for weight in built(routing="sigmoid", num_kernels=8, use_bias=False).weights]
    assert shapes == [(8, 3, 3, 8, 4), (1, 1, 8, 8), (8,)]


@pytest.mark.parametrize("initializer", ["glorot_uniform", keras.initializers.HeNormal(seed=3)], ids=["name", "object"])
def test_each_kernel_starts_as_one_of_a_conv2d(initializer):
    kernels = built(filters=64, kernel_initializer=initializer).get_weights()[0]
    plain = keras.layers.Conv2D(64, 3, kernel_initializer=initializer)
    plain.build((None, 6, 7, 8))
    for k, kernel in enumerate(kernels):
        assert np.std(kernel) == pytest.approx(np.std(plain.get_weights()[0]), rel=0.1)  # 4,608 numbers
        assert not any(np.array_equal(kernel, other) for other in kernels[:k])


def test_a_seed_gives_the_same_kernels_again():
    first, second = (built(kernel_initializer=keras.initializers.HeNormal(seed=3)).get_weights()[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_initializers_may_be_functions():
    def threes(shape, dtype=None):
        assert shape == (3, 3, 8, 4)
        return 3 * keras.ops.ones(shape, dtype)

    assert (built(kernel_initializer=threes).get_weights()[0] == 3).all()


def test_regularizers():
    layer = built(kernel_regularizer="l2", bias_regularizer="l1")
    assert len(layer.losses) == 2
    assert DynamicConv2D.from_config(layer.get_config()).get_config() == layer.get_config()


def test_constraints_bind_each_kernel_and_bias_by_itself():
    layer = enliven(built(kernel_constraint=keras.constraints.UnitNorm(axis=(0, 1, 2)), bias_constraint="non_neg"))
    assert DynamicConv2D.from_config(layer.get_config()).get_config() == layer.get_config()
    kernels, biases = layer.get_weights()[:2]
    # As Keras's Conv2D of each kernel, whose axes are numbered without that of the kernels.
    norms = np.sqrt(np.sum(kernels**2, axis=(1, 2, 3), keepdims=True))
    np.testing.assert_allclose(layer.kernels.constraint(layer.kernels.value), kernels / norms, rtol=1e-5)
    np.testing.assert_array_equal(layer.biases.constraint(layer.biases.value), np.maximum(biases, 0))


def test_arguments_in_the_order_of_the_papers():
    layer = DynamicConv2D(4, 3, 8, 2, 1.5, "sigmoid", (2, 1), "SAME")
    names = ("filters", "kernel_size", "num_kernels", "reduction", "temperature", "routing", "strides", "padding")
    assert [layer.get_config()[name] for name in names] == [4, (3, 3), 8, 2, 1.5, "sigmoid", (2, 1), "same"]


def test_attention():
    x = samples(5, (6, 7, 8))
    layer = enliven(built(num_kernels=3, temperature=1))
    attention = np.array(layer.attention(x))
    assert attention.shape == (5, 1, 1, 3)
    np.testing.assert_allclose(attention.sum(-1), 1, rtol=1e-5)
    assert (np.ptp(attention, axis=0) > 0.01).all()  # another image, another mixture
    layer.temperature = 1e6
    np.testing.assert_allclose(layer.attention(x), np.full((5, 1, 1, 3), 1 / 3), atol=1e-5)
    gates = np.array(enliven(built(routing="sigmoid")).attention(x))
    assert ((gates > 0) & (gates < 1)).all()
    assert not np.allclose(gates.sum(-1), 1)


def test_equal_kernels_are_a_conv2d():
    x = samples(2, (6, 7, 8))
    layer = enliven(built(padding="same", strides=2, activation="relu"))
    kernels, biases, *attention = layer.get_weights()
    layer.set_weights([np.repeat(kernels[:1], 4, axis=0), np.repeat(biases[:1], 4, axis=0), *attention])
    plain = keras.layers.Conv2D(4, 3, padding="same", strides=2, activation="relu")
    plain.build(x.shape)
    plain.set_weights([kernels[0], biases[0]])
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"use_bias": False, "activation": "relu", "routing": "sigmoid"}], ids=str)
def test_training_mixes_pointwise_kernels_and_computes_the_same(options):
    x, towards = samples(3, (6, 7, 8)), samples(3, (6, 7, 4), seed=1)
    layer = enliven(built(kernel_size=1, **options))
    np.testing.assert_allclose(layer(x, training=True), layer(x), rtol=1e-5, atol=1e-5)
    for mixed, other in zip(
        *(backend.gradients_of(layer, x, towards, training=training) for training in (True, False)), strict=True
    ):
        # Sums of up to 126 places times numbers of about 1.
        np.testing.assert_allclose(mixed, other, rtol=1e-4, atol=1e-3)


def test_training_mixes_pointwise_kernels_of_unknown_sizes():
    image, layer = keras.Input((None, None, 8)), DynamicConv2D(4, 1)
    run = backend.of_any_size(enliven(keras.Model(image, layer(image, training=True))))
    x = samples(3, (6, 7, 8))
    np.testing.assert_allclose(run(x), layer(x), rtol=1e-5, atol=1e-5)


def test_temperature_between_epochs():
    image = keras.Input((6, 7, 8))
    layer = DynamicConv2D(4, 3)
    model = enliven(keras.Model(image, layer(image)))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = samples(4, (6, 7, 8)), np.zeros((4, 4, 5, 4))
    before = model.train_on_batch(x, y)
    layer.temperature = 0.1
    model.make_train_function(force=True)
    after = model.train_on_batch(x, y)
    assert after == pytest.approx(float(np.mean(np.array(layer(x)) ** 2)), rel=1e-4)
    assert after != pytest.approx(before, rel=1e-2)


WHO = "`DynamicConv2D`: "


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"filters": 0}, ValueError, "`filters` must be at least 1; got 0."),
        ({"num_kernels": 1}, ValueError, "`num_kernels` must be at least 2; got 1."),
        ({"num_kernels": 2.0}, TypeError, "`num_kernels` must be a whole number; got 2.0."),
        ({"reduction": 0.25}, TypeError, "`reduction` must be a whole number; got 0.25."),
        ({"temperature": 0}, ValueError, "`temperature` must be above 0; got 0.0."),
        ({"temperature": None}, TypeError, "`temperature` must be a number; got None."),
        (
            {"kernel_size": (1, 2, 3)},
            TypeError,
            "`kernel_size` must be a whole number or two, (height, width); got (1, 2, 3).",
        ),
        ({"strides": (1, 0)}, ValueError, "`strides` must be at least 1; got 0."),
        ({"padding": "full"}, ValueError, "`padding` must be one of 'valid', 'same'; got 'full'."),
        (
            {"routing": "sigmoidal"},
            ValueError,
            "`routing` must be one of 'softmax', 'sigmoid'; got 'sigmoidal'. Did you mean 'sigmoid'?",
        ),
        (
            {"strides": 2, "dilation_rate": 2},
            ValueError,
            "`strides` above 1 go without dilation only; got strides=(2, 2) and dilation_rate=(2, 2).",
        ),
    ],
    ids=str,
)
def test_messages_of_construction(options, error, message):
    with pytest.raises(error) as caught:
        DynamicConv2D(**{"filters": 2, "kernel_size": 3, **options})
    assert str(caught.value) == WHO + message


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 3), "the input must have 4 axes, the batch included; got the shape (None, 8, 3)."),
        (
            (8, 2, 3),
            "the kernel spans 3 of the width; got a width of 2, with a padding of (0, 0). Pad more, or take a "
            "smaller kernel.",
        ),
        (
            (8, 8, None),
            "the channels must be known, which are axis -1 with data_format='channels_last'; got the shape "
            "(None, 8, 8, None).",
        ),
    ],
)
def test_messages_of_building(shape, message):
    with pytest.raises(ValueError, match="DynamicConv2D") as caught:
        DynamicConv2D(2, 3)(keras.Input(shape))
    assert str(caught.value) == WHO + message


def test_a_built_layer_meets_a_smaller_image():
    layer = DynamicConv2D(2, 3)
    layer(samples(1, (4, 4, 3)))
    with pytest.raises(ValueError, match="the kernel spans 3 of the height; got a height of 2"):
        layer(samples(1, (2, 4, 3)))
