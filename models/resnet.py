"""ResNet: each unit adds what it finds to what it was given, so that networks of a hundred layers train."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Builder, variant

INPUT_SHAPE = (224, 224, 3)
MOMENTUM = 0.9  # torchvision's; the paper gives none
FILTERS = (64, 128, 256, 512)  # arXiv:1512.03385, table 1: conv2_x to conv5_x
STEM = 64  # conv1 of table 1
EXPANSION = 4  # a bottleneck puts out four times as many

# arXiv:1512.03385, table 1: units of conv2_x to conv5_x.
UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


@dataclass(frozen=True)
class Form:
    """In what the published forms differ.

    Args:
        first: whether a bottleneck strides in its first 1x1 convolution; else in its 3x3 convolution.
        pre: whether units normalize and activate what they take (pre-activation); else what they put out.
        late: whether the last unit of a stage strides; else the first unit of the next one.
        normalized_stem: whether batch normalization and ReLU follow the first convolution.
        bias: whether convolutions have biases where batch normalization follows.
        bare_bias: whether they have where none follows.
        pixels: the scale that preprocessing=True gives; None where it is no scale of each channel alone.
    """

    first: bool = False
    pre: bool = False
    late: bool = False
    normalized_stem: bool = True
    bias: bool = False
    bare_bias: bool = False
    pixels: tuple | None = _blocks.IMAGENET


FORMS = {
    "1": Form(first=True),
    "1.5": Form(),
    "2": Form(first=True, pre=True),
    "1-keras": Form(first=True, bias=True, pixels=None),
    "2-keras": Form(pre=True, late=True, normalized_stem=False, bare_bias=True, pixels=_blocks.ONE_TO_ONE),
}
BASIC_FORMS = ("1", "1.5", "2")  # keras.applications has no ResNet18 and no ResNet34


def _resnet(
    who,
    units,
    bottleneck,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="resnet",
    preprocessing=False,
    padding="symmetric",
    bn_epsilon=1e-5,
    version="1.5",
    alpha=1.0,
    output_stride=None,
):
    """Builds a ResNet.

    The defaults build torchvision's. Sources differ in where a stage halves the size, in the order of convolution,
    normalization and activation, and in biases; `version` says whose form is built:

    - `"1"`: the first paper: the first 1x1 convolution of a stage strides;
    - `"1.5"`: its first 3x3 convolution strides instead, which sees every place: torchvision, and most networks today
      that are called ResNet. ResNet18 and ResNet34 have no 1x1 convolutions: there it is the same as `"1"`;
    - `"2"`: the second paper, pre-activation: normalization and ReLU come before each convolution, and nothing comes
      after the addition; strides as in `"1"`;
    - `"1-keras"`: keras.applications.ResNet50, 101 and 152: `"1"` with biases in all convolutions;
    - `"2-keras"`: keras.applications.ResNet50V2, 101V2 and 152V2: `"2"`, but the 3x3 convolution in the last unit of a
      stage strides; no normalization after the first convolution; biases in convolutions without normalization.

    Weights of keras.applications give the same outputs with `bn_epsilon=1.001e-5`.

    Args:
        input_shape: (height, width, channels); height and width may be None. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the classifier follows the last unit.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them: to mean 0 and deviation 1 of
            ImageNet's colours, for `"2-keras"` to [-1, 1]. Else they are expected so. Not for `"1-keras"`, which
            expects blue first: scale with keras.applications.resnet.preprocess_input there.
        padding: `"symmetric"`, which torchvision's and Keras's weights need, or `"same"`, TensorFlow's, which pads
            within the convolution itself. They differ where strides meet even sizes.
        bn_epsilon: added to the variance in batch normalization; 1e-5 is torchvision's.
        version: `"1"`, `"1.5"`, `"2"`, and but for ResNet18 and ResNet34 `"1-keras"`, `"2-keras"`.
        alpha: width multiplier. The paper has 1.0 only.
        output_stride: 16 or 8 for larger last maps, of as many pixels a step, for segmentation: what would stride on
            does not, and the 3x3 kernels behind it are dilated. torchvision's segmentation has 8.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: He et al. 2015, Deep residual learning for image recognition, arXiv:1512.03385, table 1; version 2: He et
    al. 2016, Identity mappings in deep residual networks, arXiv:1603.05027, figure 4 (e).
    """
    form = FORMS[_checks.choice(who, "version", version, FORMS if bottleneck else BASIC_FORMS)]
    if preprocessing is True and form.pixels is None:
        raise ValueError(
            f"`{who}`: `preprocessing` must be False with version={version!r}, whose weights expect blue first: put "
            "images through keras.applications.resnet.preprocess_input before the model."
        )
    return residual_network(
        who,
        units,
        bottleneck,
        form,
        alpha=_checks.number(who, "alpha", alpha, above=0),
        output_stride=output_stride,
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


def residual_network(
    who,
    units,
    bottleneck,
    form,
    *,
    alpha=1.0,
    groups=1,
    width_per_group=64,
    output_stride=None,
    input_shape,
    classes,
    include_top,
    weights,
    pooling,
    classifier_activation,
    name,
    preprocessing,
    padding,
    bn_epsilon,
):
    """Table 1 of the paper; ResNeXt has other `groups` and `width_per_group`."""
    _checks.choice(who, "padding", padding, _blocks.PADDINGS)
    norm = _blocks.norm(who, bn_epsilon, MOMENTUM)
    shape = INPUT_SHAPE if input_shape is None else input_shape
    inputs = _blocks.image_input(who, shape, classes=classes, pooling=pooling, weights=weights)
    conv = partial(_blocks.conv_bn_act, padding=padding, use_bias=form.bias, norm=norm)
    bare = partial(_blocks.conv, padding=padding, use_bias=form.bare_bias)

    x = _blocks.preprocess(who, inputs, preprocessing, form.pixels)
    stem = partial(conv, activation="relu") if form.normalized_stem else bare
    x = stem(x, _blocks.make_divisible(STEM * alpha), 7, strides=2, name="stem")
    # keras.applications pads with zeros in "2-keras" too, where values may be negative.
    x = _blocks.max_pool(x, 3, strides=2, padding=padding, name="stem_pool")
    places = _places(units, form.late)
    _, _, *steps = _blocks.atrous(who, output_stride, (2, 2, *(strides for _, strides, _ in places)))
    for (filters, _, place), (strides, before, behind) in zip(places, steps, strict=True):
        filters = _blocks.make_divisible(filters * alpha)
        if bottleneck:
            width = filters * groups * width_per_group // FILTERS[0]
            first, second = (strides, 1) if form.first else (1, strides)
            convolutions = (
                # name, filters, kernel, strides, groups, dilation
                ("reduce", width, 1, first, 1, 1),
                ("conv", width, 3, second, groups, behind if form.first else before),
                ("expand", filters * EXPANSION, 1, 1, 1, 1),
            )
        else:
            convolutions = (("conv1", filters, 3, strides, 1, before), ("conv2", filters, 3, 1, 1, behind))
        x = _unit(x, convolutions, strides, form, conv, bare, norm, place)
    if form.pre:
        x = _blocks.bn_act(x, "relu", norm, "head")
    x = _blocks.top(
        x, include_top=include_top, classes=classes, classifier_activation=classifier_activation, pooling=pooling
    )
    return _blocks.model(who, inputs, x, weights=weights, name=name)


def _places(units, late):
    """(filters, strides, name) of each unit; a stage is what has one resolution."""
    filters = [number for number, count in zip(FILTERS, units, strict=True) for _ in range(count)]
    widens = [after != before for before, after in pairwise(filters)]
    strided = [*widens, False] if late else [False, *widens]
    stage, unit, places = 1, 0, []
    for number, halves in zip(filters, strided, strict=True):
        stage, unit = (stage + 1, 1) if halves else (stage, unit + 1)
        places.append((number, 2 if halves else 1, f"stage{stage}_unit{unit}"))
    return places


def _unit(x, convolutions, strides, form, conv, bare, norm, name):
    """Figure 5 of arXiv:1512.03385, or with pre-activation figure 4 (e) of arXiv:1603.05027."""
    *others, (last, filters, kernel_size, _, _, rate) = convolutions
    shortcut = x
    if form.pre:
        x = _blocks.bn_act(x, "relu", norm, name)
    end = bare if form.pre else conv
    if shortcut.shape[-1] != filters:
        shortcut = end(x, filters, 1, strides=strides, name=f"{name}_shortcut")
    elif strides > 1:
        shortcut = layers.MaxPooling2D(1, strides=strides, name=f"{name}_shortcut")(shortcut)
    for place, *shape, stride, groups, dilation in others:
        options = {"strides": stride, "groups": groups, "dilation_rate": dilation, "name": f"{name}_{place}"}
        x = conv(x, *shape, activation="relu", **options)
    x = end(x, filters, kernel_size, dilation_rate=rate, name=f"{name}_{last}")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return x if form.pre else layers.Activation("relu", name=f"{name}_act")(x)


def _builder(depth) -> Builder:
    return variant(
        _resnet,
        f"ResNet{depth}",
        UNITS[depth],
        depth >= 50,  # table 1: with bottlenecks
        summary=f"Builds ResNet-{depth}, in the form of torchvision, of either paper, or of keras.applications.",
        name=f"resnet{depth}",
    )


ResNet18, ResNet34, ResNet50, ResNet101, ResNet152 = map(_builder, UNITS)

_TORCHVISION = "torchvision.models, IMAGENET1K_V1"
_CAFFE = "github.com/KaimingHe/deep-residual-networks, README.md, 1-crop"
_PRERESNET = "github.com/osmr/imgclsmob, tensorflow2/README.md, PreResNet"
_NARROW = "github.com/osmr/imgclsmob, pytorch/README.md at 017fe2c, ResNet-18 x0.25 to x0.75"
_KERAS = "keras.io/api/applications"


def _spec(builder, *references):
    return Spec(
        name=builder.__name__.lower(),
        builder=builder,
        paper="He, Zhang, Ren, Sun: Deep residual learning for image recognition",
        year=2015,
        url="https://arxiv.org/abs/1512.03385",
        input_shape=INPUT_SHAPE,
        references=references,
    )


SPECS = (
    _spec(
        ResNet18,
        Reference({"version": "1.5"}, 11_689_512, 11_699_112, 1_814_073_344, 69.758, _TORCHVISION),
        Reference({"version": "2"}, 11_687_848, 11_695_784, 1_814_073_344, 71.8, _PRERESNET),
        Reference({"version": "1.5", "alpha": 0.75}, 6_675_352, 6_682_552, 1_042_639_872, 66.39, _NARROW),
        Reference({"version": "1.5", "alpha": 0.5}, 3_055_880, 3_060_680, 483_149_824, 62.96, _NARROW),
        Reference({"version": "1.5", "alpha": 0.25}, 831_096, 833_496, 135_603_200, 50.5, _NARROW),
    ),
    _spec(
        ResNet34,
        Reference({"version": "1.5"}, 21_797_672, 21_814_696, 3_663_761_408, 73.314, _TORCHVISION),
        Reference({"version": "2"}, 21_796_008, 21_811_368, 3_663_761_408, 75.4, _PRERESNET),
    ),
    _spec(
        ResNet50,
        Reference({"version": "1.5"}, 25_557_032, 25_610_152, 4_089_184_256, 76.13, _TORCHVISION),
        Reference({"version": "1"}, 25_557_032, 25_610_152, 3_857_973_248, 75.3, _CAFFE),
        Reference({"version": "2"}, 25_549_480, 25_595_048, 3_857_973_248, 77.78, _PRERESNET),
        Reference({"version": "1-keras"}, 25_583_592, 25_636_712, 3_857_973_248, 74.9, _KERAS),
        Reference({"version": "2-keras"}, 25_568_360, 25_613_800, 3_482_255_360, 76.0, _KERAS),
    ),
    _spec(
        ResNet101,
        Reference({"version": "1.5"}, 44_549_160, 44_654_504, 7_801_405_440, 77.374, _TORCHVISION),
        Reference({"version": "1"}, 44_549_160, 44_654_504, 7_570_194_432, 76.4, _CAFFE),
        Reference({"version": "2"}, 44_541_608, 44_639_400, 7_570_194_432, 79.41, _PRERESNET),
        Reference({"version": "1-keras"}, 44_601_832, 44_707_176, 7_570_194_432, 76.4, _KERAS),
        Reference({"version": "2-keras"}, 44_577_896, 44_675_560, 7_194_476_544, 77.2, _KERAS),
    ),
    _spec(
        ResNet152,
        Reference({"version": "1.5"}, 60_192_808, 60_344_232, 11_513_626_624, 78.312, _TORCHVISION),
        Reference({"version": "1"}, 60_192_808, 60_344_232, 11_282_415_616, 77.0, _CAFFE),
        Reference({"version": "2"}, 60_185_256, 60_329_128, 11_282_415_616, 80.83, _PRERESNET),
        Reference({"version": "1-keras"}, 60_268_520, 60_419_944, 11_282_415_616, 76.6, _KERAS),
        Reference({"version": "2-keras"}, 60_236_904, 60_380_648, 10_906_697_728, 78.0, _KERAS),
    ),
)
