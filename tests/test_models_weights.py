"""The argument `weights`: which files fit, and what is said of those that do not."""

import zipfile

import keras
import numpy as np
import pytest

from keraslayers import models
from tests.applications import compare
from tests.model_tools import image, outputs, randomize

pytestmark = [
    # Keras saves a TensorFlow variable through np.array, which NumPy 2 remarks on; not ours to change.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]


def saved(model, folder):
    """Both kinds of file."""
    paths = [folder / "model.keras", folder / "model.weights.h5"]
    model.save(paths[0])
    model.save_weights(paths[1])
    return paths


@pytest.mark.parametrize(
    ("builder", "options"),
    [
        (models.GoogLeNet, {"input_shape": (79, 79, 1), "batch_norm": True}),
        pytest.param(models.InceptionV3, {"input_shape": (107, 107, 1)}, marks=pytest.mark.sweep),
    ],
)
def test_a_network_without_heads_takes_the_weights_of_one_that_was_trained_with_them(builder, options, tmp_path):
    trained = builder(classes=3, aux_heads=True, **options)
    randomize(trained)
    x = image(options["input_shape"])
    expected = np.asarray(trained(x, training=False)[0])
    for path in saved(trained, tmp_path):
        plain = builder(classes=3, weights=path, **options)
        np.testing.assert_array_equal(outputs(plain, x), expected)
    # As the docstring says of a model that is there.
    np.testing.assert_array_equal(outputs(keras.Model(trained.input, trained.outputs[0]), x), expected)
    for path in saved(plain, tmp_path):
        with pytest.raises(ValueError, match=r"the file has none for 'aux1_conv"):
            builder(classes=3, aux_heads=True, weights=path, **options)


def test_weights_of_layers_within_layers(tmp_path):
    options = {"input_shape": (32, 32, 3), "classes": 2, "alpha": 0.35}
    trained = models.MobileNetV3Small(**options)  # squeeze-and-excitation is made of two convolutions
    randomize(trained)
    for path in saved(trained, tmp_path):
        # Dropout, which has a random state in the file, is no matter; nor is preprocessing, which has no weights.
        again = models.MobileNetV3Small(weights=path, preprocessing=True, **options)
        for one, other in zip(again.get_weights(), trained.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_weights_of_bfloat16(tmp_path):
    keras.config.set_dtype_policy("bfloat16")
    try:
        trained = models.LeNet5()
        randomize(trained)
        again = models.LeNet5(weights=saved(trained, tmp_path)[1])
    finally:
        keras.config.set_dtype_policy("float32")
    for one, other in zip(again.weights, trained.weights, strict=True):
        assert one.dtype == "bfloat16"
        np.testing.assert_array_equal(keras.ops.cast(one, "float32"), keras.ops.cast(other, "float32"))


@pytest.mark.parametrize(
    ("builder", "options", "of_theirs"),
    [
        ("MobileNetV2", {"alpha": 0.35}, {"alpha": 0.35}),
        ("MobileNetV3Small", {"alpha": 0.75}, {"alpha": 0.75, "include_preprocessing": False}),
    ],
)
def test_files_of_keras_applications(builder, options, of_theirs, tmp_path):
    """`make test-zoo` does so with all networks."""
    compare(builder, builder, tmp_path, side=32, options=options, of_theirs=of_theirs)


def test_of_another_number_of_classes(tmp_path):
    trained = models.LeNet5(classes=4)
    for path in saved(trained, tmp_path):
        with pytest.warns(
            UserWarning, match=r"`LeNet5`: 'predictions' keeps its initial weights, .* of 4 numbers in place of 3;"
        ):
            again = models.LeNet5(classes=3, weights=path)
        for layer in trained.layers[:-1]:
            for one, other in zip(again.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)
        assert again.output_shape == (None, 3)


def test_without_top_of_a_file_with_one(tmp_path):
    trained = models.LeNet5()
    for path in saved(trained, tmp_path):
        again = models.LeNet5(include_top=False, weights=path)
        np.testing.assert_array_equal(again.get_layer("c3").kernel, trained.get_layer("c3").kernel)
        # The other way round a classifier would be missing.
    for path in saved(again, tmp_path):
        refused(path, r"the file has none for 'c5'")


def test_of_other_channels(tmp_path):
    """A grey image gives what its copies in all channels give; of other numbers of channels the sum is the same."""
    options = {"input_shape": (32, 32, 3), "classes": 2, "alpha": 0.25}
    trained = models.MobileNet(**options)
    randomize(trained)
    grey = image((32, 32, 1))
    for path in saved(trained, tmp_path):
        made = models.MobileNet(weights=path, **options | {"input_shape": (32, 32, 1)})
        # Three products are summed in another order.
        expected = outputs(trained, np.repeat(grey, 3, axis=-1))
        np.testing.assert_allclose(outputs(made, grey), expected, rtol=1e-4, atol=1e-5)
        four = models.MobileNet(weights=path, **options | {"input_shape": (32, 32, 4)})
        kernels = [model.get_layer("stem").kernel.numpy() for model in (trained, four)]
        np.testing.assert_allclose(kernels[1], kernels[0][:, :, [0, 1, 2, 0]] * 3 / 4, rtol=1e-6)


# Errors


def refused(path, message, build=models.LeNet5, **options):
    with pytest.raises(ValueError, match=message) as raised:
        build(weights=path, **options)
    assert str(raised.value).startswith(f"`{build.__name__}`: `weights` must ")
    assert str(path) in str(raised.value)
    assert len(str(raised.value)) < 600
    return raised.value


def test_of_another_network(tmp_path):
    for path in saved(models.SqueezeNet(input_shape=(16, 16, 1), classes=2), tmp_path):
        refused(path, r"the file has none for 'c1'; the file has none for 'c3'; .*; and \d+ more\. Build the model")


def test_of_a_network_that_has_every_layer_and_more(tmp_path):
    options = {"input_shape": (32, 32, 3), "units": 4, "classes": 2}
    path, _ = saved(models.VGG16(**options), tmp_path)
    # Alone the convolutions that VGG13 lacks tell them apart.
    refused(path, r"where the file's 'stage[345]_conv3' is not in the model; .*Build the", models.VGG13, **options)


@pytest.mark.parametrize("name", ["junk.keras", "junk.weights.h5"])
@pytest.mark.parametrize("cut", [False, True], ids=["junk", "cut short"])
def test_of_a_damaged_file(name, cut, tmp_path):
    path = tmp_path / name
    if cut:
        model = models.LeNet5()
        (model.save if name.endswith(".keras") else model.save_weights)(path)
    path.write_bytes(path.read_bytes()[:2000] if cut else b"junk")
    error = refused(path, r"must be a file that Keras 3 wrote; .* is something else or damaged \(.+\)\. Write one with")
    assert error.__cause__ is not None


def test_of_an_archive_without_weights(tmp_path):
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    refused(path, r"is something else or damaged")
