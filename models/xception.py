"""Xception: Inception taken to its end, where each channel is filtered alone and 1x1 convolutions mix them."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

from keraslayers import _checks
from keraslayers._hints import Activation, Shape
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Weights, builder

INPUT_SHAPE = (299, 299, 3)
MOMENTUM = 0.99  # Keras's, whose author is the paper's; the paper gives none

# arXiv:1610.02357, figure 5. Filters of the separable convolutions, and whether a pooling follows.
STEM = (32, 64)
UNITS = (
    # entry flow
    ((128, 128), True),
    ((256, 256), True),
    ((728, 728), True),
    # middle flow
    *(((728, 728, 728), False),) * 8,
    # exit flow
    ((728, 1024), True),
)
LAST = (1536, 2048)


@builder
def Xception(
    *,
    input_shape: Shape | None = None,
    classes: int = 1000,
    include_top: bool = True,
    weights: Weights | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classifier_activation: Activation | None = "softmax",
    name: str = "xception",
    preprocessing: bool = False,
    bn_epsilon: float = 1e-3,
    dropout_rate: float = 0.5,
) -> keras.Model:
    """Builds Xception. Weights of keras.applications.Xception give the same outputs here.

    Args:
        input_shape: (height, width, channels), at least 7x7; height and width may be None. Default: (299, 299, 3).
        classes: number of classes.
        include_top: whether the classifier follows the last convolution.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to [-1, 1]; else they are expected
            so.
        bn_epsilon: added to the variance in batch normalization; 1e-3 is Keras's.
        dropout_rate: share of features dropped in training before the output, within [0, 1); 0.5 in section 4.3,
            none in keras.applications.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Chollet 2016, Xception: deep learning with depthwise separable convolutions, arXiv:1610.02357, figure 5.
    """
    _checks.rate("Xception", "dropout_rate", dropout_rate)
    norm = _blocks.norm("Xception", bn_epsilon, MOMENTUM)
    shape = INPUT_SHAPE if input_shape is None else input_shape
    # 7 -> first convolution 3 -> second 1; what follows pads
    inputs = _blocks.image_input("Xception", shape, smallest=7, classes=classes, pooling=pooling, weights=weights)

    x = _blocks.preprocess("Xception", inputs, preprocessing, _blocks.ONE_TO_ONE)
    for number, (filters, strides) in enumerate(zip(STEM, (2, 1), strict=True), start=1):
        x = _blocks.conv_bn_act(
            x, filters, 3, strides=strides, padding="valid", activation="relu", norm=norm, name=f"stem_conv{number}"
        )
    stage, unit = 0, 0
    for convolutions, halves in UNITS:
        # A stage is what has one resolution.
        stage, unit = (stage + 1, 1) if halves else (stage, unit + 1)
        x = _unit(x, convolutions, halves, norm, f"stage{stage}_unit{unit}")
    for number, filters in enumerate(LAST, start=1):
        x = _separable_bn_act(x, filters, "relu", norm, f"stage{stage}_last{number}")
    x = _blocks.top(
        x,
        include_top=include_top,
        classes=classes,
        classifier_activation=classifier_activation,
        pooling=pooling,
        dropout_rate=dropout_rate,
    )
    return _blocks.model("Xception", inputs, x, weights=weights, name=name)


def _unit(x, convolutions, halves, norm, name):
    shortcut = x
    for number, filters in enumerate(convolutions, start=1):
        place = f"{name}_conv{number}"
        if place != "stage1_unit1_conv1":  # which follows the ReLU of the stem
            x = layers.Activation("relu", name=f"{place}_act")(x)
        x = _separable_bn_act(x, filters, None, norm, place)
    if halves:
        shortcut = _blocks.conv_bn_act(shortcut, filters, 1, strides=2, norm=norm, name=f"{name}_shortcut")
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.Add(name=f"{name}_add")([x, shortcut])


def _separable_bn_act(x, filters, activation, norm, name):
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return _blocks.bn_act(x, activation, norm, name)


SPECS = (
    Spec(
        name="xception",
        builder=Xception,
        paper="Chollet: Xception: Deep learning with depthwise separable convolutions",
        year=2016,
        url="https://arxiv.org/abs/1610.02357",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, 22_855_952, 22_910_480, 8_357_403_496, 79.0, "arXiv:1610.02357, table 1"),),
    ),
)
