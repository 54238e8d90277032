"""RepVGG: trains as three branches a layer, runs as VGG: 3x3 convolutions one behind the other, and ReLU."""

from __future__ import annotations

from keraslayers.models import _blocks
from keraslayers.models._branches import branched
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Builder, variant

INPUT_SHAPE = (224, 224, 3)
WIDEST_STEM = 64  # arXiv:2101.03697, section 3.4: min(64, 64a)


@framed
def _repvgg(
    frame,
    *,
    units=(2, 4, 14, 1),
    channels=(48, 96, 192, 1280),
    deploy=False,
):
    """Builds RepVGG.

    `keraslayers.reparameterize` makes of a trained one the plain network that is deployed, of the same outputs; it is
    what deploy=True builds. Weights of the authors' and of timm's, of either form, give the same outputs here.

    Args:
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"symmetric"` as PyTorch and the published weights, or `"same"` as TensorFlow.
        units: of each stage; the first of each halves the size.
        channels: of each stage. The stem has those of the first, 64 at most.
        deploy: whether to build the form that runs, of one convolution with a bias a unit, in place of that which
            trains.

    Source: Ding et al. 2021, RepVGG: Making VGG-style ConvNets great again, arXiv:2101.03697, section 3,
    tables 2 and 3.
    """
    units, channels = frame.stages(units=units, channels=channels)
    common = {"deploy": deploy, **frame.common(0.9)}
    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET)
    x = branched(x, min(WIDEST_STEM, channels[0]), 3, strides=2, name="stem", **common)
    for stage, (count, filters) in enumerate(zip(units, channels, strict=True), start=1):
        for unit in range(1, count + 1):
            x = branched(x, filters, 3, strides=2 if unit == 1 else 1, name=f"stage{stage}_unit{unit}", **common)
    return frame.leave(inputs, x)


A, B = (2, 4, 14, 1), (4, 6, 16, 1)  # arXiv:2101.03697, section 3.4: layers of stages 2 to 5


def _variant(name, units, narrow, wide) -> Builder:
    """Table 3: stages of 64a, 128a, 256a and 512b channels."""
    channels = (*(int(base * narrow) for base in (64, 128, 256)), int(512 * wide))
    return variant(
        _repvgg,
        f"RepVGG{name}",
        summary=f"Builds RepVGG-{name}.",
        name=f"repvgg_{name.lower()}",
        units=units,
        channels=channels,
        padding="symmetric",
        bn_epsilon=1e-5,
    )


# arXiv:2101.03697, table 3: a and b
RepVGGA0 = _variant("A0", A, 0.75, 2.5)
RepVGGA1 = _variant("A1", A, 1.0, 2.5)
RepVGGB0 = _variant("B0", B, 1.0, 2.5)


def _spec(builder, trained, deployed, top1):
    name = builder.__name__
    return Spec(
        name=f"repvgg_{name[-2:].lower()}",
        builder=builder,
        paper="Ding, Zhang, Ma, Han, Ding, Sun: RepVGG: Making VGG-style ConvNets great again",
        year=2021,
        url="https://arxiv.org/abs/2101.03697",
        input_shape=INPUT_SHAPE,
        references=tuple(
            Reference({"deploy": deploy}, *counts, top1, "arXiv:2101.03697, table 4")
            for deploy, counts in ((False, trained), (True, deployed))
        ),
    )


SPECS = (
    _spec(RepVGGA0, (9_108_968, 9_132_616, 1_512_581_120), (8_309_384, 8_309_384, 1_361_451_008), 72.41),
    _spec(RepVGGA1, (14_092_264, 14_122_088, 2_626_488_320), (12_789_864, 12_789_864, 2_363_967_488), 74.46),
    _spec(RepVGGB0, (15_817_960, 15_853_160, 3_397_191_680), (14_339_048, 14_339_048, 3_057_600_512), 75.14),
)
