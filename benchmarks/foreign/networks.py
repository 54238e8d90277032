"""Networks in PyTorch, as people bring them: torchvision's in small, and what others write by hand.

Runs in an environment of its own, which has PyTorch. Weights are random; normalizations have the averages of images.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models
from torchvision.models import convnext, densenet, efficientnet, maxvit, regnet, swin_transformer, vision_transformer
from torchvision.models.detection import ssdlite
from torchvision.models.segmentation import deeplabv3, lraspp
from torchvision.ops import MLP, Conv2dNormActivation, SqueezeExcitation

SIDE = 96
CLASSES = 10


class Features(nn.Module):
    """The layers of a network one after another, some of whose outputs go on by name."""

    def __init__(self, layers, taken):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.taken = taken

    def forward(self, x):
        found = {}
        for place, layer in enumerate(self.layers):
            x = layer(x)
            if place in self.taken:
                found[self.taken[place]] = x
        return found


class Mapped(nn.Module):
    """One output of a network that returns several by name."""

    def __init__(self, network, name):
        super().__init__()
        self.network = network
        self.name = name

    def forward(self, x):
        return self.network(x)[self.name]


def mobilenet_v3():
    return models.mobilenet_v3_small(width_mult=0.5, num_classes=CLASSES)


def shufflenet_v2():
    """Channels are shuffled through five axes."""
    return models.shufflenet_v2_x0_5(num_classes=CLASSES)


def efficientnet_b0():
    rows = [(1, 3, 1, 8, 8, 1), (6, 3, 2, 8, 12, 1), (6, 5, 2, 12, 16, 2), (6, 3, 2, 16, 24, 1), (6, 5, 1, 24, 32, 1)]
    setting = [efficientnet.MBConvConfig(*row) for row in rows]
    return models.EfficientNet(setting, dropout=0.2, last_channel=96, num_classes=CLASSES)


def regnet_y():
    widths = regnet.BlockParams.from_init_params(depth=6, w_0=24, w_a=12.0, w_m=2.2, group_width=8, se_ratio=0.25)
    return models.RegNet(widths, num_classes=CLASSES)


def resnext():
    """Grouped convolutions of 2 and 4 channels."""
    network = models.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], groups=16, width_per_group=2)
    layers = [layer for name, layer in network.named_children() if name not in ("layer3", "layer4", "avgpool", "fc")]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES))


def grouped():
    """Groups of two channels that become three, and of three that stay."""
    layers = [nn.Conv2d(8, 12, 3, 2, 1, groups=4), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1, groups=4), nn.Hardtanh()]
    return nn.Sequential(conv(3, 8, 4), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, CLASSES))


def densenet_small():
    return densenet.DenseNet(8, (3, 3, 3), 16, num_classes=CLASSES)


def convnext_tiny():
    setting = [
        convnext.CNBlockConfig(16, 32, 1),
        convnext.CNBlockConfig(32, 48, 1),
        convnext.CNBlockConfig(48, None, 1),
    ]
    return models.ConvNeXt(setting, num_classes=CLASSES)


def vit():
    return vision_transformer.VisionTransformer(SIDE, 16, 2, 4, 64, 128, num_classes=CLASSES)


def swin():
    """Windows of 4 x 4, shifted: six axes, roll, a bias of positions."""
    return swin_transformer.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [4, 4], num_classes=CLASSES)


def swin_v2():
    return swin_transformer.SwinTransformer(
        [4, 4],
        24,
        [2, 2],
        [2, 4],
        [4, 4],
        num_classes=CLASSES,
        block=swin_transformer.SwinTransformerBlockV2,
        downsample_layer=swin_transformer.PatchMergingV2,
    )


def maxvit_small():
    """Attention in windows and across a grid of them."""
    return maxvit.MaxVit((SIDE, SIDE), 16, 3, [16, 32], [1, 1], 8, 0.0, num_classes=CLASSES)


def lraspp_mobile():
    layers = models.mobilenet_v3_small(width_mult=0.5).features[:9]
    backbone = Features(layers, {1: "low", 8: "high"})
    return Mapped(lraspp.LRASPP(backbone, 8, 24, 5, inter_channels=32), "out")


def deeplab():
    """Dilated convolutions of rates beyond the map's side."""
    layers = models.mobilenet_v3_small(width_mult=0.5).features[:9]
    head = nn.Sequential(deeplabv3.ASPP(24, [6, 12, 18], 32), nn.Conv2d(32, 5, 1))
    return Mapped(deeplabv3.DeepLabV3(Features(layers, {8: "out"}), head), "out")


class SsdLite(nn.Module):
    """The head of a detector; its boxes are found through five axes."""

    def __init__(self):
        super().__init__()
        self.backbone = models.mobilenet_v3_small(width_mult=0.5).features[:9]
        self.extra = Conv2dNormActivation(24, 32, stride=2, activation_layer=nn.ReLU6)
        self.head = ssdlite.SSDLiteHead([24, 32], [6, 6], 5, nn.BatchNorm2d)

    def forward(self, x):
        high = self.backbone(x)
        found = self.head([high, self.extra(high)])
        return found["bbox_regression"], found["cls_logits"].softmax(-1)


class YoloAnchors(nn.Module):
    """A head in the manner of YOLOv5: anchors along an axis of their own, boxes decoded on a grid."""

    def __init__(self, classes=4, anchors=3):
        super().__init__()
        self.backbone = nn.Sequential(*(conv(a, b, 2) for a, b in ((3, 8), (8, 16), (16, 24), (24, 32))))
        self.anchors, self.outputs = anchors, 5 + classes
        self.detect = nn.Conv2d(32, anchors * self.outputs, 1)
        side = SIDE // 16
        y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        self.register_buffer("grid", torch.stack((x, y), 2).view(1, 1, side, side, 2).float() - 0.5)
        sizes = torch.tensor([[10.0, 13.0], [16.0, 30.0], [33.0, 23.0]])
        self.register_buffer("sizes", sizes.view(1, anchors, 1, 1, 2).expand(1, anchors, side, side, 2).clone())

    def forward(self, x):
        x = self.detect(self.backbone(x))
        batch, _, height, width = x.shape
        x = x.view(batch, self.anchors, self.outputs, height, width).permute(0, 1, 3, 4, 2).contiguous().sigmoid()
        place, size, sure = x.split((2, 2, self.outputs - 4), 4)
        place = (place * 2 + self.grid) * 16
        size = size * size * 4 * self.sizes
        return torch.cat((place, size, sure), 4).view(batch, -1, self.outputs)


class YoloDistribution(nn.Module):
    """A head in the manner of YOLOv8: two scales, distances as expectations of distributions."""

    def __init__(self, classes=4, bins=8):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8, 2), conv(8, 16, 2), C2f(16), conv(16, 24, 2))
        self.deep = nn.Sequential(conv(24, 32, 2), C2f(32), Pools(32))
        self.merge = conv(56, 24)
        self.bins, self.classes = bins, classes
        self.heads = nn.ModuleList(nn.Conv2d(width, 4 * bins + classes, 1) for width in (24, 32))
        self.expected = nn.Conv2d(bins, 1, 1, bias=False)
        self.expected.weight.data[:] = torch.arange(bins).float().view(1, bins, 1, 1)
        self.expected.requires_grad_(False)
        places = [(SIDE // stride, stride) for stride in (8, 16)]
        points = [torch.cartesian_prod(torch.arange(side), torch.arange(side)).flip(1) + 0.5 for side, _ in places]
        self.register_buffer("points", torch.cat(points).t()[None])
        self.register_buffer("strides", torch.cat([torch.full((side**2,), float(s)) for side, s in places])[None, None])

    def forward(self, x):
        fine = self.stem(x)
        deep = self.deep(fine)
        fine = self.merge(torch.cat((F.interpolate(deep, scale_factor=2.0, mode="nearest"), fine), 1))
        rows = [head(level).flatten(2) for head, level in zip(self.heads, (fine, deep), strict=True)]
        boxes, classes = torch.cat(rows, 2).split((4 * self.bins, self.classes), 1)
        batch, _, count = boxes.shape
        boxes = self.expected(boxes.view(batch, 4, self.bins, count).transpose(2, 1).softmax(1)).view(batch, 4, count)
        low, high = boxes.chunk(2, 1)
        corners = torch.cat((self.points - low, self.points + high), 1) * self.strides
        return torch.cat((corners, classes.sigmoid()), 1)


class C2f(nn.Module):
    """Half of the channels pass a bottleneck, everything is concatenated."""

    def __init__(self, channels):
        super().__init__()
        self.inside = conv(channels // 2, channels // 2)
        self.out = conv(3 * channels // 2, channels)

    def forward(self, x):
        parts = list(x.chunk(2, 1))
        parts.append(parts[-1] + self.inside(parts[-1]))
        return self.out(torch.cat(parts, 1))


class Pools(nn.Module):
    """The same maximum three times over, concatenated (SPPF)."""

    def __init__(self, channels):
        super().__init__()
        self.out = conv(4 * channels, channels)

    def forward(self, x):
        found = [x]
        for _ in range(3):
            found.append(F.max_pool2d(found[-1], 5, 1, 2))
        return self.out(torch.cat(found, 1))


def conv(inputs, outputs, stride=1):
    return Conv2dNormActivation(inputs, outputs, stride=stride, activation_layer=nn.SiLU)


class SuperResolution(nn.Module):
    """Pixels go to channels and back: six axes each way."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(12, 16, 3, padding=1), nn.PReLU(16), nn.Conv2d(16, 48, 3, padding=1)
        )

    def forward(self, x):
        return F.pixel_shuffle(self.layers(x), 4)


class StyleTransfer(nn.Module):
    """Reflected borders, instances normalized, transposed convolutions, a tanh."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(4),
            nn.Conv2d(3, 8, 9),
            nn.InstanceNorm2d(8, affine=True),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, 2, padding=1),
            nn.InstanceNorm2d(16, affine=True),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(16, 8, 2, 2),
            nn.GroupNorm(2, 8),
            nn.GELU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(8, 3, 3),
            nn.Tanh(),
        )

    def forward(self, x):
        return self.layers(x)


class UNet(nn.Module):
    """Bilinear up-sampling with aligned corners, and what comes across is cut to fit."""

    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList([conv(3, 8), conv(8, 16), conv(16, 24)])
        self.up = nn.ModuleList([conv(40, 16), conv(24, 8)])
        self.out = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        first = self.down[0](x)
        second = self.down[1](F.avg_pool2d(first, 2))
        x = self.down[2](F.max_pool2d(second, 2))
        x = self.up[0](torch.cat((F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True), second), 1))
        x = self.up[1](torch.cat((F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), first), 1))
        x = self.out(x)
        return x.argmax(1), x.softmax(1)


class SpatialTransformer(nn.Module):
    """A network that turns its input by a matrix that it finds: sampling on a grid."""

    def __init__(self):
        super().__init__()
        self.find = nn.Sequential(
            conv(3, 8, 4), conv(8, 16, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 6)
        )
        self.find[-1].weight.data.mul_(0.2)
        self.find[-1].bias.data.copy_(torch.tensor([0.8, 0.1, 0.0, -0.1, 0.9, 0.05]))
        self.find[-1].requires_grad_(False)
        self.network = nn.Sequential(conv(3, 8, 2), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, CLASSES))
        middles = (torch.arange(SIDE) + 0.5) * 2 / SIDE - 1
        y, x = torch.meshgrid(middles, middles, indexing="ij")
        self.register_buffer("grid", torch.stack((x, y, torch.ones_like(x)), 2).view(1, SIDE * SIDE, 3))

    def forward(self, x):
        theta = self.find(x).view(-1, 2, 3)
        grid = self.grid.expand(x.shape[0], -1, -1) @ theta.transpose(1, 2)
        return self.network(F.grid_sample(x, grid.view(-1, SIDE, SIDE, 2), align_corners=False))


class CoordinateAttention(nn.Module):
    """Means along each axis, concatenated and split again."""

    def __init__(self, channels=16):
        super().__init__()
        self.stem = conv(3, channels, 4)
        self.shared = nn.Sequential(nn.Conv2d(channels, 8, 1), nn.BatchNorm2d(8), nn.Hardswish())
        self.rows, self.columns = nn.Conv2d(8, channels, 1), nn.Conv2d(8, channels, 1)
        self.out = nn.Linear(channels, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        height, width = x.shape[2:]
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True).permute(0, 1, 3, 2)
        rows, columns = torch.split(self.shared(torch.cat([rows, columns], 2)), [height, width], 2)
        x = x * self.rows(rows).sigmoid() * self.columns(columns.permute(0, 1, 3, 2)).sigmoid()
        return self.out(x.mean((2, 3)))


class Involution(nn.Module):
    """Kernels of their own for each place: unfold and a sum over its axis."""

    def __init__(self, channels=16, groups=4, kernel=3):
        super().__init__()
        self.stem = conv(3, channels, 4)
        self.reduce, self.span = nn.Conv2d(channels, 8, 1), nn.Conv2d(8, groups * kernel**2, 1)
        self.groups, self.kernel = groups, kernel
        self.out = nn.Linear(channels, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        batch, channels, height, width = x.shape
        kernels = self.span(self.reduce(x)).view(batch, self.groups, 1, self.kernel**2, height, width)
        patches = F.unfold(x, self.kernel, padding=1)
        patches = patches.view(batch, self.groups, channels // self.groups, self.kernel**2, height, width)
        return self.out((kernels * patches).sum(3).view(batch, channels, height, width).mean((2, 3)))


class Mixer(nn.Module):
    """Patches mixed along places and along channels."""

    def __init__(self, channels=32, places=36):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 16, 16)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.places, self.channels = MLP(places, [48, places]), MLP(channels, [64, channels])
        self.out = nn.Linear(channels, CLASSES)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = x + self.places(self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        x = x + self.channels(self.norms[1](x))
        return self.out(self.norms[2](x).mean(1))


class Speech(nn.Module):
    """Convolutions over time, then a bidirectional LSTM."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(20, 24, 5, 2, 2), nn.BatchNorm1d(24), nn.ReLU())
        self.rnn = nn.LSTM(24, 16, batch_first=True, bidirectional=True)
        self.out = nn.Linear(32, CLASSES)

    def forward(self, x):
        return self.out(self.rnn(self.stem(x).transpose(1, 2))[0]).log_softmax(-1)


class Gru(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(20, 16, num_layers=2, batch_first=True)
        self.out = nn.Linear(16, CLASSES)

    def forward(self, x):
        return self.out(self.rnn(x.transpose(1, 2))[0][:, -1])


class Language(nn.Module):
    """A decoder of tokens: an embedding, positions, a mask that hides what comes later, rotated halves of the heads."""

    def __init__(self, words=200, length=16, width=32, heads=4):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.qkv, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.heads = heads
        half = width // heads // 2
        turns = torch.arange(length).float()[:, None] * 10000 ** (-torch.arange(half).float() / half)[None]
        self.register_buffer("cosines", torch.cat((turns, turns), 1).cos())
        self.register_buffer("sines", torch.cat((turns, turns), 1).sin())
        self.register_buffer("hidden", torch.full((length, length), -math.inf).triu(1))

    def turn(self, x):
        low, high = x.chunk(2, -1)
        return x * self.cosines + torch.cat((-high, low), -1) * self.sines

    def forward(self, tokens):
        x = self.words(tokens)
        batch, length, width = x.shape
        qkv = self.qkv(self.norms[0](x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = self.turn(qkv[0]), self.turn(qkv[1]), qkv[2]
        weights = (query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]) + self.hidden).softmax(-1)
        x = x + self.join((weights @ value).transpose(1, 2).reshape(batch, length, width))
        x = x + self.mlp(self.norms[1](x))
        return self.norms[2](x) @ self.words.weight.t()


class Encoder(nn.Module):
    """PyTorch's own encoder of sequences, with a token of classes in front."""

    def __init__(self):
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, 1, 20))
        layer = nn.TransformerEncoderLayer(20, 4, 40, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(20, CLASSES)

    def forward(self, x):
        x = torch.cat((self.start.expand(x.shape[0], -1, -1), x.transpose(1, 2)), 1)
        return self.out(self.encoder(x)[:, 0])


# By name what builds a network.
NETWORKS = {
    "mobilenet_v3": mobilenet_v3,
    "shufflenet_v2": shufflenet_v2,
    "efficientnet": efficientnet_b0,
    "regnet": regnet_y,
    "resnext": resnext,
    "grouped": grouped,
    "densenet": densenet_small,
    "convnext": convnext_tiny,
    "vit": vit,
    "swin": swin,
    "swin_v2": swin_v2,
    "maxvit": maxvit_small,
    "lraspp": lraspp_mobile,
    "deeplab": deeplab,
    "ssdlite": SsdLite,
    "yolo_anchors": YoloAnchors,
    "yolo_distribution": YoloDistribution,
    "super_resolution": SuperResolution,
    "style_transfer": StyleTransfer,
    "unet": UNet,
    "spatial_transformer": SpatialTransformer,
    "coordinate_attention": CoordinateAttention,
    "involution": Involution,
    "mixer": Mixer,
    "speech": Speech,
    "gru": Gru,
    "language": Language,
    "encoder": Encoder,
}


def build(name, samples):
    """A network with weights that tell mistakes apart, and the averages of `samples` in its normalizations."""
    torch.manual_seed(0)
    network = NETWORKS[name]()
    for weight in network.parameters():
        if not weight.requires_grad:  # a constant of the architecture
            continue
        if (weight == weight.flatten()[0]).all():
            weight.data.add_(0.1 * torch.randn_like(weight))
        elif weight.ndim > 1 and (told := weight.std() * weight[0].numel() ** 0.5) < 0.5:
            weight.data.div_(told)  # drawn so small that nothing would depend on what is attended to
    return averaged(network, torch.from_numpy(samples))


def averaged(network, samples):
    """The network with the averages of samples in its normalizations."""
    network.eval()  # nothing is dropped
    norms = [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the average over all that it has seen
        norm.train()
    if norms:
        with torch.no_grad():
            network(samples)
    return network.eval()


def published(name, samples):
    """One of torchvision's networks, with weights as training leaves them: what `benchmarks.models.settle` does there.

    Kernels keep the scale of what passes through, most units are on, gates are nearly the same for every image, and the
    classifier tells the samples apart.
    """
    torch.manual_seed(0)
    network, samples = models.get_model(name), torch.from_numpy(samples)
    gates = {gate for each in network.modules() if isinstance(each, SqueezeExcitation) for gate in each.modules()}
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            gain = 0.1 if layer in gates else math.sqrt(2)
            nn.init.normal_(layer.weight, 0, gain / math.sqrt(layer.weight[0].numel()))
            if layer.bias is not None:
                nn.init.normal_(layer.bias, 0, 0.1)
        elif isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, 1.5 if isinstance(layer, nn.BatchNorm2d) else 0.0, 0.2)
        elif hasattr(layer, "layer_scale"):
            nn.init.uniform_(layer.layer_scale, 0.5, 1.5)
    averaged(network, samples)
    last = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)][-1]
    if isinstance(last, nn.Linear):
        seen = []
        watch = last.register_forward_pre_hook(lambda _, given: seen.append(given[0].double()))
        with torch.no_grad():
            network(samples)
        watch.remove()
        wanted = torch.randn(len(samples), last.out_features, dtype=torch.float64)
        features, mean = seen[0] - seen[0].mean(0), seen[0].mean(0)
        kernel = torch.linalg.pinv(features, rtol=1e-6) @ (wanted - wanted.mean(0))
        last.weight.data, last.bias.data = kernel.T.float(), (wanted.mean(0) - mean @ kernel).float()
    return network
