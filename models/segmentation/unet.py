"""U-Net: what the encoder has seen at each size is joined, step by step, on the way back to the size of the image."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from keraslayers import _checks
from keraslayers._hints import Shape
from keraslayers.models import _blocks
from keraslayers.models._variants import builder
from keraslayers.models.features import DEFAULT, maps_of
from keraslayers.models.segmentation import _backbone
from keraslayers.models.segmentation.ending import Ending, finished
from keraslayers.resample import Resample2D

FILTERS = (64, 128, 256, 512, 1024)  # figure 1


@builder
def UNet(
    backbone: keras.Model | None = None,
    *,
    classes: int,
    output: Ending = "logits",
    input_shape: Shape = (512, 512, 1),
    filters: Sequence[int] = FILTERS,
    batch_norm: bool = False,
    name: str = "u_net",
) -> keras.Model:
    """Builds U-Net: the paper's, or its decoder on a backbone.

    The defaults are the paper's 23 convolutions, of 31,030,658 parameters with 2 classes; maps are padded, so that the
    mask is as large as the image, where the paper's loses its borders.

    Args:
        backbone: None for the paper's encoder; or a network of `keraslayers.models`, whose last maps of the strides 2
            to 32 are joined; or a model of any layers with several outputs of maps, the finest first.
        classes: number of classes, the background among them; 1 for yes and no.
        output: what the model ends in, at the size of the image: `"logits"`, to train on, `"probabilities"`, or
            `"class_map"`, int32 of (batch, height, width). `end_in` changes it later.
        input_shape: of the paper's encoder: (height, width, channels), the sides divisible by 16.
        filters: of the encoder, at each size; the decoder has at each size the channels of the maps that it joins.
        batch_norm: whether batch normalization follows the 3x3 convolutions; in the paper none does.
        name: name of the model.

    Returns:
        A keras.Model.

    Raises:
        TypeError: if `backbone` is no keras.Model, or a number is none.
        ValueError: if the backbone has fewer than two sizes of maps, the sides do not halve, or an argument is not one
            of the values above.

    Source: Ronneberger et al. 2015, U-Net: Convolutional networks for biomedical image segmentation, arXiv:1505.04597,
    figure 1.
    """
    who = "UNet"
    classes, output = _backbone.options(who, classes, output)
    if backbone is None:
        image, maps = _encoder(who, input_shape, filters, batch_norm)
    else:
        graph = _backbone.checked(who, backbone, most=8)
        image, maps = graph.inputs[0], graph.outputs
        if len(maps) == 1:
            found = maps_of(who, "backbone", backbone)
            maps = [found[stride] for stride in sorted(found) if stride in (2, *DEFAULT)]
        if len(maps) < 2:
            raise ValueError(
                f"`{who}`: `backbone` must have maps of two sizes at least; those of {backbone.name!r} are "
                f"{[tuple(each.shape[1:]) for each in maps]}."
            )
    *finer, x = maps
    for number, joined in enumerate(reversed(finer), start=1):
        x = layers.Conv2DTranspose(joined.shape[-1], 2, strides=2, name=f"decoder{number}_grow")(x)
        if x.shape[1:3] != joined.shape[1:3]:  # of odd sides
            x = Resample2D(size=joined.shape[1:3], name=f"decoder{number}_fit")(x)
        x = layers.Concatenate(name=f"decoder{number}_join")([joined, x])
        x = _double(x, joined.shape[-1], batch_norm, f"decoder{number}")
    return finished(image, _backbone.classifier(x, classes, "classes"), output, name)


def _encoder(who, input_shape, filters, batch_norm):
    if not isinstance(filters, list | tuple) or len(filters) < 2:
        raise TypeError(f"`{who}`: `filters` must be whole numbers, two at least, such as {FILTERS}; got {filters!r}.")
    filters = [_checks.positive_int(who, "filters", number) for number in filters]
    factor = 2 ** (len(filters) - 1)
    image = _blocks.image_input(who, input_shape, smallest=factor, classes=1, pooling=None, weights=None)
    if any(side is None or side % factor for side in image.shape[1:3]):
        raise ValueError(
            f"`{who}`: `input_shape` must have sides divisible by {factor}, which halve {len(filters) - 1} times; got "
            f"{tuple(image.shape[1:])}."
        )
    maps, x = [], image
    for number, width in enumerate(filters, start=1):
        if maps:
            x = layers.MaxPooling2D(2, name=f"encoder{number}_pool")(x)
        x = _double(x, width, batch_norm, f"encoder{number}")
        maps.append(x)
    return image, maps


def _double(x, filters, batch_norm, name):
    for number in (1, 2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=not batch_norm, name=f"{name}_conv{number}")(x)
        x = _blocks.bn_act(x, "relu", _backbone.NORM if batch_norm else None, f"{name}_conv{number}")
    return x
