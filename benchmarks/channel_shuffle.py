"""Channel shuffle: rank 4 against the two ways most code writes it."""

import keras
import numpy as np
from keras import layers, ops

from benchmarks import timing
from keraslayers import ChannelShuffle, export

TITLE = "Channel shuffle: rank 4, rank 5, a gather, a copy"
COLUMNS = ("written as", "precision", "ms", "ratio to ours", "gpu")
NOTE = (
    "A file with nothing but a shuffle of two groups, on 28x28 places of 232 channels; inputs and outputs of the file "
    "in its own precision. gpu: the verdict of LiteRT's GPU accelerator. The copy is a RESHAPE that changes nothing "
    "else; a shuffle is two of them and a TRANSPOSE, each of which reads and writes every number once. Where the "
    "shuffle stands before a 1x1 convolution, `fold_shuffle` makes it cost nothing."
)
SHAPE = (28, 28, 232)


def rank_5(x):
    x = layers.Reshape((*SHAPE[:2], 2, SHAPE[2] // 2))(x)
    return layers.Reshape(SHAPE)(layers.Permute((1, 2, 4, 3))(x))


def gather(x):
    order = np.arange(SHAPE[2], dtype="int32").reshape(2, -1).T.ravel()
    return ops.take(x, order, axis=-1)


WAYS = {
    "ours, rank 4": ChannelShuffle(2),
    "rank 5": rank_5,
    "gather": gather,
    "a copy": layers.Reshape((SHAPE[0] * SHAPE[1], SHAPE[2])),
}


def rows():
    samples = np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE)).astype("float32")
    for precision in ("float32", "int8"):
        made = {}
        for name, shuffle in WAYS.items():
            image = keras.Input(SHAPE, name="image")
            model = keras.Model(image, shuffle(image))
            options = {"precision": precision, "samples": samples, "io": precision}
            made[name] = export.to_tflite(model, **options).tflite
        times = timing.interleaved(made)
        for name, blob in made.items():
            yield (
                name,
                precision,
                f"{np.median(times[name]):.3f}",
                f"{timing.ratio(times, name, 'ours, rank 4'):.2f}",
                str(export.prove(blob, "gpu").proof("gpu").verdict),
            )
