"""MobileOne: MobileNet's separable convolutions, each trained as several branches and run as one."""

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._branches import branched
from keraslayers.models._mobile import framed
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
WIDEST_STEM = 64  # arXiv:2206.04040, section 3.3: stage 1
SQUEEZE = 1 / 16  # of the published code


@framed
def _mobileone(
    frame,
    *,
    units=(2, 8, 10, 1),
    channels=(48, 128, 256, 1024),
    gated=None,
    branches=1,
    deploy=False,
):
    """Builds MobileOne.

    `keraslayers.reparameterize` makes of a trained one the network that is deployed, of the same outputs; it is what
    deploy=True builds. Weights of the authors' and of timm's, of either form, give the same outputs here.

    Args:
        preprocessing: whether the model takes pixels of 0 to 255 and normalizes them by the mean and the standard
            deviation of ImageNet; else they are expected so.
        padding: of strided layers: `"symmetric"` as PyTorch and the published weights, or `"same"` as TensorFlow.
        units: of each stage, a depthwise and a pointwise convolution each; the first of each halves the size.
        channels: of each stage. The stem has those of the first, 64 at most.
        gated: how many units of each stage, the last ones, have squeeze-and-excitation behind both convolutions; None
            for none.
        branches: the paper's k: how many convolutions with normalization stand side by side for each that runs.
        deploy: whether to build the form that runs, of one convolution with a bias each, in place of that which trains.

    Source: Vasu et al. 2022, MobileOne: An improved one millisecond mobile backbone, arXiv:2206.04040, section 3.
    """
    units, channels = frame.stages(units=units, channels=channels)
    _, gated = frame.stages(least=0, units=units, gated=(0,) * len(units) if gated is None else gated)
    branches = _checks.positive_int(frame.who, "branches", branches)
    common = {"deploy": deploy, **frame.common(0.9)}
    inputs, x = frame.enter(INPUT_SHAPE, _blocks.IMAGENET)
    x = branched(x, min(WIDEST_STEM, channels[0]), 3, strides=2, name="stem", **common)
    common["branches"] = branches
    for stage, (count, filters, gates) in enumerate(zip(units, channels, gated, strict=True), start=1):
        for unit in range(1, count + 1):
            place, strides = f"stage{stage}_unit{unit}", 2 if unit == 1 else 1
            common["squeeze_excite"] = {"ratio": SQUEEZE} if unit > count - gates else None
            x = branched(x, x.shape[-1], 3, strides=strides, depthwise=True, name=f"{place}_depthwise", **common)
            x = branched(x, filters, 1, name=f"{place}_pointwise", **common)
    return frame.leave(inputs, x)


# arXiv:2206.04040, section 3.3: stages of 64, 128, 256 and 512 channels times alpha; k; units with SE in S4.
_WIDTHS = {
    "S0": (0.75, 1.0, 1.0, 2.0),
    "S1": (1.5, 1.5, 2.0, 2.5),
    "S2": (1.5, 2.0, 2.5, 4.0),
    "S3": (2.0, 2.5, 3.0, 4.0),
    "S4": (3.0, 3.5, 3.5, 4.0),
}
MobileOneS0, MobileOneS1, MobileOneS2, MobileOneS3, MobileOneS4 = (
    variant(
        _mobileone,
        f"MobileOne{size}",
        summary=f"Builds MobileOne-{size}.",
        name=f"mobileone_{size.lower()}",
        channels=tuple(int(base * width) for base, width in zip((64, 128, 256, 512), widths, strict=True)),
        branches=4 if size == "S0" else 1,
        gated=(0, 0, 5, 1) if size == "S4" else None,
        padding="symmetric",
        bn_epsilon=1e-5,
    )
    for size, widths in _WIDTHS.items()
)


def _spec(builder, trained, deployed, top1):
    return Spec(
        name=builder.__name__.lower().replace("one", "one_"),
        builder=builder,
        paper="Vasu, Gabriel, Zhu, Tuzel, Ranjan: MobileOne: An improved one millisecond mobile backbone",
        year=2022,
        url="https://arxiv.org/abs/2206.04040",
        input_shape=INPUT_SHAPE,
        references=tuple(
            Reference({"deploy": deploy}, *counts, top1, "github.com/apple/ml-mobileone")
            for deploy, counts in ((False, trained), (True, deployed))
        ),
    )


SPECS = (
    _spec(MobileOneS0, (5_293_272, 5_381_464, 1_051_935_232), (2_078_504, 2_078_504, 275_110_400), 71.4),
    _spec(MobileOneS1, (4_825_192, 4_893_544, 830_062_080), (4_764_840, 4_764_840, 825_057_024), 75.9),
    _spec(MobileOneS2, (7_884_648, 7_971_688, 1_304_027_392), (7_808_168, 7_808_168, 1_298_426_496), 77.4),
    _spec(MobileOneS3, (10_170_600, 10_275_304, 1_902_112_768), (10_078_312, 10_078_312, 1_895_790_592), 78.1),
    _spec(MobileOneS4, (14_951_248, 15_078_992, 2_986_802_432), (14_838_352, 14_838_352, 2_979_269_760), 79.4),
)
