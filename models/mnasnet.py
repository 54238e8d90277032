"""MnasNet: inverted residuals found by a search that measured every network on a phone."""

import math

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
STEM, FIRST, HEAD = 32, 16, 1280
# Kernel, expansion, filters, units, squeeze-and-excitation, stride of the first.
A1 = (  # arXiv:1807.11626, figure 7
    (3, 6, 24, 2, False, 2),
    (5, 3, 40, 3, True, 2),
    (3, 6, 80, 4, False, 2),
    (3, 6, 112, 2, True, 1),
    (5, 6, 160, 3, True, 2),
    (3, 6, 320, 1, False, 1),
)
B1 = (  # github.com/tensorflow/tpu, models/official/mnasnet/mnasnet_models.py
    (3, 3, 24, 3, False, 2),
    (5, 3, 40, 3, False, 2),
    (5, 6, 80, 3, False, 2),
    (3, 6, 96, 2, False, 1),
    (5, 6, 192, 4, False, 2),
    (3, 6, 320, 1, False, 1),
)


@framed
def _mnasnet(
    frame,
    rows,
    *,
    alpha=1.0,
    depth=1.0,
    dropout_rate=0.2,
):
    """Builds MnasNet.

    padding="symmetric" with bn_epsilon=1e-5 builds torchvision's (B1) and timm's, whose weights give the same outputs
    here.

    Args:
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        alpha: width multiplier; the last convolution keeps its width.
        depth: factor of the units of each stage, rounded up.
        dropout_rate: share of features dropped in training before the output, within [0, 1).

    Source: Tan et al. 2019, MnasNet: Platform-aware neural architecture search for mobile, arXiv:1807.11626, figure 7.
    """
    alpha = _checks.number(frame.who, "alpha", alpha, above=0)
    depth = _checks.number(frame.who, "depth", depth, above=0)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    common = frame.common(0.99)
    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET)
    x = _blocks.conv_bn_act(
        x, _blocks.make_divisible(STEM * alpha), 3, strides=2, activation="relu", name="stem", **common
    )
    # SepConv: nothing expands, and nothing is added.
    x = _blocks.depthwise_bn_act(x, 3, activation="relu", name="stage1_unit1_depthwise", **common)
    x = _blocks.conv_bn_act(x, _blocks.make_divisible(FIRST * alpha), 1, name="stage1_unit1_project", **common)
    for stage, (kernel_size, expansion, filters, units, squeeze, strides) in enumerate(rows, start=2):
        for unit in range(1, math.ceil(units * depth) + 1):
            channels = x.shape[-1]
            x = _blocks.inverted_residual(
                x,
                expansion * channels,
                _blocks.make_divisible(filters * alpha),
                kernel_size,
                strides=strides if unit == 1 else 1,
                activation="relu",
                squeeze_excite={"squeeze_filters": channels // 4} if squeeze else None,  # of what the unit is given
                name=f"stage{stage}_unit{unit}",
                **common,
            )
    x = _blocks.conv_bn_act(x, HEAD, 1, activation="relu", name="head", **common)
    return frame.leave(inputs, x, dropout_rate)


MnasNetA1 = variant(_mnasnet, "MnasNetA1", A1, summary="Builds MnasNet-A1.", name="mnasnet_a1")
MnasNetB1 = variant(
    _mnasnet, "MnasNetB1", B1, summary="Builds MnasNet-B1, without squeeze-and-excitation.", name="mnasnet_b1"
)


def _spec(builder, *references):
    return Spec(
        name=builder.__name__.lower().replace("net", "net_"),
        builder=builder,
        paper="Tan, Chen, Pang, Vasudevan, Sandler, Howard, Le: MnasNet: Platform-aware neural architecture search for "
        "mobile",
        year=2019,
        url="https://arxiv.org/abs/1807.11626",
        input_shape=INPUT_SHAPE,
        references=references,
    )


_TORCHVISION = "torchvision.models, IMAGENET1K_V1"

SPECS = (
    _spec(MnasNetA1, Reference({"alpha": 1.0}, 3_887_038, 3_920_526, 311_579_072, 75.2, "arXiv:1807.11626, table 1")),
    _spec(
        MnasNetB1,
        Reference({"alpha": 1.0}, 4_383_312, 4_421_232, 314_415_872, 73.456, _TORCHVISION),
        Reference({"alpha": 0.5}, 2_218_512, 2_239_136, 104_455_968, 67.734, _TORCHVISION),
    ),
)
