"""A network that reads digits learns to tell even from odd, from three scans of each digit: new classifier, freeze,
train, unfreeze, export.

python examples/fine_tune.py --epochs 20 --out even.tflite
"""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits

from keraslayers import export, models

SIZE = 32
OF_EACH = 3


def load():
    """Scans of 8x8 pixels as images of 32x32: (to read, digits), (few to learn from, odd), (rest to judge by, odd)."""
    data = load_digits()
    images = np.kron(data.images, np.ones((SIZE // 8, SIZE // 8)))[..., None].astype("float32") / 16
    read, new = np.split(np.arange(len(images)), [900])
    few = np.concatenate([new[data.target[new] == digit][:OF_EACH] for digit in range(10)])
    rest = np.setdiff1d(new, few)
    return (
        (images[read], data.target[read]),
        (images[few], data.target[few] % 2),
        (images[rest], data.target[rest] % 2),
    )


def fit(model, data, epochs, learning_rate):
    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*data, batch_size=32, epochs=epochs, verbose=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", default="even.tflite")
    options = parser.parse_args()
    read, few, rest = load()

    keras.utils.set_random_seed(0)
    trained = models.LeNet5(classes=10, modern=True)
    fit(trained, read, options.epochs, 3e-3)

    # Another classifier; every other weight is kept.
    model = models.replace_classifier(trained, classes=2)
    # First the classifier alone: its weights are random, and would drag the others along.
    for layer in model.layers[:-1]:
        layer.trainable = False
    fit(model, few, options.epochs, 1e-2)
    print(f"classifier alone: {model.evaluate(*rest, verbose=0)[1]:.1%} told apart")
    # Then all of it, in small steps.
    model.trainable = True
    fit(model, few, options.epochs, 5e-4)
    print(f"everything:       {model.evaluate(*rest, verbose=0)[1]:.1%}")

    scratch = models.LeNet5(classes=2, modern=True)
    fit(scratch, few, 2 * options.epochs, 3e-3)
    print(f"from scratch:     {scratch.evaluate(*rest, verbose=0)[1]:.1%}")

    made = export.to_tflite(model, target="gpu", precision="int8", samples=read[0][:200])
    print(made.report)
    made.save(options.out)


if __name__ == "__main__":
    main()
