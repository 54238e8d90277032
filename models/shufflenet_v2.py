"""ShuffleNet V2: half of the channels pass each unit untouched, a shuffle mixes the halves."""

from keras import layers

from keraslayers import _checks, _keras
from keraslayers.channel_shuffle import ChannelShuffle
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
STEM = 24  # Conv1 of table 5, at every width
UNITS = (4, 8, 4)  # arXiv:1807.11164, table 5: stages 2, 3 and 4, the unit with stride 2 included
FILTERS = {  # arXiv:1807.11164, table 5: stages 2, 3 and 4, Conv5
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}


@framed
def _shufflenet_v2(
    frame,
    *,
    alpha=1.0,
):
    """Builds ShuffleNet V2. With padding="symmetric" weights of torchvision's give the same outputs here.

    Args:
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"same"` as TensorFlow (at even sizes all padding is at the end), or `"symmetric"`
            as PyTorch and torchvision's weights.
        bn_epsilon: of batch normalization; the default is torchvision's, the paper gives none.
        alpha: width: 0.5, 1.0, 1.5 or 2.0.

    Source: Ma et al. 2018, arXiv:1807.11164, figure 3 (c) and (d), table 5.
    """
    *stages, last = FILTERS[_checks.choice(frame.who, "alpha", alpha, FILTERS)]
    common = frame.common(0.9)

    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET)
    x = _blocks.conv_bn_act(x, STEM, 3, strides=2, activation="relu", name="stem", **common)
    x = _blocks.max_pool(x, 3, strides=2, padding=frame.padding, name="stem_pool")
    for stage, (filters, units) in enumerate(zip(stages, UNITS, strict=True), start=2):
        x = _down(x, filters, common, f"stage{stage}_unit1")
        for unit in range(2, units + 1):
            x = _unit(x, filters, common, f"stage{stage}_unit{unit}")
    x = _blocks.conv_bn_act(x, last, 1, activation="relu", name="head", **common)
    return frame.leave(inputs, x)


ShuffleNetV2 = variant(_shufflenet_v2, "ShuffleNetV2", name="shufflenet_v2", bn_epsilon=1e-5)


def _down(x, filters, common, name):
    """Figure 3 (d): both branches see every channel and halve the size."""
    shortcut = f"{name}_shortcut"
    left = _blocks.depthwise_bn_act(x, 3, strides=2, name=f"{shortcut}_depthwise", **common)
    left = _blocks.conv_bn_act(left, filters // 2, 1, activation="relu", name=f"{shortcut}_project", **common)
    return _join(left, _branch(x, filters // 2, 2, common, name), name)


def _unit(x, filters, common, name):
    """Figure 3 (c): one half of the channels passes untouched."""
    # Slices, not one split: LiteRT's GPU runtime is silently wrong on a split whose parts meet in a concat.
    left = _slice(x, 0, filters // 2, f"{name}_keep")
    right = _slice(x, filters // 2, filters, f"{name}_change")
    return _join(left, _branch(right, filters // 2, 1, common, name), name)


def _slice(x, start, stop, name):
    part = x[..., start:stop]
    # Keras numbers slices through the whole session; a name that says the place is the same in every model.
    _keras.history(part).operation.name = name
    return part


def _branch(x, filters, strides, common, name):
    x = _blocks.conv_bn_act(x, filters, 1, activation="relu", name=f"{name}_expand", **common)
    x = _blocks.depthwise_bn_act(x, 3, strides=strides, name=f"{name}_depthwise", **common)
    return _blocks.conv_bn_act(x, filters, 1, activation="relu", name=f"{name}_project", **common)


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
