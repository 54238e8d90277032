"""ResMLP: one linear map over the places, a small network over the channels, and no normalization by statistics."""

from functools import partial

from keras import layers

from keraslayers import _checks
from keraslayers.affine import Affine, LayerScale
from keraslayers.models import _blocks, _tokens
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
EXPANSION = 4  # hidden units for each channel


def _resmlp(
    who,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="resmlp",
    preprocessing=False,
    patch_size=16,
    blocks=12,
    channels=384,
    initial_scale=0.1,
    drop_rate=0.0,
):
    """Builds a ResMLP.

    Args:
        input_shape: (height, width, channels), multiples of `patch_size`. Default: (224, 224, 3). The weights of a
            network are for one number of patches alone.
        classes: number of classes.
        include_top: whether the classifier follows the last block.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to mean 0 and deviation 1 of
            ImageNet's colours; else they are expected so.
        patch_size: pixels of a patch in height and width.
        blocks: how many.
        channels: of a patch.
        initial_scale: what each branch is multiplied with when training begins: 0.1 in 12 blocks, 1e-5 in 24, 1e-6 in
            36 and more.
        drop_rate: share of images for which training leaves the last block out, within [0, 1); those before it less.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Touvron et al. 2021, ResMLP: Feedforward networks for image classification with data-efficient training,
    arXiv:2105.03404, section 2 and table 1.
    """
    for argument, value in {"patch_size": patch_size, "blocks": blocks, "channels": channels}.items():
        _checks.positive_int(who, argument, value)
    _checks.number(who, "initial_scale", initial_scale)
    _checks.rate(who, "drop_rate", drop_rate)
    shape = INPUT_SHAPE if input_shape is None else input_shape
    inputs = _tokens.image_of_patches(who, shape, patch_size, classes=classes, pooling=pooling, weights=weights)

    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.IMAGENET)
    x = _tokens.embed(x, channels, patch_size)
    maps = x.shape[1:]
    x = _tokens.to_tokens(x)
    parts = {
        "tokens": partial(_tokens.across_tokens, mix=_linear),
        "channels": partial(_tokens.mlp, units=EXPANSION * channels),
    }
    for block, rate in enumerate(_tokens.drop_rates(drop_rate, blocks), start=1):
        for part, mix in parts.items():
            place = f"stage1_block{block}_{part}"
            scaled = partial(_scaled, mix=mix, initial_scale=initial_scale)
            x = _tokens.branch(x, Affine(name=f"{place}_affine"), scaled, rate, place)
    x = Affine(name="stage1_affine")(x)
    x = layers.Reshape(maps, name="stage1_maps")(x)
    x = _blocks.top(
        x,
        include_top=include_top,
        classes=classes,
        classifier_activation=classifier_activation,
        pooling=pooling,
    )
    return _blocks.model(who, inputs, x, weights=weights, name=name)


def _linear(x, name):
    """Each token of as many becomes a sum of all."""
    return layers.Dense(x.shape[-1], name=name)(x)


def _scaled(x, mix, initial_scale, name):
    return LayerScale(initial_scale, name=f"{name}_scale")(mix(x, name=name))


# arXiv:2105.03404, table 1: pixels of a patch, blocks, channels; section 2: the scales.
ResMLP12 = variant(_resmlp, "ResMLP12", summary="Builds ResMLP-S12.", name="resmlp12")
ResMLP24 = variant(_resmlp, "ResMLP24", summary="Builds ResMLP-S24.", name="resmlp24", blocks=24, initial_scale=1e-5)
ResMLP36 = variant(_resmlp, "ResMLP36", summary="Builds ResMLP-S36.", name="resmlp36", blocks=36, initial_scale=1e-6)
ResMLPB24 = variant(
    _resmlp,
    "ResMLPB24",
    summary="Builds ResMLP-B24/8.",
    name="resmlp_b24",
    patch_size=8,
    blocks=24,
    channels=768,
    initial_scale=1e-6,
)


def _spec(name, builder, parameters, multiply_adds, top1):
    return Spec(
        name=name,
        builder=builder,
        paper="Touvron et al.: ResMLP: Feedforward networks for image classification with data-efficient training",
        year=2021,
        url="https://arxiv.org/abs/2105.03404",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, parameters, parameters, multiply_adds, top1, "arXiv:2105.03404, table 1"),),
    )


SPECS = (
    _spec("resmlp12", ResMLP12, 15_350_872, 3_009_739_776, 76.6),
    _spec("resmlp24", ResMLP24, 30_020_680, 5_961_292_800, 79.4),
    _spec("resmlp36", ResMLP36, 44_690_488, 8_912_845_824, 79.7),
    _spec("resmlp_b24", ResMLPB24, 129_138_280, 100_230_739_968, 81.0),
)
