"""ShuffleNet: grouped 1x1 convolutions, and a shuffle that lets the groups exchange information."""

import math

from keras import layers

from keraslayers import _checks
from keraslayers.channel_shuffle import ChannelShuffle
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
STEM = 24  # Conv1 of table 1
UNITS = (4, 8, 4)  # arXiv:1707.01083, table 1: stages 2, 3 and 4, the unit with stride 2 included
FILTERS = {  # arXiv:1707.01083, table 1: by groups those of stage 2; each further stage has twice as many
    1: 144,
    2: 200,
    3: 240,
    4: 272,
    8: 384,
}


@framed
def _shufflenet(
    frame,
    *,
    groups=3,
    alpha=1.0,
):
    """Builds ShuffleNet (the first) as the paper has it: `alpha` scales every number of the table, the stem's too.

    The code that its authors published later (github.com/megvii-model/ShuffleNet-Series) needs padding="symmetric"
    and differs in three places: it shuffles behind the depthwise convolution, and the other way round; its classifier
    has no bias; at 1.5 its first convolution keeps 24 filters.

    Args:
        include_top: whether the classifier follows the last stage.
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"same"` as TensorFlow, or `"symmetric"` as PyTorch, where averages count the
            padding.
        groups: of the 1x1 convolutions: 1, 2, 3, 4 or 8; with 1 nothing is shuffled.
        alpha: width multiplier; 1.0, 0.5 and 0.25 in the paper. The groups must divide a quarter of the channels.

    Source: Zhang et al. 2017, arXiv:1707.01083, figure 2 (b) and (c), table 1.
    """
    stem, filters = _widths(frame.who, _checks.choice(frame.who, "groups", groups, FILTERS), alpha)
    common = frame.common(0.9)

    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET)
    x = _blocks.conv_bn_act(x, stem, 3, strides=2, activation="relu", name="stem", **common)
    x = _blocks.max_pool(x, 3, strides=2, padding=frame.padding, name="stem_pool")
    for stage, units in enumerate(UNITS, start=2):
        for unit in range(1, units + 1):
            place = f"stage{stage}_unit{unit}"
            if unit == 1:
                # Section 3.2: the first 1x1 convolution of stage 2 has too few channels to be grouped.
                first = 1 if stage == 2 else groups
                # What is concatenated with the shortcut makes up the rest of the channels.
                branch = _branch(x, filters, filters - x.shape[-1], first, groups, 2, common, place)
                x = layers.Concatenate(name=f"{place}_concat")(
                    [_average(x, frame.padding, f"{place}_shortcut"), branch]
                )
            else:
                branch = _branch(x, filters, filters, groups, groups, 1, common, place)
                x = layers.Add(name=f"{place}_add")([x, branch])
            x = layers.Activation("relu", name=f"{place}_act")(x)
        filters *= 2
    return frame.leave(inputs, x)


ShuffleNet = variant(_shufflenet, "ShuffleNet", name="shufflenet", bn_epsilon=1e-5)


def _widths(who, groups, alpha):
    """Returns the filters of the stem and of stage 2."""
    alpha = _checks.number(who, "alpha", alpha, above=0)
    filters = round(FILTERS[groups] * alpha, 6)
    if filters % (4 * groups):
        raise ValueError(
            f"`{who}`: `alpha` must give stage 2 a multiple of {4 * groups} channels, since {groups} groups share a "
            f"quarter of them; got alpha={alpha}, which makes {filters:g} of {FILTERS[groups]}."
        )
    # Rounded up, so that the groups divide what remains beside the shortcut.
    return math.ceil(STEM * alpha / groups) * groups, int(filters)


def _branch(x, filters, last, first_groups, groups, strides, common, name):
    squeezed = filters // 4  # section 3.2: a bottleneck of a quarter
    x = _blocks.conv_bn_act(x, squeezed, 1, groups=first_groups, activation="relu", name=f"{name}_squeeze", **common)
    if groups > 1:
        x = ChannelShuffle(groups, name=f"{name}_shuffle")(x)
    x = _blocks.depthwise_bn_act(x, 3, strides=strides, name=f"{name}_depthwise", **common)
    return _blocks.conv_bn_act(x, last, 1, groups=groups, name=f"{name}_expand", **common)


def _average(x, padding, name):
    if padding == "symmetric":
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        padding = "valid"
    return layers.AveragePooling2D(3, strides=2, padding=padding, name=name)(x)


_SOURCE = "arXiv:1707.01083, table 2"
_WIDTH = "arXiv:1707.01083, table 1, at a width that table 2 leaves out"

SPECS = (
    Spec(
        name="shufflenet",
        builder=ShuffleNet,
        paper="Zhang et al.: ShuffleNet: An extremely efficient convolutional neural network for mobile devices",
        year=2017,
        url="https://arxiv.org/abs/1707.01083",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({"groups": 3}, 1_865_728, 1_890_208, 137_460_672, 67.4, _SOURCE),
            Reference({"groups": 1}, 1_531_936, 1_546_624, 143_078_976, 66.4, _SOURCE),
            Reference({"groups": 2}, 1_733_848, 1_754_248, 140_836_512, 67.3, _SOURCE),
            Reference({"groups": 4}, 1_968_344, 1_996_088, 134_339_776, 67.2, _SOURCE),
            Reference({"groups": 8}, 2_434_768, 2_473_936, 138_365_952, 67.6, _SOURCE),
            Reference({"groups": 1, "alpha": 0.75}, 975_214, 986_230, 82_542_672, None, _WIDTH),
            Reference({"groups": 3, "alpha": 0.75}, 1_238_266, 1_256_626, 79_740_144, None, _WIDTH),
            Reference({"groups": 1, "alpha": 0.5}, 534_484, 541_828, 38_517_408, 54.9, _SOURCE),
            Reference({"groups": 3, "alpha": 0.5}, 718_324, 730_564, 37_589_856, 56.8, _SOURCE),
            Reference({"groups": 1, "alpha": 0.25}, 209_746, 213_418, 11_003_184, 42.9, _SOURCE),
            Reference({"groups": 3, "alpha": 0.25}, 305_902, 312_022, 11_009_808, 45.0, _SOURCE),
        ),
    ),
)
