"""Inception v3: large kernels taken apart into 3x3, 1x7 and 7x1, with batch normalization throughout."""

from __future__ import annotations

import functools
from typing import Literal

import keras
from keras import layers

from keraslayers import _checks
from keraslayers._hints import Activation, Shape
from keraslayers.auxiliary_output import AuxiliaryOutput
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Weights, builder

INPUT_SHAPE = (299, 299, 3)
# arXiv:1512.00567, table 1. What the table leaves open is that of the authors' code, which Keras and torchvision share.
POOLED = (32, 64, 64)  # the units of figure 5: filters behind the pooling
FACTORED = (128, 160, 160, 192)  # the units of figure 6: filters within the branches of 1x7 and 7x1


@builder
def InceptionV3(
    *,
    input_shape: Shape | None = None,
    classes: int = 1000,
    include_top: bool = True,
    weights: Weights | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classifier_activation: Activation | None = "softmax",
    name: str = "inception_v3",
    preprocessing: bool = False,
    padding: Literal["same", "symmetric"] = "same",
    bn_epsilon: float = 1e-3,
    aux_heads: bool = False,
    scale: bool = True,
    dropout_rate: float = 0.2,
) -> keras.Model:
    """Builds Inception v3. With `scale=False`, weights of keras.applications.InceptionV3 give the same outputs here.

    torchvision's weights need `padding="symmetric"`, and its auxiliary head, if that is wanted, `aux_heads=True`.

    With `aux_heads=True` there are two outputs, `predictions` and `aux1`; each learns the classes. torchvision weighs
    the loss of the latter by 0.4, the authors' code too; the first Inception's paper by 0.3:

    ```python
    model = keraslayers.models.InceptionV3(classes=10, aux_heads=True)
    model.compile("adam", ["sparse_categorical_crossentropy"] * 2, loss_weights=[1.0, 0.4])
    # model.fit(images, [labels] * 2)
    ```

    A file of the trained network fits one without the head, too: InceptionV3(weights=path). Of the model itself it
    drops with keras.Model(model.input, model.outputs[0]); `keraslayers.export.to_tflite` leaves it out. Its 5x5
    convolution is as small as the maps are: 5x5 from 299 pixels on.

    Args:
        input_shape: (height, width, channels); height and width may be None without auxiliary heads.
            Default: (299, 299, 3).
        classes: number of classes.
        include_top: whether the classifier, and the auxiliary one if asked for, follow the maps.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the outputs; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to [-1, 1], which torchvision's
            weights want in the end (its transform_input); else they are expected so.
        padding: `"same"`: average pooling leaves out what is beyond the border, as in TensorFlow; `"symmetric"`: it
            counts as zeros, as in PyTorch. Strided layers pad nothing in either.
        bn_epsilon: of batch normalization, added to the variance; 1e-3 in the authors' code.
        aux_heads: whether there is an auxiliary classifier, for training.
        scale: whether batch normalization has a factor gamma, as in torchvision; Keras has none.
        dropout_rate: share of features dropped in training before the output, within [0, 1); 0.2 in the authors'
            code.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Szegedy et al. 2016, arXiv:1512.00567, table 1 and figures 5 to 8 and 10.
    """
    who = "InceptionV3"
    _checks.choice(who, "padding", padding, _blocks.PADDINGS)
    norm = {**_blocks.norm(who, bn_epsilon, momentum=0.99), "scale": bool(scale)}
    _checks.rate(who, "dropout_rate", dropout_rate)
    aux_heads = aux_heads and include_top
    inputs = _blocks.image_input(
        who,
        INPUT_SHAPE if input_shape is None else input_shape,
        smallest=107 if aux_heads else 75,  # stage 3 has maps of 5x5, which the head averages, or of 3x3
        open_size=not aux_heads,
        classes=classes,
        pooling=pooling,
        weights=weights,
    )
    conv = functools.partial(_blocks.conv_bn_act, activation="relu", norm=norm)
    average = functools.partial(_average, padding)

    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.ONE_TO_ONE)
    x = conv(x, 32, 3, strides=2, padding="valid", name="stem_conv1")
    x = conv(x, 32, 3, padding="valid", name="stem_conv2")
    x = conv(x, 64, 3, name="stem_conv3")
    x = layers.MaxPooling2D(3, strides=2, name="stage1_pool")(x)
    x = conv(x, 80, 1, name="stage1_conv1")
    x = conv(x, 192, 3, padding="valid", name="stage1_conv2")
    x = layers.MaxPooling2D(3, strides=2, name="stage2_pool")(x)
    for unit, pooled in enumerate(POOLED, start=1):
        x = _figure_5(conv, average, x, pooled, f"stage2_unit{unit}")
    x = _reduce_1(conv, x, "stage3_unit1")
    for unit, filters in enumerate(FACTORED, start=2):
        x = _figure_6(conv, average, x, filters, f"stage3_unit{unit}")
    auxiliary = [_auxiliary(conv, x, classes, classifier_activation, "aux1")] if aux_heads else []
    x = _reduce_2(conv, x, "stage4_unit1")
    for unit in (2, 3):
        x = _figure_7(conv, average, x, f"stage4_unit{unit}")
    x = _blocks.top(
        x,
        include_top=include_top,
        classes=classes,
        classifier_activation=classifier_activation,
        pooling=pooling,
        dropout_rate=dropout_rate,
    )
    return _blocks.model(who, inputs, [x, *auxiliary] if auxiliary else x, weights=weights, name=name)


def _average(padding, x, name):
    """3x3 averages at every place; whether zeros beyond the border count is where the published weights differ."""
    if padding == "same":
        return layers.AveragePooling2D(3, strides=1, padding="same", name=name)(x)
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layers.AveragePooling2D(3, strides=1, name=name)(x)


def _chain(conv, x, name, *steps):
    """Convolutions one after another, each as (filters, kernel size)."""
    for index, (filters, kernel_size) in enumerate(steps, start=1):
        x = conv(x, filters, kernel_size, name=f"{name}_conv{index}")
    return x


def _concat(name, *branches):
    return layers.Concatenate(name=f"{name}_concat")(branches)


def _figure_5(conv, average, x, pooled, name):
    return _concat(
        name,
        _chain(conv, x, f"{name}_1x1", (64, 1)),
        _chain(conv, x, f"{name}_5x5", (48, 1), (64, 5)),
        _chain(conv, x, f"{name}_3x3", (64, 1), (96, 3), (96, 3)),
        conv(average(x, f"{name}_pool"), pooled, 1, name=f"{name}_project"),
    )


def _figure_6(conv, average, x, filters, name):
    row, column = (1, 7), (7, 1)
    return _concat(
        name,
        _chain(conv, x, f"{name}_1x1", (192, 1)),
        _chain(conv, x, f"{name}_7x7", (filters, 1), (filters, row), (192, column)),
        _chain(
            conv,
            x,
            f"{name}_double",
            (filters, 1),
            (filters, column),
            (filters, row),
            (filters, column),
            (192, row),
        ),
        conv(average(x, f"{name}_pool"), 192, 1, name=f"{name}_project"),
    )


def _figure_7(conv, average, x, name):
    return _concat(
        name,
        _chain(conv, x, f"{name}_1x1", (320, 1)),
        _fork(conv, _chain(conv, x, f"{name}_3x3", (384, 1)), f"{name}_3x3"),
        _fork(conv, _chain(conv, x, f"{name}_double", (448, 1), (384, 3)), f"{name}_double"),
        conv(average(x, f"{name}_pool"), 192, 1, name=f"{name}_project"),
    )


def _fork(conv, x, name):
    return _concat(
        name,
        conv(x, 384, (1, 3), name=f"{name}_row"),
        conv(x, 384, (3, 1), name=f"{name}_column"),
    )


def _reduce_1(conv, x, name):
    """Figure 10: convolutions and a pooling halve the size side by side."""
    double = _chain(conv, x, f"{name}_double", (64, 1), (96, 3))
    return _concat(
        name,
        conv(x, 384, 3, strides=2, padding="valid", name=f"{name}_3x3_down"),
        conv(double, 96, 3, strides=2, padding="valid", name=f"{name}_double_down"),
        layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x),
    )


def _reduce_2(conv, x, name):
    single = _chain(conv, x, f"{name}_3x3", (192, 1))
    factored = _chain(conv, x, f"{name}_7x7", (192, 1), (192, (1, 7)), (192, (7, 1)))
    return _concat(
        name,
        conv(single, 320, 3, strides=2, padding="valid", name=f"{name}_3x3_down"),
        conv(factored, 192, 3, strides=2, padding="valid", name=f"{name}_7x7_down"),
        layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x),
    )


def _auxiliary(conv, x, classes, activation, name):
    """Figure 8, with the layers of the authors' code."""
    x = layers.AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)
    x = conv(x, 128, 1, name=f"{name}_conv1")
    # At 299 pixels this sees all of the maps; at less there are fewer places.
    x = conv(x, 768, tuple(min(5, side) for side in x.shape[1:3]), padding="valid", name=f"{name}_conv2")
    x = layers.GlobalAveragePooling2D(name=f"{name}_avg_pool")(x)
    x = layers.Dense(classes, activation=activation, name=f"{name}_predictions")(x)
    return AuxiliaryOutput(name=name)(x)


_SLIM = "github.com/tensorflow/models, research/slim/nets/inception_v3.py, with a factor in its normalizations"
_TORCHVISION = "torchvision, Inception_V3_Weights.IMAGENET1K_V1"

SPECS = (
    Spec(
        name="inception_v3",
        builder=InceptionV3,
        paper="Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception architecture for computer vision",
        year=2016,
        url="https://arxiv.org/abs/1512.00567",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({}, 23_834_568, 23_869_000, 5_713_216_096, None, _SLIM),
            Reference({"padding": "symmetric"}, 23_834_568, 23_869_000, 5_713_216_096, 77.294, _TORCHVISION),
            Reference(
                {"padding": "symmetric", "aux_heads": True},
                27_161_264,
                27_197_488,
                5_718_899_296,
                77.294,
                _TORCHVISION,
            ),
            Reference({"scale": False}, 23_817_352, 23_851_784, 5_713_216_096, 77.9, "keras.applications.InceptionV3"),
        ),
    ),
)
