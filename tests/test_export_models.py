"""Every kind of network, small, becomes an int8 file that is PROVEN on cpu and gpu; the README has the real ones.

Those become float32 files, too, of which other passes take hold: groups, shuffles, gates, local response, ceil pooling.
"""

import pytest

from benchmarks.models import pictures, settle
from keraslayers import LocalResponseNormalization
from keraslayers.export import to_tflite
from tests.cases_models import MODELS
from tests.export_models import needs_gpu

IN_FLOATS = {
    "AlexNet-grouped_True-units_64",
    "EfficientNetB0-width_0.25-depth_0.5",
    "GoogLeNet",
    "MobileNetV3Small",
    "NiN",
    "ResNeXt50-groups_4",
    "ShuffleNet-alpha_0.25",
    "ShuffleNetV2-alpha_0.5",
}
# Whose files have the operators of another row's; auxiliary outputs have tests of their own. What is exported under its
# name in keras.applications stands in test_export_applications.py: the same graph, as the tests of weights show.
ALIKE = {
    "AlexNet-units_64": "AlexNet-grouped_True-units_64",
    "DenseNet121-growth_rate_8": "keras.applications",
    "GoogLeNet-aux_heads_True-batch_norm_True": "GoogLeNet",
    "InceptionV3-aux_heads_True": "keras.applications",
    "MobileNetV3Large-alpha_0.5": "MobileNetV3Small",
    "MobileNetV4ConvS-alpha_0.25-depth_0.2": "MobileNetV4HybridM-alpha_0.25-depth_0.1-initial_scale_0.1",
    "NiN": "NiN-version_cifar10",
    "RepVGGA0-units_(1, 2)-channels_(8, 12)": "MobileOneS0-units_(1, 1)-channels_(8, 12)-branches_2-gated_(0, 1)",
    "ResNet50-version_2-keras-alpha_0.25": "keras.applications",
    "SqueezeNet": "SqueezeNet-version_1.1",
    "VGG11-units_64": "VGG11-batch_norm_True-units_64",
    "Xception": "keras.applications",
}
ROWS = [
    pytest.param(case, precision, id=f"{case.name}-{precision}")
    for precision in ("float32", "int8")
    for case in MODELS
    if (case.name in IN_FLOATS if precision == "float32" else case.name not in ALIKE)
]


def test_names_are_those_of_rows():
    names = {case.name for case in MODELS}
    assert names >= IN_FLOATS | set(ALIKE)
    assert names - set(ALIKE) | {"keras.applications"} >= set(ALIKE.values())


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
