"""A convolution that changes nothing, for a normalization that has none before it."""

import math

import keras
from keras import ops


class IdentityConvolution(keras.layers.Layer):
    """A depthwise 1x1 convolution with weights of one and a bias of zero, none of which trains.

    Input shape: (batch, ..., channels), all known but the batch. Output shape: the same.
    """

    use_bias = True

    def build(self, input_shape):
        channels = input_shape[-1]
        self.kernel = self.add_weight((1, 1, channels, 1), initializer="ones", trainable=False, name="kernel")
        self.bias = self.add_weight((channels,), initializer="zeros", trainable=False, name="bias")

    def call(self, inputs):
        *places, channels = inputs.shape[1:]
        # The places are known wherever there are not two of them.
        image = inputs if len(places) == 2 else ops.reshape(inputs, (-1, 1, math.prod(places), channels))
        image = ops.depthwise_conv(image, self.kernel, 1, "valid", "channels_last")
        image = ops.add(image, ops.reshape(self.bias, (1, 1, 1, channels)))
        return image if len(places) == 2 else ops.reshape(image, (-1, *places, channels))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)
