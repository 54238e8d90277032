"""AlexNet: five convolutions and three Dense layers, which began the use of deep networks on large images."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

from keraslayers import _checks
from keraslayers._hints import Activation, Shape
from keraslayers.local_response import LocalResponseNormalization
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Weights, builder

INPUT_SHAPE = (224, 224, 3)
TWO_TOWERS_INPUT_SHAPE = (227, 227, 3)  # the paper says 224, but its 55x55 maps come from 227

# Filters, kernel and groups of the convolutions, by stage; the first has stride 4, and a pooling ends each stage.
ONE_TOWER = (  # arXiv:1404.5997, section 5, with the numbers of torchvision
    ((64, 11, 1),),
    ((192, 5, 1),),
    ((384, 3, 1), (256, 3, 1), (256, 3, 1)),
)
TWO_TOWERS = (  # Krizhevsky et al. 2012, figure 2: a group is a GPU
    ((96, 11, 1),),
    ((256, 5, 2),),
    ((384, 3, 1), (384, 3, 2), (256, 3, 2)),
)


@builder
def AlexNet(
    *,
    input_shape: Shape | None = None,
    classes: int = 1000,
    include_top: bool = True,
    weights: Weights | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classifier_activation: Activation | None = "softmax",
    name: str = "alexnet",
    preprocessing: bool = False,
    grouped: bool = False,
    units: int = 4096,
    dropout_rate: float = 0.5,
) -> keras.Model:
    """Builds AlexNet, by default the form of 2014 for one GPU that torchvision has.

    `grouped=True` builds the form of 2012 as Caffe has it: half of the channels on each of two GPUs, and local
    response normalization before the pooling. Caffe normalizes by 1 + mean of squares, the paper by 2 + their sum,
    so weights of the one do not fit the other.

    Caffe's form on one GPU without groups, 96-256-384-384-256 filters and 62,378,344 parameters, is not built.

    The first Dense layer sees the maps row by row with the channels last; torchvision's and Caffe's weights for it
    have the channels first and must be reordered.

    Args:
        input_shape: (height, width, channels); height and width may be None without top. Default: (224, 224, 3),
            or (227, 227, 3) if `grouped`.
        classes: number of classes.
        include_top: whether the Dense layers follow the last pooling.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to the mean 0 and deviation 1 of
            ImageNet, as torchvision does; else they are expected so. (Caffe subtracts a mean from blue, green, red.)
        grouped: whether to build the form of 2012.
        units: of each of the two hidden Dense layers; fewer will do for small images or few classes.
        dropout_rate: share of the hidden units dropped in training, within [0, 1); 0.5 in section 4.2.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks, arXiv:1404.5997,
    section 5; with `grouped=True` Krizhevsky, Sutskever, Hinton 2012, ImageNet classification with deep convolutional
    neural networks, figure 2.
    """
    who = "AlexNet"
    _checks.positive_int(who, "units", units)
    _checks.rate(who, "dropout_rate", dropout_rate)
    default = TWO_TOWERS_INPUT_SHAPE if grouped else INPUT_SHAPE
    inputs = _blocks.image_input(
        who,
        default if input_shape is None else input_shape,
        smallest=67 if grouped else 63,  # stage 1 gives 15 -> 7 -> 3 -> 1
        open_size=not include_top,
        classes=classes,
        pooling=pooling,
        weights=weights,
    )
    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.IMAGENET)
    if not grouped:
        x = layers.ZeroPadding2D(2, name="stage1_conv1_pad")(x)
    for stage, rows in enumerate(TWO_TOWERS if grouped else ONE_TOWER, start=1):
        if stage > 1:
            x = layers.MaxPooling2D(3, strides=2, name=f"stage{stage}_pool")(x)
        for row, (filters, kernel_size, groups) in enumerate(rows, start=1):
            x = _blocks.conv_relu(
                x,
                filters,
                kernel_size,
                strides=4 if stage == 1 else 1,
                padding="valid" if stage == 1 else "same",
                groups=groups,
                name=f"stage{stage}_conv{row}",
            )
        if grouped and stage < 3:
            x = LocalResponseNormalization(**_blocks.CAFFE_LRN, name=f"stage{stage}_lrn")(x)
    x = layers.MaxPooling2D(3, strides=2, name="stage4_pool")(x)
    if include_top:
        x = _blocks.dense_top(
            x,
            units=units,
            dropout_rate=dropout_rate,
            classes=classes,
            classifier_activation=classifier_activation,
        )
    else:
        x = _blocks.pool(x, pooling)
    return _blocks.model(who, inputs, x, weights=weights, name=name)


SPECS = (
    Spec(
        name="alexnet",
        builder=AlexNet,
        paper="Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks",
        year=2012,
        url="https://doi.org/10.1145/3065386",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({}, 61_100_840, 61_100_840, 714_188_480, 56.522, "torchvision, AlexNet_Weights.IMAGENET1K_V1"),
            Reference(
                {"grouped": True, "input_shape": TWO_TOWERS_INPUT_SHAPE},
                60_965_224,
                60_965_224,
                724_406_816,
                57.1,
                "github.com/BVLC/caffe, models/bvlc_alexnet",
            ),
        ),
    ),
)
