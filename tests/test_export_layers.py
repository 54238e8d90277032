"""The law of export, over every row of cases.py: as a part of a model the layer is PROVEN on cpu and gpu."""

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.export import to_tflite
from tests.cases import CASES
from tests.export_models import enliven, needs_gpu


def network(case):
    """The layer between two others, as it stands in a network; they mix its channels, so that none can hide."""

    def mix(filters, name):
        return layers.Conv2D(filters, 1, name=name) if len(case.input_shape) == 3 else layers.Dense(filters, name=name)

    inputs = keras.Input(case.input_shape, name="x")
    x = mix(case.input_shape[-1], "before")(inputs)
    x = case.make(name="judged")(x)
    return enliven(keras.Model(inputs, mix(5, "after")(x)))


# Whose files differ from another row's in numbers alone.
ALIKE = {
    "channel_shuffle_2",
    "channel_shuffle_3",
    "hard_sigmoid_binarynet",
    "hard_sigmoid_keras2",
    "image_kernel_box_blur",
    "image_kernel_edge_cross",
    "image_kernel_edge_laplace",
    "image_kernel_gaussian_blur",
    "image_kernel_sharpen",
    "image_kernel_sobel_y",
    "maxout_3",
    "shift_leaky_relu_4",
    "squeeze_excite_ratio",
    "table_silu",
}
ROWS = [
    pytest.param(case, precision, id=f"{case.name}-{precision}")
    for case in CASES
    for precision in ("float32", "int8")
    if case.name not in ALIKE and (case.int8 or precision != "int8")
]


def test_names_are_those_of_rows():
    assert {case.name for case in CASES} >= ALIKE


@needs_gpu
@pytest.mark.parametrize(
    ("case", "precision"),
    ROWS,
)
def test_proven_on_gpu_and_cpu(case, precision):
    model, x = network(case), case.inputs(32)
    assert all(np.ptp(x[:16], axis=0).ravel() > 0), "constant inputs prove nothing"
    report = to_tflite(model, target="gpu-fp32", precision=precision, samples=x).report.require()
    for proof in report.proofs:
        if proof.runtime == "cpu" and precision in case.left_out:
            assert proof.delegated < proof.operators, f"no longer so: {case.left_out[precision]}"
        else:
            assert proof.delegated == proof.operators, f"{proof.runtime} left operators out"
            assert proof.partitions == 1
        # Measured: 131 dB and more in float32, 25 and more in int8 (hard-swish; 29 without it). A layer that is left
        # out or computed otherwise gives 20 and less.
        assert proof.snr_db is None or proof.snr_db > {"float32": 100, "int8": case.int8_db}[precision]


def test_the_layer_reaches_the_output():
    for case in CASES:
        if case.outputs_shape() != (2, *case.input_shape):
            continue  # another shape than without it
        model, x = network(case), case.inputs(4)
        without = keras.Model(model.input, model.get_layer("after")(model.get_layer("before").output))
        same = np.allclose(model(x), without(x))
        # A mark is no more; one group, and groups of one channel, leave the channels where they are.
        changeless = ("auxiliary_output", "channel_shuffle_one_group", "channel_shuffle_all_groups")
        assert same == (case.name in changeless), case.name
