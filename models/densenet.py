"""DenseNet: each unit sees what all before it in the stage have found, and adds a little."""

from __future__ import annotations

from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Builder, variant

INPUT_SHAPE = (224, 224, 3)
MOMENTUM = 0.9  # torchvision's; the paper gives none
BOTTLENECK = 4  # section 3: each 1x1 convolution produces 4k maps
COMPRESSION = 0.5  # section 3: the share of maps that a transition keeps

# arXiv:1608.06993, table 1: units of the four dense blocks.
UNITS = {
    121: (6, 12, 24, 16),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}


def _densenet(
    who,
    units,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="densenet",
    preprocessing=False,
    padding="symmetric",
    bn_epsilon=1e-5,
    growth_rate=32,
):
    """Builds a DenseNet.

    It is DenseNet-BC of the paper, and torchvision's and keras.applications', which agree: weights of the latter give
    the same outputs with `bn_epsilon=1.001e-5`.

    Args:
        input_shape: (height, width, channels), at least 29x29; height and width may be None. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the classifier follows the last dense block.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to mean 0 and deviation 1 of
            ImageNet's colours; else they are expected so.
        padding: `"symmetric"`, which published weights need, or `"same"`, TensorFlow's, which pads within the
            convolution itself. They differ where strides meet even sizes.
        bn_epsilon: added to the variance in batch normalization; 1e-5 is torchvision's.
        growth_rate: maps that each unit adds; the paper's k. The first convolution has twice as many.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Huang et al. 2016, Densely connected convolutional networks, arXiv:1608.06993, table 1.
    """
    _checks.positive_int(who, "growth_rate", growth_rate)
    _checks.choice(who, "padding", padding, _blocks.PADDINGS)
    norm = _blocks.norm(who, bn_epsilon, MOMENTUM)
    shape = INPUT_SHAPE if input_shape is None else input_shape
    # 29 -> stem 15 -> pooling 8 -> transitions 4, 2, 1
    inputs = _blocks.image_input(who, shape, smallest=29, classes=classes, pooling=pooling, weights=weights)

    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.IMAGENET)
    x = _blocks.conv_bn_act(
        x, 2 * growth_rate, 7, strides=2, padding=padding, activation="relu", norm=norm, name="stem"
    )
    x = _blocks.max_pool(x, 3, strides=2, padding=padding, name="stem_pool")
    for stage, count in enumerate(units, start=1):
        if stage > 1:
            x = _transition(x, norm, f"transition{stage - 1}")
        for unit in range(1, count + 1):
            x = _unit(x, growth_rate, norm, f"stage{stage}_unit{unit}")
    x = _blocks.bn_act(x, "relu", norm, "head")
    x = _blocks.top(
        x, include_top=include_top, classes=classes, classifier_activation=classifier_activation, pooling=pooling
    )
    return _blocks.model(who, inputs, x, weights=weights, name=name)


def _unit(x, growth_rate, norm, name):
    """Section 3, H(x) of DenseNet-B: BN-ReLU-Conv(1x1)-BN-ReLU-Conv(3x3)."""
    found = _blocks.bn_act(x, "relu", norm, name)
    found = _blocks.conv_bn_act(found, BOTTLENECK * growth_rate, 1, activation="relu", norm=norm, name=f"{name}_reduce")
    found = _blocks.conv(found, growth_rate, 3, name=f"{name}_conv")
    return layers.Concatenate(name=f"{name}_concat")([x, found])


def _transition(x, norm, name):
    """Table 1, transition layer: between two stages, and part of neither."""
    x = _blocks.bn_act(x, "relu", norm, name)
    x = _blocks.conv(x, int(x.shape[-1] * COMPRESSION), 1, name=f"{name}_conv")
    return layers.AveragePooling2D(2, name=f"{name}_pool")(x)


def _builder(depth) -> Builder:
    return variant(
        _densenet,
        f"DenseNet{depth}",
        UNITS[depth],
        summary=f"Builds DenseNet-{depth}.",
        name=f"densenet{depth}",
    )


DenseNet121, DenseNet169, DenseNet201 = map(_builder, UNITS)


def _spec(builder, *counts):
    return Spec(
        name=builder.__name__.lower(),
        builder=builder,
        paper="Huang, Liu, van der Maaten, Weinberger: Densely connected convolutional networks",
        year=2016,
        url="https://arxiv.org/abs/1608.06993",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, *counts, "torchvision.models, IMAGENET1K_V1"),),
    )


SPECS = (
    # trainable parameters, parameters, multiply-adds, top-1
    _spec(DenseNet121, 7_978_856, 8_062_504, 2_834_161_664, 74.434),
    _spec(DenseNet169, 14_149_480, 14_307_880, 3_359_843_328, 75.6),
    _spec(DenseNet201, 20_013_928, 20_242_984, 4_291_365_888, 76.896),
)
