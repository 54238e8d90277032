"""ViT: an image as a text of patches, read by the encoder of a transformer."""

from functools import partial

from keras import layers

from keraslayers import _checks
from keraslayers.class_token import ClassToken
from keraslayers.learned_positions import LearnedPositions
from keraslayers.models import _blocks, _tokens
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
EXPANSION = 4  # hidden units for each channel


def _vit(
    who,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="vit",
    preprocessing=False,
    patch_size=16,
    blocks=12,
    channels=192,
    heads=3,
    approximate=False,
    dropout_rate=0.0,
    drop_rate=0.0,
):
    """Builds a vision transformer.

    Args:
        input_shape: (height, width, channels), multiples of `patch_size`. Default: (224, 224, 3). Weights that were
            learnt on square images of another size are taken, too: their positions are resized.
        classes: number of classes.
        include_top: whether the classifier follows the last block; it reads the class token.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps, of the patches), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to [-1, 1]; else they are expected
            so.
        patch_size: pixels of a patch in height and width.
        blocks: how many.
        channels: of a patch; a multiple of `heads`.
        heads: of the attention.
        approximate: whether GELU is computed by tanh, as in JAX, where the published weights were trained; PyTorch's
            copies compute it exactly.
        dropout_rate: share of features dropped in training behind positions, attention and each Dense of a block,
            within [0, 1).
        drop_rate: share of images for which training leaves the last block out, within [0, 1); those before it less.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Dosovitskiy et al. 2020, An image is worth 16x16 words, arXiv:2010.11929, table 1; Ti and S: Touvron et al.
    2020, arXiv:2012.12877, table 1.
    """
    sizes = {"patch_size": patch_size, "blocks": blocks, "channels": channels, "heads": heads}
    for argument, value in sizes.items():
        _checks.positive_int(who, argument, value)
    if channels % heads:
        raise ValueError(f"`{who}`: `heads` must divide `channels`; got heads={heads} for {channels} channels.")
    _checks.rate(who, "dropout_rate", dropout_rate)
    _checks.rate(who, "drop_rate", drop_rate)
    shape = INPUT_SHAPE if input_shape is None else input_shape
    inputs = _tokens.image_of_patches(who, shape, patch_size, classes=classes, pooling=pooling, weights=weights)

    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.ONE_TO_ONE)
    x = _tokens.embed(x, channels, patch_size)
    maps = x.shape[1:]
    x = _tokens.to_tokens(x)
    x = ClassToken(name="class_token")(x)
    x = LearnedPositions(maps[:2], prefix=1, name="positions")(x)
    if dropout_rate:
        x = layers.Dropout(dropout_rate, name="positions_dropout")(x)
    parts = {
        "attention": partial(_attention, heads=heads, dropout_rate=dropout_rate),
        "mlp": partial(_tokens.mlp, units=EXPANSION * channels, approximate=approximate, dropout_rate=dropout_rate),
    }
    for block, rate in enumerate(_tokens.drop_rates(drop_rate, blocks), start=1):
        for part, mix in parts.items():
            place = f"stage1_block{block}_{part}"
            x = _tokens.branch(x, _tokens.layer_norm(f"{place}_norm"), mix, rate, place)
    x = _tokens.layer_norm("stage1_norm")(x)
    if include_top:
        x = layers.Cropping1D((0, maps[0] * maps[1]), name="class")(x)  # a slice that keeps its axis, for the GPU
        x = layers.Flatten(name="class_features")(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = layers.Cropping1D((1, 0), name="stage1_patches")(x)
        x = _blocks.pool(layers.Reshape(maps, name="stage1_maps")(x), pooling)
    return _blocks.model(who, inputs, x, weights=weights, name=name)


def _attention(x, heads, dropout_rate, name):
    attention = layers.MultiHeadAttention(heads, x.shape[-1] // heads, name=name)
    x = attention(x, x)
    return layers.Dropout(dropout_rate, name=f"{name}_dropout")(x) if dropout_rate else x


# arXiv:2012.12877, table 1 (Ti, S); arXiv:2010.11929, table 1 (B, L): blocks, channels, heads.
_ARGUMENTS = ("blocks", "channels", "heads")
_TABLE = {"Ti": (12, 192, 3), "S": (12, 384, 6), "B": (12, 768, 12), "L": (24, 1024, 16)}
ViTTi16, ViTS16, ViTS32, ViTB16, ViTB32, ViTL16, ViTL32 = (
    variant(
        _vit,
        f"ViT{size}{patch_size}",
        summary=f"Builds ViT-{size}/{patch_size}.",
        name=f"vit_{size.lower()}{patch_size}",
        patch_size=patch_size,
        **dict(zip(_ARGUMENTS, _TABLE[size], strict=True)),
    )
    for size, patch_size in (("Ti", 16), ("S", 16), ("S", 32), ("B", 16), ("B", 32), ("L", 16), ("L", 32))
)


def _spec(builder, parameters, multiply_adds, top1=None, source="arXiv:2012.12877, table 1"):
    return Spec(
        name=builder.__name__.replace("ViT", "vit_").lower(),
        builder=builder,
        paper="Dosovitskiy et al.: An image is worth 16x16 words: Transformers for image recognition at scale",
        year=2020,
        url="https://arxiv.org/abs/2010.11929",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, parameters, parameters, multiply_adds, top1, source),),
    )


_TORCHVISION = "torchvision.models, IMAGENET1K_V1"
SPECS = (
    _spec(ViTTi16, 5_717_416, 1_253_683_200, 72.2),
    _spec(ViTS16, 22_050_664, 4_598_882_304, 79.8),
    _spec(ViTS32, 22_878_952, 1_142_909_952, source="arXiv:2106.10270, table 2"),
    _spec(ViTB16, 86_567_656, 17_563_828_224, 81.072, _TORCHVISION),
    _spec(ViTB32, 88_224_232, 4_409_186_304, 75.912, _TORCHVISION),
    _spec(ViTL16, 304_326_632, 61_554_712_576, 79.662, _TORCHVISION),
    _spec(ViTL32, 306_535_400, 15_377_539_072, 76.972, _TORCHVISION),
)
