"""MobileNetV2: inverted residuals, wide inside and narrow between, with linear ends."""

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
STEM, HEAD = 32, 1280
# Expansion, filters, units, stride of the first.
ROWS = (  # arXiv:1801.04381, table 2: the bottleneck rows
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@framed
def _mobilenet_v2(
    frame,
    *,
    alpha=1.0,
    dropout_rate=0.2,
    output_stride=None,
):
    """Builds MobileNetV2. Weights of keras.applications.MobileNetV2 give the same outputs here.

    padding="symmetric" and bn_epsilon=1e-5 build torchvision's, which has the same weights; its images are normalized
    by the mean and the standard deviation of ImageNet.

    Batch normalization averages with the momentum 0.999 of Keras's, over thousands of steps; for a short training set
    `layer.momentum` to less.

    Args:
        alpha: width multiplier. Below 1 the last convolution keeps its width.
        dropout_rate: share of features dropped in training before the output, within [0, 1); 0.2 in the published code.
        output_stride: 16 or 8 for larger last maps, of as many pixels a step, for segmentation: what would stride on
            does not, and the depthwise kernels behind it are dilated (section 6.3).

    Source: Sandler et al. 2018, arXiv:1801.04381, table 2.
    """
    alpha = _checks.number(frame.who, "alpha", alpha, above=0)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    common = {"activation": "relu6", **frame.common(0.999)}

    inputs, x = frame.enter(INPUT_SHAPE, _blocks.ONE_TO_ONE)
    x = _blocks.conv_bn_act(x, _blocks.make_divisible(STEM * alpha), 3, strides=2, name="stem", **common)
    _, *places = _blocks.atrous(frame.who, output_stride, (2, *(strides for *_, strides in ROWS)))
    for stage, ((expansion, filters, units, _), place) in enumerate(zip(ROWS, places, strict=True), start=1):
        strides, before, behind = place
        for unit in range(1, units + 1):
            x = _blocks.inverted_residual(
                x,
                expansion * x.shape[-1],
                _blocks.make_divisible(filters * alpha),
                3,
                strides=strides if unit == 1 else 1,
                dilation_rate=before if unit == 1 else behind,
                name=f"stage{stage}_unit{unit}",
                **common,
            )
    # Section 4.1: "we apply width multipliers to all layers except the very last convolutional layer" below 1.
    x = _blocks.conv_bn_act(x, _blocks.make_divisible(HEAD * max(alpha, 1)), 1, name="head", **common)
    return frame.leave(inputs, x, dropout_rate)


MobileNetV2 = variant(_mobilenet_v2, "MobileNetV2", name="mobilenet_v2")


_SOURCE = "arXiv:1801.04381, table 4"
_CODE = "github.com/tensorflow/models, research/slim/nets/mobilenet/README.md"

SPECS = (
    Spec(
        name="mobilenet_v2",
        builder=MobileNetV2,
        paper="Sandler et al.: MobileNetV2: Inverted residuals and linear bottlenecks",
        year=2018,
        url="https://arxiv.org/abs/1801.04381",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({"alpha": 1.0}, 3_504_872, 3_538_984, 300_774_272, 72.0, _SOURCE),
            Reference({"alpha": 0.35}, 1_677_128, 1_691_208, 59_285_808, 60.3, _CODE),
            Reference({"alpha": 0.5}, 1_968_680, 1_987_224, 97_131_840, 65.4, _CODE),
            Reference({"alpha": 0.75}, 2_636_424, 2_663_064, 209_069_792, 69.8, _CODE),
            Reference({"alpha": 1.3}, 5_386_792, 5_431_048, 509_374_560, 74.4, _CODE),
            Reference({"alpha": 1.4}, 6_108_776, 6_156_712, 582_195_824, 74.7, _SOURCE),
        ),
    ),
)
