"""MobileViT: MobileNetV2 whose later stages read their maps as transformers do, patch by patch."""

from functools import partial

from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks, _tokens
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant
from keraslayers.resample import Resample2D

INPUT_SHAPE = (256, 256, 3)
PIXELS = (1 / 255, 0.0)  # [0, 1]: the published code
STEM = 16
PATCH = 2  # pixels in height and width, arXiv:2110.02178, section 3.1
HEAD = 4  # channels behind the last stage for each before
HIDDEN = 2  # units of a transformer for each channel
EPSILON = 1e-5  # of layer normalization in the published code


@framed
def _mobilevit(
    frame,
    *,
    expansion=4,
    units=(1, 3, 1, 1, 1),
    channels=(32, 64, 96, 128, 160),
    blocks=(0, 0, 2, 4, 3),
    dims=(0, 0, 144, 192, 240),
    heads=4,
    dropout_rate=0.1,
    drop_rate=0.0,
):
    """Builds MobileViT. With padding="symmetric" and bn_epsilon=1e-5, the defaults here, it is timm's, weights and all.

    Args:
        input_shape: (height, width, channels); height and width must be known, and leave more than a patch, as 65 do.
            Maps of odd sides are resized to even ones and back. Default: (256, 256, 3).
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to [0, 1]; else they are expected so.
        padding: of strided layers: `"symmetric"` as PyTorch and the published weights, or `"same"` as TensorFlow.
        expansion: channels of an inverted residual for each that it is given.
        units: inverted residuals of each stage; the first halves the size, but for the first stage's.
        channels: of each stage.
        blocks: of the transformer behind the inverted residuals of each stage; 0 for none.
        dims: channels of its tokens, a multiple of `heads`; 0 where there is none.
        heads: of the attention.
        dropout_rate: share of features dropped in training before the output, within [0, 1).
        drop_rate: share of images for which training leaves the last block out, within [0, 1); those before it less.

    Source: Mehta and Rastegari 2021, MobileViT: Light-weight, general-purpose, and mobile-friendly vision transformer,
    arXiv:2110.02178, figure 1 (b), table 4.
    """
    who = frame.who
    units, channels = frame.stages(units=units, channels=channels)
    _, blocks, dims = frame.stages(least=0, channels=channels, blocks=blocks, dims=dims)
    expansion, heads = (
        _checks.positive_int(who, argument, value) for argument, value in (("expansion", expansion), ("heads", heads))
    )
    if any((count > 0) != (dim > 0) or dim % heads for count, dim in zip(blocks, dims, strict=True)):
        raise ValueError(
            f"`{who}`: `dims` must be multiples of `heads` where `blocks` are, and 0 where these are; got {dims} for "
            f"{heads} heads and the blocks {blocks}."
        )
    dropout_rate = _checks.rate(who, "dropout_rate", dropout_rate)
    drop_rate = _checks.rate(who, "drop_rate", drop_rate)
    common = {"activation": "silu", **frame.common(0.9)}
    # More than one patch is left where the last transformer stands.
    last = max((stage for stage, depth in enumerate(blocks, start=1) if depth), default=None)
    smallest = 1 if last is None else PATCH * 2**last + 1
    inputs, x = frame.enter(INPUT_SHAPE, PIXELS, smallest=smallest, open_size=last is None)
    x = _blocks.conv_bn_act(x, STEM, 3, strides=2, name="stem", **common)
    rates = iter(_tokens.drop_rates(drop_rate, sum(blocks)))
    for stage, (count, filters, depth, dim) in enumerate(zip(units, channels, blocks, dims, strict=True), start=1):
        for unit in range(1, count + 1):
            expanded = _blocks.make_divisible(expansion * x.shape[-1])
            strides, place = 2 if stage > 1 and unit == 1 else 1, f"stage{stage}_unit{unit}"
            x = _blocks.inverted_residual(x, expanded, filters, 3, strides=strides, name=place, **common)
        if depth:
            x = _attending(x, dim, heads, [next(rates) for _ in range(depth)], common, f"stage{stage}")
    x = _blocks.conv_bn_act(x, HEAD * channels[-1], 1, name="head", **common)
    return frame.leave(inputs, x, dropout_rate)


def _attending(x, dim, heads, rates, common, name):
    """Figure 1 (b), the MobileViT block: a 3x3 convolution sees what is near, a transformer all, another joins both."""
    shortcut, filters = x, x.shape[-1]
    x = _blocks.conv_bn_act(x, filters, 3, name=f"{name}_local", **common)
    x = _blocks.conv(x, dim, 1, name=f"{name}_embed")
    height, width = x.shape[1:3]
    sides = tuple(-(-side // PATCH) * PATCH for side in (height, width))
    x = _resized(x, sides, f"{name}_fill")
    x = _unfold(x, f"{name}_unfold")
    parts = {
        "attention": partial(_attention, heads=heads),
        "mlp": partial(_tokens.mlp, units=HIDDEN * dim, activation="silu"),
    }
    for block, rate in enumerate(rates, start=1):
        for part, mix in parts.items():
            place = f"{name}_block{block}_{part}"
            x = _tokens.branch(x, _tokens.layer_norm(f"{place}_norm", EPSILON), mix, rate, place)
    x = _tokens.layer_norm(f"{name}_norm", EPSILON)(x)
    x = _fold(x, sides, f"{name}_fold")
    x = _resized(x, (height, width), f"{name}_cut")
    x = _blocks.conv_bn_act(x, filters, 1, name=f"{name}_project", **common)
    x = layers.Concatenate(name=f"{name}_concat")([shortcut, x])
    return _blocks.conv_bn_act(x, filters, 3, name=f"{name}_fuse", **common)


def _attention(x, heads, name):
    """Pixels of one place in their patches attend to each other."""
    return layers.MultiHeadAttention(heads, x.shape[-1] // heads, attention_axes=2, name=name)(x, x)


def _unfold(x, name):
    """Maps to (places in a patch, patches, channels); in four axes at most, since GPU runtimes have no more."""
    _, height, width, channels = x.shape
    columns = width // PATCH
    # The column within a patch to the front, then the row.
    for step, shape in ((1, (height * columns, PATCH, channels)), (2, (height, PATCH, columns * channels))):
        x = layers.Reshape(shape, name=f"{name}_reshape{step}")(x)
        x = layers.Permute((2, 1, 3), name=f"{name}_turn{step}")(x)
    return layers.Reshape((PATCH**2, height * columns // PATCH, channels), name=name)(x)


def _fold(x, sides, name):
    """What `_unfold` takes apart."""
    (height, width), channels = sides, x.shape[-1]
    columns = width // PATCH
    for step, shape in ((1, (PATCH, height, columns * channels)), (2, (PATCH, height * columns, channels))):
        x = layers.Reshape(shape, name=f"{name}_reshape{step}")(x)
        x = layers.Permute((2, 1, 3), name=f"{name}_turn{step}")(x)
    return layers.Reshape((height, width, channels), name=name)(x)


def _resized(x, sides, name):
    return x if x.shape[1:3] == sides else Resample2D(size=sides, name=name)(x)


# arXiv:2110.02178, table 4, and section A: expansion, channels of the stages, channels of the tokens.
_TABLE = {
    "XXS": (2, (16, 24, 48, 64, 80), (0, 0, 64, 80, 96)),
    "XS": (4, (32, 48, 64, 80, 96), (0, 0, 96, 120, 144)),
    "S": (4, (32, 64, 96, 128, 160), (0, 0, 144, 192, 240)),
}
MobileViTXXS, MobileViTXS, MobileViTS = (
    variant(
        _mobilevit,
        f"MobileViT{size}",
        summary=f"Builds MobileViT-{size}, for images of 256x256.",
        name=f"mobilevit_{size.lower()}",
        expansion=expansion,
        channels=channels,
        dims=dims,
        padding="symmetric",
        bn_epsilon=1e-5,
    )
    for size, (expansion, channels, dims) in _TABLE.items()
)


def _spec(builder, *numbers):
    return Spec(
        name=builder.__name__.lower().replace("vit", "vit_"),
        builder=builder,
        paper="Mehta, Rastegari: MobileViT: Light-weight, general-purpose, and mobile-friendly vision transformer",
        year=2021,
        url="https://arxiv.org/abs/2110.02178",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, *numbers, "arXiv:2110.02178, table 5"),),
    )


SPECS = (
    _spec(MobileViTXXS, 1_272_024, 1_276_136, 407_364_096, 69.0),
    _spec(MobileViTXS, 2_317_848, 2_326_296, 1_025_911_808, 74.8),
    _spec(MobileViTS, 5_578_632, 5_590_888, 2_000_831_488, 78.4),
)
