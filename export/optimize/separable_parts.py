"""The two convolutions of a separable one, in depth or in space, each a layer that shares its weights."""

import keras
from keras import ops

from keraslayers._bias import add_bias


class Part(keras.layers.Layer):
    """A part of a layer of the user's, the whole: it computes with that one's weights."""

    # The converter makes one operator of it and a ReLU.
    takes_relu = True

    def __init__(self, whole, name):
        super().__init__(name=name, dtype=whole.dtype_policy)
        self.whole = whole
        self.built = True

    def compute_output_spec(self, inputs):
        # Of a product with a number Keras believes that it may be sparse, and fails to try it.
        spec = self.call(keras.KerasTensor(inputs.shape, inputs.dtype))
        return keras.KerasTensor(spec.shape, spec.dtype)


class _PartWithoutBias(Part):
    use_bias = False


class PartWithBias(Part):
    """Has the bias; the activation is neither's."""

    @property
    def bias(self):
        return self.whole.bias

    @property
    def use_bias(self):
        return self.whole.use_bias


class DepthwisePart(_PartWithoutBias):
    """The depthwise convolution of a `SeparableConv2D` or `SeparableConv1D`."""

    @property
    def kernel(self):
        return self.whole.depthwise_kernel

    def call(self, inputs):
        whole = self.whole
        return ops.depthwise_conv(
            inputs, self.kernel, whole.strides, whole.padding, whole.data_format, whole.dilation_rate
        )


class PointwisePart(PartWithBias):
    """The 1x1 convolution of such a layer, with its bias and without its activation."""

    @property
    def kernel(self):
        return self.whole.pointwise_kernel

    def call(self, inputs):
        outputs = ops.conv(inputs, self.kernel, 1, "valid", self.whole.data_format)
        return ops.add(outputs, self.bias) if self.use_bias else outputs


class VerticalPart(_PartWithoutBias):
    """The first convolution of a `SpatialSeparableConv2D`."""

    @property
    def kernel(self):
        return self.whole.vertical_kernel

    def call(self, inputs):
        whole = self.whole
        strides, dilation = (whole.strides[0], 1), (whole.dilation_rate[0], 1)
        return ops.conv(inputs, self.kernel, strides, whole.padding, whole.data_format, dilation)


class HorizontalPart(PartWithBias):
    """The second one, with the bias and without the activation."""

    @property
    def kernel(self):
        return self.whole.horizontal_kernel

    def call(self, inputs):
        whole = self.whole
        strides, dilation = (1, whole.strides[1]), (1, whole.dilation_rate[1])
        outputs = ops.conv(inputs, self.kernel, strides, whole.padding, whole.data_format, dilation)
        return add_bias(outputs, self.bias, whole.data_format) if self.use_bias else outputs
