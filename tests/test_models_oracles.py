"""Networks equal plain numpy, written from the papers' figures and the code of Caffe and torchvision."""

from functools import partial

import numpy as np
import pytest

from keraslayers import models
from tests import oracles_phone as phone
from tests import oracles_plain as plain
from tests import oracles_residual as residual
from tests import oracles_tokens as tokens
from tests.model_tools import assert_close, image, randomize

BOTH = ("symmetric", "same")
UNITS_121 = (6, 12, 24, 16)

# Networks of tokens: six patches.
SIZES = {"size": 8, "blocks": 2}
TOKENS = {"patch_size": 8, "blocks": 2, "channels": 24}
PHONE = {"units": (1, 2), "channels": (6, 8)}
ONE = {"branches": 3, "gated": (0, 1)}
GROUPS = {"group_width": 2}
ATTENDING = {"units": (1, 2), "blocks": (0, 2)}
SWIN = {"blocks": (2, 2, 2), "heads": (1, 2, 2)}

# (builder, its options, (height, width), oracle). Sides are odd and even, as paddings differ there.
ROWS = [
    *((models.LeNet5, {"modern": modern}, (32, 35), partial(plain.lenet5, modern=modern)) for modern in (False, True)),
    (models.VGG11, {"units": 12}, (32, 45), partial(plain.vgg, column="A")),
    (models.VGG13, {"units": 12}, (32, 45), partial(plain.vgg, column="B")),
    (models.VGG11, {"units": 12, "batch_norm": True}, (32, 45), partial(plain.vgg, column="A")),
    (models.AlexNet, {"units": 12}, (64, 95), plain.alexnet),
    (models.NiN, {}, (64, 81), plain.nin_imagenet),
    (models.NiN, {"version": "cifar10"}, (32, 22), plain.nin_cifar10),
    (models.SqueezeNet, {}, (64, 81), partial(plain.squeezenet, version="1.0")),
    (models.SqueezeNet, {"version": "1.1"}, (64, 81), partial(plain.squeezenet, version="1.1")),
    # Its default size, at which every pooling reaches over the end.
    (models.GoogLeNet, {}, (224, 224), plain.googlenet),
    (models.GoogLeNet, {"aux_heads": True}, (96, 130), partial(plain.googlenet, heads=True)),
    (models.GoogLeNet, {"batch_norm": True}, (64, 81), partial(plain.googlenet, torchvision=True)),
    (
        models.GoogLeNet,
        {"batch_norm": True, "aux_heads": True},
        (96, 130),
        partial(plain.googlenet, torchvision=True, heads=True),
    ),
    *(
        (
            models.InceptionV3,
            {"padding": padding, "aux_heads": True},
            (107, 120),
            partial(plain.inception_v3, padding=padding, head=True),
        )
        for padding in BOTH
    ),
    *(
        (
            getattr(models, f"ResNet{depth}"),
            {"version": version, "alpha": 0.25, "padding": padding},
            (64, 45),
            partial(residual.resnet, depth=depth, version=version, padding=padding),
        )
        for depth, version, padding in (
            (18, "1", "symmetric"),
            (18, "1.5", "same"),
            (18, "2", "symmetric"),
            (34, "1.5", "symmetric"),
            (34, "2", "same"),
            (50, "1", "symmetric"),
            (50, "1.5", "same"),
            (50, "2", "symmetric"),
            (50, "2", "same"),
        )
    ),
    *(
        (
            models.ResNeXt50,
            {"groups": groups, "width_per_group": 4, "padding": padding},
            (32, 45),
            partial(residual.resnet, depth=50, groups=groups, padding=padding),
        )
        for groups, padding in ((32, "symmetric"), (4, "same"))
    ),
    (models.ResNeXt101, {"groups": 2}, (32, 33), partial(residual.resnet, depth=101, groups=2)),
    *(
        (
            models.DenseNet121,
            {"growth_rate": 8, "padding": padding},
            (64, 45),
            partial(residual.densenet, units=UNITS_121, padding=padding),
        )
        for padding in BOTH
    ),
    *(
        row
        for padding in BOTH
        for row in (
            (
                models.MobileNet,
                {"alpha": 0.25, "padding": padding, "bn_epsilon": 1e-5},
                (64, 45),
                partial(residual.mobilenet, padding=padding, epsilon=1e-5),
            ),
            (
                models.MobileNetV2,
                {"alpha": 0.35, "padding": padding, "bn_epsilon": 1e-5},
                (64, 45),
                partial(residual.mobilenet_v2, padding=padding, epsilon=1e-5),
            ),
            (
                models.MobileNetV3Small,
                {"padding": padding},
                (64, 45),
                partial(residual.mobilenet_v3, size="small", padding=padding),
            ),
            (
                models.MobileNetV3Large,
                {"alpha": 0.5, "scale_all": True, "padding": padding},
                (64, 45),
                partial(residual.mobilenet_v3, size="large", padding=padding),
            ),
            (
                models.MobileNetV3Large,
                {"alpha": 0.5, "minimalistic": True, "padding": padding},
                (64, 45),
                partial(residual.mobilenet_v3, size="large", padding=padding, minimalistic=True),
            ),
            (
                models.EfficientNetB0,
                {"width": 0.25, "padding": padding, "bn_epsilon": 1e-5},
                (64, 45),
                partial(residual.efficientnet, depth=1.0, padding=padding, epsilon=1e-5),
            ),
            (
                models.EfficientNetLite4,
                {"width": 0.25, "padding": padding},
                (64, 45),
                partial(residual.efficientnet, depth=1.8, lite=True, padding=padding),
            ),
        )
    ),
    *(
        (
            models.ShuffleNet,
            {"groups": groups, "alpha": alpha, "padding": padding},
            (64, 45),
            partial(residual.shufflenet, groups=groups, padding=padding),
        )
        for groups, alpha in ((1, 0.25), (3, 0.25), (8, 0.5))
        for padding in BOTH
    ),
    *(
        (
            models.ShuffleNetV2,
            {"alpha": 0.5, "padding": padding},
            (64, 45),
            partial(residual.shufflenet_v2, padding=padding),
        )
        for padding in BOTH
    ),
    (models.EfficientNetLite0, {}, (64, 45), partial(residual.efficientnet, depth=1.0, lite=True)),
    *(
        (
            models.MixerS32,
            {**TOKENS, "approximate": approximate, "token_units": 10, "channel_units": 40},
            (16, 24),
            partial(tokens.mixer, **SIZES, approximate=approximate),
        )
        for approximate in (False, True)
    ),
    # Windows of four fill neither 8x6 nor 4x3 patches; those of 2x2 are one window, which is not shifted.
    (
        models.SwinT,
        {**SWIN, "channels": 8, "window_size": 4},
        (32, 24),
        partial(tokens.swin, **SWIN, window=4),
    ),
    *(
        (
            build,
            {"blocks": (1, 1), "channels": 32},
            (16, 24),
            partial(tokens.dwnet, blocks=(1, 1), kernels=kernels),
        )
        for build, kernels in (
            (models.DWNetT, "static"),
            (models.DDWNetT, "homogeneous"),
            (models.IDDWNetT, "inhomogeneous"),
        )
    ),
    # Of the phone, each with one of both paddings.
    *(
        (build, {**options, "padding": padding}, sides, partial(oracle, padding=padding, **more))
        for build, options, padding, sides, oracle, more in (
            (models.RepVGGA0, PHONE, "symmetric", (16, 21), phone.repvgg, PHONE),
            (models.MobileOneS0, {**PHONE, **ONE}, "same", (16, 21), phone.mobileone, {**PHONE, **ONE}),
            (models.MobileNetV4ConvS, {"alpha": 0.25}, "same", (64, 45), phone.mobilenet_v4, {"stages": phone.V4_S}),
            (
                models.MobileNetV4HybridM,
                {"alpha": 0.25, "depth": 0.12},
                "symmetric",
                (64, 45),
                phone.mobilenet_v4,
                {"stages": phone.V4_HYBRID_IN_PART},
            ),
            (
                models.EfficientNetV2B0,
                {"width": 0.25, "depth": 0.4},
                "symmetric",
                (64, 45),
                phone.efficientnet_v2,
                {"units": (1, 1, 1, 2, 2, 4)},
            ),
            (models.MnasNetA1, {"alpha": 0.25}, "same", (64, 45), phone.mnasnet, {"rows": phone.MNASNET_A1}),
            (
                models.MnasNetB1,
                {"alpha": 0.25, "depth": 0.5},
                "symmetric",
                (64, 45),
                phone.mnasnet,
                {"rows": phone.MNASNET_B1_IN_PART},
            ),
            (models.GhostNet, {"alpha": 0.25}, "same", (64, 45), phone.ghostnet, {}),
            # Of an odd width.
            (models.GhostNetV2, {"alpha": 0.25}, "symmetric", (64, 70), phone.ghostnet, {}),
            (models.RegNetX400MF, PHONE | GROUPS, "same", (16, 21), phone.regnet, {"units": (1, 2), "width": 2}),
            (models.RegNetY200MF, PHONE | GROUPS, "symmetric", (16, 21), phone.regnet, {"units": (1, 2), "width": 2}),
            (models.PPLCNet, {"alpha": 0.25}, "symmetric", (64, 45), phone.pp_lcnet, {}),
            (models.RepViTM1, PHONE, "same", (16, 21), phone.repvit, {"units": (1, 2)}),
            (
                models.RepViTM1,
                {"units": (2, 1), "channels": (6, 8), "distilled": True},
                "symmetric",
                (16, 21),
                phone.repvit,
                {"units": (2, 1), "distilled": True},
            ),
            (
                models.FastViTT8,
                {"blocks": (1, 2), "channels": (6, 12)},
                "same",
                (16, 21),
                phone.fastvit,
                {"blocks": (1, 2)},
            ),
            # Of an odd height.
            (
                models.MobileViTXXS,
                ATTENDING | {"channels": (8, 12), "dims": (0, 16)},
                "symmetric",
                (20, 32),
                phone.mobilevit,
                ATTENDING,
            ),
        )
    ),
    (
        models.ConvNeXtAtto,
        {"blocks": (2, 1), "channels": (8, 12)},
        (16, 21),
        partial(phone.convnext, blocks=(2, 1)),
    ),
    (models.ResMLP12, TOKENS, (16, 24), partial(tokens.resmlp, **SIZES)),
    *(
        (
            models.ViTTi16,
            {**TOKENS, "heads": 4, "approximate": approximate},
            (16, 24),
            partial(tokens.vit, **SIZES, approximate=approximate),
        )
        for approximate in (False, True)
    ),
]


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("builder", "options", "sides", "oracle"),
    [pytest.param(*row, id="-".join([row[0].__name__, *map(str, row[1].values())])) for row in ROWS],
)
def test_equals_the_oracle(builder, options, sides, oracle):
    channels = 1 if builder is models.LeNet5 else 3
    model = builder(input_shape=(*sides, channels), classes=7, classifier_activation=None, **options)
    randomize(model)
    x = image((*sides, channels), batch=1)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    # Of a network with auxiliary heads a list.
    found, expected = (
        y if isinstance(y, list) else [y] for y in (model(x, training=False), oracle(x.astype("float64"), weights))
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(np.asarray(ours), theirs)
