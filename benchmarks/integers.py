"""What int8 files gain by ranges, kernels and biases that are fitted to samples."""

import contextlib
from unittest import mock

import keras

from benchmarks.models import pictures, settle
from keraslayers import export, models
from keraslayers.export.convert.observe import Observed
from keraslayers.export.measures import snr_db

TITLE = "Integers fitted to samples"
COLUMNS = ("network", "as the converter has it", "own ranges", "narrowed", "kernels and biases fitted", "gain")
NOTE = (
    "Signal over error against Keras of int8 files of networks of `keraslayers.models`, 64 x 64 pixels and 10 classes, "
    "with weights made as in the table of networks, whose normalizations have the averages of the images. 32 images "
    "were samples; the figures are of 32 others. Each column has what the one before it has. All files have the same "
    "operators and take the same time."
)
NETWORKS = ("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "shufflenet_v2", "densenet121", "resnet18")
SIDE, SAMPLES, IMAGES = 64, 32, 64
# What is left out, column by column.
WITHOUT = (
    {"observe": lambda *_: Observed()},
    {"narrow_ranges": lambda *_: 0, "fit_integers": lambda blob, _: blob},
    {"fit_integers": lambda blob, _: blob},
    {},
)


def rows():
    for name in NETWORKS:
        keras.utils.set_random_seed(0)
        model = models.create(name, input_shape=(SIDE, SIDE, 3), classes=10, classifier_activation=None)
        x = pictures((SIDE, SIDE, 3), IMAGES)
        settle(model, x)
        wanted = model.predict(x[SAMPLES:], verbose=0)
        found = []
        for without in WITHOUT:
            with contextlib.ExitStack() as stack:
                for each, instead in without.items():
                    stack.enter_context(mock.patch(f"keraslayers.export.convert.mixed.{each}", instead))
                found.append(_decibels(model, x, wanted))
        yield f"`{name}`", *(f"{each:.1f} dB" for each in found), f"{found[-1] - found[0]:+.1f} dB"
        keras.backend.clear_session()


def _decibels(model, x, wanted):
    made = export.to_tflite(model, precision="int8", samples=x[:SAMPLES])
    return snr_db(wanted, made.predict(x[SAMPLES:]))
