"""What comparing with networks of PyTorch takes: their weights, drawn at random, in a file that ours are built of."""

import json
from pathlib import Path

import keras
import numpy as np
import torch
from safetensors.torch import save_file
from torchvision.models import detection, segmentation

from keraslayers import models
from tests.model_tools import image

CLASSES = 5
# The detectors and segmenters that are published; the two of DeepLabV3 with a head that only training needs.
TASKS = {
    "ssdlite320_mobilenet_v3_large": (detection.ssdlite320_mobilenet_v3_large, {}),
    "lraspp_mobilenet_v3_large": (segmentation.lraspp_mobilenet_v3_large, {}),
    "deeplabv3_mobilenet_v3_large": (segmentation.deeplabv3_mobilenet_v3_large, {"aux_loss": True}),
    "deeplabv3_resnet50": (segmentation.deeplabv3_resnet50, {"aux_loss": True}),
}
STATES = Path(__file__).with_name("torchvision_states.json")  # for tests without torch


def randomize(network):
    """Gives every weight a value that shows."""
    random = np.random.default_rng(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if not tensor.is_floating_point() or name.endswith("attn_mask"):
                continue
            shape = tuple(tensor.shape)
            value = random.normal(0, 0.2, shape)
            if name.endswith("running_var"):
                value = random.uniform(0.5, 1.5, shape)
            elif tensor.ndim == 1 and name.endswith("weight"):  # of a normalization
                value = 1 + value
            elif tensor.ndim > 1:
                # What passes through shall not grow: of large numbers gates and ReLUs take either side.
                value = random.normal(0, np.sqrt(1 / np.prod(shape[1:])), shape)
            tensor.copy_(torch.from_numpy(value.astype("float32")))


def saved(network, folder, kind="pth"):
    """A file of a network's weights, drawn at random, of the kind `"pth"`, `"legacy"` or `"safetensors"`."""
    randomize(network.eval())
    path = folder / ("x.safetensors" if kind == "safetensors" else "x.pth")
    if kind == "safetensors":
        save_file(network.state_dict(), path)
    else:
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=kind == "pth")
    return path


def near(found, expected):
    """Sums of some hundred products, in another order, of numbers that are not all alike."""
    found, expected = keras.ops.convert_to_numpy(found), np.asarray(expected)
    assert np.std(expected) > 1e-2
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def compare(network, name, folder, kind="pth", *, side, **options):
    """Our network of `name`, built of a file of theirs, gives their outputs; returns ours.

    Args:
        network: of torchvision or timm, for `CLASSES` classes.
        kind: as of `saved`.
    """
    path = saved(network, folder, kind)
    shape = (side, side, 3)
    model = models.create(name, input_shape=shape, classes=CLASSES, classifier_activation=None, weights=path, **options)
    x = image(shape)
    with torch.no_grad():
        expected = network(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
    near(model(x, training=False), expected)
    return model


def states():
    """{network: {tensor: shape}} of torchvision's detectors and segmenters that are built here, counters aside."""
    with torch.device("meta"):
        networks = {name: build(weights=None, weights_backbone=None, **more) for name, (build, more) in TASKS.items()}
    return {
        name: {
            one: list(tensor.shape)
            for one, tensor in network.state_dict().items()
            if not one.endswith("num_batches_tracked")
        }
        for name, network in networks.items()
    }


if __name__ == "__main__":  # KERAS_BACKEND=torch .venv-zoo/bin/python -m tests.zoo
    lines = ",\n".join(f'"{name}": {json.dumps(shapes, separators=(",", ":"))}' for name, shapes in states().items())
    STATES.write_text(f"{{\n{lines}\n}}\n")
