"""Layers that `quantize_aware` skips are floats in the file, and all others are integers."""

import keras
import pytest
from keras import layers, ops

from keraslayers import export
from keraslayers.export import optimize
from keraslayers.export.optimize import assemble
from tests.export_models import enliven, samples


def network():
    """Every layer named by a letter: linear ones behind one another, a normalization, and some that move numbers."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, name="b")(layers.Conv2D(4, 3, name="a")(image))
    x = layers.BatchNormalization(name="n")(x)
    x = keras.Sequential([keras.Input(x.shape[1:]), layers.MaxPooling2D(name="m")], name="part")(x)
    y = layers.GlobalAveragePooling2D(name="g")(x)
    y = layers.Dense(5, activation="silu", name="d")(y)
    x = layers.Concatenate(name="k")([layers.Flatten(name="f")(x), y])
    return enliven(keras.Model(image, layers.Dense(3, name="c")(x)))


# By what is skipped which operators are floats, but for the ones that keep the converter out.
CASES = {
    "b": {"CONV_2D": 1},
    "ab": {"CONV_2D": 2},
    "bn": {"CONV_2D": 1},  # the converter folds the normalization into the convolution: of floats
    "n": {"MUL": 1, "ADD": 1},
    "g": {"MEAN": 1},
    "gd": {"MEAN": 1, "FULLY_CONNECTED": 1, "LOGISTIC": 1, "MUL": 1},
    "c": {"FULLY_CONNECTED": 1},
    "mfk": {},  # what moves integers loses nothing
    "nmf": {"MUL": 1, "ADD": 1, "MAX_POOL_2D": 1},  # the reshape moves integers: of what is pooled a mean is rounded
}


@pytest.mark.sweep
@pytest.mark.parametrize("skip", CASES)
def test_skipped_layers_alone_are_floats(skip):
    made = optimize.quantize_aware(network(), samples=samples(), skip=list(skip))
    assert made.plan.difference < 1e-5
    made(samples(), training=True)
    report = export.to_tflite(made, precision="int8", samples=samples()).report.require()
    assert report.float_layers == tuple(sorted(skip))
    assert report.float_operators == CASES[skip]


def test_nested_models_are_skipped_layer_by_layer():
    made = optimize.quantize_aware(network(), samples=samples(), skip="part")
    assert made.plan.options["skip"] == ["m"]


def test_a_name_is_taken_for_no_other():
    """Keras calls what a layer calls `add_1`, say, whatever the user's layers are called."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(3, 1, name="conv")(image)
    x = layers.Add(name="conv_add")([image, x])
    model = enliven(keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))))
    made = optimize.quantize_aware(model, samples=samples(), skip="conv")
    report = export.to_tflite(made, precision="int8", samples=samples()).report.require()
    assert report.float_operators == {"CONV_2D": 1}


@keras.saving.register_keras_serializable("tests")
class Largest(layers.Layer):
    def call(self, inputs):
        return ops.softplus(ops.top_k(inputs, 5)[0])


def test_operations_stay_in_floats_inside_a_layer():
    """As the messages say of operations, which `skip` does not take."""
    image = keras.Input((8, 8, 3), name="image")
    x = Largest(name="largest")(layers.Flatten()(layers.Conv2D(4, 3)(image)))
    model = enliven(keras.Model(image, layers.Dense(3)(x)))
    made = optimize.quantize_aware(model, samples=samples(), skip="largest")
    report = export.to_tflite(made, precision="int8", samples=samples()).report.require()
    assert report.float_operators["TOPK_V2"] == 1


def test_the_file_is_checked(monkeypatch):
    """Without what keeps the converter out it rounds a skipped layer, for which that was never trained."""
    monkeypatch.setattr(assemble._Assembly, "_floats", lambda self, value, name: value)
    made = optimize.quantize_aware(network(), samples=samples(), skip=["b"])
    with pytest.raises(RuntimeError, match="CONV_2D of 'b' in integers, which was to stay in floats"):
        export.to_tflite(made, precision="int8", samples=samples())


def test_floats_are_checked_where_some_are_skipped(monkeypatch):
    made = optimize.quantize_aware(network(), samples=samples(), skip=["b"])
    monkeypatch.setattr(made.get_layer("g_mean_range"), "call", lambda inputs, training=None: inputs)
    with pytest.raises(RuntimeError, match="FULLY_CONNECTED of 'd_linear' in floats, which trained with rounding"):
        export.to_tflite(made, precision="int8", samples=samples())
