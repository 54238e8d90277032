"""A layer whose class brought its own rule, tfmot's `QuantizeConfig`."""

import keras
from keras import ops

from keraslayers import _keras
from keraslayers.export.optimize._state import State
from keraslayers.export.optimize.ranges import ROUND


class ConfigWrapper(keras.layers.Layer):
    """Computes a layer with the weights that its rule names rounded by the quantizers it names.

    Args:
        layer: any layer.
        config: its `QuantizeConfig`.
        mode: the model's `Mode`.
    """

    def __init__(self, layer, config, mode, **kwargs):
        super().__init__(dtype="float32", activity_regularizer=layer.activity_regularizer, **kwargs)
        self.layer = layer
        self.mode = mode
        state = State(self, layer)
        self.weights_and_quantizers = []
        for i, (weight, quantizer) in enumerate(config.get_weights_and_quantizers(layer)):
            values = quantizer.build(weight.shape, f"weight_{i}", state)
            self.weights_and_quantizers.append((weight, quantizer, values))
        outputs = config.get_output_quantizers(layer)
        self.output_quantizer = outputs[0] if outputs else None
        self.constants = None
        self.built = True

    def call(self, *args, training=None, **kwargs):
        mapping = []
        if self.constants is not None:
            mapping = [
                (weight, value)
                for (weight, _, _), value in zip(self.weights_and_quantizers, self.constants, strict=True)
            ]
        elif self.mode.now == ROUND:
            mapping = list(self._rounded())
        if _keras.takes_training(self.layer):
            kwargs["training"] = training
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = self.layer.call(*args, **kwargs)
        # What the layer assigns to its state goes no further than the scope.
        for variable in self.layer.non_trainable_variables:
            value = scope.get_current_value(variable)
            if training and value is not None and not any(variable is weight for weight, _ in mapping):
                variable.assign(value)
        return outputs

    def _rounded(self):
        for weight, quantizer, values in self.weights_and_quantizers:
            yield weight, quantizer(weight.value, True, values)

    def fold(self):
        """The rounded weights in NumPy."""
        return tuple(ops.convert_to_numpy(value) for _, value in self._rounded())

    def compute_output_spec(self, *args, training=None, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs)
