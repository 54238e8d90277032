"""Pixels of 0 to 255 as a file's input, scaled inside the file as training scaled them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keraslayers.export import Verdict, prove, to_tflite
from keraslayers.export.convert import converter
from keraslayers.export.convert.observe import Observed
from keraslayers.export.source.interface import Input
from keraslayers.export.source.samples import make_up, name_samples
from tests.export_models import dense, enliven, needs_gpu, run_reference

# Neither a black nor a white pixel is among them.
PIXELS = np.random.default_rng(0).integers(30, 200, (24, 8, 8, 3)).astype("uint8")
MEAN, DEVIATION = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])  # ImageNet's


def classifier(size=8):
    image = keras.Input((size, size, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(x)
    return enliven(keras.Model(image, layers.Dense(3, name="scores")(x), name="tiny"))


def adapted():
    layer = layers.Normalization()
    layer.adapt(PIXELS.astype("float32"))
    return layer


# By name: (preprocessing, the same in NumPy).
SCALINGS = {
    "layer": (lambda: layers.Rescaling(1 / 127.5, -1), lambda x: x / 127.5 - 1),
    "layer of each channel": (
        lambda: layers.Normalization(mean=MEAN, variance=DEVIATION**2),
        lambda x: (x - MEAN) / DEVIATION,
    ),
    "adapted layer": (adapted, lambda x: (x - PIXELS.mean((0, 1, 2))) / PIXELS.std((0, 1, 2))),
    "Keras's function": (lambda: keras.applications.densenet.preprocess_input, lambda x: (x - MEAN) / DEVIATION),
    "own function": (lambda: lambda x: ops.take(x, [2, 1, 0], axis=-1) / 255, lambda x: x[..., ::-1] / 255),
    "TensorFlow's function": (lambda: lambda x: tf.square(x / 255), lambda x: (x / 255) ** 2),
    "model": (lambda: keras.Sequential([layers.Rescaling(1 / 255), layers.Rescaling(4, -2)]), lambda x: x / 63.75 - 2),
    "nothing": (lambda: layers.Identity(), lambda x: x),
}


@pytest.mark.parametrize("name", SCALINGS)
def test_the_file_scales_as_training_did(name):
    make, by_hand = SCALINGS[name]
    model = classifier()
    report, raw = (made := to_tflite(model, samples=PIXELS, preprocessing=make())).report, made.tflite
    assert report.require().inputs[0]["dtype"] == "float32"
    x = PIXELS[:1].astype("float32")
    expected = model.predict(by_hand(x), verbose=0)
    # Two orders of computing the same in float32.
    np.testing.assert_allclose(run_reference(raw, image=x)["scores"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "io", "zero"),
    [("layer", "uint8", 0), ("layer of each channel", "uint8", 0), ("nothing", "uint8", 0), ("layer", "int8", -128)],
)
def test_a_step_of_an_int8_file_is_a_pixel(name, io, zero):
    make, by_hand = SCALINGS[name]
    model = classifier()
    made = to_tflite(model, precision="int8", samples=PIXELS, io=io, preprocessing=make())
    (entry,), (scores,) = made.report.require().inputs, made.report.outputs
    assert (entry["dtype"], entry["scale"], entry["zero_point"]) == (io, 1.0, zero)
    image = PIXELS[:1]
    expected = model.predict(by_hand(image.astype("float32")), verbose=0)
    got = run_reference(made.tflite, image=(image.astype("int16") + zero).astype(io))["scores"]
    got = (got - float(scores["zero_point"])) * scores["scale"]
    # 8 bits of weights and activations: a twentieth of the scores' spread.
    assert np.abs(got - expected).max() < 0.05 * np.ptp(expected)


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic"])
def test_a_float_file_takes_uint8_where_it_is_asked_for(precision):
    model = classifier()
    scaling = layers.Rescaling(1 / 127.5, -1)
    made = to_tflite(model, precision=precision, samples=PIXELS, io="uint8", preprocessing=scaling)
    (entry,), (scores,) = made.report.require().inputs, made.report.outputs
    assert (entry["dtype"], entry["scale"], scores["dtype"]) == ("uint8", None, "float32")
    assert (made.report.io, made.report.preprocessing) == ("uint8", "Rescaling")
    got = run_reference(made.tflite, image=PIXELS[:1])["scores"]
    expected = model.predict(PIXELS[:1] / 127.5 - 1, verbose=0)
    assert np.abs(got - expected).max() < 0.02 * np.ptp(expected)  # float16 and dynamic: weights of 11 and 8 bits


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_on_the_gpu(precision):
    scaling = layers.Normalization(mean=MEAN, variance=DEVIATION**2)
    made = to_tflite(
        classifier(), target="gpu-fp32", precision=precision, samples=PIXELS, io="uint8", preprocessing=scaling
    )
    assert made.report.proof("gpu").verdict is Verdict.PROVEN


def test_int16_holds_parts_of_pixels():
    scaling = layers.Rescaling(1 / 127.5, -1)
    made = to_tflite(classifier(), precision="int16x8", samples=PIXELS, io="int16", preprocessing=scaling)
    (entry,) = made.report.require().inputs
    assert entry["scale"] == pytest.approx(255 / 32767)  # symmetric, up to a white pixel


def test_int8_loses_no_more_than_with_pixels_scaled_outside():
    model = classifier()
    scaled = PIXELS.astype("float32") / 127.5 - 1
    outside = to_tflite(model, precision="int8", samples=scaled).report
    inside = to_tflite(model, precision="int8", samples=PIXELS, preprocessing=layers.Rescaling(1 / 127.5, -1)).report
    # An input of half the steps would take 6 dB.
    assert inside.proof("cpu").snr_db > outside.proof("cpu").snr_db - 3


@pytest.mark.parametrize("held", ["float32", "uint8"])
@pytest.mark.parametrize("given", ["uint8", "int32", "float32", "float64"])
def test_samples_are_pixels_of_any_dtype(given, held):
    entry = Input("image", (None, 8, 8, 3), held)
    named = name_samples("to_tflite", PIXELS.astype(given), [entry], pixels=True)["image"]
    assert named.dtype == held
    np.testing.assert_array_equal(named, PIXELS)


def test_pixels_between_two_whole_numbers_are_rounded_for_uint8():
    entry = Input("image", (None, 1), "uint8")
    named = name_samples("to_tflite", np.array([[0.4], [254.6]]), [entry], pixels=True)["image"]
    np.testing.assert_array_equal(named, [[0], [255]])


def test_samples_without_a_number():
    bad = PIXELS.astype("float32")
    bad[3, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="hold NaN or infinity in 1 of 24 samples"):
        to_tflite(classifier(), samples=bad, preprocessing=layers.Rescaling(1 / 255))


def test_made_up_samples_are_pixels():
    (values,) = make_up([Input("image", (None, 8, 8, 3), "float32")], pixels=True).values()
    assert values.dtype == "float32"
    assert set(np.unique(values)) <= set(range(256))
    assert (values.min(), values.max()) == (0, 255)
    assert to_tflite(classifier(), io="uint8", preprocessing=layers.Rescaling(1 / 255)).report.ok


def test_the_size_may_come_from_the_samples():
    report = to_tflite(classifier(size=None), samples=PIXELS, preprocessing=layers.Rescaling(1 / 255)).report
    assert report.require().inputs[0]["shape"] == (1, 8, 8, 3)


def test_what_is_given_stays_as_it_is():
    model, scaling, given = classifier(), adapted(), PIXELS.copy()
    before = [layer.get_config() for layer in (model, scaling)], [w.numpy() for w in model.weights + scaling.weights]
    to_tflite(model, precision="int8", samples=given, io="uint8", preprocessing=scaling)
    assert [layer.get_config() for layer in (model, scaling)] == before[0]
    for old, new in zip(before[1], model.weights + scaling.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(given, PIXELS)
    assert scaling._inbound_nodes == []


def test_a_saved_file_tells_that_it_takes_pixels(tmp_path):
    made = to_tflite(classifier(), samples=PIXELS, preprocessing=layers.Rescaling(1 / 255))
    assert '"preprocessing": "Rescaling"' in made.report.to_json()
    made.save(tmp_path / "m.tflite")
    assert prove(tmp_path / "m.tflite", "cpu", PIXELS.astype("float32")).ok


# --- what does not fit

WHO = "`to_tflite`: `preprocessing` "
CALL = WHO + (
    "must be a layer or a function of tensors, such as keras.layers.Rescaling(1 / 255) or "
    "keras.applications.mobilenet_v2.preprocess_input; got {!r}."
)
WRONG_PIXELS = (
    "`to_tflite`: `samples` for input `image` must be pixels of 0 to 255, which `preprocessing` scales inside "
)
HALF = layers.Rescaling(1 / 255)


def two_images():
    a, b = keras.Input((8, 8, 3), name="a"), keras.Input((8, 8, 3), name="b")
    return keras.Model([a, b], layers.Conv2D(2, 1)(a + b), name="two")


@pytest.mark.parametrize(
    ("make", "options", "error", "message"),
    [
        (classifier, {"preprocessing": (0, 255)}, TypeError, CALL.format((0, 255))),
        (classifier, {"preprocessing": "imagenet"}, TypeError, CALL.format("imagenet")),
        (classifier, {"preprocessing": layers.Rescaling}, TypeError, CALL.format(layers.Rescaling)),
        (two_images, {"preprocessing": HALF}, ValueError, WHO + "is for models of one input; 'two' has ['a', 'b']."),
        (
            dense,
            {"preprocessing": HALF},
            ValueError,
            WHO + "is for models that take an image in floats; input `x` of 'head' is float32 of shape (None, 4).",
        ),
        (
            classifier,
            {"preprocessing": lambda x: x[:, :4]},
            ValueError,
            WHO + "must give a tensor of the shape it takes, (1, 8, 8, 3) for input `image`; got (1, 4, 8, 3).",
        ),
        (
            classifier,
            {"preprocessing": lambda x: [x]},
            ValueError,
            WHO + "must give a tensor of the shape it takes, (1, 8, 8, 3) for input `image`; got list.",
        ),
        (
            classifier,
            {"preprocessing": HALF, "samples": PIXELS / 255},
            ValueError,
            WRONG_PIXELS + f"the file; got values from {30 / 255} to {199 / 255}.",
        ),
        (
            classifier,
            {"preprocessing": HALF, "samples": PIXELS.astype("float32") - 128},
            ValueError,
            WRONG_PIXELS + "the file; got values from -98.0 to 71.0.",
        ),
        (
            classifier,
            {"preprocessing": HALF, "samples": PIXELS.astype("int32") * 2},
            ValueError,
            WRONG_PIXELS + "the file; got values from 60 to 398.",
        ),
        (
            classifier,
            {"preprocessing": HALF, "io": "int8"},
            ValueError,
            "`to_tflite`: `io`='int8' needs precision='int8'; got precision='float32'.",
        ),
        (
            classifier,  # the converter has no such kernels
            {"preprocessing": HALF, "io": "uint8", "precision": "int16x8", "samples": PIXELS},
            ValueError,
            "`to_tflite`: `io`='uint8' needs precision='int8'; got precision='int16x8'.",
        ),
    ],
)
def test_what_does_not_fit(monkeypatch, make, options, error, message):
    def worked(*args):
        raise AssertionError("it set to work before it looked")

    monkeypatch.setattr(converter, "start", worked)
    with pytest.raises(error) as caught:
        to_tflite(make(), **options)
    assert type(caught.value) is error
    assert str(caught.value) == message


def test_an_error_of_its_own_keeps_its_words():
    def scale(x):
        raise KeyError("mean")

    with pytest.raises(KeyError, match="mean") as caught:
        to_tflite(classifier(), preprocessing=scale)
    note = WHO + "does not take a float32 tensor of shape (1, 8, 8, 3), input `image`."
    assert note in caught.value.__notes__


def test_a_converter_that_stretches_the_pixels(monkeypatch):
    """Of what it calibrates by itself; by the ranges that are measured here pixels stay what they are."""
    bgr = keras.applications.resnet50.preprocess_input
    made = to_tflite(classifier(), precision="int8", samples=PIXELS, io="uint8", preprocessing=bgr)
    made.report.require()
    monkeypatch.setattr("keraslayers.export.convert.mixed.observe", lambda *_: Observed())
    with pytest.raises(RuntimeError, match=r"the converter gave input `image` the scale .* so that apps could not put"):
        to_tflite(classifier(), precision="int8", samples=PIXELS, io="uint8", preprocessing=bgr)
