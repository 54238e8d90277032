"""MobileNet: each convolution split in two, one that filters every channel and one that mixes the channels."""

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
STEM = 32
# Filters and stride of each pair. The paper gives the last depthwise convolution stride 2, which its sizes of input and
# output (7x7 both) contradict.
ROWS = (  # arXiv:1704.04861, table 1
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)


@framed
def _mobilenet(
    frame,
    *,
    alpha=1.0,
    dropout_rate=1e-3,
):
    """Builds MobileNet (the first) as its authors published it: with ReLU6, where the paper says ReLU.

    Weights of keras.applications.MobileNet give the same outputs here at heights and widths that 32 divides; at
    others Keras pads as neither TensorFlow nor PyTorch does. Its classifier is a 1x1 convolution, here a Dense layer.

    Args:
        padding: of strided layers: `"same"` as TensorFlow and the published weights, or `"symmetric"` as PyTorch.
        alpha: width multiplier; 1.0, 0.75, 0.5 and 0.25 in the paper.
        dropout_rate: share of features dropped in training before the output, within [0, 1).

    Source: Howard et al. 2017, arXiv:1704.04861, table 1; github.com/tensorflow/models, slim, mobilenet_v1.
    """
    alpha = _checks.number(frame.who, "alpha", alpha, above=0)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    common = {"activation": "relu6", **frame.common(0.99)}

    inputs, x = frame.enter(INPUT_SHAPE, _blocks.ONE_TO_ONE)
    x = _blocks.conv_bn_act(x, _width(STEM, alpha), 3, strides=2, name="stem", **common)
    stage, unit = 1, 0
    for filters, strides in ROWS:
        # A stage is what the table shows at one resolution.
        stage, unit = (stage + 1, 1) if strides == 2 else (stage, unit + 1)
        place = f"stage{stage}_unit{unit}"
        x = _blocks.depthwise_bn_act(x, 3, strides=strides, name=f"{place}_depthwise", **common)
        x = _blocks.conv_bn_act(x, _width(filters, alpha), 1, name=f"{place}_pointwise", **common)
    return frame.leave(inputs, x, dropout_rate)


MobileNet = variant(_mobilenet, "MobileNet", name="mobilenet")


def _width(filters, alpha):
    return max(8, int(filters * alpha))  # the published code's


_WIDTHS = "arXiv:1704.04861, table 6"

SPECS = (
    Spec(
        name="mobilenet",
        builder=MobileNet,
        paper="Howard et al.: MobileNets: Efficient convolutional neural networks for mobile vision applications",
        year=2017,
        url="https://arxiv.org/abs/1704.04861",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({"alpha": 1.0}, 4_231_976, 4_253_864, 568_740_352, 70.6, _WIDTHS),
            Reference({"alpha": 0.75}, 2_585_560, 2_601_976, 325_400_448, 68.4, _WIDTHS),
            Reference({"alpha": 0.5}, 1_331_592, 1_342_536, 149_497_088, 63.7, _WIDTHS),
            Reference({"alpha": 0.25}, 470_072, 475_544, 41_030_272, 50.6, _WIDTHS),
        ),
    ),
)
