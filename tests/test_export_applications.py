"""Networks that nobody here wrote become files that are PROVEN on cpu and gpu, in floats and in integers."""

import keras
import pytest
from keras import applications

from benchmarks.models import pictures, settle
from keraslayers.export import to_tflite
from tests.export_models import needs_gpu

# At the least size that they take; more networks of more packages are in `make bench-models`.
APPLICATIONS = ("ConvNeXtTiny", "EfficientNetB0", "MobileNetV3Small")
IN_HALVES = ("MobileNetV3Small",)  # in float16, too; all would take long
# These take pixels of 0 to 255.
PIXELS = ("ConvNeXt", "EfficientNet", "MobileNetV3")


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize("name", APPLICATIONS)
def test_proven_on_cpu_and_gpu(name):
    shape = (32, 32, 3)
    model = getattr(applications, name)(weights=None, input_shape=shape, classes=10, classifier_activation=None)
    x = pictures(shape, 8)
    if name.startswith(PIXELS):
        x = (x + 1) * 127.5
    settle(model, x)
    for precision in ("float32", "int8", *(("float16",) if name in IN_HALVES else ())):
        report = to_tflite(model, target="gpu-fp32", precision=precision, samples=x).report.require()
        gpu, cpu = report.proof("gpu"), report.proof("cpu")
        assert gpu.delegated == gpu.operators
        assert (cpu.delegated, cpu.partitions) == (cpu.operators, 1)
    keras.backend.clear_session()
