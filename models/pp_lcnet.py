"""PP-LCNet: MobileNet's separable convolutions with hard-swish, large kernels and gates at the end; for CPUs."""

from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed, thinned
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant
from keraslayers.squeeze_excite import SqueezeExcite

INPUT_SHAPE = (224, 224, 3)
STEM, FEATURES = 16, 1280
# Kernel, filters, squeeze-and-excitation: arXiv:2109.15099, table 1, a line a resolution; each but the first begins
# with stride 2.
ROWS = (
    ((3, 32, False),),
    ((3, 64, False), (3, 64, False)),
    ((3, 128, False), (3, 128, False)),
    ((3, 256, False), *[(5, 256, False)] * 5),
    ((5, 512, True), (5, 512, True)),
)


@framed
def _pp_lcnet(
    frame,
    *,
    alpha=1.0,
    depth=1.0,
    dropout_rate=0.2,
):
    """Builds PP-LCNet. With padding="symmetric" and bn_epsilon=1e-5, the defaults here, it is timm's, weights and all.

    Args:
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"symmetric"` as PyTorch and the published weights, or `"same"` as TensorFlow.
        alpha: width multiplier; the last layer before the output keeps its width.
        depth: share of the units of each stage that is built, within (0, 1]; they are spread over the stage, the first
            is among them.
        dropout_rate: share of features dropped in training before the output, within [0, 1).

    Source: Cui et al. 2021, PP-LCNet: A lightweight CPU convolutional neural network, arXiv:2109.15099, table 1.
    """
    alpha = _checks.number(frame.who, "alpha", alpha, above=0)
    depth = _checks.fraction(frame.who, "depth", depth)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    common = {"activation": "hard_silu", **frame.common(0.9)}
    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET)
    x = _blocks.conv_bn_act(x, _blocks.make_divisible(STEM * alpha), 3, strides=2, name="stem", **common)
    for stage, rows in enumerate(ROWS, start=1):
        for unit, (kernel_size, filters, squeeze) in enumerate(thinned(rows, depth), start=1):
            place, strides = f"stage{stage}_unit{unit}", 2 if stage > 1 and unit == 1 else 1
            x = _blocks.depthwise_bn_act(x, kernel_size, strides=strides, name=f"{place}_depthwise", **common)
            if squeeze:
                x = SqueezeExcite(0.25, gate_activation="hard_sigmoid", name=f"{place}_squeeze_excite")(x)
            filters = _blocks.make_divisible(filters * alpha)
            x = _blocks.conv_bn_act(x, filters, 1, name=f"{place}_pointwise", **common)
    if not frame.include_top:
        return frame.leave(inputs, x)

    # Section 3.4: a 1x1 convolution behind the pooling.
    x = layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)
    x = layers.Conv2D(FEATURES, 1, name="features")(x)
    x = layers.Activation("hard_silu", name="features_act")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    x = layers.Dense(frame.classes, activation=frame.classifier_activation, name="predictions")(x)
    return frame.model(inputs, x)


PPLCNet = variant(_pp_lcnet, "PPLCNet", name="pp_lcnet", padding="symmetric", bn_epsilon=1e-5)

_SOURCE = "github.com/PaddlePaddle/PaddleClas, PPLCNet"

SPECS = (
    Spec(
        name="pp_lcnet",
        builder=PPLCNet,
        paper="Cui, Gao, Wei, Du et al.: PP-LCNet: A lightweight CPU convolutional neural network",
        year=2021,
        url="https://arxiv.org/abs/2109.15099",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({"alpha": 1.0}, 2_953_800, 2_964_744, 155_700_480, 71.32, _SOURCE),
            Reference({"alpha": 0.5}, 1_880_856, 1_886_328, 44_731_008, 63.14, _SOURCE),
        ),
    ),
)
