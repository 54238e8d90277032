"""MLP-Mixer: neither convolution nor attention; a small network over the places, one over the channels, in turn."""

from functools import partial

from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks, _tokens
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)


def _mixer(
    who,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="mixer",
    preprocessing=False,
    patch_size=16,
    blocks=8,
    channels=512,
    token_units=256,
    channel_units=2048,
    approximate=False,
    drop_rate=0.0,
):
    """Builds an MLP-Mixer.

    Args:
        input_shape: (height, width, channels), multiples of `patch_size`. Default: (224, 224, 3). The weights of a
            network are for one number of patches alone.
        classes: number of classes.
        include_top: whether the classifier follows the last block.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to [-1, 1]; else they are expected
            so.
        patch_size: pixels of a patch in height and width.
        blocks: how many.
        channels: of a patch.
        token_units: hidden units of the network over the patches; the paper's D_S.
        channel_units: hidden units of the network over the channels; the paper's D_C.
        approximate: whether GELU is computed by tanh, as in JAX, where the published weights were trained; PyTorch's
            copies compute it exactly.
        drop_rate: share of images for which training leaves the last block out, within [0, 1); those before it less.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Tolstikhin et al. 2021, MLP-Mixer: An all-MLP architecture for vision, arXiv:2105.01601, table 1.
    """
    sizes = {
        "patch_size": patch_size,
        "blocks": blocks,
        "channels": channels,
        "token_units": token_units,
        "channel_units": channel_units,
    }
    for argument, value in sizes.items():
        _checks.positive_int(who, argument, value)
    _checks.rate(who, "drop_rate", drop_rate)
    shape = INPUT_SHAPE if input_shape is None else input_shape
    inputs = _tokens.image_of_patches(who, shape, patch_size, classes=classes, pooling=pooling, weights=weights)

    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.ONE_TO_ONE)
    x = _tokens.embed(x, channels, patch_size)
    maps = x.shape[1:]
    x = _tokens.to_tokens(x)
    over_tokens = partial(_tokens.across_tokens, mix=partial(_tokens.mlp, units=token_units, approximate=approximate))
    over_channels = partial(_tokens.mlp, units=channel_units, approximate=approximate)
    for block, rate in enumerate(_tokens.drop_rates(drop_rate, blocks), start=1):
        for part, mix in (("tokens", over_tokens), ("channels", over_channels)):
            place = f"stage1_block{block}_{part}"
            x = _tokens.branch(x, _tokens.layer_norm(f"{place}_norm"), mix, rate, place)
    x = _tokens.layer_norm("stage1_norm")(x)
    x = layers.Reshape(maps, name="stage1_maps")(x)
    x = _blocks.top(
        x,
        include_top=include_top,
        classes=classes,
        classifier_activation=classifier_activation,
        pooling=pooling,
    )
    return _blocks.model(who, inputs, x, weights=weights, name=name)


# arXiv:2105.01601, table 1: pixels of a patch, blocks, channels, units over the tokens and over the channels.
_ARGUMENTS = ("patch_size", "blocks", "channels", "token_units", "channel_units")
_TABLE = {
    "S32": (32, 8, 512, 256, 2048),
    "S16": (16, 8, 512, 256, 2048),
    "B32": (32, 12, 768, 384, 3072),
    "B16": (16, 12, 768, 384, 3072),
    "L32": (32, 24, 1024, 512, 4096),
    "L16": (16, 24, 1024, 512, 4096),
    "H14": (14, 32, 1280, 640, 5120),
}
MixerS32, MixerS16, MixerB32, MixerB16, MixerL32, MixerL16, MixerH14 = (
    variant(
        _mixer,
        f"Mixer{key}",
        summary=f"Builds MLP-Mixer-{key[0]}/{key[1:]}.",
        name=f"mixer_{key.lower()}",
        **dict(zip(_ARGUMENTS, row, strict=True)),
    )
    for key, row in _TABLE.items()
)


def _spec(builder, parameters, multiply_adds, top1=None):
    return Spec(
        name=builder.__name__.replace("Mixer", "mixer_").lower(),
        builder=builder,
        paper="Tolstikhin, Houlsby, Kolesnikov, Beyer et al.: MLP-Mixer: An all-MLP architecture for vision",
        year=2021,
        url="https://arxiv.org/abs/2105.01601",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, parameters, parameters, multiply_adds, top1, "arXiv:2105.01601, tables 1 and 2"),),
    )


SPECS = (
    _spec(MixerS32, 19_104_624, 1_002_426_368),
    _spec(MixerS16, 18_528_264, 3_776_958_464),
    _spec(MixerB32, 60_293_428, 3_237_722_112),
    _spec(MixerB16, 59_880_472, 12_601_767_936),
    _spec(MixerL32, 206_939_264, 11_253_293_056),
    _spec(MixerL16, 208_196_168, 44_547_678_208),
    _spec(MixerH14, 432_350_952, 120_989_911_040),
)
