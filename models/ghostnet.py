"""GhostNet: half of the maps are convolved out of the input, the other half cheaply out of those, their ghosts."""

from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed, thinned
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant
from keraslayers.squeeze_excite import SqueezeExcite

INPUT_SHAPE = (224, 224, 3)
DIVISOR = 4  # of the channels, in the published code
STEM, FEATURES = 16, 1280
# Kernel, expanded filters, filters, squeeze-and-excitation: arXiv:1911.11907, table 1, a line a resolution; each but
# the first begins with stride 2.
ROWS = (
    ((3, 16, 16, False),),
    ((3, 48, 24, False), (3, 72, 24, False)),
    ((5, 72, 40, True), (5, 120, 40, True)),
    (
        (3, 240, 80, False),
        (3, 200, 80, False),
        (3, 184, 80, False),
        (3, 184, 80, False),
        (3, 480, 112, True),
        (3, 672, 112, True),
    ),
    (
        (5, 672, 160, True),
        (5, 960, 160, False),
        (5, 960, 160, True),
        (5, 960, 160, False),
        (5, 960, 160, True),
    ),
)
HEAD = 960  # the row behind them
UNGATED = (2, 1)  # stage and unit up to which GhostNetV2 attends to nothing: the published code
SMALLEST = 33  # leaves more than one place to pool


@framed
def _ghostnet(
    frame,
    attends,
    *,
    alpha=1.0,
    depth=1.0,
    dropout_rate=0.2,
):
    """Builds GhostNet. With padding="symmetric" and bn_epsilon=1e-5, the defaults here, it is the authors' and timm's.

    Args:
        input_shape: (height, width, channels); height and width may be None but for V2, where they are 33 at least.
            Default: (224, 224, 3).
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"symmetric"` as PyTorch and the published weights, or `"same"` as TensorFlow.
        alpha: width multiplier; the last layer before the output keeps its width.
        depth: share of the units of each stage that is built, within (0, 1]; they are spread over the stage, the first
            is among them.
        dropout_rate: share of features dropped in training before the output, within [0, 1).

    Source: Han et al. 2020, GhostNet: More features from cheap operations, arXiv:1911.11907, figures 2 and 3,
    table 1; V2: Tang et al. 2022, GhostNetV2: Enhance cheap operation with long-range attention, arXiv:2211.12905,
    sections 3.2 and 3.4.
    """
    alpha = _checks.number(frame.who, "alpha", alpha, above=0)
    depth = _checks.fraction(frame.who, "depth", depth)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    common = frame.common(0.9)

    def scaled(filters):
        return _blocks.make_divisible(filters * alpha, DIVISOR)

    sizes = {"smallest": SMALLEST if attends else 1, "open_size": not attends}
    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET, **sizes)
    x = _blocks.conv_bn_act(x, scaled(STEM), 3, strides=2, activation="relu", name="stem", **common)
    for stage, rows in enumerate(ROWS, start=1):
        for unit, (kernel_size, expanded, filters, squeeze) in enumerate(thinned(rows, depth), start=1):
            strides = 2 if stage > 1 and unit == 1 else 1
            options = {"squeeze": squeeze, "attends": attends and (stage, unit) > UNGATED, "common": common}
            place = f"stage{stage}_unit{unit}"
            x = _unit(x, scaled(expanded), scaled(filters), kernel_size, strides, **options, name=place)
    x = _blocks.conv_bn_act(x, scaled(HEAD), 1, activation="relu", name="head", **common)
    if not frame.include_top:
        return frame.leave(inputs, x)

    x = layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)
    x = layers.Conv2D(FEATURES, 1, activation="relu", name="features")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    x = layers.Dense(frame.classes, activation=frame.classifier_activation, name="predictions")(x)
    return frame.model(inputs, x)


def _unit(x, expanded, filters, kernel_size, strides, *, squeeze, attends, common, name):
    """Figure 3, the Ghost bottleneck; the shortcut of one that changes the shape is a separable convolution."""
    shortcut = given = x
    if strides > 1 or x.shape[-1] != filters:
        place = f"{name}_shortcut"
        shortcut = _blocks.depthwise_bn_act(x, kernel_size, strides=strides, name=f"{place}_depthwise", **common)
        shortcut = _blocks.conv_bn_act(shortcut, filters, 1, name=f"{place}_project", **common)
    x = _ghost(x, expanded, "relu", common, f"{name}_expand")
    if attends:
        gates = _attention(given, expanded, common, f"{name}_attention")
        x = layers.Multiply(name=f"{name}_attention_gate")([x, gates])
    if strides > 1:
        x = _blocks.depthwise_bn_act(x, kernel_size, strides=strides, name=f"{name}_depthwise", **common)
    if squeeze:
        squeezed = _blocks.make_divisible(expanded / 4, DIVISOR)
        x = SqueezeExcite(squeeze_filters=squeezed, gate_activation="hard_sigmoid", name=f"{name}_squeeze_excite")(x)
    x = _ghost(x, filters, None, common, f"{name}_project")
    return layers.Add(name=f"{name}_add")([shortcut, x])


def _ghost(x, filters, activation, common, name):
    """Figure 2 (b): a 1x1 convolution makes half of the maps, a depthwise one the others of those."""
    x = _blocks.conv_bn_act(x, filters // 2, 1, activation=activation, name=name, **common)
    cheap = _blocks.depthwise_bn_act(x, 3, activation=activation, name=f"{name}_cheap", **common)
    return layers.Concatenate(name=f"{name}_concat")([x, cheap])


def _attention(x, filters, common, name):
    """DFC attention, arXiv:2211.12905, section 3.2: gates that see along the columns and rows of maps half as large."""
    _, height, width, _ = x.shape
    x = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    x = _blocks.conv_bn_act(x, filters, 1, name=name, **common)
    for part, kernel_size in (("row", (1, 5)), ("column", (5, 1))):
        x = _blocks.depthwise_bn_act(x, kernel_size, name=f"{name}_{part}", **common)
    x = layers.Activation("sigmoid", name=f"{name}_sigmoid")(x)
    x = layers.UpSampling2D(2, name=f"{name}_resize")(x)
    # Of odd sides PyTorch's nearest neighbours begin with one more of the first.
    for axis, side in ((1, height), (2, width)):
        if side % 2:
            behind = [(0, 0), (0, 0)]
            behind[axis - 1] = (0, side - 2)
            first = layers.Cropping2D(behind, name=f"{name}_first{axis}")(x)
            x = layers.Concatenate(axis, name=f"{name}_resize{axis}")([first, x])
    return x


GhostNet = variant(_ghostnet, "GhostNet", False, name="ghostnet", padding="symmetric", bn_epsilon=1e-5)
GhostNetV2 = variant(
    _ghostnet,
    "GhostNetV2",
    True,
    summary="Builds GhostNetV2: gates that see far are on the expanded maps.",
    name="ghostnet_v2",
    padding="symmetric",
    bn_epsilon=1e-5,
)

_SOURCE = "arXiv:1911.11907, table 7"

SPECS = (
    Spec(
        name="ghostnet",
        builder=GhostNet,
        paper="Han, Wang, Tian, Guo, Xu, Xu: GhostNet: More features from cheap operations",
        year=2020,
        url="https://arxiv.org/abs/1911.11907",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({"alpha": 1.0}, 5_182_508, 5_204_476, 141_150_512, 73.9, _SOURCE),
            Reference({"alpha": 0.5}, 2_587_292, 2_598_276, 42_328_152, 66.2, _SOURCE),
            Reference({"alpha": 1.3}, 7_358_820, 7_387_356, 227_003_256, 75.7, _SOURCE),
        ),
    ),
    Spec(
        name="ghostnet_v2",
        builder=GhostNetV2,
        paper="Tang, Han, Guo, Xu, Xu, Wang: GhostNetV2: Enhance cheap operation with long-range attention",
        year=2022,
        url="https://arxiv.org/abs/2211.12905",
        input_shape=INPUT_SHAPE,
        references=(Reference({"alpha": 1.0}, 6_156_908, 6_219_292, 167_048_288, 75.3, "arXiv:2211.12905, table 2"),),
    ),
)
