"""The best of boxes that overlap, within the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keraslayers import _checks
from keraslayers._hints import Tensor


@_checks.register
class NonMaxSuppression(keras.layers.Layer):
    """Leaves of boxes that overlap the best, class by class, and gives as many boxes whatever it finds.

    In a .tflite file it becomes NON_MAX_SUPPRESSION_V4, which LiteRT runs on the CPU alone. It computes on Keras's
    TensorFlow backend; `non_max_suppression` does the same in NumPy, outside of the model.

    Input shape: a list of boxes (batch, boxes, 4): x1, y1, x2, y2; and scores (batch, boxes, classes), of which each
    box's best counts.
    Output shape: by name `"boxes"` (batch, most, 4), the best first, `"scores"` (batch, most) and `"labels"` (batch,
    most), int32; behind the last box that was found zeros.

    Args:
        most: boxes that are given.
        least: a box of a lower score is left out.
        overlap: of two boxes of one class that share a larger part than this, intersection over union, the better
            one stays.

    Raises:
        TypeError: if a number is none.
        ValueError: if one is out of its range.
        RuntimeError: on another backend of Keras than TensorFlow.

    Source: Felzenszwalb et al. 2010, "Object detection with discriminatively trained part-based models", section 4.4.
    """

    def __init__(self, most: int = 20, *, least: float = 0.05, overlap: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        who = "NonMaxSuppression"
        self.most = _checks.positive_int(who, "most", most)
        self.least = _checks.number(who, "least", least, least=0)
        self.overlap = _checks.fraction(who, "overlap", overlap)

    def call(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        if keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                f"`NonMaxSuppression`: Keras's backend is {keras.backend.backend()!r}, and TensorFlow alone has this "
                "operation. Take `non_max_suppression` behind the model."
            )
        import tensorflow as tf

        boxes, scores = inputs
        labels, best = ops.argmax(scores, -1), ops.max(scores, -1)
        # Boxes of other classes lie apart from each other.
        span = ops.max(boxes, (1, 2), keepdims=True)
        apart = boxes + ops.cast(labels, boxes.dtype)[..., None] * (span + 1)
        batch = boxes.shape[0]
        given = (boxes, best, ops.cast(labels, "int32"), apart)
        if batch is None:
            signature = tuple(tf.TensorSpec(None, dtype) for dtype in (boxes.dtype, best.dtype, "int32"))
            found = tf.map_fn(lambda one: self._one(tf, *one), given, fn_output_signature=signature)
        else:
            each = [self._one(tf, *(part[i] for part in given)) for i in range(batch)]
            found = [ops.stack(parts) for parts in zip(*each, strict=True)]
        boxes, scores, labels = found
        return {
            "boxes": ops.reshape(boxes, (-1, self.most, 4)),
            "scores": ops.reshape(scores, (-1, self.most)),
            "labels": ops.reshape(labels, (-1, self.most)),
        }

    def _one(self, tf, boxes, scores, labels, apart):
        kept, count = tf.image.non_max_suppression_padded(
            apart, scores, self.most, self.overlap, self.least, pad_to_max_output_size=True
        )
        there = ops.arange(self.most) < count
        return (
            ops.where(there[:, None], ops.take(boxes, kept, 0), 0.0),
            ops.where(there, ops.take(scores, kept), 0.0),
            ops.where(there, ops.take(labels, kept), 0),
        )

    def compute_output_spec(self, inputs: Sequence[keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
        boxes, _ = inputs
        shapes = {"boxes": (boxes.shape[0], self.most, 4), "scores": (boxes.shape[0], self.most)}
        told = {name: keras.KerasTensor(shape, boxes.dtype) for name, shape in shapes.items()}
        return {**told, "labels": keras.KerasTensor(shapes["scores"], "int32")}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "most": self.most, "least": self.least, "overlap": self.overlap}
