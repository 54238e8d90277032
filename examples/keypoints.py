"""Where are the corners of a card? Maps of points on a small backbone, and coordinates out of the file.

python examples/keypoints.py --epochs 20 --out keypoints.tflite
"""

import argparse
from pathlib import Path

import keras
import matplotlib
import numpy as np
from keras import layers
from scenes import scenes

from keraslayers import SoftArgmax, export, models
from keraslayers.models.keypoints import PCK, SimpleBaseline

SIDE = 96
CORNERS = ("upper left", "upper right", "lower right", "lower left")
ALPHA = 0.1  # how far a corner may be off, in sides of the card
SCORE = f"PCK at {ALPHA}, %"
NETWORK = "keypoints: SimpleBaseline on MobileNetV3-Small, 96x96"
SKIP = ["corners"]  # of int8: coordinates want more than 256 steps
# Phones, CPU and GPU in floats of 32 and of 16 bits, and web pages: one file for all.
EVERYWHERE = export.Target("everywhere", ("gpu", "gpu-fp16", "cpu", "browser"), "phones and web pages")


def drawn(count, seed, part):
    """Pixels of 0 to 255 and the four corners of the one card on each image: x, y in pixels."""
    made = scenes(count, seed, SIDE, most=1, part=part)
    there = [len(corners) == 1 for corners in made.corners]
    corners = np.concatenate([corners for corners in made.corners if len(corners)])
    return made.images[there].astype("float32"), corners


def load(learn=2000, judged=300):
    return drawn(learn, 0, "train"), drawn(judged, 1, "test")


def network():
    backbone = models.MobileNetV3Small(input_shape=(SIDE, SIDE, 3), include_top=False, preprocessing=True)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 averages over more steps than this training has
    maps = SimpleBaseline(backbone, len(CORNERS), strides=(16, 4), filters=48, upsampling="bilinear")
    return keras.Model(maps.input, SoftArgmax(SIDE, name="corners")(maps.output), name="keypoints")


def fit(model, learn, epochs=20):
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(learn[0]) // 32))
    model.compile(keras.optimizers.Adam(schedule), "mae", metrics=[PCK(ALPHA)])
    model.fit(*learn, batch_size=32, epochs=epochs, verbose=2)


def deployed(model):
    return model


def score(outputs, targets):
    """Percent of the corners that are within `ALPHA` sides of the card."""
    return 100 * float(PCK(ALPHA)(targets, outputs))


def draw(images, found, truth, path):
    """Draws images with the corners that were found, and rings where they should be."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(images), figsize=(3 * len(images), 3.2))
    for axis, image, points, wanted in zip(axes, images, found, truth, strict=True):
        axis.imshow(image.astype("uint8"), extent=(0, SIDE, SIDE, 0))
        for place, ((x, y), ring) in enumerate(zip(points, wanted, strict=True)):
            axis.plot(*ring, "o", markersize=9, markerfacecolor="none", markeredgecolor="white")
            axis.plot(x, y, "o", markersize=4, color=f"C{place}", label=CORNERS[place])
        axis.axis("off")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--target", default=EVERYWHERE, help="Of `to_tflite`; by default phones and web pages.")
    parser.add_argument("--out", default="keypoints.tflite", help="The file in int8; a page and a picture beside.")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    model, (learn, (images, corners)) = network(), load(options.images, max(8, options.images // 10))
    fit(model, learn, options.epochs)
    scores = {"Keras": score(model.predict(images, verbose=0), corners)}
    for precision in ("float16", "int8"):
        made = export.to_tflite(
            model,
            target=options.target,
            precision=precision,
            samples=learn[0][:200].astype("uint8"),
            preprocessing=layers.Identity(),  # the model takes pixels
            skip=SKIP if precision == "int8" else (),
        )
        print(made.report)
        scores[precision] = score(made.predict(images), corners)
    print("\n".join(f"{way}: {found:.1f} % of the corners within {ALPHA} sides" for way, found in scores.items()))
    file = Path(options.out)
    draw(images[:5], made.predict(images[:5]), corners[:5], file.with_suffix(".png"))
    made.save(file)
    page = made.save_page(file.with_suffix(".html"), labels=CORNERS, points="xy")
    print(f"wrote {file}, {file.with_suffix('.png')} and {page}, which shows the corners of what you draw or choose")


if __name__ == "__main__":
    main()
