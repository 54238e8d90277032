"""MobileNetV4: inverted residuals with depthwise convolutions before, between or nowhere, and attention of one key."""

from keras import layers

from keraslayers import _checks
from keraslayers.affine import LayerScale
from keraslayers.models import _blocks
from keraslayers.models._mobile import framed, thinned
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

HEAD, FEATURES = 960, 1280  # the rows behind the last stage of every table
KEY = 64  # values of a key, of a query and of a value of the attention
SMALLEST = 33  # leaves more than one place to attend to

# Rows of the tables, a tuple a stage; each stage begins with stride 2. Behind the name of the block its filters, then
#   conv:   kernel;
#   fused:  expansion. FusedIB: one 3x3 convolution expands;
#   uib:    kernel of the depthwise convolution before the expansion, of that behind it, expansion. 0 is none. Both:
#           ExtraDW; the second alone: IB; the first alone: ConvNext; none: FFN;
#   mqa:    heads, stride of the keys and values.
CONV_S = (  # arXiv:2404.10518, appendix D
    (("conv", 32, 3), ("conv", 32, 1)),
    (("conv", 96, 3), ("conv", 64, 1)),
    (("uib", 96, 5, 5, 3), *[("uib", 96, 0, 3, 2)] * 4, ("uib", 96, 3, 0, 4)),
    (
        ("uib", 128, 3, 3, 6),
        ("uib", 128, 5, 5, 4),
        ("uib", 128, 0, 5, 4),
        ("uib", 128, 0, 5, 3),
        ("uib", 128, 0, 3, 4),
        ("uib", 128, 0, 3, 4),
    ),
)
CONV_M = (
    (("fused", 48, 4),),
    (("uib", 80, 3, 5, 4), ("uib", 80, 3, 3, 2)),
    (
        ("uib", 160, 3, 5, 6),
        ("uib", 160, 3, 3, 4),
        ("uib", 160, 3, 3, 4),
        ("uib", 160, 3, 5, 4),
        ("uib", 160, 3, 3, 4),
        ("uib", 160, 3, 0, 4),
        ("uib", 160, 0, 0, 2),
        ("uib", 160, 3, 0, 4),
    ),
    (
        ("uib", 256, 5, 5, 6),
        ("uib", 256, 5, 5, 4),
        ("uib", 256, 3, 5, 4),
        ("uib", 256, 3, 5, 4),
        ("uib", 256, 0, 0, 4),
        ("uib", 256, 3, 0, 4),
        ("uib", 256, 3, 5, 2),
        ("uib", 256, 5, 5, 4),
        ("uib", 256, 0, 0, 4),
        ("uib", 256, 0, 0, 4),
        ("uib", 256, 5, 0, 2),
    ),
)
CONV_L = (
    (("fused", 48, 4),),
    (("uib", 96, 3, 5, 4), ("uib", 96, 3, 3, 4)),
    (
        ("uib", 192, 3, 5, 4),
        *[("uib", 192, 3, 3, 4)] * 3,
        ("uib", 192, 3, 5, 4),
        *[("uib", 192, 5, 3, 4)] * 5,
        ("uib", 192, 3, 0, 4),
    ),
    (
        *[("uib", 512, 5, 5, 4)] * 4,
        ("uib", 512, 5, 0, 4),
        ("uib", 512, 5, 3, 4),
        *[("uib", 512, 5, 0, 4)] * 2,
        ("uib", 512, 5, 3, 4),
        ("uib", 512, 5, 5, 4),
        *[("uib", 512, 5, 0, 4)] * 3,
    ),
)
HYBRID_M = (
    (("fused", 48, 4),),
    (("uib", 80, 3, 5, 4), ("uib", 80, 3, 3, 2)),
    (
        ("uib", 160, 3, 5, 6),
        ("uib", 160, 0, 0, 2),
        ("uib", 160, 3, 3, 4),
        ("uib", 160, 3, 5, 4),
        ("mqa", 160, 4, 2),
        ("uib", 160, 3, 3, 4),
        ("mqa", 160, 4, 2),
        ("uib", 160, 3, 0, 4),
        ("mqa", 160, 4, 2),
        ("uib", 160, 3, 3, 4),
        ("mqa", 160, 4, 2),
        ("uib", 160, 3, 0, 4),
    ),
    (
        ("uib", 256, 5, 5, 6),
        ("uib", 256, 5, 5, 4),
        ("uib", 256, 3, 5, 4),
        ("uib", 256, 3, 5, 4),
        ("uib", 256, 0, 0, 2),
        ("uib", 256, 3, 5, 2),
        ("uib", 256, 0, 0, 2),
        ("uib", 256, 0, 0, 4),
        ("mqa", 256, 4, 1),
        ("uib", 256, 3, 0, 4),
        ("mqa", 256, 4, 1),
        ("uib", 256, 5, 5, 4),
        ("mqa", 256, 4, 1),
        ("uib", 256, 5, 0, 4),
        ("mqa", 256, 4, 1),
        ("uib", 256, 5, 0, 4),
    ),
)


@framed
def _mobilenet_v4(
    frame,
    stages,
    stem,
    side,
    *,
    alpha=1.0,
    depth=1.0,
    initial_scale=1e-5,
    dropout_rate=0.2,
):
    """Builds MobileNetV4.

    padding="symmetric" with bn_epsilon=1e-5 builds timm's, whose weights give the same outputs here.

    Args:
        input_shape: (height, width, channels); height and width may be None where nothing attends, else they must be
            known, and 33 at least. Default: 3 channels of the size that the variant was published with.
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        alpha: width multiplier; below 1 the first convolution keeps its width.
        depth: share of the units of each stage that is built, within (0, 1]; they are spread over the stage, the first
            is among them.
        initial_scale: what each branch of a hybrid network is multiplied with when training begins.
        dropout_rate: share of features dropped in training before the output, within [0, 1).

    Source: Qin et al. 2024, MobileNetV4: Universal models for the mobile ecosystem, arXiv:2404.10518, sections 4 and 5,
    appendix D.
    """
    alpha = _checks.number(frame.who, "alpha", alpha, above=0)
    depth = _checks.fraction(frame.who, "depth", depth)
    initial_scale = _checks.number(frame.who, "initial_scale", initial_scale)
    dropout_rate = _checks.rate(frame.who, "dropout_rate", dropout_rate)
    common = frame.common(0.99)
    attends = any(row[0] == "mqa" for rows in stages for row in rows)

    inputs, x = frame.enter(
        (side, side, 3), _blocks.IMAGENET, smallest=SMALLEST if attends else 1, open_size=not attends
    )
    stem = stem if alpha < 1 else _blocks.make_divisible(stem * alpha)
    x = _blocks.conv_bn_act(x, stem, 3, strides=2, activation="relu", name="stem", **common)
    for stage, rows in enumerate(stages, start=1):
        for unit, (block, filters, *numbers) in enumerate(thinned(rows, depth), start=1):
            place, strides = f"stage{stage}_unit{unit}", 2 if unit == 1 else 1
            if block != "mqa":
                numbers += [_blocks.make_divisible(filters * alpha), strides]
            x = BLOCKS[block](x, *numbers, scale=initial_scale if attends else None, common=common, name=place)
    x = _blocks.conv_bn_act(x, _blocks.make_divisible(HEAD * alpha), 1, activation="relu", name="head", **common)
    if not frame.include_top:
        return frame.leave(inputs, x)

    x = layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)
    x = _blocks.conv_bn_act(x, FEATURES, 1, activation="relu", name="features", **common)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    x = layers.Dense(frame.classes, activation=frame.classifier_activation, name="predictions")(x)
    return frame.model(inputs, x)


def _conv(x, kernel_size, filters, strides, *, scale, common, name):
    return _blocks.conv_bn_act(x, filters, kernel_size, strides=strides, activation="relu", name=name, **common)


def _fused(x, expansion, filters, strides, *, scale, common, name):
    expanded = _blocks.make_divisible(expansion * x.shape[-1])
    return _blocks.fused_residual(x, expanded, filters, 3, strides=strides, activation="relu", name=name, **common)


def _uib(x, before, between, expansion, filters, strides, *, scale, common, name):
    """Figure 4, the universal inverted bottleneck; the second depthwise convolution strides where there are two."""
    shortcut = x
    if before:
        step = 1 if between else strides
        x = _blocks.depthwise_bn_act(x, before, strides=step, name=f"{name}_start", **common)
    expanded = _blocks.make_divisible(expansion * shortcut.shape[-1])
    x = _blocks.conv_bn_act(x, expanded, 1, activation="relu", name=f"{name}_expand", **common)
    if between:
        x = _blocks.depthwise_bn_act(x, between, strides=strides, activation="relu", name=f"{name}_depthwise", **common)
    x = _blocks.conv_bn_act(x, filters, 1, name=f"{name}_project", **common)
    if scale is not None:
        x = LayerScale(scale, name=f"{name}_scale")(x)
    return _blocks.add_where_alike(shortcut, x, strides, 0.0, name)


def _mqa(x, heads, stride, *, scale, common, name):
    """Equation 1: attention whose heads share keys and values, of which a stride leaves fewer."""
    shortcut, channels = x, x.shape[-1]
    x = _blocks.bn_act(x, None, common["norm"], name)
    query = layers.Conv2D(heads * KEY, 1, use_bias=False, name=f"{name}_query")(x)
    height, width = query.shape[1:3]
    # The heads of a place one behind the other: to them the keys are the same.
    query = layers.Reshape((height * width * heads, KEY), name=f"{name}_query_tokens")(query)
    query = layers.Rescaling(KEY**-0.5, name=f"{name}_query_scale")(query)
    pair = []
    for part in ("key", "value"):
        y = x
        if stride > 1:
            y = _blocks.depthwise_bn_act(y, 3, strides=stride, name=f"{name}_{part}_down", **common)
        y = layers.Conv2D(KEY, 1, use_bias=False, name=f"{name}_{part}")(y)
        pair.append(layers.Reshape((y.shape[1] * y.shape[2], KEY), name=f"{name}_{part}_tokens")(y))
    key, value = pair
    x = layers.Attention(name=name)([query, value, key])
    x = layers.Reshape((height, width, heads * KEY), name=f"{name}_maps")(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")(x)
    x = LayerScale(scale, name=f"{name}_scale")(x)
    return layers.Add(name=f"{name}_add")([shortcut, x])


BLOCKS = {"conv": _conv, "fused": _fused, "uib": _uib, "mqa": _mqa}

# Channels of the stem, side of the images: arXiv:2404.10518, appendix D and section 6.1.
_TABLE = {"ConvS": (CONV_S, 32, 224), "ConvM": (CONV_M, 32, 256), "ConvL": (CONV_L, 24, 384)}
_TABLE["HybridM"] = (HYBRID_M, 32, 256)
MobileNetV4ConvS, MobileNetV4ConvM, MobileNetV4ConvL, MobileNetV4HybridM = (
    variant(
        _mobilenet_v4,
        f"MobileNetV4{name}",
        *rows,
        summary=f"Builds MobileNetV4-{name[:-1]}-{name[-1]}, for images of {rows[-1]}x{rows[-1]}.",
        name=f"mobilenet_v4_{name[:-1].lower()}_{name[-1].lower()}",
    )
    for name, rows in _TABLE.items()
)


def _spec(builder, side, reference):
    return Spec(
        name=builder.__name__.lower().replace("v4conv", "_v4_conv_").replace("v4hybrid", "_v4_hybrid_"),
        builder=builder,
        paper="Qin, Leichner, Delakis et al.: MobileNetV4: Universal models for the mobile ecosystem",
        year=2024,
        url="https://arxiv.org/abs/2404.10518",
        input_shape=(side, side, 3),
        references=(Reference({}, *reference, "arXiv:2404.10518, section 6.1"),),
    )


SPECS = (
    _spec(MobileNetV4ConvS, 224, (3_774_024, 3_799_112, 186_005_568, 73.8)),
    _spec(MobileNetV4ConvM, 256, (9_715_512, 9_783_416, 1_080_244_224, 79.9)),
    _spec(MobileNetV4ConvL, 384, (32_590_864, 32_740_416, 6_376_220_672, 82.9)),
    _spec(MobileNetV4HybridM, 256, (11_074_648, 11_150_488, 1_271_183_360, 80.7)),
)
