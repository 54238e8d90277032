"""What comparing with networks of PyTorch takes: their weights, drawn at random, in a file that ours are built of."""

import keras
import numpy as np
import torch
from safetensors.torch import save_file

from keraslayers import models
from tests.model_tools import image

CLASSES = 5


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


def compare(network, name, folder, kind="pth", *, side, **options):
    """Our network of `name`, built of a file of theirs, gives their outputs; returns ours.

    Args:
        network: of torchvision or timm, for `CLASSES` classes.
        kind: `"pth"`, `"legacy"` or `"safetensors"`.
    """
    network = network.eval()
    randomize(network)
    path = folder / ("x.safetensors" if kind == "safetensors" else "x.pth")
    if kind == "safetensors":
        save_file(network.state_dict(), path)
    else:
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=kind == "pth")
    shape = (side, side, 3)
    model = models.create(name, input_shape=shape, classes=CLASSES, classifier_activation=None, weights=path, **options)
    x = image(shape)
    with torch.no_grad():
        expected = network(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
    assert np.std(expected) > 1e-2
    # Sums of some hundred products in another order.
    found = keras.ops.convert_to_numpy(model(x, training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    return model
