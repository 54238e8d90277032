"""Outputs that are inputs, or one tensor twice: a phone's GPU gives garbage for the first and refuses the second."""

import keras
import pytest
from keras import layers

from keraslayers.export import to_tflite
from tests.export_models import enliven, needs_gpu, samples


def with_its_input(shape):
    x = keras.Input(shape, name="x")
    return enliven(keras.Model(x, [layers.Dense(4, name="y")(x), x, layers.Flatten(name="flat")(x)], name="net"))


def twice():
    x = keras.Input((6, 6, 4), name="x")
    y = layers.Conv2D(4, 1, name="y")(x)
    return enliven(keras.Model(x, [y, y, layers.Identity(name="same")(y)], name="net"))


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("shape", [(8,), (5, 8), (6, 6, 4)])
def test_an_output_that_is_an_input(shape, precision):
    given = samples(16, shape)
    report = to_tflite(with_its_input(shape), target="gpu-fp32", precision=precision, samples=given).report.require()
    # Flattened, it has another shape, and is computed as it is.
    assert len(report.rewrites["copy_outputs"]) == (2 if len(shape) == 1 else 1)
    assert report.proof("cpu").partitions == 1


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_tensor_that_is_an_output_thrice(precision):
    report = to_tflite(twice(), target="gpu-fp32", precision=precision, samples=samples(16, (6, 6, 4))).report.require()
    assert len(report.rewrites["copy_outputs"]) == 2
