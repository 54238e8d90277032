"""Which pixels are cards? LR-ASPP on MobileNetV2 tells, in Keras, in a file that gives classes, and on a page.

python examples/segment.py --epochs 8 --out segment.tflite
"""

import argparse
from pathlib import Path

import keras
import matplotlib
from keras import layers
from scenes import scenes

from keraslayers import export, models
from keraslayers.models import segmentation

NETWORK = "segmentation: LR-ASPP on MobileNetV2 (0.35), 96x96"
SCORE = "mean IoU, %"
LABELS = ["photograph", "card"]
# Phones, their GPUs in 32-bit floats and in 16, and web pages.
TARGET = export.Target("everywhere", ("gpu", "gpu-fp16", "cpu", "browser"), "phones and web pages")
MORE = {"epochs": 1, "rate": 5e-4}  # of training on with rounding


def load(count=800, side=96):
    """(images to learn from, their masks), (images to judge by, their masks): other photographs, other cards."""
    learn, judge = scenes(count, 0, side), scenes(max(4, count // 8), 1, side, part="test")
    return tuple((made.images.astype("float32"), (made.masks > 0).astype("int32")) for made in (learn, judge))


def network(side=96):
    """It takes pixels of 0 to 255."""
    backbone = models.MobileNetV2(input_shape=(side, side, 3), alpha=0.35, include_top=False, preprocessing=True)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 averages over more steps than this training has
    return segmentation.LRASPP(backbone, classes=len(LABELS))


def fit(model, learn, epochs=8, rate=5e-3):
    images, masks = learn
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(images) // 32))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # XLA takes longer to compile this than the training takes.
    model.compile(keras.optimizers.Adam(schedule), loss, jit_compile=False)
    model.fit(images, masks, batch_size=32, epochs=epochs, verbose=2)


def deployed(model):
    """The model of the file: logits train, and an app wants classes."""
    return segmentation.end_in(model, "class_map")


def decode(logits):
    """The same where a file gives logits."""
    return logits.argmax(-1)


def score(found, masks):
    """Mean intersection over union of the classes, in percent."""
    metric = keras.metrics.MeanIoU(len(LABELS))
    metric.update_state(masks, found)
    return 100 * float(metric.result())


def draw(images, masks, found, path):
    """Draws images, what lies on them, and what the file found."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, len(images), figsize=(3 * len(images), 9), squeeze=False)
    for row, pictures in zip(axes, (images / 255, masks, found), strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture, vmin=0, vmax=len(LABELS) - 1)
            axis.axis("off")
    figure.savefig(path, dpi=100, bbox_inches="tight")
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--scenes", type=int, default=800)
    parser.add_argument("--side", type=int, default=96, help="Of the images, in pixels.")
    parser.add_argument("--target", default=TARGET, help="Of `to_tflite`; by default phones and web pages.")
    parser.add_argument("--out", default="segment.tflite", help="The file in int8; beside it one in float16.")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    learn, (images, masks) = load(options.scenes, options.side)
    model = network(options.side)
    fit(model, learn, options.epochs)
    model = deployed(model)
    print(f"Keras    {score(model.predict(images, verbose=0), masks):.1f} mean IoU, %")

    out = Path(options.out)
    for precision, path in (("float16", out.with_stem(f"{out.stem}_float16")), ("int8", out)):
        made = export.to_tflite(model, target=options.target, precision=precision, samples=learn[0][:200])
        found = made.predict(images)
        print(f"{precision:8} {score(found, masks):.1f}")
        print(made.report)
        made.save(path)
    draw(images[:4], masks[:4], found[:4], out.with_suffix(".png"))
    page = made.save_page(out.with_suffix(".html"), labels=LABELS, normalization=(0, 1))
    print(f"wrote {out} and {page}: open it in a browser")


if __name__ == "__main__":
    main()
