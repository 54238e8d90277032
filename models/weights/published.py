"""Weights of ImageNet that others have published: where they are and what they need, as `published.json` has it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from keraslayers._hints import Tensor

TABLE = Path(__file__).with_name("published.json")

_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_CAFFE = np.array([103.939, 116.779, 123.68])  # blue, green, red
# (scale, offset) that the weights want for pixels of 0 to 255, by the name in the table.
PIXELS = {
    "[-1, 1]": (1 / 127.5, -1.0),
    "[0, 1]": (1 / 255, 0.0),
    "imagenet": (1 / 255 / _DEVIATION, -_MEAN / _DEVIATION),
    "[-127/128, 1]": (1 / 128, -127 / 128),
    "[-1, 127/128]": (1 / 128, -1.0),
}
PIXELS_NAMES = (*PIXELS, "caffe")


@dataclass(frozen=True)
class Published:
    """One published set of weights, which `weights=` takes.

    Args:
        builder: name of the builder.
        source: "torchvision", "timm" or "keras".
        name: the network's name there, and the set's behind a colon where there are several.
        options: the builder's options with which these weights give their outputs.
        url: where the file is.
        hash: "sha256:..." or "md5:...", the whole or the beginning that its publisher tells; None where none is told.
        megabytes: the size that its publisher tells, in 2**20 bytes; None where none is told.
        licence: that of the code that the weights come with, or of the weights where one is told.
        pixels: the scale of the images: a name in `PIXELS`, or "caffe" for blue, green and red less their means.
        side: height and width of the images that the accuracy is of.
        crop: share of the shorter side that is cut out of the centre before.
        interpolation: of the resizing before.
        top1: accuracy in percent on the validation set of ImageNet, as published; None where none is told.
    """

    builder: str
    source: str
    name: str
    options: dict[str, Any] = field(hash=False)
    url: str
    hash: str | None
    megabytes: float | None
    licence: str
    pixels: str
    side: int
    crop: float
    interpolation: str
    top1: float | None

    def preprocess(self) -> keras.layers.Layer:
        """Returns the layer that makes of pixels of 0 to 255, red, green and blue, what the weights want.

        A network built with preprocessing=True and these weights has it behind its input, and so in the exported file.
        """
        if self.pixels != "caffe":
            scale, offset = (value.tolist() if hasattr(value, "tolist") else value for value in PIXELS[self.pixels])
            return layers.Rescaling(scale, offset, name="preprocessing")
        # A convolution of 1x1 turns the colours round.
        turned = layers.Conv2D(3, 1, name="preprocessing", trainable=False)
        turned.build((None, None, None, 3))
        turned.set_weights([np.eye(3)[::-1][None, None], -_CAFFE])
        return turned


@functools.cache
def table():
    """All sets, in the order in which `weights="imagenet"` looks for one."""
    return tuple(Published(**entry) for entry in json.loads(TABLE.read_text(encoding="utf-8")))


def of(builder: str) -> list[Published]:
    return [one for one in table() if one.builder == builder]


def chosen(who: str, options: Mapping[str, Any]) -> Published:
    """Returns the first published set for the network that `options` build.

    Args:
        who: name of the builder.
        options: all of them, the defaults too.

    Raises:
        ValueError: if there is none.
    """
    known = of(who)
    for one in known:
        if all(_alike(options.get(name), value) for name, value in one.options.items()):
            return one
    if not known:
        raise ValueError(
            f"`{who}`: `weights` must be None, a file or an address, since no published weights of ImageNet are known "
            "of this network; got 'imagenet'."
        )
    told = "; ".join(f"{_told(one.options)} ({one.source}'s {one.name})" for one in known[:8])
    raise ValueError(
        f"`{who}`: weights='imagenet' must be asked for with the options of a published network; build it with {told}."
    )


def _alike(option, value):
    return option == value or (isinstance(value, list) and list(option or ()) == value)


def _told(options):
    return ", ".join(f"{name}={value!r}" for name, value in options.items()) or "its defaults"


def scaled(x: Tensor, one: Published) -> Tensor:
    """The input of a network, as the weights of `one` want it."""
    if x.shape[-1] == 3:
        return one.preprocess()(x)
    if x.shape[-1] != 1 or one.pixels == "caffe":
        raise ValueError(
            f"`{one.builder}`: preprocessing=True takes images of 3 channels with these weights, red, green and blue"
            f"{'' if one.pixels == 'caffe' else ', or of 1'}; got {x.shape[-1]}. Scale other images before the model."
        )
    # The kernels of the colours are summed, so that their scale is one.
    scale, offset = (float(np.mean(value)) for value in PIXELS[one.pixels])
    return layers.Rescaling(scale, offset, name="preprocessing")(x)
