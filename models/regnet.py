"""RegNet: networks whose widths grow along a line, four numbers each; X is ResNeXt's unit, Y has gates in it."""

from __future__ import annotations

import math

from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Builder, variant
from keraslayers.squeeze_excite import SqueezeExcite

INPUT_SHAPE = (224, 224, 3)
STEM = 32
STEP = 8  # widths are multiples of it
# Units, w_0, w_a, w_m, channels of a group: github.com/facebookresearch/pycls, configs/dds_baselines.
X = {
    "200MF": (13, 24, 36.44, 2.49, 8),
    "400MF": (22, 24, 24.48, 2.54, 16),
    "600MF": (16, 48, 36.97, 2.24, 24),
    "800MF": (16, 56, 35.73, 2.28, 16),
    "1600MF": (18, 80, 34.01, 2.25, 24),
}
Y = {
    "200MF": (13, 24, 36.44, 2.49, 8),
    "400MF": (16, 48, 27.89, 2.09, 8),
    "600MF": (15, 48, 32.54, 2.32, 16),
    "800MF": (14, 56, 38.84, 2.4, 16),
    "1600MF": (27, 48, 20.71, 2.65, 24),
}


def design(units, first, slope, factor, group_width):
    """Returns (units, channels) of each stage.

    Unit number j is first + slope * j channels wide; that is rounded to the nearest first * factor ** s of a whole s,
    to a multiple of 8, and then to one of the groups. A stage is what has one width.

    Source: Radosavovic et al. 2020, arXiv:2003.13678, section 3.3, eq. 2 to 4.
    """
    powers = [round(math.log((first + slope * unit) / first) / math.log(factor)) for unit in range(units)]
    widths = [round(first * factor**power / STEP) * STEP for power in powers]
    stages = sorted(set(widths))
    return tuple(map(widths.count, stages)), tuple(round(width / group_width) * group_width for width in stages)


@framed
def _regnet(
    frame,
    gated,
    *,
    units,
    channels,
    group_width,
):
    """Builds a RegNet.

    padding="symmetric" with bn_epsilon=1e-5, the defaults here, builds timm's, whose weights give the same outputs; so
    do torchvision's, where X-400MF has channels=(32, 64, 160, 400) and Y-800MF channels=(64, 144, 320, 784).

    Args:
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"symmetric"` as PyTorch and the published weights, or `"same"` as TensorFlow.
        units: of each stage; the first of each halves the size.
        channels: of each stage, multiples of `group_width`.
        group_width: channels of a group of the 3x3 convolutions.

    Source: Radosavovic et al. 2020, Designing network design spaces, arXiv:2003.13678, sections 3.3 and 5.
    """
    units, channels = frame.stages(units=units, channels=channels)
    group_width = _checks.positive_int(frame.who, "group_width", group_width)
    if any(width % group_width for width in channels):
        raise ValueError(
            f"`{frame.who}`: `channels` must be multiples of `group_width`; got {channels} and {group_width}."
        )
    common = frame.common(0.9)
    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET)
    x = _blocks.conv_bn_act(x, STEM, 3, strides=2, activation="relu", name="stem", **common)
    for stage, (count, filters) in enumerate(zip(units, channels, strict=True), start=1):
        for unit in range(1, count + 1):
            squeezed = round(x.shape[-1] / 4) if gated else None  # of what the unit is given
            strides = 2 if unit == 1 else 1
            x = _unit(x, filters, strides, filters // group_width, squeezed, common, f"stage{stage}_unit{unit}")
    return frame.leave(inputs, x)


def _unit(x, filters, strides, groups, squeezed, common, name):
    """Figure 4: the bottleneck of ResNeXt, nowhere narrower than its output."""
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = _blocks.conv_bn_act(x, filters, 1, strides=strides, name=f"{name}_shortcut", **common)
    x = _blocks.conv_bn_act(x, filters, 1, activation="relu", name=f"{name}_reduce", **common)
    x = _blocks.conv_bn_act(
        x, filters, 3, strides=strides, groups=groups, activation="relu", name=f"{name}_conv", **common
    )
    if squeezed:
        x = SqueezeExcite(squeeze_filters=squeezed, name=f"{name}_squeeze_excite")(x)
    x = _blocks.conv_bn_act(x, filters, 1, name=f"{name}_expand", **common)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_act")(x)


def _variant(kind, size, row) -> Builder:
    units, channels = design(*row)
    return variant(
        _regnet,
        f"RegNet{kind}{size}",
        kind == "Y",
        summary=f"Builds RegNet{kind}-{size}.",
        name=f"regnet_{kind.lower()}_{size.lower()}",
        units=units,
        channels=channels,
        group_width=row[-1],
        padding="symmetric",
        bn_epsilon=1e-5,
    )


RegNetX200MF, RegNetX400MF, RegNetX600MF, RegNetX800MF, RegNetX1600MF = (
    _variant("X", size, row) for size, row in X.items()
)
RegNetY200MF, RegNetY400MF, RegNetY600MF, RegNetY800MF, RegNetY1600MF = (
    _variant("Y", size, row) for size, row in Y.items()
)


def _spec(builder, reference, *others):
    kind, size = builder.__name__[6], builder.__name__[7:]
    return Spec(
        name=f"regnet_{kind.lower()}_{size.lower()}",
        builder=builder,
        paper="Radosavovic, Kosaraju, Girshick, He, Dollár: Designing network design spaces",
        year=2020,
        url="https://arxiv.org/abs/2003.13678",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, *reference, "github.com/facebookresearch/pycls, MODEL_ZOO.md"), *others),
    )


_TORCHVISION = "torchvision.models, IMAGENET1K_V2"

SPECS = (
    _spec(RegNetX200MF, (2_684_792, 2_705_640, 199_039_872, 68.9)),
    _spec(
        RegNetX400MF,
        (5_157_512, 5_194_184, 397_677_568, 72.7),
        Reference({"channels": (32, 64, 160, 400)}, 5_495_976, 5_533_832, 413_812_608, 74.864, _TORCHVISION),
    ),
    _spec(RegNetX600MF, (6_196_040, 6_229_320, 600_890_112, 74.1)),
    _spec(RegNetX800MF, (7_259_656, 7_296_968, 799_699_712, 75.2)),
    _spec(RegNetX1600MF, (9_190_136, 9_233_640, 1_602_849_792, 77.0)),
    _spec(RegNetY200MF, (3_162_996, 3_183_844, 199_514_080, 70.4)),
    _spec(RegNetY400MF, (4_344_144, 4_371_296, 401_842_848, 74.1)),
    _spec(RegNetY600MF, (6_055_160, 6_084_920, 601_220_992, 75.5)),
    _spec(
        RegNetY800MF,
        (6_263_168, 6_293_056, 797_176_832, 76.3),
        Reference({"channels": (64, 144, 320, 784)}, 6_432_512, 6_462_944, 833_856_256, 78.828, _TORCHVISION),
    ),
    _spec(RegNetY1600MF, (11_202_430, 11_255_102, 1_612_076_160, 78.0)),
)
