"""Channel shuffle: rank 4 against the two ways most code writes it, and against moving the numbers at all."""

import keras
import numpy as np
from keras import layers, ops

from benchmarks import timing
from keraslayers import ChannelShuffle, export

TITLE = "Channel shuffle: rank 4, rank 5, a gather, a copy"
COLUMNS = ("written as", "precision", "ms alone", "copies", "ms in a network", "copies there", "gpu")
NOTE = (
    "A shuffle of two groups, on 28x28 places of 232 channels; inputs and outputs of the file in its own precision. "
    "Alone: a file with nothing else. A shuffle is two RESHAPEs and a TRANSPOSE, and at the ends of a file each of "
    "them reads and writes every number. In a network: what the shuffle adds between two cheap convolutions; there a "
    "RESHAPE costs nothing. Copies: over the time of a file with one RESHAPE, which reads and writes every number "
    "once, many at a time; a TRANSPOSE moves them one by one, in int8 a byte. gpu: the verdict of LiteRT's GPU "
    "accelerator. Where the shuffle stands before a 1x1 convolution, `fold_shuffle` makes it cost nothing."
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
        options = {"precision": precision, "samples": samples, "io": precision}
        files = {"copy": layers.Reshape((SHAPE[0] * SHAPE[1], SHAPE[2])), "nothing": between(lambda x: x)}
        files |= WAYS | {(name, "in a network"): between(way) for name, way in WAYS.items()}
        made = {name: made_of(way, options) for name, way in files.items()}
        times = timing.interleaved(made, seconds=8.0)
        for name in WAYS:
            added = times[name, "in a network"] - times["nothing"]
            yield (
                name,
                precision,
                f"{np.median(times[name]):.3f}",
                f"{timing.ratio(times, name, 'copy'):.1f}",
                f"{np.median(added):.3f}",
                f"{np.median(added / times['copy']):.1f}",
                str(export.prove(made[name], "gpu").proof("gpu").verdict),
            )


def between(way):
    def network(x):
        x = layers.DepthwiseConv2D(1, activation="relu")(x)
        return layers.DepthwiseConv2D(1, activation="relu")(way(x))

    return network


def made_of(way, options):
    image = keras.Input(SHAPE, name="image")
    # As they are written: a pass would write the rank-5 shuffle in four axes.
    return export.to_tflite(keras.Model(image, way(image)), **options).tflite
