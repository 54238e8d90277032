"""One row a family of networks, small enough to train, save and export in seconds; each meets every law of models."""

from collections.abc import Callable
from dataclasses import dataclass, field

from keraslayers import models


@dataclass(frozen=True, kw_only=True)
class ModelCase:
    """A builder and the options of a small network.

    Attributes:
        builder: the function.
        options: of its own; what makes it narrow or shallow.
        input_shape: for training and export; the laws take one channel where it has one.
        maps: shape without top at `input_shape`, batch left out.
        smallest: the smallest height and width that are not refused.
        channels: by stride the channels that `features` gives at `input_shape`; none where stages hold tokens.
        open_size: whether height and width may be None with the top on.
        open_maps: whether they may be None without it.
        outputs: how many, auxiliary ones included.
    """

    builder: Callable
    options: dict = field(default_factory=dict)
    input_shape: tuple = (32, 32, 3)
    maps: tuple
    smallest: int = 1
    channels: dict
    open_size: bool = True
    open_maps: bool = True
    outputs: int = 1

    @property
    def name(self):
        return "-".join([self.builder.__name__, *(f"{key}_{value}" for key, value in self.options.items())])

    def make(self, **more):
        """The network for `input_shape`."""
        return self.builder(**{"input_shape": self.input_shape, **self.options, **more})


MODELS = [
    ModelCase(builder=models.LeNet5, maps=(5, 5, 16), smallest=16, channels={1: 6, 2: 16, 4: 16}, open_size=False),
    ModelCase(
        builder=models.LeNet5,
        options={"modern": True},
        maps=(5, 5, 16),
        smallest=16,
        channels={1: 6, 2: 16, 4: 16},
        open_size=False,
    ),
    ModelCase(
        builder=models.AlexNet,
        options={"units": 64},
        input_shape=(63, 63, 3),
        maps=(1, 1, 256),
        smallest=63,
        channels={4: 64, 8: 192, 16: 256, 32: 256},
        open_size=False,
    ),
    ModelCase(
        builder=models.AlexNet,
        options={"grouped": True, "units": 64},
        input_shape=(67, 67, 3),
        maps=(1, 1, 256),
        smallest=67,
        channels={4: 96, 8: 256, 16: 256, 32: 256},
        open_size=False,
    ),
    ModelCase(
        builder=models.NiN,
        input_shape=(80, 80, 3),
        maps=(2, 2, 1024),
        smallest=11,
        channels={4: 96, 8: 256, 16: 384, 32: 1024},
    ),
    ModelCase(
        builder=models.NiN,
        options={"version": "cifar10"},
        maps=(8, 8, 192),
        channels={1: 96, 2: 192, 4: 192},
    ),
    ModelCase(
        builder=models.VGG11,
        options={"units": 64},
        maps=(1, 1, 512),
        smallest=32,
        channels={4: 256, 8: 512, 16: 512, 32: 512},
        open_size=False,
    ),
    ModelCase(
        builder=models.VGG11,
        options={"batch_norm": True, "units": 64},
        maps=(1, 1, 512),
        smallest=32,
        channels={4: 256, 8: 512, 16: 512, 32: 512},
        open_size=False,
    ),
    ModelCase(
        builder=models.GoogLeNet,
        maps=(1, 1, 1024),
        channels={4: 192, 8: 480, 16: 832, 32: 1024},
    ),
    ModelCase(
        builder=models.GoogLeNet,
        options={"aux_heads": True, "batch_norm": True},
        input_shape=(79, 79, 3),
        maps=(3, 3, 1024),
        smallest=79,
        channels={4: 192, 8: 480, 16: 832, 32: 1024},
        open_size=False,
        outputs=3,
    ),
    ModelCase(
        builder=models.InceptionV3,
        options={"aux_heads": True},
        input_shape=(107, 107, 3),
        maps=(2, 2, 2048),
        smallest=107,
        channels={4: 192, 8: 288, 16: 768, 32: 2048},
        open_size=False,
        outputs=2,
    ),
    ModelCase(
        builder=models.SqueezeNet,
        input_shape=(40, 40, 3),
        maps=(2, 2, 512),
        smallest=7,
        channels={4: 256, 8: 512, 16: 512},
    ),
    ModelCase(
        builder=models.SqueezeNet,
        options={"version": "1.1"},
        input_shape=(34, 34, 3),
        maps=(2, 2, 512),
        smallest=3,
        channels={4: 128, 8: 256, 16: 512},
    ),
    ModelCase(
        builder=models.MobileNetV3Small,
        input_shape=(64, 64, 3),
        maps=(2, 2, 576),
        channels={4: 16, 8: 24, 16: 48, 32: 96},
    ),
    ModelCase(
        builder=models.MobileNetV3Large,
        options={"alpha": 0.5},
        input_shape=(64, 64, 3),
        maps=(2, 2, 480),
        channels={4: 16, 8: 24, 16: 56, 32: 80},
    ),
    ModelCase(
        builder=models.MobileNet,
        options={"alpha": 0.25},
        maps=(1, 1, 256),
        channels={2: 16, 4: 32, 8: 64, 16: 128, 32: 256},
    ),
    ModelCase(
        builder=models.MobileNetV2,
        options={"alpha": 0.35},
        maps=(1, 1, 1280),
        channels={2: 8, 4: 8, 8: 16, 16: 32, 32: 112},
    ),
    ModelCase(
        builder=models.EfficientNetB0,
        options={"width": 0.25, "depth": 0.5},
        input_shape=(64, 64, 3),
        maps=(2, 2, 320),
        channels={2: 8, 4: 8, 8: 16, 16: 32, 32: 80},
    ),
    ModelCase(
        builder=models.EfficientNetLite0,
        options={"width": 0.25, "depth": 0.5},
        maps=(1, 1, 1280),
        channels={2: 8, 4: 8, 8: 16, 16: 32, 32: 80},
    ),
    ModelCase(
        builder=models.ShuffleNet,
        options={"alpha": 0.25},
        maps=(1, 1, 240),
        channels={4: 6, 8: 60, 16: 120, 32: 240},
    ),
    ModelCase(
        builder=models.ShuffleNetV2,
        options={"alpha": 0.5},
        maps=(1, 1, 1024),
        channels={4: 24, 8: 48, 16: 96, 32: 192},
    ),
    # Not 32x32: the sums would be 1x1, which LiteRT's GPU runtime gets wrong in int8.
    ModelCase(
        builder=models.ResNet18,
        options={"alpha": 0.25},
        input_shape=(48, 48, 3),
        maps=(2, 2, 128),
        channels={4: 16, 8: 32, 16: 64, 32: 128},
    ),
    ModelCase(
        builder=models.ResNet18,
        options={"version": "2", "alpha": 0.25},
        input_shape=(48, 48, 3),
        maps=(2, 2, 128),
        channels={4: 16, 8: 32, 16: 64, 32: 128},
    ),
    ModelCase(
        builder=models.ResNet50,
        options={"version": "2-keras", "alpha": 0.25},
        input_shape=(48, 48, 3),
        maps=(2, 2, 512),
        channels={4: 64, 8: 128, 16: 256, 32: 512},
    ),
    ModelCase(
        builder=models.ResNeXt50,
        options={"groups": 4},
        input_shape=(48, 48, 3),
        maps=(2, 2, 2048),
        channels={4: 256, 8: 512, 16: 1024, 32: 2048},
    ),
    ModelCase(
        builder=models.DenseNet121,
        options={"growth_rate": 8},
        maps=(1, 1, 256),
        smallest=29,
        channels={4: 64, 8: 128, 16: 256, 32: 256},
    ),
    ModelCase(
        builder=models.Xception,
        input_shape=(48, 48, 3),
        maps=(2, 2, 2048),
        smallest=7,
        channels={2: 64, 4: 128, 8: 256, 16: 728, 32: 2048},
    ),
    ModelCase(
        builder=models.ViTTi16,
        options={"patch_size": 8, "blocks": 2, "channels": 36},
        maps=(4, 4, 36),
        smallest=8,
        channels={},
        open_size=False,
        open_maps=False,
    ),
    *(
        ModelCase(
            builder=build,
            options={"blocks": (1, 1), "channels": 32},
            maps=(4, 4, 64),
            smallest=4,
            channels={4: 32, 8: 64},
            open_size=False,
            open_maps=False,
        )
        for build in (models.DWNetT, models.DDWNetT, models.IDDWNetT)
    ),
    ModelCase(
        builder=models.SwinT,
        options={"blocks": (2, 2), "channels": 16, "heads": (2, 4), "window_size": 4},
        maps=(4, 4, 32),
        smallest=4,
        channels={4: 16, 8: 32},
        open_size=False,
        open_maps=False,
    ),
    ModelCase(
        builder=models.MixerS32,
        options={"patch_size": 8, "blocks": 2, "channels": 32, "token_units": 24, "channel_units": 64},
        maps=(4, 4, 32),
        smallest=8,
        channels={8: 32},
        open_size=False,
        open_maps=False,
    ),
    ModelCase(
        builder=models.ResMLP12,
        options={"patch_size": 8, "blocks": 2, "channels": 32},
        maps=(4, 4, 32),
        smallest=8,
        channels={8: 32},
        open_size=False,
        open_maps=False,
    ),
    ModelCase(
        builder=models.RepVGGA0,
        options={"units": (1, 2), "channels": (8, 12)},
        maps=(4, 4, 12),
        channels={2: 8, 4: 8, 8: 12},
    ),
    ModelCase(
        builder=models.MobileOneS0,
        options={"units": (1, 1), "channels": (8, 12), "branches": 2, "gated": (0, 1)},
        maps=(4, 4, 12),
        channels={2: 8, 4: 8, 8: 12},
    ),
    ModelCase(
        builder=models.MobileNetV4ConvS,
        options={"alpha": 0.25, "depth": 0.2},
        maps=(1, 1, 240),
        channels={2: 32, 4: 8, 8: 24, 16: 24, 32: 32},
    ),
    ModelCase(
        builder=models.MobileNetV4HybridM,
        options={"alpha": 0.25, "depth": 0.1, "initial_scale": 0.1},
        input_shape=(64, 64, 3),
        maps=(2, 2, 240),
        smallest=33,
        channels={2: 32, 4: 16, 8: 24, 16: 40, 32: 64},
        open_size=False,
        open_maps=False,
    ),
    ModelCase(
        builder=models.EfficientNetV2B0,
        options={"width": 0.25, "depth": 0.1},
        maps=(1, 1, 320),
        channels={2: 8, 4: 8, 8: 16, 16: 32, 32: 48},
    ),
    ModelCase(
        builder=models.MnasNetA1,
        options={"alpha": 0.25, "depth": 0.25},
        maps=(1, 1, 1280),
        channels={2: 8, 4: 8, 8: 16, 16: 32, 32: 80},
    ),
    ModelCase(
        builder=models.GhostNet,
        options={"alpha": 0.25, "depth": 0.1},
        input_shape=(64, 64, 3),
        maps=(2, 2, 240),
        channels={2: 4, 4: 8, 8: 12, 16: 20, 32: 40},
    ),
    ModelCase(
        builder=models.GhostNetV2,
        # By a small epsilon nothing hangs on the scale of what is normalized again right behind.
        options={"alpha": 0.25, "depth": 0.1, "bn_epsilon": 0.1},
        input_shape=(64, 64, 3),
        maps=(2, 2, 240),
        smallest=33,
        channels={2: 4, 4: 8, 8: 12, 16: 20, 32: 40},
        open_size=False,
        open_maps=False,
    ),
    ModelCase(
        builder=models.RegNetY200MF,
        options={"units": (1, 2), "channels": (8, 16)},
        maps=(4, 4, 16),
        channels={2: 32, 4: 8, 8: 16},
    ),
    ModelCase(
        builder=models.PPLCNet,
        options={"alpha": 0.25, "depth": 0.3},
        maps=(1, 1, 128),
        channels={2: 8, 4: 16, 8: 32, 16: 64, 32: 128},
    ),
    ModelCase(
        builder=models.ConvNeXtAtto,
        options={"blocks": (1, 1), "channels": (16, 32), "initial_scale": 0.1},
        maps=(4, 4, 32),
        smallest=8,
        channels={4: 16, 8: 32},
    ),
    ModelCase(
        builder=models.RepViTM1,
        options={"units": (1, 1), "channels": (16, 48)},
        maps=(4, 4, 48),
        channels={4: 16, 8: 48},
    ),
    ModelCase(
        builder=models.FastViTT8,
        options={"blocks": (1, 1), "channels": (16, 32), "initial_scale": 0.1},
        maps=(4, 4, 64),
        channels={4: 16, 8: 32},
    ),
    ModelCase(
        builder=models.MobileViTXXS,
        options={"units": (1, 1), "channels": (16, 24), "blocks": (0, 1), "dims": (0, 32)},
        maps=(8, 8, 96),
        smallest=9,
        channels={2: 16, 4: 24},
        open_size=False,
        open_maps=False,
    ),
]
