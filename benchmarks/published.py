"""Writes `models/weights/published.json` from what keras, torchvision and timm, as installed, tell of their weights.

`make table-weights` runs it where all three are. Top-1 of Keras's weights is that of keras.io/api/applications and, of
the MobileNets, of the authors' tables; of what timm has ported that of those who trained it, as its package tells none.
"""

import json
import re
from unittest import mock

import keras

from keraslayers.models.weights.published import TABLE

PYTORCH = {"padding": "symmetric", "bn_epsilon": 1e-5}
TENSORFLOW = {"padding": "same", "bn_epsilon": 1e-3}
# What TensorFlow had first, in torchvision.
PORTED = {"padding": "symmetric", "bn_epsilon": 1e-3}
KERAS = {"padding": "symmetric", "bn_epsilon": 1.001e-5}

# Builder, the network's name there, options.
OF_TORCHVISION = (
    ("AlexNet", "AlexNet", {"grouped": False}),
    *((f"VGG{n}", f"VGG{n}", {"batch_norm": False}) for n in (11, 13, 16, 19)),
    *((f"VGG{n}", f"VGG{n}_BN", {"batch_norm": True, "bn_epsilon": 1e-5}) for n in (11, 13, 16, 19)),
    ("GoogLeNet", "GoogLeNet", {"batch_norm": True, "bn_epsilon": 1e-3}),
    ("InceptionV3", "Inception_V3", {**PORTED, "scale": True}),
    *((f"ResNet{n}", f"ResNet{n}", {**PYTORCH, "version": "1.5", "alpha": 1.0}) for n in (18, 34, 50, 101, 152)),
    ("ResNeXt50", "ResNeXt50_32X4D", PYTORCH),
    ("SqueezeNet", "SqueezeNet1_0", {"version": "1.0"}),
    ("SqueezeNet", "SqueezeNet1_1", {"version": "1.1"}),
    *((f"DenseNet{n}", f"DenseNet{n}", PYTORCH) for n in (121, 169, 201)),
    ("MobileNetV2", "MobileNet_V2", {**PYTORCH, "alpha": 1.0}),
    *(
        (f"MobileNetV3{size}", f"MobileNet_V3_{size}", {**PORTED, "alpha": 1.0, "minimalistic": False})
        for size in ("Small", "Large")
    ),
    *(
        ("ShuffleNetV2", f"ShuffleNet_V2_X{alpha // 10}_{alpha % 10}", {**PYTORCH, "alpha": alpha / 10})
        for alpha in (5, 10, 15, 20)
    ),
    *(
        ("MnasNetB1", f"MNASNet{name}", {**PYTORCH, "alpha": alpha, "depth": 1.0})
        for name, alpha in (("0_5", 0.5), ("0_75", 0.75), ("1_0", 1.0), ("1_3", 1.3))
    ),
    *((f"EfficientNetB{n}", f"EfficientNet_B{n}", PYTORCH if n < 5 else PORTED) for n in range(8)),
    ("EfficientNetV2S", "EfficientNet_V2_S", PORTED),
    ("RegNetX400MF", "RegNet_X_400MF", {**PYTORCH, "channels": [32, 64, 160, 400]}),
    ("RegNetX800MF", "RegNet_X_800MF", PYTORCH),
    ("RegNetX1600MF", "RegNet_X_1_6GF", PYTORCH),
    ("RegNetY400MF", "RegNet_Y_400MF", PYTORCH),
    ("RegNetY800MF", "RegNet_Y_800MF", {**PYTORCH, "channels": [64, 144, 320, 784]}),
    ("RegNetY1600MF", "RegNet_Y_1_6GF", PYTORCH),
    ("ConvNeXtTiny", "ConvNeXt_Tiny", {}),
    *((f"ViT{size}{patch}", f"ViT_{size}_{patch}", {"approximate": False}) for size in "BL" for patch in (16, 32)),
    *((f"Swin{size}", f"Swin_{size}", {}) for size in "TSB"),
)
# And the scale of pixels, side and top-1.
OF_KERAS = (
    ("VGG16", "VGG16", {"batch_norm": False}, "caffe", 224, 71.3),
    ("VGG19", "VGG19", {"batch_norm": False}, "caffe", 224, 71.3),
    *(
        (f"ResNet{n}", f"ResNet{n}", {**KERAS, "version": "1-keras"}, "caffe", 224, top1)
        for n, top1 in ((50, 74.9), (101, 76.4), (152, 76.6))
    ),
    *(
        (f"ResNet{n}", f"ResNet{n}V2", {**KERAS, "version": "2-keras"}, "[-1, 1]", 224, top1)
        for n, top1 in ((50, 76.0), (101, 77.2), (152, 78.0))
    ),
    ("InceptionV3", "InceptionV3", {**TENSORFLOW, "scale": False}, "[-1, 1]", 299, 77.9),
    ("Xception", "Xception", {"bn_epsilon": 1e-3}, "[-1, 1]", 299, 79.0),
    *(
        (f"DenseNet{n}", f"DenseNet{n}", KERAS, "imagenet", 224, top1)
        for n, top1 in ((121, 75.0), (169, 76.2), (201, 77.3))
    ),
    *(
        ("MobileNet", "MobileNet", {**TENSORFLOW, "alpha": alpha}, "[-1, 1]", 224, top1)
        for alpha, top1 in ((1.0, 70.6), (0.75, 68.4), (0.5, 63.7), (0.25, 50.6))
    ),
    *(
        ("MobileNetV2", "MobileNetV2", {**TENSORFLOW, "alpha": alpha}, "[-1, 1]", 224, top1)
        for alpha, top1 in ((1.0, 71.8), (0.35, 60.3), (0.5, 65.4), (0.75, 69.8), (1.3, 74.4), (1.4, 75.0))
    ),
    *(
        (
            f"MobileNetV3{size}",
            f"MobileNetV3{size}",
            {**TENSORFLOW, "alpha": alpha, "minimalistic": minimalistic, "scale_all": False},
            "[-1, 1]",
            224,
            top1,
        )
        for size, alpha, minimalistic, top1 in (
            ("Large", 1.0, False, 75.6), ("Large", 0.75, False, 73.3), ("Large", 1.0, True, 72.3),
            ("Small", 1.0, False, 68.1), ("Small", 0.75, False, 65.4), ("Small", 1.0, True, 61.9),
        )
    ),
    *(
        (f"EfficientNetB{n}", f"EfficientNetB{n}", TENSORFLOW, "imagenet", side, top1)
        for n, (side, top1) in enumerate(
            ((224, 77.1), (240, 79.1), (260, 80.1), (300, 81.6), (380, 82.9), (456, 83.6), (528, 84.0), (600, 84.3))
        )
    ),
    *(
        (f"EfficientNetV2B{n}", f"EfficientNetV2B{n}", TENSORFLOW, "imagenet", side, top1)
        for n, (side, top1) in enumerate(((224, 78.7), (240, 79.8), (260, 80.5), (300, 82.0)))
    ),
    ("EfficientNetV2S", "EfficientNetV2S", TENSORFLOW, "[-1, 127/128]", 384, 83.9),
    ("ConvNeXtTiny", "ConvNeXtTiny", {}, "imagenet", 224, 81.3),
)  # fmt: skip
# Of the code or the authors that Keras's weights come from; else Keras's own, Apache-2.0.
LICENCES = {"VGG": "CC-BY-4.0", "ResNet": "MIT", "DenseNet": "BSD-3-Clause", "Xception": "MIT", "ConvNeXt": "MIT"}
# Builder, the network's name there, options; and top-1 of those who trained the weights, where timm has ported them.
OF_TIMM = (
    ("MobileNet", "mobilenetv1_100", {**PYTORCH, "alpha": 1.0}, None),
    ("MobileNetV2", "mobilenetv2_050", {**PYTORCH, "alpha": 0.5}, None),
    ("MobileNetV3Small", "mobilenetv3_small_075", {**PYTORCH, "alpha": 0.75, "minimalistic": False}, None),
    ("MobileNetV3Large", "mobilenetv3_large_100", {**PYTORCH, "alpha": 1.0, "minimalistic": False}, None),
    ("MnasNetA1", "semnasnet_100", {**PYTORCH, "alpha": 1.0, "depth": 1.0}, None),
    ("EfficientNetB0", "efficientnet_b0", PYTORCH, None),
    *(
        (f"EfficientNetLite{n}", f"tf_efficientnet_lite{n}", TENSORFLOW, top1)
        for n, top1 in enumerate((75.1, 76.7, 77.6, 79.8, 81.5))
    ),
    ("GhostNet", "ghostnet_100", {**PYTORCH, "alpha": 1.0, "depth": 1.0}, None),
    ("GhostNetV2", "ghostnetv2_100", {**PYTORCH, "alpha": 1.0, "depth": 1.0}, None),
    *((f"RegNetX{n}00MF", f"regnetx_{n:03}", PYTORCH, None) for n in (2, 4, 6, 8, 16)),
    *((f"RegNetY{n}00MF", f"regnety_{n:03}", PYTORCH, None) for n in (2, 4, 6, 8, 16)),
    ("PPLCNet", "lcnet_050", {**PYTORCH, "alpha": 0.5}, None),
    ("PPLCNet", "lcnet_100", {**PYTORCH, "alpha": 1.0}, None),
    *((f"RepVGG{size}", f"repvgg_{size.lower()}", {**PYTORCH, "deploy": False}, None) for size in ("A0", "A1", "B0")),
    *((f"MobileOneS{n}", f"mobileone_s{n}", {**PYTORCH, "deploy": False}, None) for n in range(5)),
    *((f"ConvNeXt{size}", f"convnext_{size.lower()}", {}, None) for size in ("Atto", "Femto", "Pico", "Nano", "Tiny")),
    *(
        (f"ViT{ours}{patch}", f"vit_{theirs}_patch{patch}_224", {"approximate": False}, None)
        for ours, theirs, patch in (("Ti", "tiny", 16), ("S", "small", 16), ("S", "small", 32))
    ),
    *((f"Swin{size}", f"swin_{name}_patch4_window7_224", {}, None) for size, name in (("L", "large"), ("T", "tiny"))),
    *(
        (f"MobileViT{size}", f"mobilevit_{size.lower()}", PYTORCH, top1)
        for size, top1 in (("XXS", 69.0), ("XS", 74.8), ("S", 78.4))
    ),
    ("FastViTT8", "fastvit_t8", {**PYTORCH, "deploy": False}, 75.6),
    ("RepViTM1", "repvit_m1", {**PYTORCH, "distilled": True, "deploy": False}, 78.5),
    ("MixerB16", "mixer_b16_224", {"approximate": False}, None),
    ("MixerL16", "mixer_l16_224", {"approximate": False}, None),
    *((f"ResMLP{n}", f"resmlp_{n}_224", {}, None) for n in (12, 24, 36)),
    ("ResMLPB24", "resmlp_big_24_224", {}, None),
    *(
        (f"MobileNetV4{ours}", f"mobilenetv4_{theirs}", {**PYTORCH, "alpha": 1.0, "depth": 1.0}, None)
        for ours, theirs in (
            ("ConvS", "conv_small"), ("ConvM", "conv_medium"), ("ConvL", "conv_large"), ("HybridM", "hybrid_medium"),
        )
    ),
)  # fmt: skip
# By the mean of the images.
COLOURS = {(0.5,) * 3: "[-1, 1]", (0.485, 0.456, 0.406): "imagenet", (0.0,) * 3: "[0, 1]"}


def of_torchvision():
    import torchvision

    for builder, name, options in OF_TORCHVISION:
        for one in getattr(torchvision.models, f"{name}_Weights"):
            images = one.transforms()
            # Without a classifier; with positions for larger images.
            if one.name.endswith("FEATURES") or "SWAG_E2E" in one.name:
                continue
            crop, resize = images.crop_size[0], images.resize_size[0]
            pixels = COLOURS[tuple(images.mean)]
            if builder in ("GoogLeNet", "InceptionV3"):  # transform_input there turns the scale into this
                pixels = "[-1, 1]"
            yield {
                "builder": builder,
                "source": "torchvision",
                "name": f"{name}:{one.name}",
                "options": options,
                "url": one.url,
                "hash": _hash(one.url),
                "megabytes": one.meta["_file_size"],
                "licence": one.meta.get("license", "BSD-3-Clause"),
                "pixels": pixels,
                "side": crop,
                "crop": round(crop / resize, 4),
                "interpolation": images.interpolation.value,
                "top1": one.meta["_metrics"]["ImageNet-1K"]["acc@1"],
            }


def of_keras():
    for builder, name, options, pixels, side, top1 in OF_KERAS:
        url, digest = keras_file(name, **{one: options[one] for one in ("alpha", "minimalistic") if one in options})
        yield {
            "builder": builder,
            "source": "keras",
            "name": name,
            "options": options,
            "url": url,
            "hash": digest and f"{'md5' if len(digest) == 32 else 'sha256'}:{digest}",
            "megabytes": None,
            "licence": next((licence for begin, licence in LICENCES.items() if name.startswith(begin)), "Apache-2.0"),
            "pixels": pixels,
            "side": side,
            "crop": 0.875,
            "interpolation": "bicubic" if "Efficient" in name or "ConvNeXt" in name else "bilinear",
            "top1": top1,
        }


class Asked(Exception):  # noqa: N818
    """What keras.applications would have downloaded."""


def keras_file(name, **options):
    """Returns (address, hash or None) of the weights with which keras.applications builds a network."""

    def asked(fname=None, origin=None, *_, file_hash=None, **__):
        raise Asked(origin, file_hash)

    with mock.patch("keras.src.utils.file_utils.get_file", asked), keras.StatelessScope(initialize_variables=False):
        try:
            getattr(keras.applications, name)(weights="imagenet", **options)
        except Asked as answer:
            keras.utils.clear_session(free_memory=False)
            return answer.args
    raise ValueError(f"{name} downloads nothing")


def of_timm():
    import timm

    for builder, name, options, top1 in OF_TIMM:
        told = timm.get_pretrained_cfg(name)
        hashed = told.url and _hash(told.url)
        yield {
            "builder": builder,
            "source": "timm",
            "name": f"{name}.{told.tag}",
            "options": options,
            "url": told.url if hashed else f"hf://{told.hf_hub_id}",
            "hash": hashed or None,
            "megabytes": None,
            "licence": told.license,
            "pixels": COLOURS[tuple(told.mean)],
            "side": (told.test_input_size or told.input_size)[-1],
            "crop": told.crop_pct,
            "interpolation": told.interpolation,
            "top1": top1,
        }


def _hash(url):
    """Of files of PyTorch's hub, whose names end in the beginning of their SHA-256."""
    found = re.search(r"-([0-9a-f]{8,})\.pth$", url)
    return found and f"sha256:{found[1]}"


if __name__ == "__main__":
    entries = [*of_torchvision(), *of_keras(), *of_timm()]
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    TABLE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{TABLE}: {len(entries)} sets")
