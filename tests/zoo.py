"""What comparing with networks of PyTorch takes: their weights, drawn at random, each of which goes over once."""

import keras
import numpy as np
import torch

from tests.model_tools import image

CLASSES = 5


class Theirs:
    """A network of PyTorch and its weights, of which each is taken once."""

    def __init__(self, network):
        self.network = network.eval()
        random = np.random.default_rng(0)
        self.state = {}
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
                self.state[name] = tensor.numpy().copy()

    def take(self, name):
        return self.state.pop(name)

    def linear(self, name):
        """Kernel and bias of a Dense layer."""
        bias = [self.take(f"{name}.bias")] if f"{name}.bias" in self.state else []
        return [self.take(f"{name}.weight").T, *bias]

    def conv(self, name):
        bias = [self.take(f"{name}.bias")] if f"{name}.bias" in self.state else []
        return [self.take(f"{name}.weight").transpose(2, 3, 1, 0), *bias]

    def depthwise(self, name):
        kernel, *bias = self.conv(name)
        return [kernel.transpose(0, 1, 3, 2), *bias]

    def batch_norm(self, name):
        return [self.take(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]

    def norm(self, name):
        return [self.take(f"{name}.weight"), self.take(f"{name}.bias")]

    def affine(self, name):
        return [self.take(f"{name}.alpha").ravel(), self.take(f"{name}.beta").ravel()]

    def compare(self, model):
        """Outputs on one image are equal, and no weight of theirs is left."""
        assert not self.state
        x = image(model.input_shape[1:])
        with torch.no_grad():
            expected = self.network(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
        assert np.std(expected) > 1e-2
        # Sums of some hundred products in another order.
        found = keras.ops.convert_to_numpy(model(x, training=False))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def give(model, name, arrays):
    model.get_layer(name).set_weights(arrays)


def options(**more):
    return {"classes": CLASSES, "classifier_activation": None, **more}
