"""DWNet: Swin with depthwise convolution in place of attention; static, or with kernels that come from the image."""

from functools import partial

from keras import layers

from keraslayers import _checks
from keraslayers.affine import Affine
from keraslayers.dynamic_depthwise import DynamicDepthwiseConv2D
from keraslayers.models import _blocks, _tokens
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
PATCH = 4
KERNEL = 7
EXPANSION = 4  # hidden units for each channel
REDUCTION = 4  # channels over hidden channels of what computes kernels
GROUPS = 32  # of channels that share the kernels of a place
EPSILON = 1e-5  # of layer normalization in the published code
MOMENTUM = 0.9
KINDS = ("static", "homogeneous", "inhomogeneous")


def _dwnet(
    who,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="dwnet",
    preprocessing=False,
    blocks=(2, 2, 6, 2),
    channels=96,
    kernels="static",
    bn_epsilon=1e-5,
    drop_rate=0.0,
):
    """Builds a DWNet.

    Args:
        input_shape: (height, width, channels), at least 4x4. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the classifier follows the last block.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to mean 0 and deviation 1 of
            ImageNet's colours; else they are expected so.
        blocks: of each stage.
        channels: of the first stage; each has twice those of the one before. Multiples of 32 with `"inhomogeneous"`.
        kernels: `"static"`, weights of the network (DWNet); `"homogeneous"`, computed for each channel from the mean of
            the maps (D-DWNet); or `"inhomogeneous"`, computed at each place for 32 groups of channels (I-D-DWNet).
        bn_epsilon: added to the variance in batch normalization; 1e-5 is the published code's.
        drop_rate: share of images for which training leaves the last block out, within [0, 1); those before it less.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Han et al. 2021, On the connection between local attention and dynamic depth-wise convolution,
    arXiv:2106.04263, section 3.3 and table 1.
    """
    _checks.positive_int(who, "channels", channels)
    _checks.choice(who, "kernels", kernels, KINDS)
    _checks.rate(who, "drop_rate", drop_rate)
    blocks = _tokens.stages(who, "blocks", blocks)
    if kernels == "inhomogeneous" and channels % GROUPS:
        raise ValueError(
            f"`{who}`: `channels` must be a multiple of {GROUPS}, the groups that share a kernel, with "
            f"kernels='inhomogeneous'; got {channels}."
        )
    norm = _blocks.norm(who, bn_epsilon, MOMENTUM)
    inputs = _tokens.image_of_maps(
        who,
        INPUT_SHAPE if input_shape is None else input_shape,
        PATCH,
        classes=classes,
        pooling=pooling,
        weights=weights,
    )
    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.IMAGENET)
    x = _tokens.embed(x, channels, PATCH)
    x = _tokens.layer_norm("patches_norm", EPSILON)(x)
    rates = iter(_tokens.drop_rates(drop_rate, sum(blocks)))
    for stage, count in enumerate(blocks, start=1):
        if stage > 1:
            x = _tokens.merge_patches(x, 2 * x.shape[-1], EPSILON, f"merge{stage - 1}")
        for block in range(1, count + 1):
            place, rate = f"stage{stage}_block{block}", next(rates)
            x = _tokens.branch(x, None, partial(_spatial, kernels=kernels, norm=norm), rate, f"{place}_spatial")
            mlp = partial(_tokens.mlp, units=EXPANSION * x.shape[-1])
            x = _tokens.branch(
                x, layers.BatchNormalization(**norm, name=f"{place}_mlp_norm"), mlp, rate, f"{place}_mlp"
            )
    x = _tokens.layer_norm(f"stage{len(blocks)}_norm", EPSILON)(x)
    x = _blocks.top(
        x,
        include_top=include_top,
        classes=classes,
        classifier_activation=classifier_activation,
        pooling=pooling,
    )
    return _blocks.model(who, inputs, x, weights=weights, name=name)


def _spatial(x, kernels, norm, name):
    """Mixes the channels, the places, and the channels again."""
    channels = x.shape[-1]
    x = _blocks.conv_bn_act(x, channels, 1, activation="relu", norm=norm, name=f"{name}_before")
    if kernels == "static":
        x = layers.DepthwiseConv2D(KERNEL, padding="same", name=name)(x)
    else:
        x = DynamicDepthwiseConv2D(KERNEL, name=name)([x, _kernels(x, kernels, norm, name)])
        if kernels == "homogeneous":
            x = Affine(scale=False, name=f"{name}_bias")(x)
    x = _blocks.bn_act(x, "relu", norm, name)
    return _blocks.conv_bn_act(x, channels, 1, norm=norm, name=f"{name}_after")


def _kernels(x, kernels, norm, name):
    """A kernel for each channel out of the mean of the maps, or one for each group out of each place."""
    one = kernels == "homogeneous"
    groups = x.shape[-1] if one else GROUPS
    if one:
        x = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    x = _blocks.conv_bn_act(
        x, x.shape[-1] // REDUCTION, 1, use_bias=not one, activation="relu", norm=norm, name=f"{name}_reduce"
    )
    return _blocks.conv(x, KERNEL * KERNEL * groups, 1, use_bias=True, name=f"{name}_kernels")


# arXiv:2106.04263, section 4: Swin's channels and blocks.
_TABLE = {"T": (96, (2, 2, 6, 2)), "B": (128, (2, 2, 18, 2))}
_KINDS = {"static": "", "homogeneous": "D", "inhomogeneous": "ID"}
DWNetT, DWNetB, DDWNetT, DDWNetB, IDDWNetT, IDDWNetB = (
    variant(
        _dwnet,
        f"{kind}DWNet{size}",
        summary=f"Builds {'-'.join([*kind, 'DWNet', size])}.",
        name="_".join(filter(None, [kind.lower(), "dwnet", size.lower()])),
        channels=channels,
        blocks=blocks,
        kernels=kernels,
    )
    for kernels, kind in _KINDS.items()
    for size, (channels, blocks) in _TABLE.items()
)


def _spec(name, builder, trainable, parameters, multiply_adds, top1):
    return Spec(
        name=name,
        builder=builder,
        paper="Han et al.: On the connection between local attention and dynamic depth-wise convolution",
        year=2021,
        url="https://arxiv.org/abs/2106.04263",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, trainable, parameters, multiply_adds, top1, "arXiv:2106.04263, table 1"),),
    )


SPECS = (
    _spec("dwnet_t", DWNetT, 24_172_744, 24_208_072, 3_726_862_848, 81.2),
    _spec("dwnet_b", DWNetB, 74_347_112, 74_443_368, 12_812_261_376, 83.2),
    _spec("d_dwnet_t", DDWNetT, 51_131_752, 51_169_288, 3_753_819_648, 81.8),
    _spec("d_dwnet_b", DDWNetB, 161_597_928, 161_700_200, 12_899_506_176, 83.2),
    _spec("id_dwnet_t", IDDWNetT, 26_244_280, 26_281_816, 4_374_133_248, None),
    _spec("id_dwnet_b", IDDWNetB, 80_253_608, 80_355_880, 14_340_020_224, None),
)
