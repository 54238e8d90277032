"""The convolutions of a `DynamicConv2D` as layers whose kernels can be rounded."""

from keras import ops

from keraslayers.export.optimize.separable_parts import PartWithBias


class MixturePart(PartWithBias):
    """One of the convolutions, or several side by side.

    Args:
        whole: the layer.
        kernels: which, a range.
    """

    def __init__(self, whole, kernels, name):
        super().__init__(whole, name)
        self.kernels = kernels

    @property
    def kernel(self):
        return self.whole.kernels

    @property
    def bias(self):
        return self.whole.biases

    @property
    def use_bias(self):
        return self.whole.use_bias

    def call(self, inputs):
        whole = self.whole
        kernel = ops.concatenate([self.kernel[k] for k in self.kernels], axis=-1)
        outputs = ops.conv(inputs, kernel, whole.strides, whole.padding, whole.data_format, whole.dilation_rate)
        return outputs + ops.concatenate([self.bias[k] for k in self.kernels], axis=-1) if self.use_bias else outputs


def mixed(layer, fresh, inputs):
    """What a `DynamicConv2D` computes, by convolutions with each of its kernels."""
    if layer.data_format != "channels_last":
        raise NotImplementedError("its images have the channels first")
    attention, total = layer.attention(inputs), None
    count, filters = layer.num_kernels, layer.filters
    every = None
    if max(layer.dilation_rate) > 1:  # the converter knows one dilated convolution of a tensor, not several
        every = MixturePart(layer, range(count), fresh(f"{layer.name}_kernels"))(inputs)
    for k in range(count):
        if every is None:
            one = MixturePart(layer, range(k, k + 1), fresh(f"{layer.name}_kernel{k}"))(inputs)
        else:
            one = every[..., k * filters : (k + 1) * filters]
        one = ops.multiply(one, attention[..., k : k + 1])
        total = one if total is None else ops.add(total, one)
    return layer.activation(total)
