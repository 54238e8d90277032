"""The names in timm's state dicts, and in those of the lineage that it comes from."""

from keraslayers.models.weights.names import Source, chain, normalized, table

PLAIN = (("symmetric", 1e-5),)
# Networks of TensorFlow, tf_* in timm, have the names of those that were trained in PyTorch.
EITHER = (("symmetric", 1e-5), ("same", 1e-3))


def source(begins, pairs, fits=PLAIN, **more):
    return Source("timm", begins, pairs, fits, **more)


_GATES = {"squeeze_excite": ("se.conv_reduce", "se.conv_expand")}
_BLOCKS = (
    {**normalized(expand=("conv_pw", "bn1"), depthwise=("conv_dw", "bn2"), project=("conv_pwl", "bn3")), **_GATES},
    {**normalized(depthwise=("conv_dw", "bn1"), project=("conv_pw", "bn2")), **_GATES},
    {**normalized(depthwise=("conv_dw", "bn1"), pointwise=("conv_pw", "bn2")), **_GATES},
    normalized(expand=("conv_exp", "bn1"), project=("conv_pwl", "bn2")),
    normalized(**{"": ("conv", "bn1")}),
)
_UNITS = r"blocks\.\d+\.\d+"
_STEM = normalized(stem=("conv_stem", "bn1"))

# MobileNetV2, EfficientNet, MnasNet: what timm builds out of a table.
MOBILE = source(
    "conv_stem",
    table({**_STEM, **normalized(head=("conv_head", "bn2")), "predictions": "classifier"}, _UNITS, *_BLOCKS),
    EITHER,
)
PP_LCNET = source("conv_stem", table({**_STEM, "features": "conv_head", "predictions": "classifier"}, _UNITS, *_BLOCKS))


def mobilenet_v3(head):
    """`head` is the block of the last convolution, which has a name of a unit there."""
    outside = {**_STEM, **normalized(head=(f"{head}.conv", f"{head}.bn1"))}
    return source(
        "conv_stem",
        table({**outside, "features": "conv_head", "logits": "classifier"}, _UNITS, *_BLOCKS),
        EITHER,
    )


GHOSTNET = source(
    "blocks.0.0.ghost1",
    table(
        {
            **_STEM,
            **normalized(head=("blocks.9.0.conv", "blocks.9.0.bn1")),
            "features": "conv_head",
            "predictions": "classifier",
        },
        _UNITS,
        {
            **normalized(
                expand=("ghost1.primary_conv.0", "ghost1.primary_conv.1"),
                expand_cheap=("ghost1.cheap_operation.0", "ghost1.cheap_operation.1"),
                project=("ghost2.primary_conv.0", "ghost2.primary_conv.1"),
                project_cheap=("ghost2.cheap_operation.0", "ghost2.cheap_operation.1"),
                attention=("ghost1.short_conv.0", "ghost1.short_conv.1"),
                attention_row=("ghost1.short_conv.2", "ghost1.short_conv.3"),
                attention_column=("ghost1.short_conv.4", "ghost1.short_conv.5"),
                depthwise=("conv_dw", "bn_dw"),
                shortcut_depthwise=("shortcut.0", "shortcut.1"),
                shortcut_project=("shortcut.2", "shortcut.3"),
            ),
            **_GATES,
        },
    ),
)

MOBILENET_V4 = source(
    "conv_stem",
    table(
        {
            **_STEM,
            **normalized(head=("blocks.4.0.conv", "blocks.4.0.bn1"), features=("conv_head", "norm_head")),
            "predictions": "classifier",
        },
        _UNITS,
        *_BLOCKS[-2:],
        {
            **normalized(
                start=("dw_start.conv", "dw_start.bn"),
                expand=("pw_exp.conv", "pw_exp.bn"),
                depthwise=("dw_mid.conv", "dw_mid.bn"),
                project=("pw_proj.conv", "pw_proj.bn"),
            ),
            "scale": "layer_scale.gamma",
        },
        {
            "bn": "norm",
            "query": "attn.query.proj",
            "key": "attn.key.proj",
            "value": "attn.value.proj",
            "project": "attn.output.proj",
            "scale": "layer_scale.gamma",
            **normalized(
                key_down=("attn.key.down_conv", "attn.key.norm"), value_down=("attn.value.down_conv", "attn.value.norm")
            ),
        },
    ),
)

# Of those who ported EfficientNet-Lite first, and EfficientNet before: its names have an underscore in front.
EFFICIENTNET_PYTORCH = Source(
    "efficientnet_pytorch",
    "_conv_stem",
    table(
        {**normalized(stem=("_conv_stem", "_bn0"), head=("_conv_head", "_bn1")), "predictions": "_fc"},
        r"_blocks\.\d+",
        {
            **normalized(
                expand=("_expand_conv", "_bn0"),
                depthwise=("_depthwise_conv", "_bn1"),
                project=("_project_conv", "_bn2"),
            ),
            "squeeze_excite": ("_se_reduce", "_se_expand"),
        },
    ),
    (("same", 1e-3),),
)

REGNET = source(
    "s1.b1",
    table(
        {**normalized(stem=("stem.conv", "stem.bn")), "predictions": "head.fc"},
        r"s\d+\.b\d+",
        {
            **normalized(
                reduce=("conv1.conv", "conv1.bn"),
                conv=("conv2.conv", "conv2.bn"),
                expand=("conv3.conv", "conv3.bn"),
                shortcut=("downsample.conv", "downsample.bn"),
            ),
            "squeeze_excite": ("se.fc1", "se.fc2"),
        },
    ),
)


def branches(name, at):
    """A block of RepVGG, MobileOne or FastViT: convolutions side by side."""
    prefix = f"{name}_" if name else ""
    copies = {
        f"{prefix}branch{copy}": (f"{at}conv_kxk.{copy - 1}.conv", f"{at}conv_kxk.{copy - 1}.bn")
        for copy in range(2, 5)
    }
    return {
        **normalized(**{name: (f"{at}conv_kxk.0.conv", f"{at}conv_kxk.0.bn")}, **copies),
        **normalized(**{f"{prefix}scale": (f"{at}conv_scale.conv", f"{at}conv_scale.bn")}),
        f"{prefix}skip_bn": f"{at}identity",
        f"{prefix}squeeze_excite": (f"{at}attn.fc1", f"{at}attn.fc2"),
    }


# RepVGG has one large convolution, and no number behind its name.
REPVGG = source(
    "stages.0.0.conv_1x1",
    table({**branches("stem", "stem."), "predictions": "head.fc"}, r"stages\.\d+\.\d+", branches("", "")),
    renames=((r"conv_1x1", "conv_scale"), (r"conv_kxk\.(?=conv|bn)", "conv_kxk.0.")),
)
# A unit of MobileOne is two of them.
MOBILEONE = source(
    "stages.0.0.conv_kxk.0",
    table(
        {**branches("stem", "stem."), "predictions": "head.fc"},
        r"stages\.\d+\.\d+",
        {**branches("depthwise", "first."), **branches("pointwise", "second.")},
    ),
    renames=(
        (
            r"^stages\.(\d+)\.(\d+)",
            lambda found: f"stages.{found[1]}.{int(found[2]) // 2}.{('first', 'second')[int(found[2]) % 2]}",
        ),
    ),
)

VGG = source("pre_logits.fc1", chain(r"features\.\d+", r"pre_logits\.fc\d", r"head\.fc"), ((None, 1e-5),))

CONVNEXT = source(
    "stages.0.blocks",
    table(
        {
            "stem": "stem.0", "stem_norm": "stem.1", "head_norm": "head.norm", "predictions": "head.fc",
            **{f"stage{n}_down_norm": f"stages.{n - 1}.downsample.0" for n in (2, 3, 4)},
            **{f"stage{n}_down": f"stages.{n - 1}.downsample.1" for n in (2, 3, 4)},
        },
        r"stages\.\d+\.blocks\.\d+",
        {"depthwise": "conv_dw", "norm": "norm", "expand": "mlp.fc1", "project": "mlp.fc2", "scale": "gamma"},
    ),
    ((None, None),),
)  # fmt: skip

MLP = {"mlp_norm": "norm2", "mlp_expand": "mlp.fc1", "mlp_project": "mlp.fc2"}
VIT = source(
    "patch_embed.proj",
    table(
        {
            "patches": "patch_embed.proj", "class_token": "cls_token", "positions": "pos_embed", "stage1_norm": "norm",
            "predictions": "head",
        },
        r"blocks\.\d+",
        {"attention_norm": "norm1", "attention": ("attn.qkv", "attn.proj"), **MLP},
    ),
    ((None, None),),
)  # fmt: skip
SWIN = source(
    "layers.0.blocks",
    table(
        {
            "patches": "patch_embed.proj", "patches_norm": "patch_embed.norm", "stage4_norm": "norm",
            "predictions": "head.fc",
            **{f"merge{n}_norm": f"layers.{n}.downsample.norm" for n in (1, 2, 3)},
            **{f"merge{n}": f"layers.{n}.downsample.reduction" for n in (1, 2, 3)},
        },
        r"layers\.\d+\.blocks\.\d+",
        {
            "attention_norm": "norm1", **MLP,
            "attention": ("attn.relative_position_bias_table", "attn.qkv", "attn.proj"),
        },
    ),
    ((None, None),),
)  # fmt: skip

_PATCHES = {"patches": "stem.proj", "predictions": "head"}
MIXER = source(
    "blocks.0.mlp_tokens",
    table(
        {**_PATCHES, "stage1_norm": "norm"},
        r"blocks\.\d+",
        {
            **{f"tokens_{ours}": theirs for ours, theirs in
               (("norm", "norm1"), ("expand", "mlp_tokens.fc1"), ("project", "mlp_tokens.fc2"))},
            **{f"channels_{ours}": theirs for ours, theirs in
               (("norm", "norm2"), ("expand", "mlp_channels.fc1"), ("project", "mlp_channels.fc2"))},
        },
    ),
    ((None, None),),
)  # fmt: skip
RESMLP = source(
    "blocks.0.linear_tokens",
    table(
        {**_PATCHES, "stage1_affine": "norm"},
        r"blocks\.\d+",
        {
            "tokens_affine": "norm1", "tokens": "linear_tokens", "tokens_scale": "ls1", "channels_affine": "norm2",
            "channels_expand": "mlp_channels.fc1", "channels_project": "mlp_channels.fc2", "channels_scale": "ls2",
        },
    ),
    ((None, None),),
)  # fmt: skip
