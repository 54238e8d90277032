"""Where are the digits, and which are they? FCOS on MobileNet tells, in Keras, in a file, and on a page with boxes.

python examples/detect.py --epochs 12 --out detect.tflite
"""

import argparse
from pathlib import Path

import keras
import matplotlib
from keras import layers
from scenes import CLASSES, scenes

from keraslayers import export, models
from keraslayers.models import detection

NETWORK = "detection: FCOS on MobileNet (0.5), 96x96"
SCORE = "AP, %"
LABELS = [str(digit) for digit in range(CLASSES)]
# Phones, their GPUs in 32-bit floats and in 16, and web pages.
TARGET = export.Target("everywhere", ("gpu", "gpu-fp16", "cpu", "browser"), "phones and web pages")
MORE = {"epochs": 2, "rate": 5e-4}  # of training on with rounding
SKIP = ["boxes", "within"]  # of int8: pixels want more than 256 steps


def load(count=2000, side=96):
    """(images to learn from, what lies on them), (images to judge by, the same): other photographs, other digits."""
    learn, judge = scenes(count, 0, side), scenes(max(4, count // 10), 1, side, part="test")
    return tuple((made.images.astype("float32"), (made.boxes, made.labels)) for made in (learn, judge))


def network(side=96):
    """It takes pixels of 0 to 255."""
    backbone = models.MobileNet(input_shape=(side, side, 3), alpha=0.5, include_top=False, preprocessing=True)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 averages over more steps than this training has
    return detection.FCOS(backbone, CLASSES, strides=(8, 16), filters=48, depth=1, reach=6)


def fit(model, learn, epochs=12, rate=5e-3):
    images, (boxes, labels) = learn
    steps = epochs * -(-len(images) // 16)
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=rate, warmup_steps=steps // 20)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=10.0),
        detection.losses(model),
        # What a backbone that knows nothing learns of boxes comes first, and then leaves little to learn by: the
        # focal loss of classes is small. By 1, training ends before the digits are told apart.
        loss_weights={"classes": 10.0, "boxes": 1.0, "centers": 1.0},
        jit_compile=False,  # XLA takes longer to compile this than the training takes
    )
    model.fit(images, detection.targets(model, boxes, labels), batch_size=16, epochs=epochs, verbose=2)


def deployed(model):
    """The model of the file: boxes in pixels, and a score for each class."""
    return detection.detector(model)


def score(outputs, targets):
    """Average precision as COCO counts it, in percent."""
    found = detection.non_max_suppression(outputs["boxes"], outputs["scores"], least=0.01)
    return 100 * detection.average_precision(found, *targets)["AP"]


def draw(images, found, path):
    """Draws images with what was found on them."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(images), figsize=(3 * len(images), 3), squeeze=False)
    for axis, image, each in zip(axes[0], images, found, strict=True):
        axis.imshow(image / 255, extent=(0, *image.shape[1::-1], 0))
        for (x1, y1, x2, y2), likely, label in zip(each.boxes, each.scores, each.labels, strict=True):
            axis.add_patch(pyplot.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=f"C{label}"))
            axis.text(x1, y1, f"{LABELS[label]}: {likely:.2f}", color=f"C{label}", va="bottom")
        axis.axis("off")
    figure.savefig(path, dpi=100, bbox_inches="tight")
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--side", type=int, default=96, help="Of the images, in pixels.")
    parser.add_argument("--target", default=TARGET, help="Of `to_tflite`; by default phones and web pages.")
    parser.add_argument("--out", default="detect.tflite", help="The file in int8; beside it one in float16.")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    learn, (images, truth) = load(options.scenes, options.side)
    model = network(options.side)
    fit(model, learn, options.epochs)
    model = deployed(model)
    scores = {"Keras": score(model.predict(images, verbose=0), truth)}

    out = Path(options.out)
    for precision, path in (("float16", out.with_stem(f"{out.stem}_float16")), ("int8", out)):
        skip = SKIP if precision == "int8" else ()
        made = export.to_tflite(model, target=options.target, precision=precision, samples=learn[0][:200], skip=skip)
        told = made.predict(images)
        scores[precision] = score(told, truth)
        print(made.report)
        made.save(path)
    print("\n".join(f"{way:8} {found:.1f} {SCORE}" for way, found in scores.items()))
    found = detection.non_max_suppression(told["boxes"][:4], told["scores"][:4], least=0.4)
    draw(images[:4], found, out.with_suffix(".png"))
    page = made.save_page(out.with_suffix(".html"), labels=LABELS, normalization=(0, 1), boxes="xyxy")
    print(f"wrote {out}, {out.with_suffix('.png')} and {page}, which shows the digits on what you draw or choose")


if __name__ == "__main__":
    main()
