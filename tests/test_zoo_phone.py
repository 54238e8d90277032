"""Networks of the phone give what timm's code gives with the same weights, at full size; `make test-zoo` runs this."""

import keras
import numpy as np
import pytest
import timm

from keraslayers import models, reparameterize
from tests.model_tools import image
from tests.zoo import CLASSES, Theirs, give, options

SIDES = (64, 64, 3)


class Pair:
    """A network of timm and ours, to which the weights go layer by layer."""

    def __init__(self, name, of_timm, **more):
        self.theirs = Theirs(timm.create_model(of_timm, num_classes=CLASSES))
        self.ours = models.create(name, **options(**{"input_shape": SIDES, **more}))

    def has(self, name):
        return any(layer.name == name for layer in self.ours.layers)

    def conv(self, name, at):
        depthwise = isinstance(self.ours.get_layer(name), keras.layers.DepthwiseConv2D)
        give(self.ours, name, (self.theirs.depthwise if depthwise else self.theirs.conv)(at))

    def norm(self, name, at):
        give(self.ours, name, self.theirs.batch_norm(at))

    def unit(self, name, conv, norm):
        self.conv(name, conv)
        self.norm(f"{name}_bn", norm)

    def gates(self, name, squeeze, excite):
        if self.has(name):
            give(self.ours, name, [*self.theirs.conv(squeeze), *self.theirs.conv(excite)])

    def scale(self, name, at):
        if self.has(name):
            give(self.ours, name, [self.theirs.take(at)])

    def top(self, at):
        give(self.ours, "predictions", self.theirs.linear(at))

    def places(self):
        """Yields (stage, unit) of ours in their order."""
        found = (layer.name.split("_")[:2] for layer in self.ours.layers if layer.name.startswith("stage"))
        for stage, unit in dict.fromkeys(map(tuple, found)):
            yield f"{stage}_{unit}"

    def blocks(self):
        """Yields (place of ours, place of theirs) of what timm keeps in `blocks`, stages of units."""
        count = {}
        for name in self.theirs.state:
            if name.startswith("blocks."):
                _, stage, unit, *_ = name.split(".")
                count[f"blocks.{stage}.{unit}"] = None
        yield from zip(self.places(), count, strict=False)

    def inverted(self, place, at):
        """An inverted residual of timm, whose normalizations are numbered."""
        steps = [f"{place}_{step}" for step in ("expand", "depthwise", "project") if self.has(f"{place}_{step}")]
        expands = len(steps) == 3
        for number, step in enumerate(steps, start=1):
            conv = {"expand": "pw", "depthwise": "dw", "project": "pwl" if expands else "pw"}[step.rsplit("_", 1)[1]]
            self.unit(step, f"{at}.conv_{conv}", f"{at}.bn{number}")
        self.gates(f"{place}_squeeze_excite", f"{at}.se.conv_reduce", f"{at}.se.conv_expand")

    def fused(self, place, at):
        if self.has(place):
            self.unit(place, f"{at}.conv", f"{at}.bn1")
        else:
            self.unit(f"{place}_expand", f"{at}.conv_exp", f"{at}.bn1")
            self.unit(f"{place}_project", f"{at}.conv_pwl", f"{at}.bn2")

    def branches(self, place, at, copies, scale):
        """A block of RepVGG or MobileOne."""
        for copy, of_theirs in enumerate(copies, start=1):
            self.unit(place if copy == 1 else f"{place}_branch{copy}", f"{at}.{of_theirs}.conv", f"{at}.{of_theirs}.bn")
        if self.has(f"{place}_scale"):
            self.unit(f"{place}_scale", f"{at}.{scale}.conv", f"{at}.{scale}.bn")
        if self.has(f"{place}_skip_bn"):
            self.norm(f"{place}_skip_bn", f"{at}.identity")
        self.gates(f"{place}_squeeze_excite", f"{at}.attn.fc1", f"{at}.attn.fc2")

    def compare(self):
        self.theirs.compare(self.ours)


TIMM = {"padding": "symmetric", "bn_epsilon": 1e-5}


def assert_reparameterized(network):
    x = image(SIDES)
    expected, found = (keras.ops.convert_to_numpy(one(x)) for one in (network, reparameterize(network)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_repvgg():
    pair = Pair("repvgg_a0", "repvgg_a0")
    pair.branches("stem", "stem", ["conv_kxk"], "conv_1x1")
    for place in pair.places():
        stage, unit = (int(part.lstrip("stageuni")) - 1 for part in place.split("_"))
        pair.branches(place, f"stages.{stage}.{unit}", ["conv_kxk"], "conv_1x1")
    pair.top("head.fc")
    pair.compare()
    assert_reparameterized(pair.ours)


@pytest.mark.parametrize(("size", "copies"), [("s0", 4), ("s4", 1)])
def test_mobileone(size, copies):
    pair = Pair(f"mobileone_{size}", f"mobileone_{size}")
    pair.branches("stem", "stem", ["conv_kxk.0"], "conv_scale")
    branches = [f"conv_kxk.{copy}" for copy in range(copies)]
    for place in pair.places():
        stage, unit = (int(part.lstrip("stageuni")) - 1 for part in place.split("_"))
        for number, part in enumerate(("depthwise", "pointwise")):
            pair.branches(f"{place}_{part}", f"stages.{stage}.{2 * unit + number}", branches, "conv_scale")
    pair.top("head.fc")
    pair.compare()
    assert_reparameterized(pair.ours)


@pytest.mark.parametrize("size", ["conv_s", "conv_m", "hybrid_m"])
def test_mobilenet_v4(size):
    kind, letter = size.split("_")
    pair = Pair(f"mobilenet_v4_{size}", f"mobilenetv4_{kind}_{ {'s': 'small', 'm': 'medium'}[letter] }", **TIMM)
    pair.unit("stem", "conv_stem", "bn1")
    for place, at in pair.blocks():
        if pair.has(f"{place}_query"):
            pair.norm(f"{place}_bn", f"{at}.norm")
            pair.conv(f"{place}_query", f"{at}.attn.query.proj")
            for part in ("key", "value"):
                if pair.has(f"{place}_{part}_down"):
                    pair.unit(f"{place}_{part}_down", f"{at}.attn.{part}.down_conv", f"{at}.attn.{part}.norm")
                pair.conv(f"{place}_{part}", f"{at}.attn.{part}.proj")
            pair.conv(f"{place}_project", f"{at}.attn.output.proj")
        elif f"{at}.conv_exp.weight" in pair.theirs.state or pair.has(place):
            pair.fused(place, at)
        else:
            steps = {"start": "dw_start", "expand": "pw_exp", "depthwise": "dw_mid", "project": "pw_proj"}
            for step, of_theirs in steps.items():
                if pair.has(f"{place}_{step}"):
                    pair.unit(f"{place}_{step}", f"{at}.{of_theirs}.conv", f"{at}.{of_theirs}.bn")
        pair.scale(f"{place}_scale", f"{at}.layer_scale.gamma")
    pair.unit("head", "blocks.4.0.conv", "blocks.4.0.bn1")
    pair.unit("features", "conv_head", "norm_head")
    pair.top("classifier")
    pair.compare()


@pytest.mark.parametrize(
    ("name", "of_timm", "more"),
    [
        ("efficientnet_v2_b0", "tf_efficientnetv2_b0", {}),
        ("efficientnet_v2_s", "efficientnetv2_s", TIMM),
        ("mnasnet_a1", "semnasnet_100", TIMM),
        ("mnasnet_b1", "mnasnet_100", TIMM),
    ],
)
def test_networks_of_inverted_residuals(name, of_timm, more):
    pair = Pair(name, of_timm, **more)
    pair.unit("stem", "conv_stem", "bn1")
    for place, at in pair.blocks():
        (pair.inverted if pair.has(f"{place}_depthwise") else pair.fused)(place, at)
    pair.unit("head", "conv_head", "bn2")
    pair.top("classifier")
    pair.compare()


@pytest.mark.parametrize(("name", "side"), [("ghostnet", 64), ("ghostnet_v2", 96)])
def test_ghostnet(name, side):
    """At 96 the last maps are 3x3: an odd side, to which gates of one place grow."""
    pair = Pair(name, f"{name.replace('_', '')}_100", input_shape=(side, side, 3))
    pair.unit("stem", "conv_stem", "bn1")
    for place, at in pair.blocks():
        for step, of_theirs in (("expand", "ghost1"), ("project", "ghost2")):
            for name, part in (("", "primary_conv"), ("_cheap", "cheap_operation")):
                pair.unit(f"{place}_{step}{name}", f"{at}.{of_theirs}.{part}.0", f"{at}.{of_theirs}.{part}.1")
        if pair.has(f"{place}_attention"):
            for number, part in enumerate(("", "_row", "_column")):
                convolution = f"{at}.ghost1.short_conv.{2 * number}"
                pair.unit(f"{place}_attention{part}", convolution, f"{at}.ghost1.short_conv.{2 * number + 1}")
        if pair.has(f"{place}_depthwise"):
            pair.unit(f"{place}_depthwise", f"{at}.conv_dw", f"{at}.bn_dw")
        pair.gates(f"{place}_squeeze_excite", f"{at}.se.conv_reduce", f"{at}.se.conv_expand")
        if pair.has(f"{place}_shortcut_project"):
            pair.unit(f"{place}_shortcut_depthwise", f"{at}.shortcut.0", f"{at}.shortcut.1")
            pair.unit(f"{place}_shortcut_project", f"{at}.shortcut.2", f"{at}.shortcut.3")
    pair.unit("head", "blocks.9.0.conv", "blocks.9.0.bn1")
    pair.conv("features", "conv_head")
    pair.top("classifier")
    pair.compare()


@pytest.mark.parametrize(
    ("name", "of_timm", "more"),
    [
        ("regnet_x_200mf", "regnetx_002", {}),
        ("regnet_x_400mf", "regnetx_004", {}),
        ("regnet_x_400mf", "regnetx_004_tv", {"channels": (32, 64, 160, 400)}),
        ("regnet_x_600mf", "regnetx_006", {}),
        ("regnet_x_1600mf", "regnetx_016", {}),
        ("regnet_y_200mf", "regnety_002", {}),
        ("regnet_y_600mf", "regnety_006", {}),
        ("regnet_y_800mf", "regnety_008_tv", {"channels": (64, 144, 320, 784)}),
        ("regnet_y_1600mf", "regnety_016", {}),
    ],
)
def test_regnet(name, of_timm, more):
    pair = Pair(name, of_timm, **more)
    pair.unit("stem", "stem.conv", "stem.bn")
    for place in pair.places():
        stage, unit = (int(part.lstrip("stageuni")) for part in place.split("_"))
        at = f"s{stage}.b{unit}"
        for step, of_theirs in (
            ("reduce", "conv1"),
            ("conv", "conv2"),
            ("expand", "conv3"),
            ("shortcut", "downsample"),
        ):
            if pair.has(f"{place}_{step}"):
                pair.unit(f"{place}_{step}", f"{at}.{of_theirs}.conv", f"{at}.{of_theirs}.bn")
        pair.gates(f"{place}_squeeze_excite", f"{at}.se.fc1", f"{at}.se.fc2")
    pair.top("head.fc")
    pair.compare()


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_pp_lcnet(alpha):
    pair = Pair("pp_lcnet", f"lcnet_{round(100 * alpha):03}", alpha=alpha)
    pair.unit("stem", "conv_stem", "bn1")
    for place, at in pair.blocks():
        pair.unit(f"{place}_depthwise", f"{at}.conv_dw", f"{at}.bn1")
        pair.gates(f"{place}_squeeze_excite", f"{at}.se.conv_reduce", f"{at}.se.conv_expand")
        pair.unit(f"{place}_pointwise", f"{at}.conv_pw", f"{at}.bn2")
    pair.conv("features", "conv_head")
    pair.top("classifier")
    pair.compare()


@pytest.mark.parametrize("size", ["atto", "nano", "tiny"])
def test_convnext(size):
    pair = Pair(f"convnext_{size}", f"convnext_{size}")
    theirs, ours = pair.theirs, pair.ours
    pair.conv("stem", "stem.0")
    give(ours, "stem_norm", theirs.norm("stem.1"))
    for place in pair.places():
        stage = int(place[5]) - 1
        if place.endswith("_down"):
            give(ours, f"{place}_norm", theirs.norm(f"stages.{stage}.downsample.0"))
            pair.conv(place, f"stages.{stage}.downsample.1")
            continue
        at = f"stages.{stage}.blocks.{int(place.rpartition('block')[2]) - 1}"
        pair.conv(f"{place}_depthwise", f"{at}.conv_dw")
        give(ours, f"{place}_norm", theirs.norm(f"{at}.norm"))
        for step, of_theirs in (("expand", "fc1"), ("project", "fc2")):
            kernel, bias = theirs.linear(f"{at}.mlp.{of_theirs}")
            # Of a 1x1 convolution in small ones: turned round, its axes are (1, 1, in, out).
            give(ours, f"{place}_{step}", [kernel.reshape(kernel.shape[-2:]), bias])
        pair.scale(f"{place}_scale", f"{at}.gamma")
    give(ours, "head_norm", theirs.norm("head.norm"))
    pair.top("head.fc")
    pair.compare()
