"""ESPCN: three convolutions at the size of the small image, the last of which makes all pixels of the large one."""

from __future__ import annotations

import keras
from keras import layers

from keraslayers._hints import Activation, Shape
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import builder
from keraslayers.models.super_resolution import _frame

INPUT_SHAPE = (None, None, 1)
LAYERS = ((5, 64), (3, 32))  # arXiv:1609.05158, section 3.1: kernel sizes and filters before the last convolution
LAST = 3


@builder
def ESPCN(
    *, scale: int = 3, input_shape: Shape = INPUT_SHAPE, activation: Activation = "tanh", name: str = "espcn"
) -> keras.Model:
    """Builds ESPCN.

    It takes images of 0 to 1, in the paper the luminance alone, and gives them `scale` times as high and wide.

    Args:
        scale: how many times as high and wide, 2 or more.
        input_shape: (height, width, channels); height and width may be None, and the model then takes images of any
            size.
        activation: of all convolutions but the last.
        name: name of the model.

    Returns:
        A keras.Model.

    Raises:
        TypeError: if `scale` is no whole number.
        ValueError: if `scale` is below 2, or `input_shape` no shape of images.

    Source: Shi et al. 2016, Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network, arXiv:1609.05158, section 3.1; tanh: section 3.3.2.
    """
    inputs, scale = _frame.image_input("ESPCN", input_shape, scale)
    x = inputs
    for place, (size, filters) in enumerate(LAYERS, start=1):
        x = layers.Conv2D(filters, size, padding="same", activation=activation, name=f"conv{place}")(x)
    x = layers.Conv2D(scale**2 * inputs.shape[-1], LAST, padding="same", name=f"conv{len(LAYERS) + 1}")(x)
    return keras.Model(inputs, _frame.larger(x, scale, clip=False), name=name)


SPECS = (
    Spec(
        name="espcn",
        builder=ESPCN,
        paper="Shi, Caballero, Huszár, Totz, Aitken, Bishop, Rueckert, Wang: Real-time single image and video "
        "super-resolution using an efficient sub-pixel convolutional neural network",
        year=2016,
        url="https://arxiv.org/abs/1609.05158",
        input_shape=(360, 640, 1),
        references=tuple(
            Reference(
                options={"scale": scale},
                trainable_parameters=parameters,
                parameters=parameters,
                multiply_adds=(parameters - 96 - scale**2) * 360 * 640,
                top1=None,
                source="arXiv:1609.05158, section 3.1: layers (5, 64), (3, 32), 3, with biases",
            )
            for scale, parameters in ((3, 22_729), (2, 21_284), (4, 24_752))
        ),
    ),
)
