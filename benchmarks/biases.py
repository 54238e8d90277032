"""What int8 files gain by biases that make up for the rounding of kernels."""

from unittest import mock

import keras

from benchmarks.models import pictures, settle
from keraslayers import export, models
from keraslayers.export.measures import snr_db

TITLE = "Biases that make up for the rounding of kernels"
COLUMNS = ("network", "as rounded", "corrected", "gain")
NOTE = (
    "Signal over error against Keras of int8 files of networks of `keraslayers.models`, 64 x 64 pixels and 10 classes, "
    "with weights made as in the table of networks, whose normalizations have the averages of the images. 32 images "
    "were samples; the figures are of 16 others. Both files have the same operators and take the same time."
)
NETWORKS = ("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "shufflenet_v2", "densenet121", "resnet18")
SIDE, SAMPLES, IMAGES = 64, 32, 48


def rows():
    for name in NETWORKS:
        keras.utils.set_random_seed(0)
        model = models.create(name, input_shape=(SIDE, SIDE, 3), classes=10, classifier_activation=None)
        x = pictures((SIDE, SIDE, 3), IMAGES)
        settle(model, x)
        wanted = model.predict(x[SAMPLES:], verbose=0)
        with mock.patch("keraslayers.export.convert.mixed.correct_biases", lambda blob, known: blob):
            before = _decibels(model, x, wanted)
        after = _decibels(model, x, wanted)
        yield f"`{name}`", f"{before:.1f} dB", f"{after:.1f} dB", f"{after - before:+.1f} dB"
        keras.backend.clear_session()


def _decibels(model, x, wanted):
    made = export.to_tflite(model, precision="int8", samples=x[:SAMPLES])
    return snr_db(wanted, made.predict(x[SAMPLES:]))
