"""RepViT: inverted residuals in the order of a transformer's block: first places are mixed, then channels."""

from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._branches import alone, branched
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
KERNEL = 3  # arXiv:2307.09283, section 3.3
EXPANSION = 2  # hidden units for each channel


@framed
def _repvit(
    frame,
    *,
    units=(2, 2, 14, 2),
    channels=(48, 96, 192, 384),
    distilled=False,
    dropout_rate=0.0,
    deploy=False,
):
    """Builds RepViT.

    `keraslayers.reparameterize` makes of a trained one the network that is deployed, of the same outputs; it is what
    deploy=True builds. Weights of the authors' and of timm's, with distilled=True, give the same outputs here.

    Args:
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"symmetric"` as PyTorch and the published weights, or `"same"` as TensorFlow.
        units: of each stage; the first of them and every second after it have squeeze-and-excitation.
        channels: of each stage.
        distilled: whether the output is the average of two classifiers, of which training lets one learn from another
            network, as the published weights do.
        dropout_rate: share of features dropped in training before the output, within [0, 1).
        deploy: whether to build the form that runs, of one convolution with a bias for each that trains with
            normalization and branches.

    Source: Wang et al. 2023, RepViT: Revisiting mobile CNN from ViT perspective, arXiv:2307.09283, section 3, figures 2
    to 5.
    """
    units, channels = frame.stages(units=units, channels=channels)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    common = {"deploy": deploy, **frame.common(0.9)}
    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET)
    # Figure 4 (b): early convolutions.
    x = alone(x, channels[0] // 2, 3, strides=2, activation="gelu", name="stem_conv1", **common)
    x = alone(x, channels[0], 3, strides=2, name="stem_conv2", **common)
    for stage, (count, filters) in enumerate(zip(units, channels, strict=True), start=1):
        if stage > 1:
            x = _down(x, filters, common, f"stage{stage}_down")
        for unit in range(1, count + 1):
            x = _unit(x, unit % 2 == 1, common, f"stage{stage}_unit{unit}")
    if not frame.include_top:
        return frame.leave(inputs, x)

    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if dropout_rate:
        x = layers.Dropout(dropout_rate, name="dropout")(x)
    if distilled:
        x = [_classifier(x, frame.classes, None, common, name) for name in ("classifier_logits", "distilled_logits")]
        x = layers.Average(name="average")(x)
        x = layers.Activation(frame.classifier_activation, name="predictions")(x)
    else:
        x = _classifier(x, frame.classes, frame.classifier_activation, common, "predictions")
    return frame.model(inputs, x)


def _unit(x, squeeze, common, name):
    """Figure 3 (b): a depthwise convolution among branches mixes places, 1x1 convolutions mix channels."""
    squeezed = _blocks.make_divisible(x.shape[-1] / 4)
    x = branched(
        x,
        x.shape[-1],
        KERNEL,
        depthwise=True,
        skip="plain",
        activation=None,
        squeeze_excite={"squeeze_filters": squeezed} if squeeze else None,
        name=f"{name}_mixer",
        **common,
    )
    return _mlp(x, common, f"{name}_mlp")


def _down(x, filters, common, name):
    """Figure 4 (e): a unit before, a depthwise convolution of stride 2, a 1x1 one, and a mixer of channels behind."""
    x = _unit(x, False, common, f"{name}_unit")
    x = alone(x, x.shape[-1], KERNEL, strides=2, depthwise=True, name=f"{name}_depthwise", **common)
    x = alone(x, filters, 1, name=f"{name}_pointwise", **common)
    return _mlp(x, common, f"{name}_mlp")


def _mlp(x, common, name):
    shortcut, filters = x, x.shape[-1]
    x = alone(x, EXPANSION * filters, 1, activation="gelu", name=f"{name}_expand", **common)
    x = alone(x, filters, 1, name=f"{name}_project", **common)
    return layers.Add(name=f"{name}_add")([shortcut, x])


def _classifier(x, classes, activation, common, name):
    x = _blocks.bn_act(x, None, common["norm"], name)
    return layers.Dense(classes, activation=activation, name=name)(x)


RepViTM1 = variant(
    _repvit,
    "RepViTM1",
    summary="Builds RepViT-M1.",
    name="repvit_m1",
    padding="symmetric",
    bn_epsilon=1e-5,
)

_SOURCE = "arXiv:2307.09283, table 2"

SPECS = (
    Spec(
        name="repvit_m1",
        builder=RepViTM1,
        paper="Wang, Chen, Lin, Han, Ding: RepViT: Revisiting mobile CNN from ViT perspective",
        year=2023,
        url="https://arxiv.org/abs/2307.09283",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({}, 5_099_480, 5_147_240, 816_896_832, None, _SOURCE),
            Reference({"deploy": True}, 5_067_824, 5_068_592, 815_617_344, 78.5, _SOURCE),
            Reference({"distilled": True}, 5_485_248, 5_533_776, 817_280_832, 78.5, _SOURCE),
        ),
    ),
)
