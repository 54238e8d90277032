"""Kinds of networks, small, become files that are PROVEN on cpu and gpu; `make table-models` has all of them, large."""

import pytest

from benchmarks.models import pictures, settle
from keraslayers import LocalResponseNormalization
from keraslayers.export import to_tflite
from tests.cases_models import MODELS
from tests.export_models import needs_gpu

# Those with operators, or an order of these, that no other row has: each takes seconds. What keras.applications has
# stands in test_export_applications.py.
IN_FLOATS = {
    "AlexNet-grouped_True-units_64",
    "EfficientNetB0-width_0.25-depth_0.5",
    "GoogLeNet",
    "ShuffleNet-alpha_0.25",
}
IN_INTEGERS = {
    "AlexNet-grouped_True-units_64",
    "EfficientNetB0-width_0.25-depth_0.5",
    "FastViTT8-blocks_(1, 1)-channels_(16, 32)-initial_scale_0.1",
    "GhostNetV2-alpha_0.25-depth_0.1-bn_epsilon_0.1",
    "GoogLeNet",
    "IDDWNetT-blocks_(1, 1)-channels_32",
    "LeNet5",
    "MixerS32-patch_size_8-blocks_2-channels_32-token_units_24-channel_units_64",
    "MobileNetV4HybridM-alpha_0.25-depth_0.1-initial_scale_0.1",
    "MobileOneS0-units_(1, 1)-channels_(8, 12)-branches_2-gated_(0, 1)",
    "MobileViTXXS-units_(1, 1)-channels_(16, 24)-blocks_(0, 1)-dims_(0, 32)",
    "ResMLP12-patch_size_8-blocks_2-channels_32",
    "ResNet18-version_2-alpha_0.25",
    "ShuffleNet-alpha_0.25",
    "ShuffleNetV2-alpha_0.5",
    "SwinT-blocks_(2, 2)-channels_16-heads_(2, 4)-window_size_4",
    "ViTTi16-patch_size_8-blocks_2-channels_36",
}
ROWS = [
    pytest.param(case, precision, id=f"{case.name}-{precision}")
    for precision, names in (("float32", IN_FLOATS), ("int8", IN_INTEGERS))
    for case in MODELS
    if case.name in names
]


def test_names_are_those_of_rows():
    assert {case.name for case in MODELS} >= IN_FLOATS | IN_INTEGERS


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize(("case", "precision"), ROWS)
def test_proven_on_gpu_and_cpu(case, precision):
    # Logits: a softmax hides errors where one class has nearly all of it.
    model = case.make(classes=5, classifier_activation=None)
    x = pictures(case.input_shape, 8)
    settle(model, x)
    report = to_tflite(model, target="gpu-fp32", precision=precision, samples=x).report
    report.require()
    # In int8 XNNPACK leaves local response normalization to the built-in kernels.
    normalizes = precision == "int8" and any(isinstance(layer, LocalResponseNormalization) for layer in model.layers)
    assert (report.proof("cpu").partitions == 1) != normalizes
