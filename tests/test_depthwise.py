"""Depthwise convolutions for which XNNPACK has no kernels, in files; the law itself is in `test_rewrites`."""

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers import export
from keraslayers.export.file import edit
from tests.export_models import needs_gpu

MOST = 25


def network():
    x = image = keras.Input((24, 20, 8))
    for options in ({"padding": "same"}, {"padding": "same", "strides": 2}, {"padding": "valid"}):
        x = layers.DepthwiseConv2D(7, bias_initializer="normal", activation="relu", **options)(x)
    return keras.Model(image, layers.Conv2D(8, 1)(x))


SAMPLES = np.random.default_rng(0).normal(size=(16, 24, 20, 8)).astype("float32")


def depthwise(made):
    """(height, width, dilations) of every kernel of a file."""
    found = [operator for operator in edit.read(made.tflite).main.operators if operator.name == "DEPTHWISE_CONV_2D"]
    return [
        (*operator.inputs[1].shape[1:3], operator.options.dilationHFactor, operator.options.dilationWFactor)
        for operator in found
    ]


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_each_kernel_is_three_in_one_piece(precision):
    keras.utils.set_random_seed(0)
    made = export.to_tflite(network(), precision=precision, samples=SAMPLES)
    kernels = depthwise(made)
    assert len(kernels) == 9
    assert all(height * width <= MOST for height, width, *_ in kernels)
    assert sum(height * width for height, width, *_ in kernels) == 3 * 49
    (proof,) = made.report.proofs
    assert (proof.verdict.name, proof.partitions) == ("PROVEN", 1)


@needs_gpu
def test_integers_are_proven_on_gpus_too_and_their_floats_stay_whole():
    keras.utils.set_random_seed(0)
    model = network()
    made = export.to_tflite(model, target="gpu", precision="int8", samples=SAMPLES)
    assert len(depthwise(made)) == 9
    assert made.report.ok, made.report
    assert len(depthwise(export.to_tflite(model, target="gpu-fp32", samples=SAMPLES))) == 3


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_several_filters_a_channel_are_one_in_one_piece(precision):
    keras.utils.set_random_seed(0)
    image = keras.Input((24, 20, 8))
    model = keras.Model(image, layers.SeparableConv2D(6, 3, depth_multiplier=3, bias_initializer="normal")(image))
    made = export.to_tflite(model, precision=precision, samples=SAMPLES)
    (depthwise,) = [each for each in edit.read(made.tflite).main.operators if each.name == "DEPTHWISE_CONV_2D"]
    assert (depthwise.inputs[0].shape[3], depthwise.output.shape[3]) == (24, 24)
    (proof,) = made.report.proofs
    assert (proof.verdict.name, proof.partitions) == ("PROVEN", 1)
