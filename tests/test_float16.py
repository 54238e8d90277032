"""What 16 bits do to a model: its largest value beside theirs, and what rounding costs layer by layer."""

import json

import keras
import numpy as np
import pytest
from keras import layers, ops

from keraslayers.export import to_tflite
from tests.export_models import needs_gpu, samples


def stretched(factor):
    """Nested, and large in the middle alone."""
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Rescaling(factor, name="large")], name="inner")
    image = keras.Input((4, 4, 2), name="image")
    return keras.Model(image, layers.Rescaling(1 / factor, name="small")(inner(image)), name="net")


def test_a_model_that_comes_near_the_end_of_float16_is_warned_of():
    x = samples(8, (4, 4, 2))
    size = abs(x).max()
    with pytest.warns(UserWarning, match=r"`to_tflite`: model 'net': the largest value .* out of layer `large`; float"):
        report = to_tflite(stretched(30000.0), precision="float16", samples=x).report
    assert report.largest.layer == "large"
    assert report.largest.value == pytest.approx(30000.0 * size)
    assert "float16, in which phones' GPUs compute, ends at 65504" in " ".join(str(report).split())


@needs_gpu
def test_a_model_that_stays_small_is_not():
    report = to_tflite(stretched(10.0), target="gpu-fp32", samples=samples(8, (4, 4, 2))).report.require()
    assert report.largest.layer == "large"
    assert to_tflite(stretched(10.0)).report.largest is None


def test_errors_of_layers():
    image = keras.Input((6,), name="image")
    hidden = keras.Sequential([keras.Input((6,)), layers.Dense(5, activation="tanh", name="first")], name="nested")(
        image
    )
    model = keras.Model(image, layers.Dense(3, name="last")(layers.Dropout(0.5)(hidden)), name="net")
    x = samples(8, (6,))
    report = to_tflite(model, precision="float16", samples=x, layer_errors=True).report
    found = {error.layer: error.snr_db for error in report.layer_errors}
    assert list(found) == sorted(("first", "last"), key=found.get)

    def outputs(chosen):
        y = x[:4]
        for name, activation in (("first", np.tanh), ("last", lambda y: y)):
            kernel, bias = (w.astype("float16") if name == chosen else w for w in model_layer(name).get_weights())
            y = activation(y @ kernel.astype("float32") + bias.astype("float32"))
            y = y.astype("float16").astype("float32") if name == chosen else y
        return y.astype("float64")

    def model_layer(name):
        return next(layer for layer in model._flatten_layers() if layer.name == name)

    wanted = outputs(None)
    for name, snr in found.items():
        wrong = np.sum((outputs(name) - wanted) ** 2)
        assert snr == pytest.approx(10 * np.log10(np.sum((wanted - wanted.mean(axis=0)) ** 2) / wrong), abs=2)
    assert "float16 costs most in: " in str(report)


def test_a_weight_beyond_float16_costs_everything():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="good"), layers.Dense(2, name="far")], name="net")
    far = model.get_layer("far")
    far.set_weights([far.get_weights()[0] * 1e6, far.get_weights()[1]])
    with pytest.warns(UserWarning, match="the largest value"):
        report = to_tflite(model, precision="float16", samples=samples(8, (4,)), layer_errors=True).report
    worst, other = report.layer_errors
    assert (worst.layer, worst.snr_db, other.layer) == ("far", -300.0, "good")
    assert other.snr_db > 50


def test_a_late_sample_counts():
    x = samples(40, (4, 4, 2))
    x[30] *= 1000.0
    with pytest.warns(UserWarning, match="the largest value"):
        report = to_tflite(stretched(100.0), precision="float16", samples=x).report
    assert report.largest.value == pytest.approx(100.0 * abs(x).max())


def test_sums_and_squares_inside_of_layers_count():
    x = samples(8, (16, 16, 2)) + 100.0
    net = keras.Sequential([keras.Input((16, 16, 2)), layers.GlobalAveragePooling2D(name="mean")], name="net")
    with pytest.warns(UserWarning, match="inside of layer `mean`"):
        report = to_tflite(net, precision="float16", samples=x).report
    # Sums in another order differ by their last bits.
    assert report.largest.value == pytest.approx(abs(x.sum(axis=(1, 2))).max(), rel=1e-5)
    x *= 3
    net = keras.Sequential([keras.Input((16, 16, 2)), layers.LayerNormalization(name="norm")], name="net")
    with pytest.warns(UserWarning, match="inside of layer `norm`"):
        report = to_tflite(net, precision="float16", samples=x).report
    assert report.largest.value == pytest.approx((x.astype("float64") ** 2).max())
    assert report.largest.inside


def test_infinity_on_the_way_is_a_number_in_the_report():
    image = keras.Input((4,))
    x = ops.exp(layers.Rescaling(1000.0, name="scale")(image))
    model = keras.Model(image, ops.minimum(layers.Rescaling(1.0, name="huge")(x), 2.0), name="net")
    with pytest.warns(UserWarning, match="the largest value"):
        report = to_tflite(model, precision="float16", samples=np.abs(samples(8, (4,))) + 1).report
    told = json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert told["largest"]["value"] == float(np.finfo("float32").max)
