"""Models train on every backend of Keras; `make test-backends` runs this on the others than TensorFlow."""

import keras
import numpy as np
import pytest

from keraslayers import models
from tests import backend


@pytest.mark.parametrize(("name", "options"), [("lenet5", {}), ("shufflenet_v2", {"alpha": 0.5})])
def test_a_model_trains_saves_and_loads(name, options, tmp_path):
    model = models.create(name, input_shape=(32, 32, 1), classes=3, **options)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=backend.JIT)
    before = model.get_weights()
    x = np.random.default_rng(0).normal(size=(8, 32, 32, 1)).astype("float32")
    assert np.isfinite(model.fit(x, np.arange(8) % 3, verbose=0).history["loss"]).all()
    for weight, old, new in zip(model.weights, before, model.get_weights(), strict=True):
        assert not np.array_equal(old, new), f"{weight.path} learns nothing"
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))  # the same twice
