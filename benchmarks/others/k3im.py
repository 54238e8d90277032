"""Networks of k3im for images, and for signals of one axis."""

from benchmarks.others.data import images, normal, settle, signals

SIDES = {"dim": 32, "depth": 2, "heads": 2, "mlp_dim": 64, "dim_head": 16, "num_classes": 10}


def _image(model, side=32):
    x = images(side, side, 3)
    return settle(model, x), x


def vit():
    from k3im.vit import ViT

    return _image(ViT(image_size=(32, 32), patch_size=(8, 8), **SIDES))


def cait():
    from k3im.cait import CaiTModel

    return _image(CaiTModel(image_size=(32, 32), patch_size=(8, 8), cls_depth=1, **SIDES))


def deep_vit():
    from k3im.deepvit import DeepViT

    return _image(DeepViT(image_size=32, patch_size=8, **SIDES))


def register_tokens():
    from k3im.simple_vit_with_register_tokens import SimpleViT_RT

    return _image(SimpleViT_RT(image_size=(32, 32), patch_size=(8, 8), **SIDES))


def token_learner():
    from k3im.token_learner import ViTokenLearner

    return _image(ViTokenLearner(image_size=(32, 32), patch_size=(8, 8), token_learner_units=2, **SIDES))


def swin():
    from k3im.swint import SwinTModel

    model = SwinTModel(
        img_size=(32, 32),
        patch_size=(2, 2),
        embed_dim=32,
        num_heads=4,
        window_size=4,
        num_mlp=64,
        qkv_bias=True,
        dropout_rate=0.0,
        shift_size=2,
        num_classes=10,
    )
    return _image(model)


def eanet():
    from k3im.eanet import EANet

    model = EANet(
        input_shape=(32, 32, 3),
        patch_size=8,
        embedding_dim=32,
        num_transformer_blocks=2,
        mlp_dim=32,
        num_heads=4,
        dim_coefficient=2,
        attention_dropout=0.0,
        projection_dropout=0.0,
        num_classes=10,
    )
    return _image(model)


def focalnet():
    from k3im.focalnet import FocalNetModel

    model = FocalNetModel(
        img_size=32,
        patch_size=4,
        num_classes=10,
        embed_dim=16,
        depths=[1, 1],
        mlp_ratio=2.0,
        drop_rate=0.0,
        drop_path_rate=0.0,
        focal_levels=[2, 2],
        focal_windows=[3, 3],
    )
    return _image(model)


def mixer_1d():
    from k3im.mlp_mixer_1d import Mixer1DModel

    model = Mixer1DModel(seq_len=64, patch_size=8, num_classes=4, dim=32, depth=2, channels=3, hidden_units=32)
    x = signals(64, 3)
    return settle(model, x), x


def vivit():
    from k3im.vivit import ViViT

    model = ViViT(
        image_size=(16, 16),
        image_patch_size=(8, 8),
        frames=4,
        frame_patch_size=2,
        num_classes=4,
        dim=32,
        spatial_depth=1,
        temporal_depth=1,
        heads=2,
        mlp_dim=32,
        dim_head=16,
    )
    x = normal(4, 16, 16, 3)
    return settle(model, x), x


MODELS = (vit, cait, deep_vit, register_tokens, token_learner, swin, eanet, focalnet, mixer_1d, vivit)
