"""Which pixels belong to which digit? LR-ASPP on MobileNet tells, in Keras, in a file that gives classes, on a page.

python examples/segment.py --epochs 12 --out segment.tflite
"""

import argparse
from pathlib import Path

import keras
import matplotlib
from keras import layers
from scenes import CLASSES, scenes

from keraslayers import export, models
from keraslayers.models import segmentation

NETWORK = "segmentation: LR-ASPP on MobileNet (0.5), 96x96"
SCORE = "mean IoU, %"
LABELS = ["photograph", *(str(digit) for digit in range(CLASSES))]
# Phones, their GPUs in 32-bit floats and in 16, and web pages.
TARGET = export.Target("everywhere", ("gpu", "gpu-fp16", "cpu", "browser"), "phones and web pages")
MORE = {"epochs": 2, "rate": 5e-4}  # of training on with rounding


def load(count=2000, side=96):
    """(images to learn from, their masks), (images to judge by, their masks): other photographs, other digits."""
    learn, judge = scenes(count, 0, side), scenes(max(4, count // 10), 1, side, part="test")
    return tuple((made.images.astype("float32"), made.masks) for made in (learn, judge))


def network(side=96):
    """It takes pixels of 0 to 255."""
    backbone = models.MobileNet(input_shape=(side, side, 3), alpha=0.5, include_top=False, preprocessing=True)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 averages over more steps than this training has
    return segmentation.LRASPP(backbone, classes=len(LABELS))


def fit(model, learn, epochs=12, rate=5e-3):
    images, masks = learn
    steps = epochs * -(-len(images) // 16)
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=rate, warmup_steps=steps // 20)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=10.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,  # XLA takes longer to compile this than the training takes
    )
    model.fit(images, masks, batch_size=16, epochs=epochs, verbose=2)


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
            axis.imshow(picture, cmap="tab20", vmin=0, vmax=19)
            axis.axis("off")
    figure.savefig(path, dpi=100, bbox_inches="tight")
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--scenes", type=int, default=2000)
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
