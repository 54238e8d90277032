"""Channel shuffle: rank 4 against the two ways most code writes it."""

import keras
import numpy as np
from keras import layers, ops

from benchmarks import timing
from keraslayers import ChannelShuffle, export

TITLE = "Channel shuffle: rank 4 against rank 5 and a gather"
COLUMNS = ("written as", "precision", "ms", "ratio to ours", "gpu")
NOTE = (
    "A shuffle of two groups between two 1x1 convolutions, on 28x28 places of 232 channels. gpu: the verdict of "
    "LiteRT's GPU accelerator. The convolutions are in all three, so that the ratios understate the difference."
)
SHAPE = (28, 28, 232)


def rank_5(x):
    x = layers.Reshape((*SHAPE[:2], 2, SHAPE[2] // 2))(x)
    return layers.Reshape(SHAPE)(layers.Permute((1, 2, 4, 3))(x))


def gather(x):
    order = np.arange(SHAPE[2], dtype="int32").reshape(2, -1).T.ravel()
    return ops.take(x, order, axis=-1)


WAYS = {"ours, rank 4": ChannelShuffle(2), "rank 5": rank_5, "gather": gather}


def rows():
    samples = np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE)).astype("float32")
    for precision in ("float32", "int8"):
        made = {}
        for name, shuffle in WAYS.items():
            keras.utils.set_random_seed(0)
            image = keras.Input(SHAPE, name="image")
            x = shuffle(layers.Conv2D(SHAPE[2], 1)(image))
            model = keras.Model(image, layers.Conv2D(SHAPE[2], 1)(x))
            made[name] = export.to_tflite(model, target="gpu", precision=precision, samples=samples)
        times = timing.interleaved({name: artifact.tflite for name, artifact in made.items()})
        for name, artifact in made.items():
            yield (
                name,
                precision,
                f"{np.median(times[name]):.3f}",
                f"{timing.ratio(times, name, 'ours, rank 4'):.2f}",
                str(artifact.report.proof("gpu").verdict),
            )
