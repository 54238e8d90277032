"""Deformable convolution trains with rounding: its kernels, offsets and samples are those of the file."""

import keras
import numpy as np
import pytest
from keras import layers

import keraslayers
from keraslayers import export
from keraslayers.export import optimize
from tests.export_models import enliven, needs_gpu, samples

FORMS = {
    "plain": {"max_offset": 1},
    # Two products of matrices, summed.
    "far": {"max_offset": 3, "padding": "same"},
    "masked": {"max_offset": 1, "modulated": True, "strides": 2, "groups": 2, "offset_groups": 2, "use_bias": False},
    "dilated": {"max_offset": 2, "kernel_size": (3, 2), "dilation_rate": 2, "offset_groups": 2, "activation": "silu"},
    "channels first": {"max_offset": 1, "data_format": "channels_first", "activation": "relu"},
}
X = samples(shape=(8, 8, 4))


def network(times=1, **options):
    image = keras.Input((8, 8, 4), name="image")
    moving = keraslayers.DeformableConv2D(4, **{"kernel_size": 3, "name": "moving", **options})
    x = layers.Conv2D(4, 3, padding="same", name="before")(image)
    for _ in range(times):
        x = moving(x)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize("name", FORMS)
def test_its_file_is_what_was_trained(name):
    keras.utils.set_random_seed(0)
    model = enliven(network(**FORMS[name]))
    made = optimize.quantize_aware(model, samples=X)
    assert made.plan.difference < 1e-5
    before = model.get_weights()
    made.compile(keras.optimizers.Adam(1e-3), "mse")
    made.fit(X, np.roll(model.predict(X, verbose=0), 1, axis=0), epochs=2, verbose=0)
    trained = optimize.strip(made).get_weights()
    assert [i for i, weight in enumerate(trained) if np.array_equal(weight, before[i])] == []
    report = export.to_tflite(made, target="gpu-fp32", precision="int8", samples=X).report.require()
    assert report.float_operators == {"BATCH_MATMUL": 1}
    assert max(proof.rms_steps for proof in report.proofs) < 3  # 0.5 to 1.6 were seen


@pytest.mark.parametrize("compiled", [False, True])
def test_offsets_that_are_zero_begin_to_move(compiled):
    """Of kernels of zeros, as new layers have them, rounding has no scale."""
    keras.utils.set_random_seed(0)
    model = network(times=2, max_offset=2, padding="same", modulated=True)
    made = optimize.quantize_aware(model, samples=X)
    made.compile(keras.optimizers.Adam(1e-3), "mse", jit_compile=compiled)
    made.fit(X, np.roll(model.predict(X, verbose=0), 1, axis=0), epochs=2, verbose=0)
    layer = optimize.strip(made).get_layer("moving")
    offsets, masks = np.split(np.array(layer.offset_kernel), [2 * layer.geometry.taps], axis=-1)
    assert 1e-3 < np.max(np.abs(offsets)) < 1e-2  # Adam has taken two steps of a thousandth at least
    assert 1e-3 < np.max(np.abs(masks)) < 1e-2
    assert np.all(np.isfinite(made.predict(X, verbose=0)))


def test_clipped_offsets_and_saved_models_are_the_same(tmp_path):
    model = enliven(network(max_offset=1))
    kernel = model.get_layer("moving").offset_kernel
    kernel.assign(3 * kernel)  # offsets of several pixels
    made = optimize.quantize_aware(model, samples=X)
    optimize.save(made, tmp_path / "made.zip")
    again = optimize.load(tmp_path / "made.zip")
    np.testing.assert_allclose(again.predict(X, verbose=0), made.predict(X, verbose=0), atol=1e-6)
    export.to_tflite(again, precision="int8", samples=X).report.require()
