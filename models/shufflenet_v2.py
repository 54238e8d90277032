"""ShuffleNet V2: half of the channels pass each unit untouched, a shuffle mixes the halves."""

from keras import layers

from keraslayers import _checks
from keraslayers.channel_shuffle import ChannelShuffle
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import builder

INPUT_SHAPE = (224, 224, 3)
STEM = 24  # Conv1 of table 5, at every width
UNITS = (4, 8, 4)  # arXiv:1807.11164, table 5: stages 2, 3 and 4, the unit with stride 2 included
FILTERS = {  # arXiv:1807.11164, table 5: stages 2, 3 and 4, Conv5
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}


@builder
def ShuffleNetV2(
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="shufflenet_v2",
    preprocessing=False,
    padding="same",
    bn_epsilon=1e-5,
    alpha=1.0,
):
    """Builds ShuffleNet V2. With padding="symmetric" weights of torchvision's give the same outputs here.

    Args:
        input_shape: (height, width, channels); height and width may be None. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the classifier follows the last convolution.
        weights: None, or the path of a `.weights.h5` or `.keras` file with weights for this model.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"same"` as TensorFlow (at even sizes all padding is at the end), or `"symmetric"`
            as PyTorch and torchvision's weights.
        bn_epsilon: of batch normalization; the default is torchvision's, the paper gives none.
        alpha: width: 0.5, 1.0, 1.5 or 2.0.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Ma et al. 2018, arXiv:1807.11164, figure 3 (c) and (d), table 5.
    """
    who = "ShuffleNetV2"
    *stages, last = FILTERS[_checks.choice(who, "alpha", alpha, FILTERS)]
    shape = INPUT_SHAPE if input_shape is None else input_shape
    inputs = _blocks.image_input(who, shape, classes=classes, pooling=pooling, weights=weights)
    padding = _checks.choice(who, "padding", padding, _blocks.PADDINGS)
    norm = _blocks.norm(who, bn_epsilon, 0.9)

    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.IMAGENET)
    x = _blocks.conv_bn_act(x, STEM, 3, strides=2, padding=padding, activation="relu", norm=norm, name="stem")
    x = _blocks.max_pool(x, 3, strides=2, padding=padding, name="stem_pool")
    for stage, (filters, units) in enumerate(zip(stages, UNITS, strict=True), start=2):
        x = _down(x, filters, padding, norm, f"stage{stage}_unit1")
        for unit in range(2, units + 1):
            x = _unit(x, filters, norm, f"stage{stage}_unit{unit}")
    x = _blocks.conv_bn_act(x, last, 1, activation="relu", norm=norm, name="head")
    x = _blocks.top(
        x,
        include_top=include_top,
        classes=classes,
        classifier_activation=classifier_activation,
        pooling=pooling,
    )
    return _blocks.model(who, inputs, x, weights=weights, name=name)


def _down(x, filters, padding, norm, name):
    """Figure 3 (d): both branches see every channel and halve the size."""
    shortcut = f"{name}_shortcut"
    left = _blocks.depthwise_bn_act(x, 3, strides=2, padding=padding, norm=norm, name=f"{shortcut}_depthwise")
    left = _blocks.conv_bn_act(left, filters // 2, 1, activation="relu", norm=norm, name=f"{shortcut}_project")
    return _join(left, _branch(x, filters // 2, 2, padding, norm, name), name)


def _unit(x, filters, norm, name):
    """Figure 3 (c): one half of the channels passes untouched."""
    # Slices, not one split: LiteRT's GPU runtime is silently wrong on a split whose parts meet in a concat.
    left = _slice(x, 0, filters // 2, f"{name}_keep")
    right = _slice(x, filters // 2, filters, f"{name}_change")
    return _join(left, _branch(right, filters // 2, 1, "same", norm, name), name)


def _slice(x, start, stop, name):
    part = x[..., start:stop]
    # Keras numbers slices through the whole session; a name that says the place is the same in every model.
    part._keras_history.operation.name = name
    return part


def _branch(x, filters, strides, padding, norm, name):
    x = _blocks.conv_bn_act(x, filters, 1, activation="relu", norm=norm, name=f"{name}_expand")
    x = _blocks.depthwise_bn_act(x, 3, strides=strides, padding=padding, norm=norm, name=f"{name}_depthwise")
    return _blocks.conv_bn_act(x, filters, 1, activation="relu", norm=norm, name=f"{name}_project")


def _join(left, right, name):
    x = layers.Concatenate(name=f"{name}_concat")([left, right])
    return ChannelShuffle(2, name=f"{name}_shuffle")(x)


_SOURCE = "arXiv:1807.11164, table 8"

SPECS = (
    Spec(
        name="shufflenet_v2",
        builder=ShuffleNetV2,
        paper="Ma, Zhang, Zheng, Sun: ShuffleNet V2: Practical guidelines for efficient CNN architecture design",
        year=2018,
        url="https://arxiv.org/abs/1807.11164",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({"alpha": 1.0}, 2_278_604, 2_294_784, 144_907_992, 69.4, _SOURCE),
            Reference({"alpha": 0.5}, 1_366_792, 1_374_744, 40_476_448, 60.3, _SOURCE),
            Reference({"alpha": 1.5}, 3_503_624, 3_527_064, 295_759_392, 72.6, _SOURCE),
            Reference({"alpha": 2.0}, 7_393_996, 7_427_712, 583_253_464, 74.9, _SOURCE),
        ),
    ),
)
