"""What an app needs of a detector: boxes within the image, and a score for each class."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers, ops

from keraslayers import _checks, _rewrite
from keraslayers.models.detection.geometry import POINTS, outputs_of
from keraslayers.models.detection.suppress import NonMaxSuppression

FORMS = ("xyxy", "cycxhw")


def detector(
    model: keras.Model,
    *,
    boxes: Literal["xyxy", "cycxhw"] = "xyxy",
    most: int | None = None,
    least: float = 0.05,
    overlap: float = 0.5,
) -> keras.Model:
    """Returns the model that is shipped: of the same layers and weights, it gives boxes and scores.

    Boxes and scores are outputs of their own, so that both keep their scales in integers. Boxes overlap, as many places
    see the same thing: `non_max_suppression` leaves the best, in NumPy; examples/android and examples/ios have it in
    Kotlin and Swift, and pages do it by themselves. With `most` the file does it: LiteRT's NON_MAX_SUPPRESSION runs on
    the CPU alone, outside of XNNPACK, so that such a file is never PROVEN on the GPU.

    Args:
        model: of `FCOS` or `SSDLite`, trained, or what `quantize_aware` made of it.
        boxes: what the four numbers of a box are: `"xyxy"`, its sides x1, y1, x2, y2; or `"cycxhw"`, y and x of its
            middle, height and width, which MediaPipe's ObjectDetector takes. It leaves the best itself, so that these
            go without `most`.
        most: boxes that are left of one image, where the model itself is to suppress; None, where the app does.
        least, overlap: with `most`: as in `non_max_suppression`.

    Returns:
        A keras.Model with the outputs `"boxes"` (batch, places, 4): as `boxes` says, in pixels, within the image; and
        `"scores"` (batch, places, classes), from 0 to 1: of FCOS the product of class and center, of SSDLite a softmax
        without the background. With `most`: `"boxes"` (batch, most, 4), the best first, `"scores"` (batch, most) and
        `"labels"` (batch, most), int32; behind the last box that was found zeros.

    Raises:
        TypeError: if `model` is no keras.Model, or a number is none.
        ValueError: if it is no detector of this package, `boxes` is none of the above or goes without `most`, or a
            number is out of its range.

    Source: Tian et al. 2019, arXiv:1904.01355, section 3.3; Liu et al. 2016, arXiv:1512.02325, section 2.
    """
    given = outputs_of("detector", model)
    if _checks.choice("detector", "boxes", boxes, FORMS) != "xyxy" and most is not None:
        raise ValueError(
            f"`detector`: boxes={boxes!r} are for MediaPipe, which leaves the best itself; got most={most!r}. Leave "
            "one of the two out."
        )
    size = model.inputs[0].shape[1:3]
    if set(given) == POINTS:
        scores = layers.Multiply(dtype="float32", name="scores")([given["classes"], given["centers"]])
    else:
        likely = layers.Softmax(dtype="float32", name="likely")(given["classes"])
        scores = likely[..., 1:]  # without the background
    outputs = {"boxes": WithinImage(size, dtype="float32", name="within")(given["boxes"]), "scores": scores}
    if boxes == "cycxhw":
        outputs["boxes"] = MiddleAndSize(dtype="float32", name="middles")(outputs["boxes"])
    if most is not None:
        suppress = NonMaxSuppression(most, least=least, overlap=overlap, dtype="float32", name="suppress")
        outputs = suppress([outputs["boxes"], outputs["scores"]])
    return keras.Model(_rewrite.graph_of(model).input, outputs, name=model.name)


@_checks.register
class WithinImage(keras.layers.Layer):
    """Boxes cut off at the borders of the image.

    Input shape: (batch, boxes, 4): x1, y1, x2, y2 in pixels. Output shape: the same.

    Args:
        image_size: (height, width) of the images, in pixels.

    Source: the end of every detector's post-processing, such as torchvision.ops.clip_boxes_to_image.
    """

    def __init__(self, image_size, **kwargs):
        super().__init__(**kwargs)
        self.image_size = _checks.positive_pair("WithinImage", "image_size", image_size)

    def call(self, inputs):
        height, width = self.image_size
        ends = float(height) if height == width else [[[width, height, width, height]]]
        return ops.minimum(ops.relu(inputs), ops.convert_to_tensor(ends, inputs.dtype))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "image_size": self.image_size}


@_checks.register
class MiddleAndSize(keras.layers.Layer):
    """Boxes told by their middle and size, in the order of TensorFlow's and MediaPipe's SSD.

    Input shape: (batch, boxes, 4): x1, y1, x2, y2. Output shape: the same: y and x of the middle, height, width.

    Source: box format YXHW of mediapipe/calculators/tensor/tensors_to_detections_calculator.proto.
    """

    def call(self, inputs):
        left, top, right, bottom = ops.split(inputs, 4, axis=-1)
        return ops.concatenate([(top + bottom) / 2, (left + right) / 2, bottom - top, right - left], -1)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)
