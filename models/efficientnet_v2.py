"""EfficientNetV2: its early stages expand and filter in one convolution, which accelerators do faster than two."""

import math

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

HEAD = 1280
# Fused, expansion, filters, units, stride of the first; every kernel is 3x3.
BASE = (  # github.com/google/automl, efficientnetv2/effnetv2_configs.py: v2_base_block
    (True, 1, 16, 1, 1),
    (True, 4, 32, 2, 2),
    (True, 4, 48, 2, 2),
    (False, 4, 96, 3, 2),
    (False, 6, 112, 5, 1),
    (False, 6, 192, 8, 2),
)
SMALL = (  # arXiv:2104.00298, table 4
    (True, 1, 24, 2, 1),
    (True, 4, 48, 4, 2),
    (True, 4, 64, 4, 2),
    (False, 4, 128, 6, 2),
    (False, 6, 160, 9, 1),
    (False, 6, 256, 15, 2),
)
S_PIXELS = (1 / 128, -1.0)  # S of the published code; B0 to B3 in keras.applications: ImageNet's colours


@framed
def _efficientnet_v2(
    frame,
    rows,
    stem,
    side,
    pixels,
    *,
    width=1.0,
    depth=1.0,
    dropout_rate=0.2,
    drop_connect_rate=0.2,
):
    """Builds EfficientNetV2.

    Weights of keras.applications.EfficientNetV2B0 to B3 and S give the same outputs here; what stands in front there is
    left out. padding="symmetric" builds torchvision's S.

    Args:
        input_shape: (height, width, channels); height and width may be None. Default: 3 channels of the size that the
            variant was published with.
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them: B0 to B3 by the mean and the
            standard deviation of ImageNet, S to [-1, 1); else they are expected so.
        padding: of strided layers: `"same"` as TensorFlow and most published weights, or `"symmetric"` as PyTorch.
        bn_epsilon: of batch normalization; 1e-3 in every published network.
        width: factor of the table's channels.
        depth: factor of the table's units, rounded up in each stage.
        dropout_rate: share of features dropped in training before the output, within [0, 1).
        drop_connect_rate: share of images for which training leaves the last unit out, within [0, 1); it grows to that
            from 0 at the first.

    Source: Tan and Le 2021, EfficientNetV2: Smaller models and faster training, arXiv:2104.00298, section 3, table 4.
    """
    width = _checks.number(frame.who, "width", width, above=0)
    depth = _checks.number(frame.who, "depth", depth, above=0)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    drop_connect_rate = _checks.rate(frame.who, "drop_connect_rate", drop_connect_rate)
    common = {"activation": "silu", **frame.common(0.9)}
    stem, head = _scaled(stem, width), _scaled(HEAD, width)
    repeats = [math.ceil(units * depth) for *_, units, _ in rows]

    inputs, x = frame.enter((side, side, 3), pixels)
    x = _blocks.conv_bn_act(x, stem, 3, strides=2, name="stem", **common)
    before = 0
    for stage, (row, units) in enumerate(zip(rows, repeats, strict=True), start=1):
        fused, expansion, filters, _, strides = row
        for unit in range(1, units + 1):
            channels = x.shape[-1]
            block = _blocks.fused_residual if fused else _blocks.inverted_residual
            gates = {"squeeze_filters": max(1, channels // 4), "activation": "silu"}  # of what the unit is given
            x = block(
                x,
                expansion * channels,
                _scaled(filters, width),
                3,
                strides=strides if unit == 1 else 1,
                drop_rate=drop_connect_rate * before / sum(repeats),
                name=f"stage{stage}_unit{unit}",
                **({} if fused else {"squeeze_excite": gates}),
                **common,
            )
            before += 1
    x = _blocks.conv_bn_act(x, head, 1, name="head", **common)
    return frame.leave(inputs, x, dropout_rate)


def _scaled(filters, width):
    """To the nearest multiple of 8, however much that takes away."""
    return max(8, int(filters * width + 4) // 8 * 8)


# Rows, channels of the stem, side of the images, scale of pixels; width, depth: the published code, as above.
_TABLE = {
    "B0": ((BASE, 32, 224, _blocks.IMAGENET), 1.0, 1.0),
    "B1": ((BASE, 32, 240, _blocks.IMAGENET), 1.0, 1.1),
    "B2": ((BASE, 32, 260, _blocks.IMAGENET), 1.1, 1.2),
    "B3": ((BASE, 32, 300, _blocks.IMAGENET), 1.2, 1.4),
    "S": ((SMALL, 24, 384, S_PIXELS), 1.0, 1.0),
}
EfficientNetV2B0, EfficientNetV2B1, EfficientNetV2B2, EfficientNetV2B3, EfficientNetV2S = (
    variant(
        _efficientnet_v2,
        f"EfficientNetV2{size}",
        *rows,
        summary=f"Builds EfficientNetV2-{size}, for images of {rows[2]}x{rows[2]}.",
        name=f"efficientnet_v2_{size.lower()}",
        width=width,
        depth=depth,
    )
    for size, (rows, width, depth) in _TABLE.items()
)


def _spec(builder, side, reference):
    return Spec(
        name=builder.__name__.lower().replace("v2", "_v2_"),
        builder=builder,
        paper="Tan, Le: EfficientNetV2: Smaller models and faster training",
        year=2021,
        url="https://arxiv.org/abs/2104.00298",
        input_shape=(side, side, 3),
        references=(Reference({}, *reference, "keras.io/api/applications"),),
    )


SPECS = (
    _spec(EfficientNetV2B0, 224, (7_139_704, 7_200_312, 718_086_176, 78.7)),
    _spec(EfficientNetV2B1, 240, (8_141_052, 8_212_124, 1_196_819_360, 79.8)),
    _spec(EfficientNetV2B2, 260, (10_096_086, 10_178_374, 1_697_542_832, 80.5)),
    _spec(EfficientNetV2B3, 300, (14_358_406, 14_467_622, 3_011_458_816, 82.0)),
    _spec(EfficientNetV2S, 384, (21_458_488, 21_612_360, 8_365_617_152, 83.9)),
)
