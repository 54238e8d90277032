"""What a segmentation network ends in: logits to train on, probabilities, or the class of each pixel."""

from __future__ import annotations

from typing import Literal, TypeAlias

import keras
from keras import layers, ops

from keraslayers import _checks, _rewrite
from keraslayers._hints import Shape, Tensor
from keraslayers.resample import Resample2D

Ending: TypeAlias = Literal["logits", "probabilities", "class_map"]
OUTPUTS = ("logits", "probabilities", "class_map")


@keras.saving.register_keras_serializable(package="keraslayers")
class ClassMap(layers.Layer):
    """The class of each pixel: the first of the largest logits; of a single logit whether it is above 0.

    Input shape: (batch, height, width, classes). Output: int32 of (batch, height, width). It has no gradient: train on
    the logits.

    Source: Long et al. 2014, Fully convolutional networks for semantic segmentation, arXiv:1411.4038, section 4.
    """

    def call(self, inputs: Tensor) -> Tensor:
        if inputs.shape[-1] == 1:
            return ops.cast(inputs[..., 0] > 0, "int32")
        return ops.cast(ops.argmax(inputs, axis=-1), "int32")

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return _checks.axes("ClassMap", input_shape, 4)[:-1]

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="int32")


def end_in(model: keras.Model, output: Ending) -> keras.Model:
    """Returns a model of the same layers that ends in something else than logits.

    A network trains on logits, and its file ends in what the app wants. The layers and their weights are shared.

    Args:
        model: a model that ends in logits of (batch, height, width, classes), one for yes and no: of this package, or
            anybody's; also one that `keraslayers.export.optimize.quantize_aware` gave.
        output: `"logits"`, `"probabilities"` (softmax over the classes; of a single logit its sigmoid), or
            `"class_map"`: int32 of (batch, height, width), the class of each pixel; of a single logit 1 for yes.

    Returns:
        A keras.Model; for `"logits"` the model itself.

    Raises:
        TypeError: if `model` is no keras.Model.
        ValueError: if it has other outputs than one of four axes, or `output` is unknown.
    """
    who = "end_in"
    _rewrite.check_graph(who, model)
    outputs = _rewrite.graph_of(model).outputs
    if len(outputs) != 1 or len(outputs[0].shape) != 4:
        shapes = ", ".join(str(tensor.shape) for tensor in outputs)
        raise ValueError(
            f"`{who}`: `model` must end in logits of (batch, height, width, classes); {model.name!r} gives {shapes}."
        )
    if _checks.choice(who, "output", output, OUTPUTS) == "logits":
        return model
    graph = _rewrite.graph_of(model)
    return keras.Model(graph.input, _ended(outputs[0], output), name=model.name)


def finished(image, x, output, name):
    """The way out of every network here: the logits grown to the image, or what is made of them; the keras.Model."""
    if x.shape[1:3] != image.shape[1:3]:
        x = Resample2D(size=image.shape[1:3], name="logits")(x)
    return keras.Model(image, _ended(x, output), name=name)


def _ended(x, output):
    if output == "class_map":
        return ClassMap(name="class_map")(x)
    if output == "probabilities":
        activation = "softmax" if x.shape[-1] > 1 else "sigmoid"
        return layers.Activation(activation, name="probabilities")(x)
    return x
