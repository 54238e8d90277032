"""Digits that were bent: a deformable convolution against a plain one with as many weights, and where its taps look.

python examples/deformable.py --epochs 12 --out points.png
"""

import argparse

import keras
import matplotlib
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

from keraslayers import DeformableConv2D

SIZE = 20
REACH = 3


def bent(pixels, seed):
    """Digits of 8x8 pixels, turned, stretched and sheared at random, on images of 20x20, which they may fill."""
    random = np.random.default_rng(seed)
    count = len(pixels)
    angle = random.uniform(-0.5, 0.5, count)
    scale, shear = random.uniform(1.2, 2.4, (2, count)), random.uniform(-0.2, 0.2, count)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretched = np.array([[1 / scale[0], shear], [0 * shear, 1 / scale[1]]])
    matrix = np.einsum("ijn,jkn->nik", turned, stretched)
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij"), -1) - (SIZE - 1) / 2
    y, x = np.moveaxis(np.einsum("nik,abk->nabi", matrix, grid) + 3.5, -1, 0)
    images = np.zeros((count, SIZE, SIZE))
    for row in range(8):
        for column in range(8):
            weight = np.maximum(0, 1 - np.abs(y - row)) * np.maximum(0, 1 - np.abs(x - column))
            images += weight * pixels[:, row, column][:, None, None]
    return images[..., None].astype("float32") / 16.0


def build(deformable):
    """Two networks of about 5,250 weights: what the offsets' convolution costs, the plain one has in channels.

    Each looks at the image through two convolutions, so that the plain one sees 7 of 20 pixels at a time.
    """
    image = keras.Input((SIZE, SIZE, 1), name="image")
    width = 16 if deformable else 23
    x = layers.Conv2D(width, 3, strides=2, padding="same", activation="relu")(image)
    if deformable:
        x = DeformableConv2D(width, 3, padding="same", activation="relu", max_offset=REACH, name="deformable")(x)
    else:
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def draw(model, images, path):
    """Draws the nine points that one output in the middle looks at, on some images."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    layer = model.get_layer("deformable")
    seen = keras.Model(model.input, layer.input)(images)
    offsets = keras.ops.convert_to_numpy(keras.ops.clip(layer.moves(seen)[0], -REACH, REACH))
    figure, axes = pyplot.subplots(1, len(images), figsize=(2 * len(images), 2.3))
    place = offsets.shape[1] // 2
    for axis, image, moved in zip(axes, images, offsets[:, place, place].reshape(-1, 3, 3, 2), strict=True):
        y, x = (2 * (place + np.indices((3, 3)) - 1 + np.moveaxis(moved, -1, 0))).reshape(2, -1)
        axis.imshow(image[..., 0], cmap="gray")
        axis.plot(x, y, "o", color="tab:orange", markersize=4)
        axis.axis("off")
    figure.suptitle("where the taps of one place look, two pixels of the image a step", fontsize=9)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", default="points.png")
    options = parser.parse_args()

    data = load_digits()
    images = np.concatenate([bent(data.images[:1400], seed) for seed in range(2)])
    digits = np.tile(data.target[:1400], 2)
    held_out = bent(data.images[1400:], 9)
    for name in ("plain", "deformable"):
        keras.utils.set_random_seed(0)
        model = build(name == "deformable")
        model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(images, digits, batch_size=64, epochs=options.epochs, verbose=0)
        accuracy = model.evaluate(held_out, data.target[1400:], verbose=0)[1]
        print(f"{name}: {model.count_params():,} weights, {accuracy:.1%} of bent digits right")
    draw(model, held_out[:8], options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
