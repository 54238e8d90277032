"""Swin: a transformer in stages, whose attention stays within windows that shift from block to block."""

from functools import partial

from keraslayers import _checks
from keraslayers.models import _blocks, _tokens
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant
from keraslayers.window_attention import WindowAttention

INPUT_SHAPE = (224, 224, 3)
PATCH = 4
EXPANSION = 4  # hidden units for each channel
EPSILON = 1e-5  # of the published code


def _swin(
    who,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="swin",
    preprocessing=False,
    blocks=(2, 2, 6, 2),
    channels=96,
    heads=(3, 6, 12, 24),
    window_size=7,
    drop_rate=0.0,
):
    """Builds a Swin transformer.

    Args:
        input_shape: (height, width, channels), at least 4x4. Default: (224, 224, 3). Weights are for any size; zeros
            fill up maps that windows do not fill.
        classes: number of classes.
        include_top: whether the classifier follows the last block.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to mean 0 and deviation 1 of
            ImageNet's colours; else they are expected so.
        blocks: of each stage.
        channels: of the first stage; each has twice those of the one before.
        heads: of the attention, one number a stage, each a divisor of the stage's channels.
        window_size: places of a window in height and width.
        drop_rate: share of images for which training leaves the last block out, within [0, 1); those before it less.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Liu et al. 2021, Swin transformer: Hierarchical vision transformer using shifted windows, arXiv:2103.14030,
    section 3 and table 7.
    """
    _checks.positive_int(who, "channels", channels)
    _checks.positive_int(who, "window_size", window_size)
    _checks.rate(who, "drop_rate", drop_rate)
    blocks, heads = _tokens.paired(who, blocks=blocks, heads=heads)
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
    for stage, (count, of_stage) in enumerate(zip(blocks, heads, strict=True), start=1):
        if stage > 1:
            x = _tokens.merge_patches(x, 2 * x.shape[-1], EPSILON, f"merge{stage - 1}")
        for block in range(1, count + 1):
            # Every second block's windows are shifted by half of one.
            shift = 0 if block % 2 else window_size // 2
            parts = {
                "attention": partial(_attention, heads=of_stage, window_size=window_size, shift_size=shift),
                "mlp": partial(_tokens.mlp, units=EXPANSION * x.shape[-1]),
            }
            rate = next(rates)
            for part, mix in parts.items():
                place = f"stage{stage}_block{block}_{part}"
                x = _tokens.branch(x, _tokens.layer_norm(f"{place}_norm", EPSILON), mix, rate, place)
    x = _tokens.layer_norm(f"stage{len(blocks)}_norm", EPSILON)(x)
    x = _blocks.top(
        x,
        include_top=include_top,
        classes=classes,
        classifier_activation=classifier_activation,
        pooling=pooling,
    )
    return _blocks.model(who, inputs, x, weights=weights, name=name)


def _attention(x, heads, window_size, shift_size, name):
    return WindowAttention(heads, window_size, shift_size, name=name)(x)


# arXiv:2103.14030, section 3.3: channels, blocks, and heads of 32 channels each.
_TABLE = {
    "T": (96, (2, 2, 6, 2)),
    "S": (96, (2, 2, 18, 2)),
    "B": (128, (2, 2, 18, 2)),
    "L": (192, (2, 2, 18, 2)),
}
SwinT, SwinS, SwinB, SwinL = (
    variant(
        _swin,
        f"Swin{size}",
        summary=f"Builds Swin-{size}.",
        name=f"swin_{size.lower()}",
        channels=channels,
        blocks=blocks,
        heads=tuple(channels // 32 * 2**stage for stage in range(4)),
    )
    for size, (channels, blocks) in _TABLE.items()
)


def _spec(builder, parameters, multiply_adds, top1, source):
    return Spec(
        name=builder.__name__.replace("Swin", "swin_").lower(),
        builder=builder,
        paper="Liu et al.: Swin transformer: Hierarchical vision transformer using shifted windows",
        year=2021,
        url="https://arxiv.org/abs/2103.14030",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, parameters, parameters, multiply_adds, top1, source),),
    )


_TORCHVISION = "torchvision.models, IMAGENET1K_V1"
SPECS = (
    _spec(SwinT, 28_288_354, 4_490_566_656, 81.474, _TORCHVISION),
    _spec(SwinS, 49_606_258, 8_740_875_264, 83.196, _TORCHVISION),
    _spec(SwinB, 87_768_224, 15_430_946_816, 83.582, _TORCHVISION),
    _spec(SwinL, 196_532_476, 34_475_759_616, 86.3, "arXiv:2103.14030, table 1, with ImageNet-22K"),
)
