"""The law of export, over every row of cases.py: as a part of a model the layer is PROVEN on cpu and gpu."""

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.export import to_tflite
from tests.cases import CASES
from tests.export_models import enliven, needs_gpu


def network(*cases):
    """A layer between two others, as it stands in a network; they mix its channels, so that none can hide.

    Several layers that take the same stand side by side, each with an output of its own.
    """

    def mixed(x, filters, name):
        images = len(x.shape) == 4
        return layers.Conv2D(filters, 1, name=name)(x) if images else layers.Dense(filters, name=name)(x)

    inputs = keras.Input(cases[0].input_shape, name="x")
    x = mixed(inputs, cases[0].input_shape[-1], "before")
    if len(cases) == 1:
        return enliven(keras.Model(inputs, mixed(cases[0].make(name="judged")(x), 5, "after")))
    return enliven(
        keras.Model(inputs, [mixed(case.make(name=case.name)(x), 5, f"after_{case.name}") for case in cases])
    )


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
MOST = 6  # layers side by side


def side_by_side():
    """The rows by what their files have in common, a few in each file, since each takes seconds."""
    groups = {}
    for case in CASES:
        if case.name not in ALIKE:
            common = (case.input_shape, case.kinks, case.int8, case.int8_db, tuple(sorted(case.left_out)))
            groups.setdefault(common, []).append(case)
    return [tuple(found[i : i + MOST]) for found in groups.values() for i in range(0, len(found), MOST)]


FILES = [
    pytest.param(cases, precision, id=f"{'-'.join(case.name for case in cases)}-{precision}")
    for cases in side_by_side()
    for precision in ("float32", "int8")
    if cases[0].int8 or precision != "int8"
]


def test_names_are_those_of_rows():
    assert {case.name for case in CASES} >= ALIKE


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize(("cases", "precision"), FILES)
def test_proven_on_gpu_and_cpu(cases, precision):
    model, x, first = network(*cases), cases[0].inputs(32), cases[0]
    assert all(np.ptp(x[:16], axis=0).ravel() > 0), "constant inputs prove nothing"
    report = to_tflite(model, target="gpu-fp32", precision=precision, samples=x).report.require()
    for proof in report.proofs:
        if proof.runtime == "cpu" and precision in first.left_out:
            assert proof.delegated < proof.operators, f"no longer so: {first.left_out[precision]}"
        else:
            assert proof.delegated == proof.operators, f"{proof.runtime} left operators out"
            assert proof.partitions == 1
        # Measured: 131 dB and more in float32, 25 and more in int8 (hard-swish; 29 without it). A layer that is left
        # out or computed otherwise gives 20 and less.
        assert proof.snr_db is None or proof.snr_db > {"float32": 100, "int8": first.int8_db}[precision]


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
