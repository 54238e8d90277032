"""FastViT: blocks in the order of a transformer's, in which a depthwise convolution without shortcuts mixes places."""

from itertools import pairwise

from keras import layers

from keraslayers import _checks
from keraslayers.affine import LayerScale
from keraslayers.models import _blocks, _tokens
from keraslayers.models._branches import alone, branched
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (256, 256, 3)
LARGE, SMALL, MIXER = 7, 3, 3  # kernels: of patches and of mixers of channels, beside those of patches, of places
HEAD = 2  # channels behind the last stage for each before


@framed
def _fastvit(
    frame,
    *,
    blocks=(2, 2, 4, 2),
    channels=(48, 96, 192, 384),
    expansion=3,
    initial_scale=1e-5,
    drop_rate=0.0,
    deploy=False,
):
    """Builds FastViT.

    `keraslayers.reparameterize` makes of a trained one the network that is deployed, of the same outputs; it is what
    deploy=True builds. Weights of the authors' and of timm's, in the form that trains, give the same outputs here.

    Args:
        input_shape: (height, width, channels); height and width may be None. Default: (256, 256, 3).
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"symmetric"` as PyTorch and the published weights, or `"same"` as TensorFlow.
        blocks: of each stage.
        channels: of each stage, a multiple of those of the one before.
        expansion: hidden units for each channel.
        initial_scale: what each branch is multiplied with when training begins.
        drop_rate: share of images for which training leaves the last block's mixer of channels out, within [0, 1);
            those before it less.
        deploy: whether to build the form that runs, of one convolution with a bias for each that trains with
            normalization and branches.

    Source: Vasu et al. 2023, FastViT: A fast hybrid vision transformer using structural reparameterization,
    arXiv:2303.14189, section 3, figure 2, table 2.
    """
    blocks, channels = frame.stages(blocks=blocks, channels=channels)
    if any(wide % narrow for narrow, wide in pairwise(channels)):
        raise ValueError(
            f"`{frame.who}`: `channels` must be multiples of those of the stage before, as patches are filtered "
            f"channel by channel; got {channels}."
        )
    expansion = _checks.positive_int(frame.who, "expansion", expansion)
    initial_scale = _checks.number(frame.who, "initial_scale", initial_scale)
    drop_rate = _checks.rate(frame.who, "drop_rate", drop_rate)
    common = {"deploy": deploy, **frame.common(0.9)}
    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET)
    x = branched(x, channels[0], 3, strides=2, activation="gelu", name="stem_conv", **common)
    x = branched(x, channels[0], 3, strides=2, depthwise=True, activation="gelu", name="stem_depthwise", **common)
    x = branched(x, channels[0], 1, activation="gelu", name="stem_pointwise", **common)
    rates = iter(_tokens.drop_rates(drop_rate, sum(blocks)))
    for stage, (count, filters) in enumerate(zip(blocks, channels, strict=True), start=1):
        if stage > 1:
            x = _patches(x, filters, common, f"stage{stage}_patches")
        for block in range(1, count + 1):
            place = f"stage{stage}_block{block}"
            x = _mix_places(x, initial_scale, common, f"{place}_mixer")
            x = _mix_channels(x, expansion, initial_scale, next(rates), common, f"{place}_mlp")
    head = {"depthwise": True, "activation": "gelu", "squeeze_excite": {"ratio": 1 / 16}}
    x = branched(x, HEAD * channels[-1], 3, name="head", **head, **common)
    return frame.leave(inputs, x)


def _patches(x, filters, common, name):
    """Figure 2 (b), the embedding of patches: a large depthwise convolution of stride 2 and a 1x1 one."""
    x = branched(x, filters, LARGE, strides=2, depthwise=True, small=SMALL, activation=None, name=name, **common)
    return branched(x, filters, 1, activation="gelu", name=f"{name}_pointwise", **common)


def _mix_places(x, initial_scale, common, name):
    """RepMixer, equation 3: a depthwise convolution less the normalized input, scaled, on top of the input."""
    options = {"depthwise": True, "activation": None, "name": name, **common}
    y = branched(x, x.shape[-1], MIXER, **options)
    if common["deploy"]:
        return y
    normalized = _blocks.bn_act(x, None, common["norm"], f"{name}_input")
    y = layers.Subtract(name=f"{name}_subtract")([y, normalized])
    y = LayerScale(initial_scale, name=f"{name}_factor")(y)
    return layers.Add(name=f"{name}_shortcut")([x, y])


def _mix_channels(x, expansion, initial_scale, drop_rate, common, name):
    """Figure 2 (c), the convolutional feed-forward network."""
    shortcut, filters = x, x.shape[-1]
    x = alone(x, filters, LARGE, depthwise=True, name=f"{name}_depthwise", **common)
    x = layers.Conv2D(expansion * filters, 1, activation="gelu", name=f"{name}_expand")(x)
    x = layers.Conv2D(filters, 1, name=f"{name}_project")(x)
    if not common["deploy"]:
        x = LayerScale(initial_scale, name=f"{name}_factor")(x)
    return _blocks.add_branch(shortcut, x, drop_rate, name)


FastViTT8 = variant(
    _fastvit,
    "FastViTT8",
    summary="Builds FastViT-T8, for images of 256x256.",
    name="fastvit_t8",
    padding="symmetric",
    bn_epsilon=1e-5,
)

_SOURCE = "arXiv:2303.14189, table 2"

SPECS = (
    Spec(
        name="fastvit_t8",
        builder=FastViTT8,
        paper="Vasu, Gabriel, Zhu, Tuzel, Ranjan: FastViT: A fast hybrid vision transformer using structural "
        "reparameterization",
        year=2023,
        url="https://arxiv.org/abs/2303.14189",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({}, 4_026_232, 4_053_496, 690_149_376, 75.6, _SOURCE),
            Reference({"deploy": True}, 3_992_392, 3_992_392, 685_160_448, 75.6, _SOURCE),
        ),
    ),
)
