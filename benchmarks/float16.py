"""What trained networks keep on the GPU in 16-bit floats: what the limits there are set on."""

import keras
import numpy as np
from keras import layers

import keraslayers
from benchmarks import limits
from keraslayers import export
from keraslayers.export.file.graph import read_graph
from keraslayers.export.measures import snr_db
from keraslayers.export.proof.parts import figures
from keraslayers.export.runtimes import RUNTIMES

TITLE = "What trained networks keep in 16-bit floats"
COLUMNS = (
    "network",
    "precision",
    "gpu",
    "gpu-fp16",
    "worst part",
    "least correlation",
    "worst factor",
    "classes as in Keras",
)
NOTE = (
    "Networks as in the table of right files, and two with normalizations, gates, softmax and squeeze-and-excitation, "
    "trained on the same pictures. gpu, gpu-fp16: signal over noise against Keras in 32-bit and in 16-bit floats, on "
    "128 pictures that were not trained on. Parts are the classes. The limits stand in `export/proof/match.py`."
)
PICTURES = 128
PRECISIONS = ("float32", "float16", "int8")


def mobile():
    image = keras.Input((limits.SIDE, limits.SIDE, 3))
    x = layers.BatchNormalization()(layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(image))
    x = layers.Activation("hard_swish")(x)
    for filters in (24, 32, 48):
        x = layers.ReLU(6)(layers.BatchNormalization()(layers.Conv2D(2 * filters, 1, use_bias=False)(x)))
        x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
        x = keraslayers.SqueezeExcite()(layers.ReLU(6)(layers.BatchNormalization()(x)))
        x = layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(x))
    return keras.Model(image, layers.Dense(limits.CLASSES)(layers.GlobalAveragePooling2D()(x)))


def transformer():
    image = keras.Input((limits.SIDE, limits.SIDE, 3))
    x = layers.Reshape((16, 32))(layers.Conv2D(32, 8, strides=8)(image))
    for _ in range(3):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 8)(y, y)])
        y = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(32)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(image, layers.Dense(limits.CLASSES)(x))


NETWORKS = {
    **limits.NETWORKS,
    "inverted bottlenecks": (mobile, limits.pictures),
    "transformer": (transformer, limits.pictures),
}


def rows():
    for name, (build, draw) in NETWORKS.items():
        model, x, (numbers, _) = limits.trained(build, draw)
        wanted = np.asarray(model.predict(numbers[:PICTURES], verbose=0), "float64")
        for precision in PRECISIONS:
            blob = export.to_tflite(model, target="gpu-fp32", precision=precision, samples=x).tflite
            whole, half = (_run(runtime, blob, numbers[:PICTURES]) for runtime in ("gpu", "gpu-fp16"))
            yield row(name, precision, wanted, whole, half)
        keras.backend.clear_session()


def row(name, precision, wanted, whole, half):
    if whole is None or half is None:
        return (name, f"`{precision}`", "REJECTED", *["-"] * 5)
    count = min(len(whole), len(half))  # a runtime that takes long stops early
    wanted, whole, half = wanted[:count], whole[:count], half[:count]
    f = figures(wanted, half, 1)
    ratio = 10 * np.log10(f.signal / np.maximum(f.noise, 1e-30))
    return (
        name,
        f"`{precision}`",
        f"{snr_db(wanted, whole):.1f} dB",
        f"{snr_db(wanted, half):.1f} dB",
        f"{np.min(ratio):.1f} dB",
        f"{np.min(f.correlation):.3f}",
        f"{f.factor[np.argmax(np.abs(f.factor - np.median(f.factor)))]:.3f}",
        f"{np.mean(np.argmax(wanted, 1) == np.argmax(half, 1)):.1%}",
    )


def _run(runtime, blob, numbers):
    graph = read_graph(blob)
    outcome = RUNTIMES[runtime].run(blob, graph, {graph.inputs[0].name: numbers[:, None]})
    if outcome.outputs is None:
        return None
    (values,) = outcome.outputs.values()
    return values.reshape(len(values), -1).astype("float64")
