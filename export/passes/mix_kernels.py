"""Dynamic convolution as one convolution with the mixed kernel."""

import keras

from keraslayers.dynamic import DynamicConv2D, mixed_kernel
from keraslayers.export.passes._graph import first, rewrite


class MixedDynamic(keras.layers.Layer):
    """Computes somebody else's `DynamicConv2D` with one kernel an image; shares its weights.

    Args:
        layer: of the user's.
        name: of the new layer.
    """

    def __init__(self, layer, name):
        super().__init__(name=name, dtype=layer.dtype_policy)
        self.dynamic = layer
        self.built = True

    def call(self, inputs):
        layer = self.dynamic
        attention = layer.attention(inputs)
        return layer.activation(
            mixed_kernel(inputs, attention, layer.kernels, layer.biases, layer.padding, layer.dilation_rate)
        )

    def compute_output_shape(self, input_shape):
        return self.dynamic.compute_output_shape(input_shape)


def mix_kernels(model):
    """Mixes the kernels of dynamic convolutions, then computes one convolution in place of one for every kernel.

    XNNPACK leaves a CONV_2D with a computed kernel out, but takes matrix products with a computed matrix: of the
    windows, a product for each row of the kernel. In int8 that is no faster, since the products are of floats there.

    Given:   x -> DynamicConv2D: a convolution with each kernel -> sum of the outputs, weighted
    Result:  x -> weights -> sum of the kernels; x -> windows; -> their matrix product

    Returns:
        (model, how many were replaced).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    return (
        type(layer) is DynamicConv2D  # a subclass may compute something else
        and max(layer.strides) == 1  # XNNPACK has no slices with strides
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
    )


def _replace(layer, fresh, *args, **kwargs):
    return MixedDynamic(layer, fresh(f"{layer.name}_mixed"))(first(args, kwargs))
