"""ResNeXt: ResNet whose bottlenecks filter many small groups of channels in place of all of them at once."""

from keraslayers import _checks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant
from keraslayers.models.resnet import FORMS, INPUT_SHAPE, UNITS, residual_network


def _resnext(
    who,
    units,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="resnext",
    preprocessing=False,
    padding="symmetric",
    bn_epsilon=1e-5,
    groups=32,
    width_per_group=4,
):
    """Builds a ResNeXt.

    It is torchvision's, which is the paper's figure 3 (c). Sources give the two numbers of the variants in their names:
    32x4d has `groups=32, width_per_group=4`.

    Args:
        input_shape: (height, width, channels); height and width may be None. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the classifier follows the last unit.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to mean 0 and deviation 1 of
            ImageNet's colours; else they are expected so.
        padding: `"symmetric"`, which published weights need, or `"same"`, TensorFlow's, which pads within the
            convolution itself. They differ where strides meet even sizes.
        bn_epsilon: added to the variance in batch normalization; 1e-5 is torchvision's.
        groups: of the 3x3 convolutions; the paper's cardinality.
        width_per_group: channels of each group in the first stage; each stage has twice those of the one before.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Xie et al. 2016, Aggregated residual transformations for deep neural networks, arXiv:1611.05431, table 1.
    """
    return residual_network(
        who,
        units,
        True,
        FORMS["1.5"],  # section 4: the 3x3 convolutions stride
        groups=_checks.positive_int(who, "groups", groups),
        width_per_group=_checks.positive_int(who, "width_per_group", width_per_group),
        input_shape=input_shape,
        classes=classes,
        include_top=include_top,
        weights=weights,
        pooling=pooling,
        classifier_activation=classifier_activation,
        name=name,
        preprocessing=preprocessing,
        padding=padding,
        bn_epsilon=bn_epsilon,
    )


ResNeXt50 = variant(
    _resnext,
    "ResNeXt50",
    UNITS[50],
    summary="Builds ResNeXt-50, by default 32x4d.",
    name="resnext50",
)
ResNeXt101 = variant(
    _resnext,
    "ResNeXt101",
    UNITS[101],
    summary="Builds ResNeXt-101, by default 32x8d, as torchvision has it; the paper's are 32x4d and 64x4d.",
    name="resnext101",
    width_per_group=8,
)

_TORCHVISION = "torchvision.models, IMAGENET1K_V1"


def _spec(builder, *references):
    return Spec(
        name=builder.__name__.lower(),
        builder=builder,
        paper="Xie, Girshick, Dollár, Tu, He: Aggregated residual transformations for deep neural networks",
        year=2016,
        url="https://arxiv.org/abs/1611.05431",
        input_shape=INPUT_SHAPE,
        references=references,
    )


SPECS = (
    _spec(
        ResNeXt50,
        Reference({"groups": 32, "width_per_group": 4}, 25_028_904, 25_097_128, 4_230_479_872, 77.618, _TORCHVISION),
    ),
    _spec(
        ResNeXt101,
        Reference({"groups": 32, "width_per_group": 8}, 88_791_336, 88_994_216, 16_414_015_488, 79.312, _TORCHVISION),
        Reference({"groups": 64, "width_per_group": 4}, 83_455_272, 83_658_152, 15_460_270_080, 83.246, _TORCHVISION),
        Reference(
            {"groups": 32, "width_per_group": 4},
            44_177_704,
            44_315_560,
            7_969_996_800,
            78.8,
            "arXiv:1611.05431, table 3",
        ),
    ),
)
