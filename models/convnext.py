"""ConvNeXt: ResNet after the manners of transformers: large depthwise kernels, one normalization and GELU a block."""

from functools import partial

from keras import layers

from keraslayers import _checks
from keraslayers.affine import LayerScale
from keraslayers.models import _blocks, _tokens
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
PATCH = 4
KERNEL = 7
EXPANSION = 4  # hidden units for each channel


def _convnext(
    who,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="convnext",
    preprocessing=False,
    blocks=(3, 3, 9, 3),
    channels=(96, 192, 384, 768),
    initial_scale=1e-6,
    drop_rate=0.0,
):
    """Builds a ConvNeXt.

    Weights of keras.applications.ConvNeXtTiny, torchvision's and timm's give the same outputs here; the first has
    the channels of depthwise kernels last, (7, 7, 1, channels).

    Args:
        input_shape: (height, width, channels); height and width may be None, and are at least 4 pixels, doubled with
            each stage after the first. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the classifier follows the last block.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to mean 0 and deviation 1 of
            ImageNet's colours; else they are expected so.
        blocks: of each stage.
        channels: of each stage.
        initial_scale: what each branch is multiplied with when training begins.
        drop_rate: share of images for which training leaves the last block out, within [0, 1); those before it less.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Liu et al. 2022, A ConvNet for the 2020s, arXiv:2201.03545, figure 4, table 9.
    """
    blocks, channels = _tokens.paired(who, blocks=blocks, channels=channels)
    _checks.number(who, "initial_scale", initial_scale)
    _checks.rate(who, "drop_rate", drop_rate)
    inputs = _blocks.image_input(
        who,
        INPUT_SHAPE if input_shape is None else input_shape,
        smallest=PATCH * 2 ** (len(blocks) - 1),
        classes=classes,
        pooling=pooling,
        weights=weights,
    )
    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.IMAGENET)
    rates = iter(_tokens.drop_rates(drop_rate, sum(blocks)))
    for stage, (count, filters) in enumerate(zip(blocks, channels, strict=True), start=1):
        if stage == 1:
            x = layers.Conv2D(filters, PATCH, strides=PATCH, name="stem")(x)
            x = _tokens.layer_norm("stem_norm")(x)
        else:
            x = _tokens.layer_norm(f"stage{stage}_down_norm")(x)
            x = layers.Conv2D(filters, 2, strides=2, name=f"stage{stage}_down")(x)
        mix = partial(_block, initial_scale=initial_scale)
        for block in range(1, count + 1):
            x = _tokens.branch(x, None, mix, next(rates), f"stage{stage}_block{block}")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = _tokens.layer_norm("head_norm")(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = _blocks.pool(x, pooling)
    return _blocks.model(who, inputs, x, weights=weights, name=name)


def _block(x, initial_scale, name):
    """Figure 4, right: places are mixed channel by channel, then channels place by place."""
    units = EXPANSION * x.shape[-1]
    x = layers.DepthwiseConv2D(KERNEL, padding="same", name=f"{name}_depthwise")(x)
    x = _tokens.layer_norm(f"{name}_norm")(x)
    x = _tokens.mlp(x, units, name=name)
    return LayerScale(initial_scale, name=f"{name}_scale")(x)


# Blocks and channels: arXiv:2201.03545, section 3 (T); github.com/huggingface/pytorch-image-models (the others).
_TABLE = {
    "Atto": ((2, 2, 6, 2), (40, 80, 160, 320)),
    "Femto": ((2, 2, 6, 2), (48, 96, 192, 384)),
    "Pico": ((2, 2, 6, 2), (64, 128, 256, 512)),
    "Nano": ((2, 2, 8, 2), (80, 160, 320, 640)),
    "Tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
}
ConvNeXtAtto, ConvNeXtFemto, ConvNeXtPico, ConvNeXtNano, ConvNeXtTiny = (
    variant(
        _convnext,
        f"ConvNeXt{size}",
        summary=f"Builds ConvNeXt-{size}.",
        name=f"convnext_{size.lower()}",
        blocks=blocks,
        channels=channels,
    )
    for size, (blocks, channels) in _TABLE.items()
)


def _spec(builder, *numbers, source="github.com/huggingface/pytorch-image-models"):
    return Spec(
        name=builder.__name__.lower().replace("next", "next_"),
        builder=builder,
        paper="Liu, Mao, Wu, Feichtenhofer, Darrell, Xie: A ConvNet for the 2020s",
        year=2022,
        url="https://arxiv.org/abs/2201.03545",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, *numbers, source),),
    )


SPECS = (
    _spec(ConvNeXtAtto, 3_695_520, 3_695_520, 547_332_480, None),
    _spec(ConvNeXtFemto, 5_217_784, 5_217_784, 779_629_824, None),
    _spec(ConvNeXtPico, 9_045_672, 9_045_672, 1_367_055_360, None),
    _spec(ConvNeXtNano, 15_593_560, 15_593_560, 2_445_528_320, None),
    _spec(ConvNeXtTiny, 28_589_128, 28_589_128, 4_455_531_264, 82.1, source="arXiv:2201.03545, table 1"),
)
