"""The names in torchvision's state dicts."""

from keraslayers.models.weights.names import Source, chain, normalized, steps, table, wrapped

PLAIN = (("symmetric", 1e-5),)
TENSORFLOW = (("symmetric", 1e-3),)


def source(begins, pairs, fits=PLAIN, **more):
    return Source("torchvision", begins, pairs, fits, **more)


def version(model):
    """The first paper's form has weights of the same shapes, but strides elsewhere."""
    for layer in model.layers:
        if layer.name.endswith("unit1_reduce") and layer.strides != (1, 1):
            return "version='1.5'"
    return None


# timm has these names, too.
RESNET = source(
    "layer1.0.conv1",
    table(
        {**normalized(stem=("conv1", "bn1")), "predictions": "fc"},
        r"layer\d+\.\d+",
        {
            **normalized(reduce=("conv1", "bn1"), conv=("conv2", "bn2"), expand=("conv3", "bn3")),
            **normalized(conv1=("conv1", "bn1"), conv2=("conv2", "bn2"), shortcut=("downsample.0", "downsample.1")),
        },
    ),
    refuses=version,
)

DENSENET = source(
    "features.denseblock1",
    table(
        {
            **normalized(stem=("features.conv0", "features.norm0")),
            **{f"transition{n}_bn": f"features.transition{n}.norm" for n in (1, 2, 3)},
            **{f"transition{n}_conv": f"features.transition{n}.conv" for n in (1, 2, 3)},
            "head_bn": "features.norm5",
            "predictions": "classifier",
        },
        r"features\.denseblock\d+\.denselayer\d+",
        {"bn": "norm1", "reduce": "conv1", "reduce_bn": "norm2", "conv": "conv2"},
    ),
    # Its published files are older than its code.
    renames=((r"(denselayer\d+\.(?:norm|conv))\.", r"\1"),),
)

ALEXNET = source("features.0", chain(r"features\.\d+", r"classifier\.\d+"), ((None, None),))
VGG = source("classifier.6", chain(r"features\.\d+", r"classifier\.\d+"), ((None, 1e-5),))

SQUEEZENET = source(
    "features.3.squeeze",
    table(
        {"stem_conv": "features.0", "class_maps": "classifier.1"},
        r"features\.\d+(?=\.squeeze)",
        {part: part for part in ("squeeze", "expand1x1", "expand3x3")},
    ),
    ((None, None),),
)

GOOGLENET = source(
    "inception3a",
    table(
        {
            **normalized(
                stem_conv=("conv1.conv", "conv1.bn"),
                stage2_reduce=("conv2.conv", "conv2.bn"),
                stage2_conv=("conv3.conv", "conv3.bn"),
                aux1_conv=("aux1.conv.conv", "aux1.conv.bn"),
                aux2_conv=("aux2.conv.conv", "aux2.conv.bn"),
            ),
            **{f"aux{n}_fc": f"aux{n}.fc1" for n in (1, 2)},
            **{f"aux{n}_predictions": f"aux{n}.fc2" for n in (1, 2)},
            "predictions": "fc",
        },
        r"inception\d\w",
        normalized(
            **{
                "1x1": ("branch1.conv", "branch1.bn"),
                "3x3_reduce": ("branch2.0.conv", "branch2.0.bn"),
                "3x3": ("branch2.1.conv", "branch2.1.bn"),
                "5x5_reduce": ("branch3.0.conv", "branch3.0.bn"),
                "5x5": ("branch3.1.conv", "branch3.1.bn"),
                "project": ("branch4.1.conv", "branch4.1.bn"),
            }
        ),
    ),
    ((None, 1e-3),),
    extras=r"aux\d\.",
)


_POOLED = {"1x1_conv1": "branch1x1", "project": "branch_pool"}
INCEPTION_V3 = source(
    "Mixed_5b",
    table(
        {
            **wrapped(
                {
                    "stem_conv1": "Conv2d_1a_3x3",
                    "stem_conv2": "Conv2d_2a_3x3",
                    "stem_conv3": "Conv2d_2b_3x3",
                    "stage1_conv1": "Conv2d_3b_1x1",
                    "stage1_conv2": "Conv2d_4a_3x3",
                    "aux1_conv1": "AuxLogits.conv0",
                    "aux1_conv2": "AuxLogits.conv1",
                }
            ),
            "aux1_predictions": "AuxLogits.fc",
            "predictions": "fc",
        },
        r"Mixed_\d\w",
        wrapped(
            {
                **_POOLED,
                **{f"5x5_conv{n}": f"branch5x5_{n}" for n in (1, 2)},
                **{f"3x3_conv{n}": f"branch3x3dbl_{n}" for n in (1, 2, 3)},
            }
        ),
        wrapped(
            {
                "3x3_down": "branch3x3",
                **{f"double_conv{n}": f"branch3x3dbl_{n}" for n in (1, 2)},
                "double_down": "branch3x3dbl_3",
            }
        ),
        wrapped(
            {
                **_POOLED,
                **{f"7x7_conv{n}": f"branch7x7_{n}" for n in (1, 2, 3)},
                **{f"double_conv{n}": f"branch7x7dbl_{n}" for n in (1, 2, 3, 4, 5)},
            }
        ),
        wrapped(
            {
                "3x3_conv1": "branch3x3_1",
                "3x3_down": "branch3x3_2",
                **{f"7x7_conv{n}": f"branch7x7x3_{n}" for n in (1, 2, 3)},
                "7x7_down": "branch7x7x3_4",
            }
        ),
        wrapped(
            {
                **_POOLED,
                "3x3_conv1": "branch3x3_1",
                "3x3_row": "branch3x3_2a",
                "3x3_column": "branch3x3_2b",
                **{f"double_conv{n}": f"branch3x3dbl_{n}" for n in (1, 2)},
                "double_row": "branch3x3dbl_3a",
                "double_column": "branch3x3dbl_3b",
            }
        ),
    ),
    TENSORFLOW,
    extras=r"AuxLogits\.",
)

MOBILENET_V2 = source(
    "features.1.conv",
    table(
        {**normalized(stem=("features.0.0", "features.0.1"), head=("features.18.0", "features.18.1")),
         "predictions": "classifier.1"},
        r"features\.\d+\.conv",
        normalized(expand=("0.0", "0.1"), depthwise=("1.0", "1.1"), project=("2", "3")),
        normalized(depthwise=("0.0", "0.1"), project=("1", "2")),
    ),
)  # fmt: skip

# What an inverted residual may have in front of its depthwise convolution and behind it.
_INVERTED = tuple(
    steps(*before, "depthwise", *behind, "project", unit="block.{}")
    for before in (("expand",), ())
    for behind in (("squeeze_excite",), ())
)
_FUSED = (steps("expand", "project", unit="block.{}"), normalized(**{"": ("block.0.0", "block.0.1")}))


def mobilenet_v3(head):
    return source(
        "features.1.block",
        table(
            {
                **normalized(stem=("features.0.0", "features.0.1"), head=(f"{head}.0", f"{head}.1")),
                "features": "classifier.0",
                "logits": "classifier.3",
            },
            r"features\.\d+(?=\.block)",
            *_INVERTED,
        ),
        TENSORFLOW,
    )


def efficientnet(head, fits=PLAIN):
    return source(
        "features.1.0.block",
        table(
            {**normalized(stem=("features.0.0", "features.0.1"), head=(f"{head}.0", f"{head}.1")),
             "predictions": "classifier.1"},
            r"features\.\d+\.\d+(?=\.block)",
            *_INVERTED,
            *_FUSED,
        ),
        fits,
    )  # fmt: skip


SHUFFLENET_V2 = source(
    "stage2.0.branch2",
    table(
        {**normalized(stem=("conv1.0", "conv1.1"), head=("conv5.0", "conv5.1")), "predictions": "fc"},
        r"stage\d\.\d+",
        normalized(
            expand=("branch2.0", "branch2.1"),
            depthwise=("branch2.3", "branch2.4"),
            project=("branch2.5", "branch2.6"),
            shortcut_depthwise=("branch1.0", "branch1.1"),
            shortcut_project=("branch1.2", "branch1.3"),
        ),
    ),
)

MNASNET = source(
    "layers.8.0.layers",
    table(
        {
            **normalized(
                stem=("layers.0", "layers.1"),
                stage1_unit1_depthwise=("layers.3", "layers.4"),
                stage1_unit1_project=("layers.6", "layers.7"),
                head=("layers.14", "layers.15"),
            ),
            "predictions": "classifier.1",
        },
        # The first unit has no name of its own.
        r"layers\.(?:3|\d+\.\d+(?=\.layers))",
        normalized(
            expand=("layers.0", "layers.1"), depthwise=("layers.3", "layers.4"), project=("layers.6", "layers.7")
        ),
    ),
)

REGNET = source(
    "trunk_output",
    table(
        {**normalized(stem=("stem.0", "stem.1")), "predictions": "fc"},
        r"trunk_output\.block\d+\.block\d+-\d+",
        {
            **normalized(
                shortcut=("proj.0", "proj.1"), reduce=("f.a.0", "f.a.1"), conv=("f.b.0", "f.b.1"),
                expand=("f.c.0", "f.c.1"),
            ),
            "squeeze_excite": ("f.se.fc1", "f.se.fc2"),
        },
    ),
)  # fmt: skip

CONVNEXT = source(
    "features.1.0.layer_scale",
    table(
        {
            "stem": "features.0.0", "stem_norm": "features.0.1", "head_norm": "classifier.0",
            "predictions": "classifier.2",
            **{f"stage{n}_down_norm": f"features.{2 * n - 2}.0" for n in (2, 3, 4)},
            **{f"stage{n}_down": f"features.{2 * n - 2}.1" for n in (2, 3, 4)},
        },
        r"features\.\d+\.\d+(?=\.layer_scale|\.block)",
        {"depthwise": "block.0", "norm": "block.2", "expand": "block.3", "project": "block.5", "scale": "layer_scale"},
    ),
    ((None, None),),
)  # fmt: skip

VIT = source(
    "conv_proj",
    table(
        {
            "patches": "conv_proj", "class_token": "class_token", "positions": "encoder.pos_embedding",
            "stage1_norm": "encoder.ln", "predictions": "heads.head",
        },
        r"encoder\.layers\.encoder_layer_\d+",
        {
            "attention_norm": "ln_1", "attention": ("self_attention.in_proj", "self_attention.out_proj"),
            "mlp_norm": "ln_2", "mlp_expand": "mlp.0", "mlp_project": "mlp.3",
        },
    ),
    ((None, None),),
    # Before torchvision 0.13 the two Dense layers had other names.
    renames=((r"in_proj_", "in_proj."), (r"mlp\.linear_1", "mlp.0"), (r"mlp\.linear_2", "mlp.3")),
)  # fmt: skip

SWIN = source(
    "features.1.0.attn",
    table(
        {
            "patches": "features.0.0", "patches_norm": "features.0.2", "stage4_norm": "norm", "predictions": "head",
            **{f"merge{n}_norm": f"features.{2 * n}.norm" for n in (1, 2, 3)},
            **{f"merge{n}": f"features.{2 * n}.reduction" for n in (1, 2, 3)},
        },
        r"features\.\d+\.\d+(?=\.attn)",
        {
            "attention_norm": "norm1", "mlp_norm": "norm2", "mlp_expand": "mlp.0", "mlp_project": "mlp.3",
            "attention": ("attn.relative_position_bias_table", "attn.qkv", "attn.proj"),
        },
    ),
    ((None, None),),
)  # fmt: skip
