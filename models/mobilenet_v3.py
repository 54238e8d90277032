"""MobileNetV3: inverted residuals with squeeze-and-excitation and hard-swish, found by search for phones."""

from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
STEM = 16  # first row of both tables
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


@framed
def _mobilenet_v3(
    frame,
    rows,
    features,
    *,
    alpha=1.0,
    scale_all=False,
    minimalistic=False,
    reduced_tail=False,
    dropout_rate=0.2,
    output_stride=None,
):
    """Builds MobileNetV3.

    Weights of the network of this name in keras.applications give the same outputs here. The Rescaling layer that
    stands in front there is left out unless `preprocessing` asks for it, so that the exported model starts with its
    first convolution. padding="symmetric" builds torchvision's, at other widths than 1.0 with scale_all=True; its
    images are normalized by the mean and the standard deviation of ImageNet. pytorchcv's, of 5,481,752 (Large) and
    2,945,288 trainable parameters (Small, after the paper's first version), are not built.

    Batch normalization averages with the momentum 0.999 of Keras's and the authors' code, over thousands of steps; for
    a short training set `layer.momentum` to less.

    Args:
        padding: of strided layers: `"same"` as TensorFlow and the authors' weights, or `"symmetric"` as PyTorch.
        bn_epsilon: of batch normalization; 1e-3 in TensorFlow's and in torchvision's.
        alpha: width multiplier.
        scale_all: whether `alpha` scales every number of the table, as in torchvision. Else, as in the authors' code
            and in Keras, the first convolution keeps its width, the last before the output too where `alpha` is below
            1, and expanded maps keep their ratio to the narrow ones.
        minimalistic: without squeeze-and-excitation, hard-swish and 5x5 kernels; for accelerators.
        reduced_tail: whether what comes behind stride 16 has half the filters, for detectors: section 6.3.
        dropout_rate: share of features dropped in training before the output, within [0, 1); 0.2 in section 6.1.1.
        output_stride: 16 or 8 for larger last maps, of as many pixels a step, for segmentation: what would stride on
            does not, and depthwise kernels from there on are dilated. torchvision's segmentation has 16.

    Source: Howard et al. 2019, arXiv:1905.02244, tables 1 (Large) and 2 (Small).
    """
    alpha = _checks.number(frame.who, "alpha", alpha, above=0)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    common = frame.common(0.999)
    activation = RE if minimalistic else HS
    stem = _blocks.make_divisible(STEM * alpha) if scale_all else STEM

    inputs, x = frame.enter(INPUT_SHAPE, _blocks.ONE_TO_ONE)
    x = _blocks.conv_bn_act(x, stem, 3, strides=2, activation=activation, name="stem", **common)
    stage, unit, table_filters = 0, 0, STEM
    _, *places = _blocks.atrous(frame.who, output_stride, (2, *(row[-1] for row in rows)))
    stages = 1 + sum(halves == 2 for *_, halves in rows[1:])
    for row, (strides, _, rate) in zip(rows, places, strict=True):
        kernel_size, expanded, filters, squeeze, nonlinearity, halves = row
        # A stage is what the tables show at one resolution.
        stage, unit = (stage + 1, 1) if halves == 2 or not stage else (stage, unit + 1)
        if reduced_tail and stage == stages:
            filters, expanded = filters // 2, expanded if unit == 1 else expanded // 2
        if minimalistic:
            kernel_size, squeeze, nonlinearity = 3, False, RE
        expanded = _blocks.make_divisible(expanded * (alpha if scale_all else x.shape[-1] / table_filters))
        squeezed = {"squeeze_filters": _blocks.make_divisible(expanded / 4), "gate_activation": "hard_sigmoid"}
        x = _blocks.inverted_residual(
            x,
            expanded,
            _blocks.make_divisible(filters * alpha),
            kernel_size,
            strides=strides,
            dilation_rate=rate,
            activation=nonlinearity,
            squeeze_excite=squeezed if squeeze else None,  # section 5.3
            name=f"stage{stage}_unit{unit}",
            **common,
        )
        table_filters = filters
    # The conv2d 1x1 row before the pooling: 960 = 6 * 160 in table 1, 576 = 6 * 96 in table 2.
    last = _blocks.make_divisible(x.shape[-1] * 6)
    x = _blocks.conv_bn_act(x, last, 1, activation=activation, name="head", **common)
    if not frame.include_top:
        return frame.leave(inputs, x)

    # The classifier is made of 1x1 convolutions, as in the tables.
    features = features // 2 if reduced_tail else features
    features = _blocks.make_divisible(features * (alpha if scale_all else max(alpha, 1)))
    x = layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)
    x = layers.Conv2D(features, 1, name="features")(x)
    x = layers.Activation(activation, name="features_act")(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    x = layers.Conv2D(frame.classes, 1, name="logits")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Activation(frame.classifier_activation, name="predictions")(x)
    return frame.model(inputs, x)


MobileNetV3Small = variant(
    _mobilenet_v3,
    "MobileNetV3Small",
    SMALL,
    SMALL_FEATURES,
    summary="Builds MobileNetV3-Small.",
    name="mobilenet_v3_small",
)
MobileNetV3Large = variant(
    _mobilenet_v3,
    "MobileNetV3Large",
    LARGE,
    LARGE_FEATURES,
    summary="Builds MobileNetV3-Large.",
    name="mobilenet_v3_large",
)


_PAPER = "Howard et al.: Searching for MobileNetV3"
_URL = "https://arxiv.org/abs/1905.02244"
_SOURCE = "arXiv:1905.02244, table 3"
_MINIMALISTIC = "github.com/tensorflow/models, research/slim/nets/mobilenet/README.md, minimalistic checkpoints"
_TORCHVISION = "torchvision.models.mobilenet_v3_small and _large, width_mult=0.75"

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
            Reference({"alpha": 0.75, "scale_all": True}, 1_653_920, 1_663_120, 39_115_576, None, _TORCHVISION),
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
            Reference({"alpha": 0.75, "scale_all": True}, 3_377_576, 3_395_992, 140_033_816, None, _TORCHVISION),
            Reference({"minimalistic": True}, 3_924_288, 3_948_688, 209_136_704, 72.3, _MINIMALISTIC),
        ),
    ),
)
