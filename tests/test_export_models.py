"""Every network, small, becomes an int8 file that is PROVEN on cpu and gpu; the README's table has the real ones."""

import pytest

from benchmarks.models import pictures, settle
from keraslayers import LocalResponseNormalization
from keraslayers.export import to_tflite
from tests.cases_models import MODELS
from tests.export_models import needs_gpu


@needs_gpu
@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.name)
def test_proven_on_gpu_and_cpu(case):
    # Logits: a softmax hides errors where one class has nearly all of it.
    model = case.make(classes=5, classifier_activation=None)
    x = pictures(case.input_shape, 8)
    settle(model, x)
    report = to_tflite(model, target="gpu", precision="int8", samples=x).report
    report.require()
    # XNNPACK leaves local response normalization to the built-in kernels.
    normalizes = any(isinstance(layer, LocalResponseNormalization) for layer in model.layers)
    assert (report.proof("cpu").partitions == 1) != normalizes
