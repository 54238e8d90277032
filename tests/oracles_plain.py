"""Networks without shortcuts, as Caffe's prototxt files and torchvision's code list them; see `oracles_layers`.

Each returns logits. `weights` maps a layer's name to its list of arrays.
"""

import numpy as np

from tests.oracles_layers import Network, average_pool, local_response, max_pool, relu, sigmoid

# torchvision.models.vgg, cfgs
VGG = {
    "A": "64 M 128 M 256 256 M 512 512 M 512 512 M",
    "B": "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
}


def lenet5(x, weights, modern):
    """LeNet-5 with every map of S2 in C3, and plain means or maxima as subsampling."""
    net = Network(weights, padding="valid")
    act, subsample = (relu, max_pool) if modern else (sigmoid, average_pool)
    for name in ("c1", "c3"):
        x = subsample(act(net.conv(x, name)), 2, 2)
    x = x.reshape(len(x), -1)
    for name in ("c5", "f6"):
        x = act(net.dense(x, name))
    return net.finish(net.dense(x, "predictions"))


def vgg(x, weights, column):
    net = Network(weights)
    stage, count = 1, 0
    for entry in VGG[column].split():
        if entry == "M":
            x, stage, count = max_pool(x, 2, 2), stage + 1, 0
        else:
            count += 1
            x = net.unit(x, f"stage{stage}_conv{count}")
            assert x.shape[-1] == int(entry)
    return net.finish(_three_dense(net, x))


def alexnet(x, weights):
    """torchvision.models.alexnet: one tower; the first convolution pads 2 on each side."""
    net = Network(weights)
    x = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    x = max_pool(net.unit(x, "stage1_conv1", 4, padding="valid"), 3, 2)
    x = max_pool(net.unit(x, "stage2_conv1"), 3, 2)
    for name in ("stage3_conv1", "stage3_conv2", "stage3_conv3"):
        x = net.unit(x, name)
    return net.finish(_three_dense(net, max_pool(x, 3, 2)))


def _three_dense(net, x):
    x = x.reshape(len(x), -1)
    for name in ("fc1", "fc2"):
        x = relu(net.dense(x, name))
    return net.dense(x, "predictions")


def nin_imagenet(x, weights):
    """The authors' model for Caffe: cccp layers are 1x1 convolutions, pool0 to pool3 are 3x3/2."""
    net = Network(weights)
    x = net.unit(x, "stage1_conv", 4, padding="valid")
    for stage, mlps in ((1, 2), (2, 2), (3, 2), (4, 1)):
        if stage > 1:
            x = net.unit(max_pool(x, 3, 2, "ceil"), f"stage{stage}_conv")
        for count in range(1, mlps + 1):
            x = net.unit(x, f"stage{stage}_mlp{count}")
    return net.finish(net.unit(x, "class_maps").mean((1, 2)))


def nin_cifar10(x, weights):
    """The authors' model for CIFAR-10: the second pooling averages."""
    net = Network(weights)
    x = net.unit(x, "stage1_conv")
    x = net.unit(net.unit(x, "stage1_mlp1"), "stage1_mlp2")
    x = net.unit(max_pool(x, 3, 2, "ceil"), "stage2_conv")
    x = net.unit(net.unit(x, "stage2_mlp1"), "stage2_mlp2")
    x = net.unit(average_pool(x, 3, 2, "same"), "stage3_conv")
    x = net.unit(net.unit(x, "stage3_mlp1"), "class_maps")
    return net.finish(x.mean((1, 2)))


def squeezenet(x, weights, version):
    """torchvision.models.squeezenet: "M" is MaxPool2d(3, 2, ceil_mode=True), a number the squeeze of a Fire."""
    rows = {"1.0": "M 16 16 32 M 32 48 48 64 M 64", "1.1": "M 16 16 M 32 32 M 48 48 64 64"}[version]
    net = Network(weights)
    x = net.unit(x, "stem_conv", 2, padding="valid")
    stage = 0
    for entry in rows.split():
        if entry == "M":
            x, stage, unit = max_pool(x, 3, 2, "ceil"), stage + 1, 0
            continue
        unit += 1
        place = f"stage{stage}_unit{unit}"
        x = net.unit(x, f"{place}_squeeze")
        assert x.shape[-1] == int(entry)
        x = np.concatenate([net.unit(x, f"{place}_expand{size}") for size in ("1x1", "3x3")], -1)
        assert x.shape[-1] == 8 * int(entry)
    return net.finish(net.unit(x, "class_maps").mean((1, 2)))


def googlenet(x, weights, *, torchvision=False, heads=False):
    """[logits, those of the heads]: Caffe's bvlc_googlenet, or torchvision.models.googlenet."""
    net = Network(weights, epsilon=1e-3)
    respond = (lambda x: x) if torchvision else local_response

    def inception(x, place):
        branches = [
            net.unit(x, f"{place}_1x1"),
            net.unit(net.unit(x, f"{place}_3x3_reduce"), f"{place}_3x3"),
            net.unit(net.unit(x, f"{place}_5x5_reduce"), f"{place}_5x5"),
            net.unit(max_pool(x, 3, 1, "symmetric"), f"{place}_project"),
        ]
        return np.concatenate(branches, -1)

    def head(x, name):
        x = net.unit(average_pool(x, 5, 3), f"{name}_conv")
        return net.dense(relu(net.dense(x.reshape(len(x), -1), f"{name}_fc")), f"{name}_predictions")

    x = respond(max_pool(net.unit(x, "stem_conv", 2), 3, 2, "ceil"))
    x = respond(net.unit(net.unit(x, "stage2_reduce"), "stage2_conv"))
    found = []
    for name in ("3 3a 3b", "4 4a 4b 4c 4d 4e", "5 5a 5b"):
        stage, *units = name.split()
        x = max_pool(x, 2 if torchvision and stage == "5" else 3, 2, "ceil")
        for number, unit in enumerate(units, start=1):
            x = inception(x, f"stage{stage}_unit{number}")
            if heads and unit in ("4a", "4d"):
                found.append(head(x, f"aux{len(found) + 1}"))
    return net.finish([net.dense(x.mean((1, 2)), "predictions"), *found])


def inception_v3(x, weights, *, padding, head=False):
    """[logits, those of the head]: torchvision.models.inception, and with padding="same" the authors' code."""
    net = Network(weights, epsilon=1e-3, padding="same")

    def chain(x, place, *names):
        for name in names:
            x = net.unit(x, f"{place}_{name}")
        return x

    def pooled(x, place):
        return net.unit(average_pool(x, 3, 1, padding), f"{place}_project")

    def halved(x, name):
        return net.unit(x, name, 2, padding="valid")

    def forked(x, place):
        return np.concatenate([net.unit(x, f"{place}_row"), net.unit(x, f"{place}_column")], -1)

    x = net.unit(halved(x, "stem_conv1"), "stem_conv2", padding="valid")
    x = max_pool(net.unit(x, "stem_conv3"), 3, 2)
    x = max_pool(net.unit(net.unit(x, "stage1_conv1"), "stage1_conv2", padding="valid"), 3, 2)
    for unit in (1, 2, 3):  # InceptionA
        place = f"stage2_unit{unit}"
        parts = ["1x1_conv1"], ["5x5_conv1", "5x5_conv2"], ["3x3_conv1", "3x3_conv2", "3x3_conv3"]
        x = np.concatenate([*(chain(x, place, *names) for names in parts), pooled(x, place)], -1)
    place = "stage3_unit1"  # InceptionB
    double = halved(chain(x, place, "double_conv1", "double_conv2"), f"{place}_double_down")
    x = np.concatenate([halved(x, f"{place}_3x3_down"), double, max_pool(x, 3, 2)], -1)
    for unit in (2, 3, 4, 5):  # InceptionC
        place = f"stage3_unit{unit}"
        parts = ["1x1_conv1"], [f"7x7_conv{i}" for i in (1, 2, 3)], [f"double_conv{i}" for i in (1, 2, 3, 4, 5)]
        x = np.concatenate([*(chain(x, place, *names) for names in parts), pooled(x, place)], -1)
    found = []
    if head:
        y = net.unit(average_pool(x, 5, 3), "aux1_conv1")
        y = net.unit(y, "aux1_conv2", padding="valid").mean((1, 2))
        found.append(net.dense(y, "aux1_predictions"))
    place = "stage4_unit1"  # InceptionD
    single = halved(chain(x, place, "3x3_conv1"), f"{place}_3x3_down")
    factored = halved(chain(x, place, "7x7_conv1", "7x7_conv2", "7x7_conv3"), f"{place}_7x7_down")
    x = np.concatenate([single, factored, max_pool(x, 3, 2)], -1)
    for unit in (2, 3):  # InceptionE
        place = f"stage4_unit{unit}"
        parts = [
            chain(x, place, "1x1_conv1"),
            forked(chain(x, place, "3x3_conv1"), f"{place}_3x3"),
            forked(chain(x, place, "double_conv1", "double_conv2"), f"{place}_double"),
            pooled(x, place),
        ]
        x = np.concatenate(parts, -1)
    return net.finish([net.dense(x.mean((1, 2)), "predictions"), *found])
