"""The largest value of a model, beside the largest of 16 bits."""

import keras
import pytest
from keras import layers

from keraslayers.export import to_tflite
from tests.export_models import needs_gpu, samples


def stretched(factor):
    """Nested, and large in the middle alone."""
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Rescaling(factor, name="large")], name="inner")
    image = keras.Input((4, 4, 2), name="image")
    return keras.Model(image, layers.Rescaling(1 / factor, name="small")(inner(image)), name="net")


def test_a_model_that_comes_near_the_end_of_float16_is_warned_of():
    x = samples(8, (4, 4, 2))
    size = abs(x[:4]).max()
    with pytest.warns(UserWarning, match=r"`to_tflite`: model 'net': the largest value .* out of layer `large`; float"):
        report = to_tflite(stretched(30000.0), precision="float16", samples=x).report
    assert report.largest.layer == "large"
    assert report.largest.value == pytest.approx(30000.0 * size)
    assert "float16, in which phones' GPUs compute, ends at 65504" in " ".join(str(report).split())


@needs_gpu
def test_a_model_that_stays_small_is_not():
    report = to_tflite(stretched(10.0), target="gpu", samples=samples(8, (4, 4, 2))).report.require()
    assert report.largest.layer == "large"
    assert to_tflite(stretched(10.0)).report.largest is None
