"""How near right files come to the limits of proof: small networks that were trained, in every precision."""

import keras
import numpy as np
from keras import layers

from keraslayers import export
from keraslayers.export import pipeline
from keraslayers.export.measures import snr_db
from keraslayers.export.proof.parts import figures

TITLE = "What right files give, beside the limits of proof"
COLUMNS = (
    "network",
    "precision",
    "verdict",
    "signal over noise",
    "worst part",
    "least correlation",
    "worst factor",
    "accuracy in Keras",
    "of the file",
)
NOTE = (
    "Networks trained on pictures of four shapes, in noise, and on sequences of four frequencies; their outputs are "
    "logits. 64 samples prove each file, 400 others give the accuracies. Parts are the classes: of each the signal "
    "over noise, the correlation with Keras, and the factor, in the sense of least squares, by which it is what Keras "
    "gives. The limits stand in `export/proof/match.py` and on the page about proof."
)
SIDE, CLASSES, STEPS = 32, 4, 20
PRECISIONS = ("float16", "dynamic", "int8", "int16x8", "int4")


def pictures(count, seed):
    """Discs, squares, crosses and rings of any place and brightness, in noise: (images, classes)."""
    random = np.random.default_rng(seed)
    names = random.integers(0, CLASSES, count)
    y, x = np.mgrid[:SIDE, :SIDE]
    images = 0.2 * random.normal(size=(count, SIDE, SIDE, 3))
    for image, name in zip(images, names, strict=True):
        row, column = random.uniform(10, SIDE - 10, 2)
        size = random.uniform(5, 9)
        down, across = np.abs(y - row), np.abs(x - column)
        far = np.hypot(down, across)
        inside = (
            far < size,
            np.maximum(down, across) < size,
            (np.minimum(down, across) < 2) & (np.maximum(down, across) < size),
            (far < size) & (far > size - 3),
        )[name]
        image += inside[..., None] * random.uniform(0.5, 1.5, 3)
    return images.astype("float32"), names


def sequences(count, seed):
    """Waves of four frequencies and any phase, in noise: (sequences, classes)."""
    random = np.random.default_rng(seed)
    names = random.integers(0, CLASSES, count)
    time = np.arange(STEPS)[:, None] * (1 + names)[:, None, None] * 0.3
    waves = np.sin(time + random.uniform(0, 6, (count, 1, 2)))
    return (waves + 0.2 * random.normal(size=waves.shape)).astype("float32"), names


def plain():
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(12, 3, strides=2, activation="relu"),
            layers.Conv2D(24, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(CLASSES),
        ]
    )


def deep():
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(image)
    for filters in (16, 24, 32):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
        kept = x
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, kept])
    return keras.Model(image, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))


def recurrent(layer):
    return lambda: keras.Sequential([keras.Input((STEPS, 2)), layer(12), layers.Dense(CLASSES)])


NETWORKS = {
    "two convolutions": (plain, pictures),
    "ten convolutions": (deep, pictures),
    "GRU of 20 steps": (recurrent(layers.GRU), sequences),
    "LSTM of 20 steps": (recurrent(layers.LSTM), sequences),
}


def trained(build, draw, epochs=8):
    """A network with what it learnt, samples for its files, and a test set."""
    keras.utils.set_random_seed(0)
    model = build()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(*draw(2000, 0), epochs=epochs, verbose=0)
    return model, draw(128, 1)[0], draw(400, 2)


def row(name, precision, model, x, test):
    made = export.to_tflite(model, precision=precision, samples=x)
    proof = made.report.proof("cpu")
    numbers, names = test
    wanted = np.asarray(model.predict(numbers, verbose=0), "float64")
    got = _run(made.tflite, numbers)
    f = figures(wanted, got, 1)
    ratio = 10 * np.log10(f.signal / np.maximum(f.noise, 1e-30))
    return (
        name,
        f"`{precision}`",
        str(proof.verdict),
        f"{snr_db(wanted, got):.1f} dB",
        f"{np.min(ratio):.1f} dB",
        f"{np.min(f.correlation):.3f}",
        f"{f.factor[np.argmax(np.abs(f.factor - np.median(f.factor)))]:.3f}",
        f"{np.mean(np.argmax(wanted, 1) == names):.1%}",
        f"{np.mean(np.argmax(got, 1) == names):.1%}",
    )


def _run(blob, numbers):
    from ai_edge_litert.interpreter import Interpreter

    call = Interpreter(model_content=blob, num_threads=1).get_signature_runner()
    (name,) = call.get_input_details()
    return np.concatenate([next(iter(call(**{name: one[None]}).values())) for one in numbers]).astype("float64")


def rows():
    pipeline.BLAME = False
    for name, (build, draw) in NETWORKS.items():
        model, x, test = trained(build, draw)
        for precision in PRECISIONS:
            yield row(name, precision, model, x, test)
        keras.backend.clear_session()
