"""What SqueezeExcite promises beyond the laws of every layer."""

import keras
import numpy as np
import pytest

from keraslayers import HardSigmoid, SqueezeExcite

SHAPE = (None, 4, 5, 8)


def built(shape=SHAPE, **options):
    layer = SqueezeExcite(**options)
    layer.build(shape)
    return layer


@pytest.mark.parametrize(
    ("channels", "ratio", "squeezed"),
    # 98 * (1 / 49) and 400 * 0.29 come out just below a whole number; 8 / 16 is below one.
    [(64, 1 / 16, 4), (30, 0.25, 7), (98, 1 / 49, 2), (400, 0.29, 116), (8, 1 / 16, 1), (5, 1.0, 5)],
)
def test_squeezed_channels(channels, ratio, squeezed):
    layer = built((None, 4, 5, channels), ratio=ratio)
    assert [weight.shape for weight in layer.weights] == [
        (1, 1, channels, squeezed),
        (squeezed,),
        (1, 1, squeezed, channels),
        (channels,),
    ]


def test_squeeze_filters_win_over_the_ratio():
    assert built(ratio=0.5, squeeze_filters=3).weights[0].shape == (1, 1, 8, 3)


def test_starts_with_two_different_kernels():
    # With as many squeezed channels as channels, both kernels have the same shape.
    squeeze, _, excite, _ = built(ratio=1.0, kernel_initializer="he_normal").get_weights()
    assert not np.array_equal(squeeze, excite)


def test_initializers_reach_both_convolutions():
    def threes(shape, dtype=None):
        return 3 * keras.ops.ones(shape, dtype)

    layer = built(kernel_initializer=threes, bias_initializer="ones")
    assert [float(weight.mean()) for weight in layer.get_weights()] == [3.0, 1.0, 3.0, 1.0]


def test_regularizers_reach_both_convolutions():
    layer = built(kernel_regularizer="l2", bias_regularizer=keras.regularizers.L1(0.5))
    assert len(layer.losses) == 4
    assert SqueezeExcite.from_config(layer.get_config()).get_config() == layer.get_config()


def test_gate_may_be_a_layer(tmp_path):
    inputs = keras.Input(SHAPE[1:])
    model = keras.Model(inputs, SqueezeExcite(gate_activation=HardSigmoid("keras2"))(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.layers[-1].gate_activation.variant == "keras2"
    x = np.random.default_rng(0).normal(size=(2, *SHAPE[1:])).astype("float32")
    np.testing.assert_array_equal(loaded(x), model(x))


def test_frozen_before_it_is_built():
    layer = built(trainable=False)
    assert (len(layer.trainable_weights), len(layer.non_trainable_weights)) == (0, 4)
    layer.trainable = True
    assert (len(layer.trainable_weights), len(layer.non_trainable_weights)) == (4, 0)
