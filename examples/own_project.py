"""An ordinary Keras project with layers of this library: trained, saved, loaded, and exported to a proven int8 file.

python examples/own_project.py --epochs 8 --out digits.tflite
"""

import argparse
from pathlib import Path

import keras
from keras import layers
from sklearn.datasets import load_digits

from keraslayers import ChannelShuffle, ReLU6, SqueezeExcite, export


def build():
    """A small grouped network; groups of four channels and more, which the GPU runtime computes rightly."""
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(32, 3, padding="same", use_bias=False)(image)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = ReLU6()(x)
    x = ChannelShuffle(groups=2)(x)
    x = layers.Conv2D(64, 3, strides=2, padding="same", groups=2, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = ReLU6()(x)
    x = SqueezeExcite(ratio=0.25)(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="digits")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", default="digits.tflite")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    pixels, digits = load_digits(return_X_y=True)
    images = pixels.reshape(-1, 8, 8, 1).astype("float32") / 16.0

    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    held_out = (images[1400:], digits[1400:])
    model.fit(images[:1400], digits[:1400], validation_data=held_out, epochs=options.epochs, verbose=2)

    # A saved model loads wherever keraslayers was imported: the layers are registered with Keras.
    saved = Path(options.out).with_suffix(".keras")
    model.save(saved)
    loaded = keras.models.load_model(saved)

    made = export.to_tflite(loaded, target="gpu", precision="int8", samples=images[:200])
    print(made.report)
    made.save(options.out)


if __name__ == "__main__":
    main()
