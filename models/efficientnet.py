"""EfficientNet: one network found by search, its depth, width and images scaled together; and Lite, for int8."""

from __future__ import annotations

import math

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Builder, variant

STEM, HEAD = 32, 1280
# Kernel, expansion, filters, units, stride of the first.
ROWS = (  # arXiv:1905.11946, table 1: stages 2 to 8 of B0
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
# Width, depth, side of the images, dropout: the published code.
SCALES = (  # github.com/tensorflow/tpu, models/official/efficientnet
    (1.0, 1.0, 224, 0.2),
    (1.0, 1.1, 240, 0.2),
    (1.1, 1.2, 260, 0.3),
    (1.2, 1.4, 300, 0.3),
    (1.4, 1.8, 380, 0.4),
    (1.6, 2.2, 456, 0.4),
    (1.8, 2.6, 528, 0.5),
    (2.0, 3.1, 600, 0.5),
)
LITE_SCALES = (  # github.com/tensorflow/tpu, models/official/efficientnet/lite
    (1.0, 1.0, 224, 0.2),
    (1.0, 1.1, 240, 0.2),
    (1.1, 1.2, 260, 0.3),
    (1.2, 1.4, 280, 0.3),
    (1.4, 1.8, 300, 0.3),
)
LITE_PIXELS = (1 / 128, -127 / 128)  # so that pixels are int8 already


@framed
def _efficientnet(
    frame,
    lite,
    side,
    *,
    width,
    depth,
    dropout_rate,
    drop_connect_rate=0.2,
):
    """Builds EfficientNet.

    Weights of keras.applications.EfficientNetB0 to B7 give the same outputs here; the Normalization layer that stands
    in front there is left out. padding="symmetric" builds torchvision's, with bn_epsilon=1e-5 up to B4.

    Lite has ReLU6 in place of swish and no squeeze-and-excitation, so that int8 loses little; its first and last
    convolution keep their width, its first and last stage their one unit.

    Args:
        input_shape: (height, width, channels); height and width may be None. Default: 3 channels of the size that the
            variant was published with.
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them: B0 to B7 by the mean and the
            standard deviation of ImageNet, Lite to [-127/128, 1]; else they are expected so.
        padding: of strided layers: `"same"` as TensorFlow and most published weights, or `"symmetric"` as PyTorch.
        bn_epsilon: of batch normalization: 1e-3 in TensorFlow's networks.
        width: factor of B0's channels.
        depth: factor of B0's units, rounded up in each stage.
        dropout_rate: share of features dropped in training before the output, within [0, 1).
        drop_connect_rate: share of images for which training leaves the last unit out, within [0, 1); it grows to that
            from 0 at the first.

    Source: Tan and Le 2019, arXiv:1905.11946, table 1; stochastic depth: Huang et al. 2016, arXiv:1603.09382.
    """
    width = _checks.number(frame.who, "width", width, above=0)
    depth = _checks.number(frame.who, "depth", depth, above=0)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    drop_connect_rate = _checks.rate(frame.who, "drop_connect_rate", drop_connect_rate)
    common = {"activation": "relu6" if lite else "silu", **frame.common(0.99)}
    stem, head = (STEM, HEAD) if lite else (_blocks.make_divisible(filters * width) for filters in (STEM, HEAD))
    # Scaling adds units where one is repeated; Lite leaves the stages of a single one alone.
    repeats = [units if lite and units == 1 else math.ceil(units * depth) for *_, units, _ in ROWS]

    inputs, x = frame.enter((side, side, 3), LITE_PIXELS if lite else _blocks.IMAGENET)
    x = _blocks.conv_bn_act(x, stem, 3, strides=2, name="stem", **common)
    before = 0
    for stage, (row, units) in enumerate(zip(ROWS, repeats, strict=True), start=2):
        kernel_size, expansion, filters, _, strides = row
        for unit in range(1, units + 1):
            channels = x.shape[-1]
            squeezed = {"squeeze_filters": max(1, channels // 4), "activation": "silu"}  # of what the unit is given
            x = _blocks.inverted_residual(
                x,
                expansion * channels,
                _blocks.make_divisible(filters * width),
                kernel_size,
                strides=strides if unit == 1 else 1,
                squeeze_excite=None if lite else squeezed,
                drop_rate=drop_connect_rate * before / sum(repeats),
                name=f"stage{stage}_unit{unit}",
                **common,
            )
            before += 1
    x = _blocks.conv_bn_act(x, head, 1, name="head", **common)
    return frame.leave(inputs, x, dropout_rate)


def _variant(family, index, scale, lite) -> Builder:
    width, depth, side, dropout_rate = scale
    return variant(
        _efficientnet,
        f"EfficientNet{family}{index}",
        lite,
        side,
        summary=f"Builds EfficientNet-{family}{index}, for images of {side}x{side}.",
        name=f"efficientnet_{family.lower()}{index}",
        width=width,
        depth=depth,
        dropout_rate=dropout_rate,
    )


(
    EfficientNetB0,
    EfficientNetB1,
    EfficientNetB2,
    EfficientNetB3,
    EfficientNetB4,
    EfficientNetB5,
    EfficientNetB6,
    EfficientNetB7,
) = (_variant("B", index, scale, False) for index, scale in enumerate(SCALES))
(
    EfficientNetLite0,
    EfficientNetLite1,
    EfficientNetLite2,
    EfficientNetLite3,
    EfficientNetLite4,
) = (_variant("Lite", index, scale, True) for index, scale in enumerate(LITE_SCALES))


def _spec(name, builder, side, reference, source):
    return Spec(
        name=name,
        builder=builder,
        paper="Tan, Le: EfficientNet: Rethinking model scaling for convolutional neural networks",
        year=2019,
        url="https://arxiv.org/abs/1905.11946",
        input_shape=(side, side, 3),
        references=(Reference({}, *reference, source),),
    )


_SOURCE = "arXiv:1905.11946, table 2"
_LITE_SOURCE = "github.com/tensorflow/tpu, models/official/efficientnet/lite/README.md"

SPECS = (
    _spec("efficientnet_b0", EfficientNetB0, 224, (5_288_548, 5_330_564, 385_814_752, 77.1), _SOURCE),
    _spec("efficientnet_b1", EfficientNetB1, 240, (7_794_184, 7_856_232, 686_802_832, 79.1), _SOURCE),
    _spec("efficientnet_b2", EfficientNetB2, 260, (9_109_994, 9_177_562, 993_561_872, 80.1), _SOURCE),
    _spec("efficientnet_b3", EfficientNetB3, 300, (12_233_232, 12_320_528, 1_827_141_392, 81.6), _SOURCE),
    _spec("efficientnet_b4", EfficientNetB4, 380, (19_341_616, 19_466_816, 4_393_771_024, 82.9), _SOURCE),
    _spec("efficientnet_b5", EfficientNetB5, 456, (30_389_784, 30_562_520, 10_266_384_752, 83.6), _SOURCE),
    _spec("efficientnet_b6", EfficientNetB6, 528, (43_040_704, 43_265_136, 19_067_593_536, 84.0), _SOURCE),
    _spec("efficientnet_b7", EfficientNetB7, 600, (66_347_960, 66_658_680, 37_745_884_192, 84.3), _SOURCE),
    _spec("efficientnet_lite0", EfficientNetLite0, 224, (4_652_008, 4_694_024, 385_187_552, 75.1), _LITE_SOURCE),
    _spec("efficientnet_lite1", EfficientNetLite1, 240, (5_416_680, 5_470_344, 600_185_232, 76.7), _LITE_SOURCE),
    _spec("efficientnet_lite2", EfficientNetLite2, 260, (6_092_072, 6_150_168, 859_736_272, 77.6), _LITE_SOURCE),
    _spec("efficientnet_lite3", EfficientNetLite3, 280, (8_197_096, 8_273_768, 1_383_321_872, 79.8), _LITE_SOURCE),
    _spec("efficientnet_lite4", EfficientNetLite4, 300, (13_006_568, 13_118_936, 2_553_034_336, 81.5), _LITE_SOURCE),
)
