"""Networks of zeromodels, from configurations of a few layers."""

from importlib import import_module

import numpy as np

from benchmarks.others.data import images, settle, tokens


def _of(folder, name, side=64, **options):
    build = getattr(import_module(f"zeromodels.models.{folder}"), name)
    model, x = build(image_size=side, num_classes=10, **options), images(side, side, 3)
    return settle(model, x), x


def efficientformer():
    return _of("efficientformer", "EfficientFormerImageClassify", depths=(1, 1, 1, 2), embed_dim=(16, 24, 32, 48))


def poolformer():
    return _of("poolformer", "PoolFormerImageClassify", embed_dim=(16, 24, 32, 48), depths=(1, 1, 1, 1))


def pvt_v2():
    return _of(
        "pvt_v2",
        "PvtV2ImageClassify",
        hidden_sizes=(8, 16, 24, 32),
        depths=(1, 1, 1, 1),
        num_attention_heads=(1, 2, 3, 4),
    )


def levit():
    return _of(
        "levit",
        "LevitImageClassify",
        side=128,
        hidden_sizes=(32, 48, 64),
        num_attention_heads=(2, 3, 4),
        depths=(1, 1, 1),
        key_dim=(8, 8, 8),
    )


def maxvit():
    return _of(
        "maxvit",
        "MaxViTImageClassify",
        stem_width=16,
        depths=(1, 1),
        embed_dim=(16, 32),
        num_heads=(2, 4),
        window_size=4,
    )


def mobilenet_v4():
    return _of("mobilenetv4", "MobileNetV4ImageClassify")


def swin_v2():
    return _of(
        "swinv2",
        "SwinV2ImageClassify",
        pretrain_size=64,
        window_size=4,
        embed_dim=24,
        depths=(2, 2),
        num_heads=(2, 4),
    )


def beit():
    return _of(
        "beit",
        "BeitImageClassify",
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        patch_size=16,
    )


def convnext_v2():
    return _of("convnextv2", "ConvNeXtV2ImageClassify", depths=(1, 1, 2, 1), projection_dim=(16, 24, 32, 48))


def pit():
    return _of("pit", "PiTImageClassify", embed_dim=(16, 32, 64), depth=(1, 1, 1), heads=(1, 2, 4))


def modern_bert():
    from zeromodels.models.modernbert import ModernBertSequenceClassify

    model = ModernBertSequenceClassify(
        vocab_size=100,
        embed_dim=32,
        num_layers=2,
        num_heads=4,
        mlp_dim=48,
        max_position_embeddings=32,
        local_attention=8,
        global_attn_every_n_layers=2,
        pad_token_id=0,
    )
    ids = tokens(100, 16, low=1)
    x = {entry.name: ids if "ids" in entry.name else np.ones_like(ids) for entry in model.inputs}
    return settle(model, x), x


MODELS = (
    efficientformer,
    poolformer,
    pvt_v2,
    levit,
    maxvit,
    mobilenet_v4,
    swin_v2,
    beit,
    convnext_v2,
    pit,
    modern_bert,
)
