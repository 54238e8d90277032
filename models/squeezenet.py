"""SqueezeNet: the accuracy of AlexNet with a fiftieth of its parameters, by few channels in front of 3x3 kernels."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

from keraslayers import _checks
from keraslayers._hints import Activation, Shape
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Weights, builder

INPUT_SHAPE = (224, 224, 3)
# By version filters and kernel of the first convolution, then by stage the s1x1, e1x1 (= e3x3) of its fire modules.
VERSIONS = {
    "1.0": (  # arXiv:1602.07360, table 1
        (96, 7),
        (
            ((16, 64), (16, 64), (32, 128)),
            ((32, 128), (48, 192), (48, 192), (64, 256)),
            ((64, 256),),
        ),
    ),
    "1.1": (  # github.com/forresti/SqueezeNet, SqueezeNet_v1.1
        (64, 3),
        (
            ((16, 64), (16, 64)),
            ((32, 128), (32, 128)),
            ((48, 192), (48, 192), (64, 256), (64, 256)),
        ),
    ),
}


@builder
def SqueezeNet(
    *,
    input_shape: Shape | None = None,
    classes: int = 1000,
    include_top: bool = True,
    weights: Weights | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classifier_activation: Activation | None = "softmax",
    name: str = "squeezenet",
    preprocessing: bool = False,
    version: Literal["1.0", "1.1"] = "1.0",
    dropout_rate: float = 0.5,
) -> keras.Model:
    """Builds SqueezeNet without bypass, with the layers of the authors' Caffe models and of torchvision.

    The maps of the classes pass a ReLU before they are averaged, as there: no logit is negative.

    Args:
        input_shape: (height, width, channels); height and width may be None. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the maps of the classes follow the last fire module.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to the mean 0 and deviation 1 of
            ImageNet, as torchvision does; else they are expected so. (Caffe subtracts a mean from blue, green, red.)
        version: `"1.0"` (the paper's) or `"1.1"`: as accurate with less than half of the multiplications, since it
            pools earlier.
        dropout_rate: share of values dropped in training before the last convolution, within [0, 1); 0.5 in
            section 3.3.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Iandola et al. 2016, arXiv:1602.07360, table 1.
    """
    (filters, kernel_size), stages = VERSIONS[_checks.choice("SqueezeNet", "version", version, VERSIONS)]
    _checks.rate("SqueezeNet", "dropout_rate", dropout_rate)
    inputs = _blocks.image_input(
        "SqueezeNet",
        INPUT_SHAPE if input_shape is None else input_shape,
        smallest=kernel_size,  # the first convolution pads nothing
        classes=classes,
        pooling=pooling,
        weights=weights,
    )
    x = _blocks.preprocess("SqueezeNet", inputs, preprocessing, _blocks.IMAGENET)
    x = _blocks.conv_relu(x, filters, kernel_size, strides=2, padding="valid", name="stem_conv")
    for stage, units in enumerate(stages, start=1):
        x = _blocks.ceil_max_pool(x, 3, strides=2, name=f"stage{stage}_pool")
        for unit, (squeezed, expanded) in enumerate(units, start=1):
            x = _fire(x, squeezed, expanded, f"stage{stage}_unit{unit}")
    if include_top:
        x = layers.Dropout(dropout_rate, name="dropout")(x)
        x = _blocks.conv_relu(x, classes, 1, name="class_maps")
        x = _blocks.pool(x, "avg")
        x = layers.Activation(classifier_activation, name="predictions")(x)
    else:
        x = _blocks.pool(x, pooling)
    return _blocks.model("SqueezeNet", inputs, x, weights=weights, name=name)


def _fire(x, squeezed, expanded, name):
    """Figure 1 of the paper."""
    x = _blocks.conv_relu(x, squeezed, 1, name=f"{name}_squeeze")
    small = _blocks.conv_relu(x, expanded, 1, name=f"{name}_expand1x1")
    large = _blocks.conv_relu(x, expanded, 3, name=f"{name}_expand3x3")
    return layers.Concatenate(name=f"{name}_concat")([small, large])


SPECS = (
    Spec(
        name="squeezenet",
        builder=SqueezeNet,
        paper="Iandola et al.: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
        year=2016,
        url="https://arxiv.org/abs/1602.07360",
        input_shape=INPUT_SHAPE,
        references=(
            Reference(
                {"version": "1.0"},
                1_248_424,
                1_248_424,
                818_924_576,
                58.092,
                "torchvision, SqueezeNet1_0_Weights.IMAGENET1K_V1",
            ),
            Reference(
                {"version": "1.1"},
                1_235_496,
                1_235_496,
                349_151_936,
                58.178,
                "torchvision, SqueezeNet1_1_Weights.IMAGENET1K_V1",
            ),
        ),
    ),
)
