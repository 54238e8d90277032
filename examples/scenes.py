"""Photographs on which cards with scanned digits lie: images with boxes, masks and corners that are known.

python examples/scenes.py --out scenes.png

The examples of detection, segmentation and keypoints train on these; images of your own take their place.
"""

import argparse
from dataclasses import dataclass

import matplotlib
import numpy as np
import skimage.data
import skimage.transform
from sklearn.datasets import load_digits, load_sample_images

CLASSES = 10
LEAST, MOST = 0.25, 0.45  # sides of cards, in sides of the image
TILT = 30  # degrees to either side


@dataclass(frozen=True)
class Scenes:
    """Some images, and for each what lies on it.

    Attributes:
        images: uint8, (images, side, side, 3).
        boxes: for each image an array (cards, 4) of x1, y1, x2, y2 in pixels.
        labels: for each image an array (cards,) of digits.
        masks: int32, (images, side, side): 0 is the photograph, 1 to 10 are the digits 0 to 9.
        corners: for each image an array (cards, 4, 2) of x, y in pixels, from the digit's upper left, clockwise.
    """

    images: np.ndarray
    boxes: list
    labels: list
    masks: np.ndarray
    corners: list


def photographs(part):
    """Photographs that scikit-image and scikit-learn carry: those that "train" a network, and others that "test" it."""
    if part == "test":
        return [skimage.data.coffee(), skimage.data.rocket()]
    return [*load_sample_images().images, skimage.data.astronaut(), skimage.data.chelsea()]


def scenes(count, seed, side=96, most=3, part="train"):
    """Returns `Scenes` with 1 to `most` cards each; each `part` shows its own photographs and digits."""
    random = np.random.default_rng(seed)
    photos, data = photographs(part), load_digits()
    chosen = np.flatnonzero((np.arange(len(data.images)) % 5 == 0) == (part == "test"))
    images = np.empty((count, side, side, 3), "uint8")
    masks = np.zeros((count, side, side), "int32")
    every_box, every_label, every_corner = [], [], []
    for image, mask in zip(images, masks, strict=True):
        image[:] = crop(photos[random.integers(len(photos))], side, random)
        boxes, labels, corners = [], [], []
        for _ in range(random.integers(1, most + 1)):
            which = chosen[random.integers(len(chosen))]
            card = lay(image, mask, data.images[which] / 16, data.target[which], random)
            if card is not None:
                boxes.append([*card.min(0), *card.max(0)])
                labels.append(data.target[which])
                corners.append(card)
        every_box.append(np.array(boxes, "float32"))
        every_label.append(np.array(labels, "int32"))
        every_corner.append(np.array(corners, "float32"))
    return Scenes(images, every_box, every_label, masks, every_corner)


def crop(photo, side, random):
    """A square of a photograph, made smaller to `side` pixels."""
    size = random.integers(side, min(photo.shape[:2]) + 1)
    y, x = (random.integers(0, length - size + 1) for length in photo.shape[:2])
    square = photo[y : y + size, x : x + size]
    if random.integers(2):
        square = square[:, ::-1]
    return skimage.transform.resize(square, (side, side), anti_aliasing=True, preserve_range=True)


def lay(image, mask, digit, label, random):
    """Lays a tilted card with a digit where none lies yet; returns its corners, or None where no place was found."""
    side = len(image)
    for _ in range(20):
        size, tilt = side * random.uniform(LEAST, MOST), np.deg2rad(random.uniform(-TILT, TILT))
        reach = size * (abs(np.cos(tilt)) + abs(np.sin(tilt))) / 2  # so that the whole card is in the image
        center = random.uniform(reach, side - reach, 2)
        turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
        across, down = ((np.stack([x, y], -1) - center) @ turn / size + 0.5).transpose(2, 0, 1)  # 0 to 1 on the card
        inside = (across >= 0) & (across < 1) & (down >= 0) & (down < 1)
        if not mask[inside].any():
            break
    else:
        return None
    paper, ink = random.uniform(170, 255, 3), random.uniform(0, 90, 3)
    # The scan has 8x8 pixels, with a pixel of paper around it.
    places = [np.clip(down * 10 - 0.5, 0, 9)[inside], np.clip(across * 10 - 0.5, 0, 9)[inside]]
    dark = skimage.transform.warp(np.pad(digit, 1), np.array(places)[:, None], order=1)[0, :, None]
    image[inside] = paper * (1 - dark) + ink * dark
    mask[inside] = label + 1
    return center + size * (np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5) @ turn.T


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="scenes.png")
    options = parser.parse_args()
    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = scenes(4, seed=0)
    figure, axes = pyplot.subplots(2, 4, figsize=(12, 6))
    for index in range(4):
        above, below = axes[:, index]
        above.imshow(drawn.images[index])
        for (x1, y1, x2, y2), label, corners in zip(
            drawn.boxes[index], drawn.labels[index], drawn.corners[index], strict=True
        ):
            above.add_patch(pyplot.Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor=f"C{label}"))
            above.text(x1, y1, label, color=f"C{label}", va="bottom")
            above.plot(*(corners.T - 0.5), "o", color=f"C{label}", markersize=3)
        below.imshow(drawn.masks[index], cmap="tab20", vmin=0, vmax=19)
        above.axis("off")
        below.axis("off")
    figure.savefig(options.out, dpi=100, bbox_inches="tight")
    pyplot.close(figure)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
