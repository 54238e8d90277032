"""What rounds activations to 8 bits during training."""

import keras

from keraslayers.export.optimize._state import State

# What the layers of a quantized model do: compute in floats, measure ranges and compute in floats, or round.
FLOAT, MEASURE, ROUND = "float", "measure", "round"


class Mode:
    """The mode that all layers of one model share, and the model: one that goes on behind it has its layers, too."""

    def __init__(self):
        self.now = ROUND
        self.model = None


class Range(keras.layers.Layer):
    """Rounds a tensor to the 256 steps of a range and follows the range while training, through a quantizer of tfmot.

    Tensors that a file stores with one scale share one of these.

    Args:
        quantizer: tfmot's; one that keeps `min_var` and `max_var`, or a fixed one.
        mode: the model's `Mode`.
    """

    def __init__(self, quantizer, mode, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.quantizer = quantizer
        self.mode = mode
        self.supports_masking = True
        self.bounds = quantizer.build((), "range", State(self)) or {}
        self.seen = False
        self.built = True

    def call(self, inputs, training=None):
        if self.mode.now == MEASURE and self.bounds:
            self._measure(inputs)
        if self.mode.now != ROUND:
            return inputs
        return self.quantizer(inputs, bool(training), self.bounds)

    def _measure(self, inputs):
        low, high = self.bounds["min_var"], self.bounds["max_var"]
        # Zero belongs to every range: padding is zero, and TFLite wants it.
        least, most = (0.0, 0.0) if not self.seen else (low, high)
        low.assign(keras.ops.minimum(least, keras.ops.min(inputs)))
        high.assign(keras.ops.maximum(most, keras.ops.max(inputs)))
        self.seen = True

    def compute_output_spec(self, inputs, training=None):
        return keras.KerasTensor(inputs.shape, inputs.dtype)
