"""Hard activations against the smooth ones they replace."""

import keras
import numpy as np

from benchmarks import timing
from keraslayers import HardSigmoid, HardSwish, HardTanh, export

TITLE = "Hard activations against smooth ones"
COLUMNS = ("activation", "in place of", "precision", "ms", "ratio")
NOTE = (
    "A file with nothing but the activation, on 112x112 places of 64 channels; inputs and outputs of the file in its "
    "own precision. In int8 LiteRT computes sigmoid and tanh by a table of 256 bytes, which is hard to beat."
)
SHAPE = (112, 112, 64)
PAIRS = ((HardSigmoid, "sigmoid"), (HardSwish, "silu"), (HardTanh, "tanh"))


def rows():
    samples = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype("float32") * 3
    for hard, smooth in PAIRS:
        for precision in ("float32", "int8"):
            files = {}
            for layer in (hard(), keras.layers.Activation(smooth)):
                image = keras.Input(SHAPE, name="image")
                model = keras.Model(image, layer(image))
                made = export.to_tflite(model, precision=precision, samples=samples, io=precision)
                files[type(layer).__name__] = made.report.require() and made.tflite
            times = timing.interleaved(files)
            name = hard.__name__
            ratio = timing.ratio(times, name, "Activation")
            yield name, smooth, precision, f"{np.median(times[name]):.3f}", f"{ratio:.2f}"
