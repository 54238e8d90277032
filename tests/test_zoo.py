"""Networks built of files of torchvision's and timm's state dicts give their outputs; `make test-zoo` runs this.

The weights are drawn at random, at the networks' own sizes; every one goes over by its name, so that none is left out.
"""

import keras
import numpy as np
import pytest
import timm
import torch
import torchvision
from timm.models.mlp_mixer import Affine, MlpMixer, ResBlock
from timm.models.vision_transformer import VisionTransformer

from keraslayers import models, reparameterize
from tests.model_tools import image
from tests.zoo import CLASSES, compare

PYTORCH = {"padding": "symmetric", "bn_epsilon": 1e-5}
TORCHVISION = {"padding": "symmetric", "bn_epsilon": 1e-3}  # of the networks that TensorFlow had first

# Ours, theirs, our options, side of the images.
OF_TORCHVISION = [
    ("alexnet", "alexnet", {}, 224),
    ("vgg11", "vgg11", {}, 224),
    ("vgg13", "vgg13_bn", {"batch_norm": True}, 224),
    ("vgg16", "vgg16", {}, 224),
    ("vgg19", "vgg19_bn", {"batch_norm": True}, 224),
    ("googlenet", "googlenet", {"batch_norm": True}, 96),
    ("googlenet", "googlenet", {"batch_norm": True, "aux_heads": False}, 64),
    ("inception_v3", "inception_v3", {"padding": "symmetric"}, 160),
    ("resnet18", "resnet18", {}, 64),
    ("resnet34", "resnet34", {}, 64),
    ("resnet50", "resnet50", {}, 64),
    ("resnet101", "resnet101", {}, 64),
    ("resnet152", "resnet152", {}, 64),
    ("resnext50", "resnext50_32x4d", {}, 64),
    ("squeezenet", "squeezenet1_0", {}, 64),
    ("squeezenet", "squeezenet1_1", {"version": "1.1"}, 64),
    ("densenet121", "densenet121", {}, 64),
    ("densenet169", "densenet169", {}, 64),
    ("densenet201", "densenet201", {}, 64),
    ("mobilenet_v2", "mobilenet_v2", PYTORCH, 64),
    ("mobilenet_v3_large", "mobilenet_v3_large", TORCHVISION, 64),
    ("mobilenet_v3_small", "mobilenet_v3_small", TORCHVISION, 64),
    *[
        ("shufflenet_v2", f"shufflenet_v2_x{alpha // 10}_{alpha % 10}", {"alpha": alpha / 10, **PYTORCH}, 64)
        for alpha in (5, 10, 15, 20)
    ],
    *[
        ("mnasnet_b1", f"mnasnet{name}", {"alpha": alpha, **PYTORCH}, 64)
        for name, alpha in (("0_5", 0.5), ("0_75", 0.75), ("1_0", 1.0), ("1_3", 1.3))
    ],
    *[(f"efficientnet_b{n}", f"efficientnet_b{n}", PYTORCH if n < 5 else TORCHVISION, 64) for n in range(8)],
    ("efficientnet_v2_s", "efficientnet_v2_s", TORCHVISION, 64),
    *[
        (f"regnet_{kind}_{size}", f"regnet_{kind}_{size}", {}, 64)
        for kind in "xy"
        for size in ("800mf", "400mf")
        if (kind, size) not in (("x", "400mf"), ("y", "800mf"))
    ],
    ("regnet_x_400mf", "regnet_x_400mf", {"channels": (32, 64, 160, 400)}, 64),
    ("regnet_y_800mf", "regnet_y_800mf", {"channels": (64, 144, 320, 784)}, 64),
    ("regnet_x_1600mf", "regnet_x_1_6gf", {}, 64),
    ("regnet_y_1600mf", "regnet_y_1_6gf", {}, 64),
    ("convnext_tiny", "convnext_tiny", {}, 64),
    ("vit_b32", "vit_b_32", {}, 224),
    ("vit_b16", "vit_b_16", {}, 224),
    ("swin_t", "swin_t", {}, 224),
    ("swin_s", "swin_s", {}, 224),
    ("swin_b", "swin_b", {}, 224),
]
OF_TIMM = [
    ("vgg11", "vgg11", {}, 224),
    ("vgg13", "vgg13_bn", {"batch_norm": True}, 224),
    ("inception_v3", "inception_v3", {"padding": "symmetric"}, 160),
    ("resnet50", "resnet50", {}, 64),
    ("resnext50", "resnext50_32x4d", {}, 64),
    ("densenet121", "densenet121", {}, 64),
    ("mobilenet", "mobilenetv1_100", PYTORCH, 64),
    ("mobilenet_v2", "mobilenetv2_100", PYTORCH, 64),
    ("mobilenet_v2", "mobilenetv2_050", {"alpha": 0.5, **PYTORCH}, 64),
    ("mobilenet_v3_large", "mobilenetv3_large_100", PYTORCH, 64),
    ("mobilenet_v3_small", "tf_mobilenetv3_small_100", {}, 64),
    ("mobilenet_v3_large", "tf_mobilenetv3_large_minimal_100", {"minimalistic": True}, 64),
    ("mnasnet_a1", "semnasnet_100", PYTORCH, 64),
    ("mnasnet_b1", "mnasnet_100", PYTORCH, 64),
    ("efficientnet_b0", "efficientnet_b0", PYTORCH, 64),
    ("efficientnet_b0", "tf_efficientnet_b0", {}, 64),
    ("efficientnet_b2", "tf_efficientnet_b2", {}, 64),
    *[(f"efficientnet_lite{n}", f"tf_efficientnet_lite{n}", {}, 64) for n in range(5)],
    *[(f"efficientnet_v2_b{n}", f"tf_efficientnetv2_b{n}", {}, 64) for n in range(4)],
    ("efficientnet_v2_s", "efficientnetv2_s", PYTORCH, 64),
    ("efficientnet_v2_s", "tf_efficientnetv2_s", {}, 64),
    ("ghostnet", "ghostnet_100", {}, 64),
    # The last maps are 3x3: an odd side, to which gates of one place grow.
    ("ghostnet_v2", "ghostnetv2_100", {}, 96),
    ("regnet_x_200mf", "regnetx_002", {}, 64),
    ("regnet_x_400mf", "regnetx_004", {}, 64),
    ("regnet_x_400mf", "regnetx_004_tv", {"channels": (32, 64, 160, 400)}, 64),
    ("regnet_x_600mf", "regnetx_006", {}, 64),
    ("regnet_x_1600mf", "regnetx_016", {}, 64),
    ("regnet_y_200mf", "regnety_002", {}, 64),
    ("regnet_y_600mf", "regnety_006", {}, 64),
    ("regnet_y_800mf", "regnety_008_tv", {"channels": (64, 144, 320, 784)}, 64),
    ("regnet_y_1600mf", "regnety_016", {}, 64),
    ("pp_lcnet", "lcnet_050", {"alpha": 0.5}, 64),
    ("pp_lcnet", "lcnet_100", {}, 64),
    *[(f"convnext_{size}", f"convnext_{size}", {}, 64) for size in ("atto", "femto", "pico", "nano", "tiny")],
    ("vit_ti16", "vit_tiny_patch16_224", {}, 224),
    ("vit_s32", "vit_small_patch32_224", {}, 224),
    ("swin_t", "swin_tiny_patch4_window7_224", {}, 224),
    ("mixer_s32", "mixer_s32_224", {}, 224),
    ("mixer_b16", "mixer_b16_224", {}, 224),
    ("resmlp12", "resmlp_12_224", {}, 224),
    # The last maps are 3x3, an odd side: they are resized to patches and back.
    ("mobilevit_xxs", "mobilevit_xxs", {}, 96),
    ("mobilevit_xs", "mobilevit_xs", {}, 128),
    ("mobilevit_s", "mobilevit_s", {}, 96),
    ("mobilenet_v4_conv_s", "mobilenetv4_conv_small", PYTORCH, 64),
    ("mobilenet_v4_conv_m", "mobilenetv4_conv_medium", PYTORCH, 64),
    ("mobilenet_v4_hybrid_m", "mobilenetv4_hybrid_medium", PYTORCH, 64),
]
KINDS = ("pth", "safetensors", "legacy")


def rows(table):
    """Each with a kind of file, in turn."""
    return [pytest.param(*row, KINDS[n % 3], id=f"{row[1]}-{KINDS[n % 3]}") for n, row in enumerate(table)]


@pytest.mark.parametrize(("name", "theirs", "options", "side", "kind"), rows(OF_TORCHVISION))
def test_torchvision(name, theirs, options, side, kind, tmp_path):
    more = {}
    if theirs in ("googlenet", "inception_v3"):  # with heads in the file, which ours leaves out
        more = {"init_weights": False, "aux_logits": options.get("aux_heads", True)}
    network = getattr(torchvision.models, theirs)(weights=None, num_classes=CLASSES, **more)
    compare(network, name, tmp_path, kind, side=side, **options)


@pytest.mark.parametrize(("name", "theirs", "options", "side", "kind"), rows(OF_TIMM))
def test_timm(name, theirs, options, side, kind, tmp_path):
    compare(timm.create_model(theirs, num_classes=CLASSES), name, tmp_path, kind, side=side, **options)


@pytest.mark.parametrize(
    "name",
    ["repvgg_a0", "repvgg_a1", "repvgg_b0", "mobileone_s0", "mobileone_s2", "mobileone_s4", "fastvit_t8", "repvit_m1"],
)
def test_branches(name, tmp_path):
    options = {"distilled": True} if name == "repvit_m1" else {}
    network = compare(timm.create_model(name, num_classes=CLASSES), name, tmp_path, side=64, **options)
    x = image((64, 64, 3))
    expected, found = (keras.ops.convert_to_numpy(one(x)) for one in (network, reparameterize(network)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


# Small ones, whose shapes tell axes apart.


@pytest.mark.parametrize("source", ["timm", "torchvision"])
def test_vit(source, tmp_path):
    blocks, channels, heads = 2, 24, 4
    if source == "timm":
        network = VisionTransformer(32, 8, 3, CLASSES, embed_dim=channels, depth=blocks, num_heads=heads)
    else:
        network = torchvision.models.VisionTransformer(
            32, 8, blocks, heads, channels, 4 * channels, num_classes=CLASSES
        )
    options = {"patch_size": 8, "blocks": blocks, "channels": channels, "heads": heads}
    compare(network, "vit_ti16", tmp_path, side=32, **options)
    # Positions learnt on 4x4 patches, resized for 6x6.
    models.ViTTi16(input_shape=(48, 48, 3), classes=CLASSES, weights=tmp_path / "x.pth", **options)


def test_mixer(tmp_path):
    network = MlpMixer(CLASSES, 32, 3, 8, 2, 24, mlp_ratio=(0.5, 4.0))
    options = {"patch_size": 8, "blocks": 2, "channels": 24, "token_units": 12, "channel_units": 96}
    compare(network, "mixer_s32", tmp_path, side=32, **options)


def test_resmlp(tmp_path):
    network = MlpMixer(CLASSES, 32, 3, 8, 2, 24, mlp_ratio=4, block_layer=ResBlock, norm_layer=Affine)
    compare(network, "resmlp12", tmp_path, side=32, patch_size=8, blocks=2, channels=24)


@pytest.mark.parametrize("side", [32, 40])
def test_swin(side, tmp_path):
    """At 32 windows fill the maps of the first stage, and those of the last are smaller; at 40 they fill none."""
    network = torchvision.models.SwinTransformer([4, 4], 16, [2, 2, 2, 2], [2, 4, 4, 8], [4, 4], num_classes=CLASSES)
    options = {"blocks": (2, 2, 2, 2), "channels": 16, "heads": (2, 4, 4, 8), "window_size": 4}
    compare(network, "swin_t", tmp_path, side=side, **options)


def test_without_top(tmp_path):
    for network, name in (
        (torchvision.models.mobilenet_v3_small(), "mobilenet_v3_small"),
        (timm.create_model("ghostnet_100"), "ghostnet"),
        (timm.create_model("convnext_atto"), "convnext_atto"),
        (torchvision.models.vgg11(), "vgg11"),
    ):
        torch.save(network.state_dict(), tmp_path / "x.pth")
        more = TORCHVISION if name.startswith("mobilenet") else {}
        models.create(name, input_shape=(64, 64, 3), include_top=False, weights=tmp_path / "x.pth", **more)


@pytest.mark.parametrize(
    ("name", "of_timm"),
    [("vit_ti16", "vit_tiny_patch16_224"), ("mixer_b16", "mixer_b16_224"), ("resmlp24", "resmlp_24_224"),
     ("swin_s", "swin_small_patch4_window7_224")],
)  # fmt: skip
def test_full_sizes_have_as_many_weights(name, of_timm):
    with torch.device("meta"):
        theirs = timm.create_model(of_timm)
    with keras.StatelessScope(initialize_variables=False):  # weights are counted, never made
        ours = models.create(name)
    keras.utils.clear_session(free_memory=False)  # which remembers what is to be made
    assert ours.count_params() == sum(parameter.numel() for parameter in theirs.parameters())
