"""A convolution with a kernel that nobody trains."""

import keras
import numpy as np
from keras import ops

from keraslayers.export.optimize.ranges import ROUND


class ConstantKernel(keras.layers.Layer):
    """Convolves with a constant, rounded by channel as the converter rounds it.

    Args:
        operation: Keras's `Conv` or `DepthwiseConv`.
        kernel: the constant.
        axes: how many of its axes, from the first, are summed over: the others are channels.
        mode: the model's `Mode`.
    """

    def __init__(self, operation, kernel, axes, mode, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.operation = operation
        self.mode = mode
        self.kernel = ops.convert_to_numpy(kernel)
        largest = np.max(np.abs(self.kernel), axis=tuple(range(axes)), keepdims=True)
        scale = np.maximum(largest, 1e-12) / 127
        self.rounded = (np.round(self.kernel / scale) * scale).astype("float32")
        self.built = True

    def call(self, inputs):
        return self.operation(inputs, self.rounded if self.mode.now == ROUND else self.kernel)

    def compute_output_spec(self, inputs):
        return self.operation.compute_output_spec(inputs, keras.KerasTensor(self.kernel.shape))
