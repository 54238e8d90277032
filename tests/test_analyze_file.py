"""What a .tflite file costs, against its Keras model, whose operators TensorFlow's converter made."""

import keras
import numpy as np
import pytest
from keras import layers

import keraslayers
from keraslayers import export, models
from keraslayers.export import analyze_file
from keraslayers.export.convert.convert import convert
from keraslayers.export.source.interface import interface_of


def file_of(model, precision="float32"):
    """The bytes of a file that nobody proves: that takes most of the time."""
    interface = interface_of("file_of", model)
    shapes = {entry.name: (1, *entry.shape[1:]) for entry in interface.inputs}
    return convert(interface, model, shapes, precision, "float32")


@pytest.fixture(scope="module")
def lenet():
    return models.LeNet5(modern=True)


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic"])
def test_a_file_costs_what_its_model_does(lenet, precision):
    found, model = analyze_file(file_of(lenet, precision)), keraslayers.analyze(lenet)
    assert found.unknown == ()
    assert found.multiply_adds == model.multiply_adds == 416_520
    assert found.flops == model.flops
    assert (found.depth, found.receptive_field) == (2, (32, 32))
    assert [row.receptive_field for row in found.layers][:4] == [row.receptive_field for row in model.layers][:4]
    # A bias of zeros may go.
    kernels = 61_706 - (6 + 16 + 120 + 84 + 10)
    assert kernels <= found.parameters <= 61_706
    assert found.trainable_parameters == 0


def test_a_network_costs_what_its_model_does():
    """Depthwise and pointwise convolutions, squeeze-and-excitation and the shuffle of channels."""
    image = keras.Input((32, 32, 8))
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = keraslayers.ChannelShuffle(4)(layers.Conv2D(16, 1, groups=4)(x))
    x = keraslayers.SqueezeExcite(0.25)(layers.DepthwiseConv2D(5, padding="same")(x))
    x = keraslayers.SpatialSeparableConv2D(12, 3, padding="same")(x) + layers.Conv2D(12, 1)(x)
    model = keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))
    found, expected = analyze_file(file_of(model)), keraslayers.analyze(model)
    assert found.unknown == ()
    assert (found.multiply_adds, found.depth) == (expected.multiply_adds, expected.depth)


# What the converter makes one operator of each.
LAYERS = {
    "transposed": layers.Conv2DTranspose(3, 4, strides=2, padding="same"),
    "transposed_valid": layers.Conv2DTranspose(3, 3, strides=2),
    "conv_3d": layers.Conv3D(2, 3, strides=2, padding="same"),
    "dilated": layers.Conv2D(3, 3, dilation_rate=2),
    "resize": layers.Resizing(20, 20),
    "nearest": layers.Resizing(20, 20, interpolation="nearest"),
    "padding": layers.ZeroPadding2D(((1, 2), (3, 0))),
    "separable": layers.SeparableConv2D(5, 3, strides=2, padding="same"),
    "dense": layers.Dense(7),
    "average": layers.AveragePooling2D(3, 2, "same"),
    "global": layers.GlobalAveragePooling2D(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_an_operator_counts_and_sees_as_its_layer(name):
    shape = (8, 10, 12, 2) if name == "conv_3d" else (10, 12, 4)
    model = keras.Sequential([keras.Input(shape, batch_size=1), LAYERS[name]])
    found, expected = analyze_file(file_of(model)), keraslayers.analyze(model)
    assert found.unknown == ()
    assert (found.multiply_adds, found.flops, found.depth) == (expected.multiply_adds, expected.flops, expected.depth)
    last = expected.layers[-1]
    for what in ("receptive_field", "stride", "start"):
        assert getattr(found.layers[-1], what) == getattr(last, what), what


def test_products_of_two_activations_are_told_apart():
    x = keras.Input((6, 8), batch_size=1)
    model = keras.Model(x, keras.ops.matmul(x, keras.ops.transpose(layers.Dense(8)(x), (0, 2, 1))))
    found = analyze_file(file_of(model))
    assert (found.multiply_adds, found.activation_products) == (6 * 8 * 8 + 6 * 6 * 8, 6 * 6 * 8)


def test_an_operator_that_is_unknown_is_named():
    x = keras.Input((6, 8), batch_size=1)
    found = analyze_file(file_of(keras.Model(x, keras.ops.cumsum(layers.Dense(8)(x), axis=1))))
    assert [row.kind for row in found.layers if not row.known] == ["CUMSUM"]
    assert len(found.unknown) == 1
    assert found.multiply_adds == 6 * 8 * 8


def test_the_memory_of_an_int8_file_is_a_byte_an_element(lenet):
    samples = np.random.default_rng(0).random((8, 32, 32, 1), "float32")
    found = analyze_file(export.to_tflite(lenet, precision="int8", samples=samples).tflite)
    assert found.unknown == ()
    # The lowering for XNNPACK may add operators, and takes none away.
    assert found.multiply_adds >= 416_520
    assert found.bytes("int8") == found.memory < found.bytes()


def test_what_is_no_file_is_refused(tmp_path, lenet):
    with pytest.raises(FileNotFoundError, match=r"`analyze_file`: `file`: there is no file '.*x.tflite'"):
        analyze_file(tmp_path / "x.tflite")
    (tmp_path / "x.tflite").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"`analyze_file`: 'x.tflite' is not a TFLite file"):
        analyze_file(tmp_path / "x.tflite")
    blob = bytearray(file_of(lenet))
    random, said = np.random.default_rng(0), []
    for _ in range(100):
        damaged = bytearray(blob)
        for at in random.integers(8, 4000, 8):
            damaged[at] = random.integers(256)
        try:
            analyze_file(bytes(damaged))
        except ValueError as error:
            said.append(str(error))
    assert said
    assert all("TFLite file" in words for words in said)
