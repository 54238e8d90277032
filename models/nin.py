"""Network in Network: 1x1 convolutions after each convolution, and a map for each class in place of Dense layers."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

from keraslayers import _checks
from keraslayers._hints import Activation, Shape
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Weights, builder

# By version the input shape, then by stage what stands before it, its kernel, and the filters of its convolution and
# of the 1x1 convolutions after it; the last stage ends in one more, with a map for each class.
MAX, AVERAGE, DROPOUT = "max", "average", "dropout"
VERSIONS = {
    # Of the authors' models for Caffe; the paper has no table.
    "imagenet": (
        (224, 224, 3),
        (
            ((), 11, (96, 96, 96)),
            ((MAX,), 5, (256, 256, 256)),
            ((MAX,), 3, (384, 384, 384)),
            ((MAX, DROPOUT), 3, (1024, 1024)),
        ),
    ),
    "cifar10": (
        (32, 32, 3),
        (
            ((), 5, (192, 160, 96)),
            ((MAX, DROPOUT), 5, (192, 192, 192)),
            ((AVERAGE, DROPOUT), 3, (192, 192)),
        ),
    ),
}


@builder
def NiN(
    *,
    input_shape: Shape | None = None,
    classes: int = 1000,
    include_top: bool = True,
    weights: Weights | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classifier_activation: Activation | None = "softmax",
    name: str = "nin",
    preprocessing: bool = False,
    version: Literal["imagenet", "cifar10"] = "imagenet",
    dropout_rate: float = 0.5,
) -> keras.Model:
    """Builds Network in Network as its authors published it for Caffe.

    The maps of the classes pass a ReLU before they are averaged, as there: no logit is negative. The average pooling
    of `version="cifar10"` pads as TensorFlow does, which is Caffe's way at even sizes such as 32.

    Args:
        input_shape: (height, width, channels); height and width may be None. Default: (224, 224, 3), or (32, 32, 3)
            for `version="cifar10"`.
        classes: number of classes.
        include_top: whether the maps of the classes follow the last hidden convolution.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to the mean 0 and deviation 1 of
            ImageNet; else they are expected so. (Caffe's weights want blue, green, red less a mean.)
        version: `"imagenet"`: four stages, the first of stride 4; `"cifar10"`: three, for small images; give
            `classes=10` with it.
        dropout_rate: share of values dropped in training before the last stage (`"cifar10"`: the last two), within
            [0, 1).

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Lin, Chen, Yan 2014, arXiv:1312.4400, section 3 and figure 2.
    """
    shape, stages = VERSIONS[_checks.choice("NiN", "version", version, VERSIONS)]
    _checks.rate("NiN", "dropout_rate", dropout_rate)
    large = version == "imagenet"
    inputs = _blocks.image_input(
        "NiN",
        shape if input_shape is None else input_shape,
        smallest=11 if large else 1,  # the kernel of the first convolution, which pads nothing
        classes=classes,
        pooling=pooling,
        weights=weights,
    )
    x = _blocks.preprocess("NiN", inputs, preprocessing, _blocks.IMAGENET)
    for stage, (before, kernel_size, filters) in enumerate(stages, start=1):
        for step in before:
            x = _before(x, step, dropout_rate, f"stage{stage}")
        first = {"strides": 4, "padding": "valid"} if large and stage == 1 else {}
        x = _blocks.conv_relu(x, filters[0], kernel_size, **first, name=f"stage{stage}_conv")
        for count, width in enumerate(filters[1:], start=1):
            x = _blocks.conv_relu(x, width, 1, name=f"stage{stage}_mlp{count}")
    if include_top:
        x = _blocks.conv_relu(x, classes, 1, name="class_maps")
        x = _blocks.pool(x, "avg")
        x = layers.Activation(classifier_activation, name="predictions")(x)
    else:
        x = _blocks.pool(x, pooling)
    return _blocks.model("NiN", inputs, x, weights=weights, name=name)


def _before(x, step, dropout_rate, name):
    if step == MAX:
        return _blocks.ceil_max_pool(x, 3, strides=2, name=f"{name}_pool")
    if step == AVERAGE:
        return layers.AveragePooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.Dropout(dropout_rate, name=f"{name}_dropout")(x)


_SOURCE = "github.com/BVLC/caffe/wiki/Model-Zoo, Network in Network, {}"

SPECS = (
    Spec(
        name="nin",
        builder=NiN,
        paper="Lin, Chen, Yan: Network in network",
        year=2014,
        url="https://arxiv.org/abs/1312.4400",
        input_shape=(224, 224, 3),
        references=(
            Reference({}, 7_595_176, 7_595_176, 1_100_188_800, 59.36, _SOURCE.format("ImageNet model")),
            Reference(
                {"version": "cifar10", "input_shape": (32, 32, 3), "classes": 10},
                966_986,
                966_986,
                222_486_528,
                None,
                _SOURCE.format("CIFAR-10 model"),
            ),
        ),
    ),
)
