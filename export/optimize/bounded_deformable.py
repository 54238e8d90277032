"""Deformable convolution with a bound as layers whose kernels can be rounded."""

import keras
from keras import ops

from keraslayers._deformable_bounded import arrange, has_masks, masks, mixed, offsets
from keraslayers.export.optimize.floats import Kept
from keraslayers.export.optimize.separable_parts import Part, PartWithBias


def in_parts(layer, fresh, *args, **kwargs):
    """What a `BoundedDeformable` computes, by layers that each are one operator of a file.

    As in any int8 file, the product of what was seen with the hats stays in floats: XNNPACK has no other.
    """
    whole, geometry = layer.deformable, layer.geometry
    (inputs,) = args or kwargs.values()
    if None in inputs.shape[1:]:
        raise NotImplementedError(f"its images are of no known size, {inputs.shape}. Build the model for one size")
    masked = has_masks(geometry, whole.offset_bias)

    def move(x):
        down, right = (ops.relu6(Offsets(whole, geometry, axis)(x)) for axis in (0, 1))
        return down, right, ops.sigmoid(Masks(whole, geometry, "mask")(x)) if masked else None

    def weigh(x, kernel, bias, most):
        return ops.relu(Hats(kernel, bias, most)(x))

    def multiply(window, hats):
        return Kept(Product(name="samples"), "samples")(window, hats)

    outputs = arrange(inputs, geometry, move=move, weigh=weigh, multiply=multiply, mix=Mixed(whole, geometry, "mixed"))
    return whole.activation(outputs)


class _DeformablePart(Part):
    def __init__(self, whole, geometry, name):
        super().__init__(whole, name)
        self.geometry = geometry


class _Moves(_DeformablePart):
    """One of the convolutions that find where to look, all of which share one kernel."""

    use_bias = True

    @property
    def kernel(self):
        return self.whole.offset_kernel

    @property
    def bias(self):
        return self.whole.offset_bias


class Offsets(_Moves):
    """Gives `offsets` along one axis; what relu6 leaves of them has one range for ever, the bound's."""

    span = (0.0, 6.0)

    def __init__(self, whole, geometry, axis):
        super().__init__(whole, geometry, ("down", "right")[axis])
        self.axis = axis

    def call(self, inputs):
        return offsets(inputs, self.axis, self.geometry, self.kernel.value, self.bias.value)


class Masks(_Moves):
    """Gives `masks`. Beyond this range a sigmoid of 8 bits is 0 or 1; a new layer's are all 0, which have none."""

    span = (-6.0, 6 * 127 / 128)

    def call(self, inputs):
        return masks(inputs, self.geometry, self.kernel.value, self.bias.value)


class Mixed(_DeformablePart, PartWithBias):
    """The convolution of the samples."""

    @property
    def kernel(self):
        return self.whole.kernel

    def call(self, inputs):
        masked = has_masks(self.geometry, self.whole.offset_bias)
        bias = self.bias.value if self.use_bias else None
        return mixed(inputs, self.geometry, self.kernel.value, bias, masked)


class Hats(keras.layers.Layer):
    """A 1x1 convolution with weights that nobody trains.

    Args:
        kernel, bias: the weights, in NumPy.
        most: the largest number that relu leaves of what it gives.
    """

    use_bias = takes_relu = True

    def __init__(self, kernel, bias, most):
        super().__init__(dtype="float32", name="hats")
        # A step more: what is at the very end of a range has no gradient for a rounding error.
        self.span = (0.0, most * 255 / 254)
        constants = ((name, values) for name, values in (("kernel", kernel), ("bias", bias)))
        self.kernel, self.bias = (
            self.add_weight(values.shape, initializer=_holding(values), trainable=False, name=name)
            for name, values in constants
        )
        self.built = True

    def call(self, inputs):
        return ops.conv(inputs, self.kernel, 1, "valid", "channels_last") + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.bias.shape[0])


class Product(keras.layers.Layer):
    """The product of two batches of matrices."""

    def call(self, left, right):
        return ops.matmul(left, right)

    def compute_output_shape(self, left_shape, right_shape):
        return (*left_shape[:-1], right_shape[-1])


def _holding(values):
    return lambda shape, dtype: ops.convert_to_tensor(values, dtype)
