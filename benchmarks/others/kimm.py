"""Networks of kimm, whose sizes are fixed: small images, few classes."""

from kimm import models

from benchmarks.others.data import images, settle


def _of(build, side=64, **options):
    model = build(input_shape=(side, side, 3), classes=10, weights=None, classifier_activation="linear", **options)
    x = 255 * images(side, side, 3)
    return settle(model, x), x


def ghostnet():
    return _of(models.GhostNetW050)


def repvgg():
    return _of(models.RepVGGA0)


def mobileone():
    return _of(models.MobileOneS0)


def mobilevit():
    return _of(models.MobileViTXXS)


def mobilevit_v2():
    return _of(models.MobileViTV2W050)


def regnet():
    """With convolutions in groups."""
    return _of(models.RegNetX002)


def tiny_net():
    return _of(models.TinyNetE)


def mobilenet_v3():
    return _of(models.MobileNetV3W050Small)


def lcnet():
    return _of(models.LCNet035)


MODELS = (ghostnet, repvgg, mobileone, mobilevit, mobilevit_v2, regnet, tiny_net, mobilenet_v3, lcnet)
