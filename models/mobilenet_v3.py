"""MobileNetV3: inverted residuals with squeeze-and-excitation and hard-swish, found by search for phones."""

import numbers

from keras import layers

from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.squeeze_excite import SqueezeExcite

INPUT_SHAPE = (224, 224, 3)
NORM = {"epsilon": 1e-3, "momentum": 0.999}  # the published code of the paper
STEM = 16  # first row of both tables; not scaled by alpha
RE, HS = "relu", "hard_silu"  # the tables' names; Keras calls hard-swish hard_silu

# Kernel, expanded filters, filters, squeeze-and-excitation, nonlinearity, stride: the bneck rows.
LARGE = (  # arXiv:1905.02244, table 1
    (3, 16, 16, False, RE, 1),
    (3, 64, 24, False, RE, 2),
    (3, 72, 24, False, RE, 1),
    (5, 72, 40, True, RE, 2),
    (5, 120, 40, True, RE, 1),
    (5, 120, 40, True, RE, 1),
    (3, 240, 80, False, HS, 2),
    (3, 200, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1),
    (3, 480, 112, True, HS, 1),
    (3, 672, 112, True, HS, 1),
    (5, 672, 160, True, HS, 2),
    (5, 960, 160, True, HS, 1),
    (5, 960, 160, True, HS, 1),
)
SMALL = (  # arXiv:1905.02244, table 2
    (3, 16, 16, True, RE, 2),
    (3, 72, 24, False, RE, 2),
    (3, 88, 24, False, RE, 1),
    (5, 96, 40, True, HS, 2),
    (5, 240, 40, True, HS, 1),
    (5, 240, 40, True, HS, 1),
    (5, 120, 48, True, HS, 1),
    (5, 144, 48, True, HS, 1),
    (5, 288, 96, True, HS, 2),
    (5, 576, 96, True, HS, 1),
    (5, 576, 96, True, HS, 1),
)
LARGE_FEATURES, SMALL_FEATURES = 1280, 1024  # the NBN rows before the last of tables 1 and 2


def MobileNetV3Small(
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="mobilenet_v3_small",
    alpha=1.0,
    minimalistic=False,
    dropout_rate=0.2,
):
    """Builds MobileNetV3-Small. Weights of keras.applications.MobileNetV3Small give the same outputs here.

    Images are expected in [-1, 1]: the Rescaling layer that keras.applications puts in front is left out, so
    that the exported model starts with its first convolution.

    Args:
        input_shape: (height, width, channels); height and width may be None. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the classifier follows the last convolution.
        weights: None, or the path of a `.weights.h5` or `.keras` file with weights for this model.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        alpha: width multiplier. Below 1 the last layer before the output keeps its width, as in Keras.
        minimalistic: without squeeze-and-excitation, hard-swish and 5x5 kernels; for accelerators.
        dropout_rate: share of features dropped in training before the output, within [0, 1); 0.2 in section 6.1.1.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Howard et al. 2019, arXiv:1905.02244, table 2.
    """
    return _mobilenet_v3(
        "MobileNetV3Small",
        SMALL,
        SMALL_FEATURES,
        input_shape=input_shape,
        classes=classes,
        include_top=include_top,
        weights=weights,
        pooling=pooling,
        classifier_activation=classifier_activation,
        name=name,
        alpha=alpha,
        minimalistic=minimalistic,
        dropout_rate=dropout_rate,
    )


def MobileNetV3Large(
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="mobilenet_v3_large",
    alpha=1.0,
    minimalistic=False,
    dropout_rate=0.2,
):
    """Builds MobileNetV3-Large. Arguments, result and errors are those of `MobileNetV3Small`.

    Source: Howard et al. 2019, arXiv:1905.02244, table 1.
    """
    return _mobilenet_v3(
        "MobileNetV3Large",
        LARGE,
        LARGE_FEATURES,
        input_shape=input_shape,
        classes=classes,
        include_top=include_top,
        weights=weights,
        pooling=pooling,
        classifier_activation=classifier_activation,
        name=name,
        alpha=alpha,
        minimalistic=minimalistic,
        dropout_rate=dropout_rate,
    )


def _mobilenet_v3(
    who,
    rows,
    features,
    *,
    input_shape,
    classes,
    include_top,
    weights,
    pooling,
    classifier_activation,
    name,
    alpha,
    minimalistic,
    dropout_rate,
):
    _check_number(who, "alpha", alpha, lambda value: value > 0, "above 0")
    _check_number(who, "dropout_rate", dropout_rate, lambda value: 0 <= value < 1, "within [0, 1)")
    shape = INPUT_SHAPE if input_shape is None else input_shape
    inputs = _blocks.image_input(who, shape, classes=classes, pooling=pooling, weights=weights)
    activation = RE if minimalistic else HS

    x = _blocks.conv_bn_act(inputs, STEM, 3, strides=2, activation=activation, norm=NORM, name="stem")
    stage, unit, table_filters = 0, 0, STEM
    for kernel_size, expanded, filters, squeeze, nonlinearity, strides in rows:
        # A stage is what the tables show at one resolution.
        stage, unit = (stage + 1, 1) if strides == 2 or not stage else (stage, unit + 1)
        if minimalistic:
            kernel_size, squeeze, nonlinearity = 3, False, RE
        x = _unit(
            x,
            kernel_size,
            # At other widths the published code keeps the ratio of the table, not its number.
            None if expanded == table_filters else _blocks.make_divisible(x.shape[-1] * expanded / table_filters),
            _blocks.make_divisible(filters * alpha),
            squeeze,
            nonlinearity,
            strides,
            f"stage{stage}_unit{unit}",
        )
        table_filters = filters
    # The conv2d 1x1 row before the pooling: 960 = 6 * 160 in table 1, 576 = 6 * 96 in table 2.
    last = _blocks.make_divisible(x.shape[-1] * 6)
    x = _blocks.conv_bn_act(x, last, 1, activation=activation, norm=NORM, name="head")
    if not include_top:
        return _blocks.model(inputs, _blocks.pool(x, pooling), weights=weights, name=name)

    # The classifier is made of 1x1 convolutions, as in the tables.
    x = layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)
    x = layers.Conv2D(_blocks.make_divisible(features * max(alpha, 1)), 1, name="features")(x)
    x = layers.Activation(activation, name="features_act")(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    x = layers.Conv2D(classes, 1, name="logits")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Activation(classifier_activation, name="predictions")(x)
    return _blocks.model(inputs, x, weights=weights, name=name)


def _unit(x, kernel_size, expanded, filters, squeeze, activation, strides, name):
    """Figure 4 of the paper: expand, filter each channel, weigh the channels, project."""
    shortcut = x
    if expanded is not None:
        x = _blocks.conv_bn_act(x, expanded, 1, activation=activation, norm=NORM, name=f"{name}_expand")
    x = _blocks.depthwise_bn_act(
        x, kernel_size, strides=strides, activation=activation, norm=NORM, name=f"{name}_depthwise"
    )
    if squeeze:
        squeezed = _blocks.make_divisible(x.shape[-1] / 4)  # section 5.3
        gate = SqueezeExcite(squeeze_filters=squeezed, gate_activation="hard_sigmoid", name=f"{name}_squeeze_excite")
        x = gate(x)
    x = _blocks.conv_bn_act(x, filters, 1, norm=NORM, name=f"{name}_project")
    if strides == 1 and shortcut.shape[-1] == filters:
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def _check_number(who, argument, value, accepts, expected):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{who}`: `{argument}` must be a number {expected}; got {value!r}.")
    if not accepts(value):
        raise ValueError(f"`{who}`: `{argument}` must be {expected}; got {value!r}.")


_PAPER = "Howard et al.: Searching for MobileNetV3"
_URL = "https://arxiv.org/abs/1905.02244"
_SOURCE = "arXiv:1905.02244, table 3"
_MINIMALISTIC = "github.com/tensorflow/models, research/slim/nets/mobilenet/README.md, minimalistic checkpoints"

SPECS = (
    Spec(
        name="mobilenet_v3_small",
        builder=MobileNetV3Small,
        paper=_PAPER,
        year=2019,
        url=_URL,
        input_shape=INPUT_SHAPE,
        references=(
            Reference({"alpha": 1.0}, 2_542_856, 2_554_968, 56_510_400, 67.4, _SOURCE),
            Reference({"alpha": 0.75}, 2_041_872, 2_051_552, 43_399_344, 65.4, _SOURCE),
            Reference({"minimalistic": True}, 2_044_736, 2_056_848, 52_288_448, 61.9, _MINIMALISTIC),
        ),
    ),
    Spec(
        name="mobilenet_v3_large",
        builder=MobileNetV3Large,
        paper=_PAPER,
        year=2019,
        url=_URL,
        input_shape=INPUT_SHAPE,
        references=(
            Reference({"alpha": 1.0}, 5_483_032, 5_507_432, 216_589_760, 75.2, _SOURCE),
            Reference({"alpha": 0.75}, 3_993_528, 4_012_616, 154_560_624, 73.3, _SOURCE),
            Reference({"minimalistic": True}, 3_924_288, 3_948_688, 209_136_704, 72.3, _MINIMALISTIC),
        ),
    ),
)
