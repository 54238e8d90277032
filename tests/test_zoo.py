"""Networks give what torchvision's and timm's own code gives with the same weights; `make test-zoo` runs this.

Both are built small and drawn at random; every weight goes over by its name, so that none is left out.
"""

import keras
import numpy as np
import pytest
import timm
import torch
import torchvision
from timm.models.mlp_mixer import Affine, MlpMixer, ResBlock
from timm.models.vision_transformer import VisionTransformer

from keraslayers import models
from tests.zoo import CLASSES, Theirs, give, options


@pytest.mark.parametrize("source", ["timm", "torchvision"])
def test_vit(source):
    blocks, channels, heads = 2, 24, 4
    if source == "timm":
        theirs = Theirs(VisionTransformer(32, 8, 3, CLASSES, embed_dim=channels, depth=blocks, num_heads=heads))
        names = {
            "embed": "patch_embed.proj", "token": "cls_token", "positions": "pos_embed", "block": "blocks.{}",
            "norm1": "norm1", "norm2": "norm2", "qkv": ("attn.qkv.weight", "attn.qkv.bias"), "out": "attn.proj",
            "fc1": "mlp.fc1", "fc2": "mlp.fc2", "norm": "norm", "head": "head",
        }  # fmt: skip
    else:
        theirs = Theirs(
            torchvision.models.VisionTransformer(32, 8, blocks, heads, channels, 4 * channels, num_classes=CLASSES)
        )
        names = {
            "embed": "conv_proj", "token": "class_token", "positions": "encoder.pos_embedding",
            "block": "encoder.layers.encoder_layer_{}", "norm1": "ln_1", "norm2": "ln_2",
            "qkv": ("self_attention.in_proj_weight", "self_attention.in_proj_bias"), "out": "self_attention.out_proj",
            "fc1": "mlp.0", "fc2": "mlp.3", "norm": "encoder.ln", "head": "heads.head",
        }  # fmt: skip
    ours = models.ViTTi16(
        input_shape=(32, 32, 3), **options(patch_size=8, blocks=blocks, channels=channels, heads=heads)
    )
    give(ours, "patches", theirs.conv(names["embed"]))
    give(ours, "class_token", [theirs.take(names["token"])[0]])
    give(ours, "positions", [theirs.take(names["positions"])[0]])
    for block in range(blocks):
        at, place = names["block"].format(block), f"stage1_block{block + 1}"
        give(ours, f"{place}_attention_norm", theirs.norm(f"{at}.{names['norm1']}"))
        kernel, bias = (theirs.take(f"{at}.{name}") for name in names["qkv"])
        size, parts = channels // heads, []
        for of_part, of_bias in zip(np.split(kernel, 3), np.split(bias, 3), strict=True):
            parts += [of_part.T.reshape(channels, heads, size), of_bias.reshape(heads, size)]
        out, out_bias = theirs.linear(f"{at}.{names['out']}")
        give(ours, f"{place}_attention", [*parts, out.reshape(heads, size, channels), out_bias])
        give(ours, f"{place}_mlp_norm", theirs.norm(f"{at}.{names['norm2']}"))
        give(ours, f"{place}_mlp_expand", theirs.linear(f"{at}.{names['fc1']}"))
        give(ours, f"{place}_mlp_project", theirs.linear(f"{at}.{names['fc2']}"))
    give(ours, "stage1_norm", theirs.norm(names["norm"]))
    give(ours, "predictions", theirs.linear(names["head"]))
    theirs.compare(ours)


def test_mixer():
    theirs = Theirs(MlpMixer(CLASSES, 32, 3, 8, 2, 24, mlp_ratio=(0.5, 4.0)))
    ours = models.MixerS32(
        input_shape=(32, 32, 3), **options(patch_size=8, blocks=2, channels=24, token_units=12, channel_units=96)
    )
    give(ours, "patches", theirs.conv("stem.proj"))
    for block in range(2):
        for number, (part, of_theirs) in enumerate((("tokens", "mlp_tokens"), ("channels", "mlp_channels")), start=1):
            place = f"stage1_block{block + 1}_{part}"
            give(ours, f"{place}_norm", theirs.norm(f"blocks.{block}.norm{number}"))
            give(ours, f"{place}_expand", theirs.linear(f"blocks.{block}.{of_theirs}.fc1"))
            give(ours, f"{place}_project", theirs.linear(f"blocks.{block}.{of_theirs}.fc2"))
    give(ours, "stage1_norm", theirs.norm("norm"))
    give(ours, "predictions", theirs.linear("head"))
    theirs.compare(ours)


def test_resmlp():
    theirs = Theirs(MlpMixer(CLASSES, 32, 3, 8, 2, 24, mlp_ratio=4, block_layer=ResBlock, norm_layer=Affine))
    ours = models.ResMLP12(input_shape=(32, 32, 3), **options(patch_size=8, blocks=2, channels=24))
    give(ours, "patches", theirs.conv("stem.proj"))
    for block in range(2):
        at, place = f"blocks.{block}", f"stage1_block{block + 1}"
        give(ours, f"{place}_tokens_affine", theirs.affine(f"{at}.norm1"))
        give(ours, f"{place}_tokens", theirs.linear(f"{at}.linear_tokens"))
        give(ours, f"{place}_tokens_scale", [theirs.take(f"{at}.ls1")])
        give(ours, f"{place}_channels_affine", theirs.affine(f"{at}.norm2"))
        give(ours, f"{place}_channels_expand", theirs.linear(f"{at}.mlp_channels.fc1"))
        give(ours, f"{place}_channels_project", theirs.linear(f"{at}.mlp_channels.fc2"))
        give(ours, f"{place}_channels_scale", [theirs.take(f"{at}.ls2")])
    give(ours, "stage1_affine", theirs.affine("norm"))
    give(ours, "predictions", theirs.linear("head"))
    theirs.compare(ours)


def by_rows(squares):
    """What follows four patches, column by column in published code: row by row."""
    first, below, right, last = np.split(squares, 4)
    return np.concatenate([first, right, below, last])


@pytest.mark.parametrize("side", [32, 40])
def test_swin(side):
    """At 32 windows fill the maps of the first stage, and those of the second are one; at 40 they fill neither."""
    network = torchvision.models.SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4], num_classes=CLASSES)
    theirs = Theirs(network)
    ours = models.SwinT(input_shape=(side, side, 3), **options(blocks=(2, 2), channels=16, heads=(2, 4), window_size=4))
    give(ours, "patches", theirs.conv("features.0.0"))
    give(ours, "patches_norm", theirs.norm("features.0.2"))
    for stage in range(2):
        for block in range(2):
            at, place = f"features.{1 + 2 * stage}.{block}", f"stage{stage + 1}_block{block + 1}"
            give(ours, f"{place}_attention_norm", theirs.norm(f"{at}.norm1"))
            attention = ours.get_layer(f"{place}_attention")
            attention.bias_table.assign(theirs.take(f"{at}.attn.relative_position_bias_table"))
            attention.qkv.set_weights(theirs.linear(f"{at}.attn.qkv"))
            attention.project.set_weights(theirs.linear(f"{at}.attn.proj"))
            give(ours, f"{place}_mlp_norm", theirs.norm(f"{at}.norm2"))
            give(ours, f"{place}_mlp_expand", theirs.linear(f"{at}.mlp.0"))
            give(ours, f"{place}_mlp_project", theirs.linear(f"{at}.mlp.3"))
    give(ours, "merge1_norm", [by_rows(array) for array in theirs.norm("features.2.norm")])
    give(ours, "merge1", [by_rows(array) for array in theirs.linear("features.2.reduction")])
    give(ours, "stage2_norm", theirs.norm("norm"))
    give(ours, "predictions", theirs.linear("head"))
    theirs.compare(ours)


@pytest.mark.parametrize(
    ("name", "of_timm"),
    [
        ("vit_ti16", "vit_tiny_patch16_224"),
        ("vit_s32", "vit_small_patch32_224"),
        ("mixer_s32", "mixer_s32_224"),
        ("mixer_b16", "mixer_b16_224"),
        ("resmlp12", "resmlp_12_224"),
        ("resmlp24", "resmlp_24_224"),
        ("swin_t", "swin_tiny_patch4_window7_224"),
        ("swin_s", "swin_small_patch4_window7_224"),
    ],
)
def test_full_sizes_have_as_many_weights(name, of_timm):
    with torch.device("meta"):
        theirs = timm.create_model(of_timm)
    with keras.StatelessScope(initialize_variables=False):  # weights are counted, never made
        ours = models.create(name)
    keras.utils.clear_session(free_memory=False)  # which remembers what is to be made
    assert ours.count_params() == sum(parameter.numel() for parameter in theirs.parameters())
