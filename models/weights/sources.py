"""Which names the weights of each builder have elsewhere, and which network of keras.applications it equals."""

import keras

from keraslayers.models.weights import timm, timm_hybrids, torchvision, torchvision_tasks

_MOBILE = (timm.MOBILE,)
_RESNET = (torchvision.RESNET,)
_DENSENET = (torchvision.DENSENET,)
_VGG = (torchvision.VGG, timm.VGG)
_EFFICIENTNET = (torchvision.efficientnet("features.8"), timm.MOBILE)
_LARGE_EFFICIENTNET = (torchvision.efficientnet("features.8", torchvision.TENSORFLOW), timm.MOBILE)
_LITE = (timm.EFFICIENTNET_PYTORCH, timm.MOBILE)

# By the beginning of the builder's name, of which the longest counts.
SOURCES = {
    "AlexNet": (torchvision.ALEXNET,),
    "ConvNeXt": (torchvision.CONVNEXT, timm.CONVNEXT),
    "DeepLabV3": (torchvision_tasks.DEEPLAB_MOBILENET_V3, torchvision_tasks.DEEPLAB_RESNET),
    "DenseNet": _DENSENET,
    "EfficientNetB": _EFFICIENTNET,
    **{f"EfficientNetB{index}": _LARGE_EFFICIENTNET for index in (5, 6, 7)},
    "EfficientNetLite": _LITE,
    "EfficientNetV2": _MOBILE,
    "EfficientNetV2S": (torchvision.efficientnet("features.7", torchvision.TENSORFLOW), timm.MOBILE),
    "FastViT": (timm_hybrids.FASTVIT,),
    "GhostNet": (timm.GHOSTNET,),
    "GhostNetV2": (timm.GHOSTNET,),
    "GoogLeNet": (torchvision.GOOGLENET,),
    "InceptionV3": (torchvision.INCEPTION_V3,),
    "LRASPP": (torchvision_tasks.LRASPP,),
    "Mixer": (timm.MIXER,),
    "MnasNet": (torchvision.MNASNET, timm.MOBILE),
    "MobileNet": _MOBILE,
    "MobileNetV2": (torchvision.MOBILENET_V2, timm.MOBILE),
    "MobileNetV3Large": (torchvision.mobilenet_v3("features.16"), timm.mobilenet_v3("blocks.6.0")),
    "MobileNetV3Small": (torchvision.mobilenet_v3("features.12"), timm.mobilenet_v3("blocks.5.0")),
    "MobileNetV4": (timm.MOBILENET_V4,),
    "MobileOne": (timm.MOBILEONE,),
    "MobileViT": (timm_hybrids.MOBILEVIT,),
    "PPLCNet": (timm.PP_LCNET,),
    "RegNet": (torchvision.REGNET, timm.REGNET),
    "RepVGG": (timm.REPVGG,),
    "RepViT": (timm_hybrids.REPVIT,),
    "ResMLP": (timm.RESMLP,),
    "ResNeXt": _RESNET,
    "ResNet": _RESNET,
    "SSDLite": (torchvision_tasks.SSDLITE,),
    "ShuffleNetV2": (torchvision.SHUFFLENET_V2,),
    "SqueezeNet": (torchvision.SQUEEZENET,),
    "Swin": (torchvision.SWIN, timm.SWIN),
    "VGG": _VGG,
    "ViT": (torchvision.VIT, timm.VIT),
}
# (padding, bn_epsilon) of the weights of keras.applications, with what else the builder is told.
APPLICATIONS = {
    "ConvNeXtTiny": ((None, None), ""),
    "DenseNet": (("symmetric", 1.001e-5), ""),
    "EfficientNetB": (("same", 1e-3), ""),
    "EfficientNetV2": (("same", 1e-3), ""),
    "InceptionV3": (("same", 1e-3), "scale=False"),
    "MobileNet": (("same", 1e-3), ""),
    "MobileNetV2": (("same", 1e-3), ""),
    "MobileNetV3": (("same", 1e-3), ""),
    "ResNet50": (("symmetric", 1.001e-5), "version='1-keras' or, of ResNet50V2, version='2-keras'"),
    "ResNet101": (("symmetric", 1.001e-5), "version='1-keras' or, of ResNet101V2, version='2-keras'"),
    "ResNet152": (("symmetric", 1.001e-5), "version='1-keras' or, of ResNet152V2, version='2-keras'"),
    "VGG16": ((None, None), ""),
    "VGG19": ((None, None), ""),
    "Xception": ((None, 1e-3), ""),
}


def of(who, table):
    """Returns what `table` has for the builder `who`, or None."""
    begins = [name for name in table if who.startswith(name)]
    # MobileNetV4 is no MobileNet.
    begins = [name for name in begins if not who.removeprefix(name).startswith("V")]
    return table[max(begins, key=len)] if begins else None


def application(who, model):
    """Returns an untrained network of keras.applications with the layers of which weights for `model` are."""
    names, options = {layer.name for layer in model.layers}, {}
    if who.startswith("ResNet") and "head_bn" in names:
        who = f"{who}V2"
    if who.startswith("MobileNetV3"):
        options["minimalistic"] = not any(name.endswith("squeeze_excite") for name in names)
    return getattr(keras.applications, who)(weights=None, input_shape=(224, 224, 3), **options)
