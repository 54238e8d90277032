"""Where on the page is which digit? A feature pyramid on a classic network tells for every fourth pixel.

python examples/feature_pyramid.py --epochs 30 --out pyramid.tflite
"""

import argparse
from pathlib import Path

import keras
import matplotlib
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

from keraslayers import Resample2D, export, models

SIZE = 64
STRIDE = 4
NOTHING = 10  # the class of a place without ink


def pages(count, seed):
    """Pages with a digit of 16 or 24 pixels in each quarter; what is where, for cells of 4x4 pixels."""
    random = np.random.default_rng(seed)
    data = load_digits()
    images = np.zeros((count, SIZE, SIZE, 1), "float32")
    cells = np.full((count, SIZE // STRIDE, SIZE // STRIDE), NOTHING, "int32")
    for image, cell in zip(images, cells, strict=True):
        for quarter in range(4):
            which, scale = random.integers(len(data.images)), random.integers(2, 4)
            digit = np.kron(data.images[which] / 16, np.ones((scale, scale)))
            y, x = (
                SIZE // 2 * np.array(divmod(quarter, 2)) + random.integers(0, SIZE // 2 - len(digit) + 1, 2)
            ).tolist()
            image[y : y + len(digit), x : x + len(digit), 0] = digit
            ink = image[..., 0].reshape(SIZE // STRIDE, STRIDE, SIZE // STRIDE, STRIDE).mean((1, 3)) > 0.25
            cell[ink & (cell == NOTHING)] = data.target[which]
    return images, cells


def pyramid(backbone, filters, classes):
    """Lin et al. 2017, arXiv:1612.03144, figure 3: each stage is joined by what the coarser ones have seen."""
    seen = models.features(backbone, strides=(4, 8, 16))
    x = None
    for stride, maps in zip((16, 8, 4), reversed(seen.outputs), strict=True):
        lateral = layers.Conv2D(filters, 1, name=f"lateral{stride}")(maps)
        x = (
            lateral
            if x is None
            else layers.Add(name=f"join{stride}")([lateral, Resample2D(scale=2, name=f"up{stride}")(x)])
        )
    x = layers.Conv2D(filters, 3, padding="same", activation="relu", name="smooth")(x)
    return keras.Model(seen.input, layers.Conv2D(classes, 1, activation="softmax", name="cells")(x), name="pyramid")


def draw(model, images, path):
    """Draws pages, and over each cell the digit that the model sees there."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = keras.ops.convert_to_numpy(model(images)).argmax(-1)
    figure, axes = pyplot.subplots(1, len(images), figsize=(3 * len(images), 3))
    for axis, image, cells in zip(axes, images, found, strict=True):
        axis.imshow(image[..., 0], cmap="gray_r", vmax=2)
        for y, x in np.argwhere(cells != NOTHING):
            color = f"C{cells[y, x]}"
            axis.text(
                STRIDE * (x + 0.5), STRIDE * (y + 0.5), cells[y, x], color=color, ha="center", va="center", size=7
            )
        axis.axis("off")
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--out", default="pyramid.tflite", help="The file; beside it are its report and a picture.")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    backbone = models.MobileNetV3Small(input_shape=(SIZE, SIZE, 1), include_top=False)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 averages over more steps than this training has
    model = pyramid(backbone, filters=32, classes=11)
    steps = options.epochs * -(-options.pages // 32)
    schedule = keras.optimizers.schedules.CosineDecay(5e-3, steps)
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    images, cells = pages(options.pages, seed=0)
    model.fit(images, cells, batch_size=32, epochs=options.epochs, verbose=2)

    images, cells = pages(max(4, options.pages // 10), seed=1)
    found = model.predict(images, verbose=0).argmax(-1)
    ink = cells != NOTHING
    print(f"{(found == cells)[ink].mean():.1%} of the cells with ink show their digit")
    picture = Path(options.out).with_suffix(".png")
    draw(model, images[:4], picture)
    made = export.to_tflite(model, target="gpu", precision="int8", samples=images)
    print(made.report)
    made.save(options.out)
    print(f"wrote {options.out} and {picture}")


if __name__ == "__main__":
    main()
