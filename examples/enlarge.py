"""Photographs twice as high and wide: a network made for 8 bits enlarges small tiles, and so images of any size.

python examples/enlarge.py --epochs 20 --out enlarge.tflite
"""

import argparse
import functools
from pathlib import Path

import keras
import matplotlib
import numpy as np
from PIL import Image
from scenes import photographs
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from keraslayers import export
from keraslayers.models.super_resolution import QuickSRNetSmall, enlarge, reach

SCALE = 2
CROP = 32  # height and width of the small images to learn from
SCORE = "PSNR, dB"
NETWORK = "super-resolution: QuickSRNet-Small, twice as large"
# Phones, CPU and GPU in floats of 32 and of 16 bits, and web pages: one file for all.
EVERYWHERE = export.Target("everywhere", ("gpu", "gpu-fp16", "cpu", "browser"), "phones and web pages")


def resized(image, factor):
    """By bicubic interpolation, as the field makes small images of large ones."""
    size = tuple(round(side * factor) for side in image.shape[1::-1])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def pairs(count, seed, part, side=CROP):
    """Small images and what they were made of, of 0 to 1: crops of photographs, turned and mirrored."""
    random = np.random.default_rng(seed)
    photos, side = photographs(part), SCALE * side
    large = np.empty((count, side, side, 3), "uint8")
    for image in large:
        photo = photos[random.integers(len(photos))]
        y, x = (random.integers(0, length - side + 1) for length in photo.shape[:2])
        crop = np.rot90(photo[y : y + side, x : x + side], random.integers(4))
        image[:] = crop[:, ::-1] if random.integers(2) else crop
    small = np.stack([resized(image, 1 / SCALE) for image in large])
    return small / np.float32(255), large / np.float32(255)


def load(crops=1000, judged=100):
    return pairs(crops, 0, "train"), pairs(judged, 1, "test")


def network():
    return QuickSRNetSmall(scale=SCALE)


def fit(model, learn, epochs=20):
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(learn[0]) // 16))
    model.compile(keras.optimizers.Adam(schedule), "mae")
    model.fit(*learn, batch_size=16, epochs=epochs, verbose=2)


def deployed(model):
    return model


def pixels(images):
    return np.round(255 * np.clip(images, 0, 1)).astype("uint8")


def score(outputs, targets):
    """Decibels between images and how they should be, in 8 bits, on average."""
    each = zip(pixels(targets), pixels(outputs), strict=True)
    return float(np.mean([peak_signal_noise_ratio(*pair) for pair in each]))


def judge(ways, photos):
    """Prints how near each way comes to the photographs that it enlarges; returns what it made of them."""
    made = {}
    print(f"\n{'':10}{'PSNR':>8}{'SSIM':>8}")
    for name, way in ways.items():
        made[name] = [way(resized(photo, 1 / SCALE)) for photo in photos]
        judged = list(zip(photos, made[name], strict=True))
        psnr = np.mean([peak_signal_noise_ratio(*pair) for pair in judged])
        ssim = np.mean([structural_similarity(*pair, channel_axis=-1) for pair in judged])
        print(f"{name:10}{psnr:8.2f}{ssim:8.4f}")
    return made


def draw(photo, made, path):
    """Draws a part of a photograph: small, enlarged in each way, and as it is."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = {"input": np.kron(resized(photo, 1 / SCALE), np.ones((SCALE, SCALE, 1), "uint8")), **made, "truth": photo}
    side = min(120, *photo.shape[:2])
    top, left = (np.array(photo.shape[:2]) - side) // 2
    figure, axes = pyplot.subplots(1, len(shown), figsize=(3 * len(shown), 3.2))
    for axis, (name, image) in zip(axes, shown.items(), strict=True):
        axis.imshow(image[top : top + side, left : left + side])
        axis.set_title(name)
        axis.axis("off")
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--crops", type=int, default=1000)
    parser.add_argument("--tile", type=int, default=64, help="Height and width of what the file takes.")
    parser.add_argument("--side", type=int, default=10_000, help="Of the photographs to judge by, at most.")
    parser.add_argument("--target", default=EVERYWHERE, help="Of `to_tflite`; by default phones and web pages.")
    parser.add_argument("--out", default="enlarge.tflite", help="The file in int8; beside it are a page and a picture.")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    model, (learn, _) = network(), load(options.crops, 1)
    fit(model, learn, options.epochs)
    samples = pixels(pairs(min(100, options.crops), 2, "train", options.tile)[0])
    ways = {
        "bicubic": functools.partial(resized, factor=SCALE),
        "Keras": lambda image: pixels(model.predict(image[None] / np.float32(255), verbose=0)[0]),
    }
    for precision in ("float16", "int8"):
        made = export.to_tflite(
            model,
            target=options.target,
            precision=precision,
            samples=samples,
            preprocessing=keras.layers.Rescaling(1 / 255),
            io="uint8",
        )
        print(made.report)
        by_tiles = functools.partial(enlarge, made.predict, tile=options.tile, overlap=reach(model))
        ways[precision] = lambda image, by_tiles=by_tiles: pixels(by_tiles(image))
    # Whole pixels of the small images.
    photos = [photo[: options.side, : options.side] for photo in photographs("test")]
    photos = [photo[: len(photo) // SCALE * SCALE, : photo.shape[1] // SCALE * SCALE] for photo in photos]
    enlarged = judge(ways, photos)
    file = Path(options.out)
    draw(photos[0], {name: images[0] for name, images in enlarged.items()}, file.with_suffix(".png"))
    made.save(file)
    page = made.save_page(file.with_suffix(".html"))
    print(f"wrote {file}, {file.with_suffix('.png')} and {page}, which enlarges what you draw or choose")


if __name__ == "__main__":
    main()
