"""Networks against the graphs that the `onnx` wheel carries, run by onnxruntime with the same weights."""

import re

import numpy as np
import pytest

from keraslayers import models
from tests.model_tools import assert_close, outputs
from tests.onnx_graphs import OnnxGraph


def weighted(model):
    """The layers with weights, in the order of their calls; the shortcut of a unit after its other layers."""
    layers = [layer for layer in model.layers if layer.weights]
    layers.sort(key=lambda layer: int(re.search(r"_(\d+)$|$", layer.output.name)[1] or 0))  # keras_tensor_12
    units = list(dict.fromkeys(unit_of(layer) for layer in layers))
    return sorted(layers, key=lambda layer: (units.index(unit_of(layer)), "shortcut" in layer.name))


def unit_of(layer):
    found = re.match(r"stage\d+_unit\d+", layer.name)
    return found[0] if found else layer.name


def copy_weights(graph, model):
    """Gives each layer the first unused weights of its kind and shapes."""
    waiting = list(graph.nodes)
    for layer in weighted(model):
        shapes = [tuple(weight.shape) for weight in layer.weights]
        kind = type(layer).__name__
        for i, (other, values) in enumerate(waiting):
            if kind == "Dense" and other == "Conv2D":  # a classifier on one pixel
                values = [values[0].reshape(shapes[0]) if values[0].shape[:2] == (1, 1) else values[0], *values[1:]]
                other = kind if len(values) == 2 else other
            if other == kind and [value.shape for value in values] == shapes:
                layer.set_weights(values)
                del waiting[i]
                break
        else:
            raise AssertionError(f"nothing for {layer.name} of {shapes}")
    assert not waiting


def reorder_flatten(layer, maps):
    """PyTorch and Caffe flatten channels first, Keras channels last."""
    height, width, channels = maps
    kernel, bias = layer.get_weights()
    kernel = kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)
    layer.set_weights([kernel, bias])


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("name", "build", "side"),
    [
        ("bvlc_alexnet", lambda **options: models.AlexNet(grouped=True, **options), 227),
        # The graph lost Caffe's way of rounding up; at 221 every pooling comes out even.
        ("inception_v1", models.GoogLeNet, 221),
        ("squeezenet", lambda **options: models.SqueezeNet(version="1.1", **options), 224),
        ("resnet50", models.ResNet50, 224),
        ("vgg19", models.VGG19, 224),
        ("densenet121", models.DenseNet121, 224),
    ],
)
def test_equals_the_published_graph(name, build, side):
    graph = OnnxGraph(name, side)
    model = build(input_shape=(side, side, 3), classifier_activation=None)
    copy_weights(graph, model)
    if flatten := [layer for layer in model.layers if layer.name == "flatten"]:
        reorder_flatten(weighted(model)[-3], flatten[0].input.shape[1:])
    x = np.random.default_rng(1).uniform(-1, 1, (1, side, side, 3)).astype("float32")
    assert_close(outputs(model, x), graph(x))
