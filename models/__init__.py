"""Classic networks as plain keras.Model, built from the tables of their papers."""

import inspect as _inspect
from typing import Any as _Any

import keras as _keras

if __name__ != "keraslayers.models":
    # Under another name every builder and spec would exist twice.
    raise ImportError(
        f"This package is `keraslayers.models`; it was imported as `{__name__}`. "
        "Write `from keraslayers import models`, or `import keraslayers.models`."
    )

from keraslayers import _checks
from keraslayers.models import (
    alexnet,
    convnext,
    densenet,
    dpcnn,
    dwnet,
    efficientnet,
    efficientnet_v2,
    fastvit,
    ghostnet,
    googlenet,
    inception_v3,
    lenet,
    mlp_mixer,
    mnasnet,
    mobilenet,
    mobilenet_v2,
    mobilenet_v3,
    mobilenet_v4,
    mobileone,
    mobilevit,
    nin,
    pp_lcnet,
    regnet,
    repvgg,
    repvit,
    resmlp,
    resnet,
    resnext,
    shufflenet,
    shufflenet_v2,
    squeezenet,
    swin,
    text_cnn,
    vgg,
    vit,
    xception,
)
from keraslayers.models import weights as _weights
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import check_options as _check_options
from keraslayers.models.alexnet import AlexNet
from keraslayers.models.convnext import ConvNeXtAtto, ConvNeXtFemto, ConvNeXtNano, ConvNeXtPico, ConvNeXtTiny
from keraslayers.models.densenet import DenseNet121, DenseNet169, DenseNet201
from keraslayers.models.dpcnn import DPCNN
from keraslayers.models.dwnet import DDWNetB, DDWNetT, DWNetB, DWNetT, IDDWNetB, IDDWNetT
from keraslayers.models.efficientnet import (
    EfficientNetB0,
    EfficientNetB1,
    EfficientNetB2,
    EfficientNetB3,
    EfficientNetB4,
    EfficientNetB5,
    EfficientNetB6,
    EfficientNetB7,
    EfficientNetLite0,
    EfficientNetLite1,
    EfficientNetLite2,
    EfficientNetLite3,
    EfficientNetLite4,
)
from keraslayers.models.efficientnet_v2 import (
    EfficientNetV2B0,
    EfficientNetV2B1,
    EfficientNetV2B2,
    EfficientNetV2B3,
    EfficientNetV2S,
)
from keraslayers.models.fastvit import FastViTT8
from keraslayers.models.features import features
from keraslayers.models.ghostnet import GhostNet, GhostNetV2
from keraslayers.models.googlenet import GoogLeNet
from keraslayers.models.inception_v3 import InceptionV3
from keraslayers.models.lenet import LeNet5
from keraslayers.models.mlp_mixer import MixerB16, MixerB32, MixerH14, MixerL16, MixerL32, MixerS16, MixerS32
from keraslayers.models.mnasnet import MnasNetA1, MnasNetB1
from keraslayers.models.mobilenet import MobileNet
from keraslayers.models.mobilenet_v2 import MobileNetV2
from keraslayers.models.mobilenet_v3 import MobileNetV3Large, MobileNetV3Small
from keraslayers.models.mobilenet_v4 import MobileNetV4ConvL, MobileNetV4ConvM, MobileNetV4ConvS, MobileNetV4HybridM
from keraslayers.models.mobileone import MobileOneS0, MobileOneS1, MobileOneS2, MobileOneS3, MobileOneS4
from keraslayers.models.mobilevit import MobileViTS, MobileViTXS, MobileViTXXS
from keraslayers.models.nin import NiN
from keraslayers.models.pp_lcnet import PPLCNet
from keraslayers.models.regnet import (
    RegNetX200MF,
    RegNetX400MF,
    RegNetX600MF,
    RegNetX800MF,
    RegNetX1600MF,
    RegNetY200MF,
    RegNetY400MF,
    RegNetY600MF,
    RegNetY800MF,
    RegNetY1600MF,
)
from keraslayers.models.replace_classifier import replace_classifier
from keraslayers.models.repvgg import RepVGGA0, RepVGGA1, RepVGGB0
from keraslayers.models.repvit import RepViTM1
from keraslayers.models.resmlp import ResMLP12, ResMLP24, ResMLP36, ResMLPB24
from keraslayers.models.resnet import ResNet18, ResNet34, ResNet50, ResNet101, ResNet152
from keraslayers.models.resnext import ResNeXt50, ResNeXt101
from keraslayers.models.shufflenet import ShuffleNet
from keraslayers.models.shufflenet_v2 import ShuffleNetV2
from keraslayers.models.squeezenet import SqueezeNet
from keraslayers.models.swin import SwinB, SwinL, SwinS, SwinT
from keraslayers.models.text_cnn import TextCNN
from keraslayers.models.vgg import VGG11, VGG13, VGG16, VGG19
from keraslayers.models.vit import ViTB16, ViTB32, ViTL16, ViTL32, ViTS16, ViTS32, ViTTi16
from keraslayers.models.xception import Xception

__all__ = [
    "DPCNN",
    "VGG11",
    "VGG13",
    "VGG16",
    "VGG19",
    "AlexNet",
    "ConvNeXtAtto",
    "ConvNeXtFemto",
    "ConvNeXtNano",
    "ConvNeXtPico",
    "ConvNeXtTiny",
    "DDWNetB",
    "DDWNetT",
    "DWNetB",
    "DWNetT",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetLite0",
    "EfficientNetLite1",
    "EfficientNetLite2",
    "EfficientNetLite3",
    "EfficientNetLite4",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2S",
    "FastViTT8",
    "GhostNet",
    "GhostNetV2",
    "GoogLeNet",
    "IDDWNetB",
    "IDDWNetT",
    "InceptionV3",
    "LeNet5",
    "MixerB16",
    "MixerB32",
    "MixerH14",
    "MixerL16",
    "MixerL32",
    "MixerS16",
    "MixerS32",
    "MnasNetA1",
    "MnasNetB1",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "MobileNetV4ConvL",
    "MobileNetV4ConvM",
    "MobileNetV4ConvS",
    "MobileNetV4HybridM",
    "MobileOneS0",
    "MobileOneS1",
    "MobileOneS2",
    "MobileOneS3",
    "MobileOneS4",
    "MobileViTS",
    "MobileViTXS",
    "MobileViTXXS",
    "NiN",
    "PPLCNet",
    "Reference",
    "RegNetX200MF",
    "RegNetX400MF",
    "RegNetX600MF",
    "RegNetX800MF",
    "RegNetX1600MF",
    "RegNetY200MF",
    "RegNetY400MF",
    "RegNetY600MF",
    "RegNetY800MF",
    "RegNetY1600MF",
    "RepVGGA0",
    "RepVGGA1",
    "RepVGGB0",
    "RepViTM1",
    "ResMLP12",
    "ResMLP24",
    "ResMLP36",
    "ResMLPB24",
    "ResNeXt50",
    "ResNeXt101",
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "ShuffleNet",
    "ShuffleNetV2",
    "Spec",
    "SqueezeNet",
    "SwinB",
    "SwinL",
    "SwinS",
    "SwinT",
    "TextCNN",
    "ViTB16",
    "ViTB32",
    "ViTL16",
    "ViTL32",
    "ViTS16",
    "ViTS32",
    "ViTTi16",
    "Xception",
    "create",
    "features",
    "names",
    "published",
    "replace_classifier",
    "spec",
]


def _table(specs):
    table = {}
    for entry in specs:
        if entry.name in table:
            raise ValueError(f"`keraslayers.models`: two specs have the name {entry.name!r}; names are unique.")
        table[entry.name] = entry
    return table


# In the order of their years.
_SPECS = _table(
    spec
    for network in (
        lenet,
        alexnet,
        text_cnn,
        nin,
        vgg,
        googlenet,
        inception_v3,
        resnet,
        squeezenet,
        densenet,
        xception,
        resnext,
        dpcnn,
        mobilenet,
        shufflenet,
        mobilenet_v2,
        shufflenet_v2,
        mobilenet_v3,
        mnasnet,
        efficientnet,
        ghostnet,
        regnet,
        vit,
        mlp_mixer,
        resmlp,
        swin,
        dwnet,
        efficientnet_v2,
        repvgg,
        pp_lcnet,
        mobilevit,
        convnext,
        mobileone,
        fastvit,
        repvit,
        mobilenet_v4,
    )
    for spec in network.SPECS
)


def names() -> list[str]:
    """Returns the names that `create` and `spec` take, sorted."""
    return sorted(_SPECS)


def spec(name: str) -> Spec:
    """Returns the `Spec` of a network: its paper, input shape and reference counts."""
    return _SPECS[_checks.choice("spec", "name", name, names())]


def published(name: str) -> list[_weights.Published]:
    """Returns what is published of a network's ImageNet weights: a list of `keraslayers.models.weights.Published`.

    Each says where its file is, what hash, licence and accuracy its publisher tells, and which options and which scale
    of images it needs; `weights=` takes it, and `weights="imagenet"` the first whose options are those of the model:

    ```python
    for weights in keraslayers.models.published("mobilenet_v2"):
        print(weights.source, weights.name, weights.options, weights.top1)
    ```

    models.MobileNetV2(weights=weights, preprocessing=True, **weights.options) downloads and builds it.

    Args:
        name: one of `names()`.

    Raises:
        ValueError: if no network has this name.
    """
    return _weights.of(_SPECS[_checks.choice("published", "name", name, names())].builder.__name__)


def create(name: str, /, **options: _Any) -> _keras.Model:
    """Builds a network by name: create("lenet5", modern=True) is LeNet5(modern=True).

    Weights of keras.applications go over, where a builder's text says that they fit:

    ```python
    theirs = keras.applications.MobileNetV2(input_shape=(96, 96, 3), weights=None)  # or "imagenet"
    ours = keraslayers.models.create("mobilenet_v2", input_shape=(96, 96, 3), weights=theirs)
    ```

    Args:
        name: one of `names()`, by position, as `name=` is the option that names the model.
        **options: the builder's arguments.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if no network has this name.
        TypeError: if its builder has no such argument.
    """
    builder = _SPECS[_checks.choice("create", "name", name, names())].builder
    valid = tuple(_inspect.signature(builder).parameters)
    _check_options("create", name, valid, options)
    return builder(**options)
