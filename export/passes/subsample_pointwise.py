"""Strided 1x1 convolutions in int8 as the GPU computes them rightly."""

from keras import layers

from keraslayers.export.passes._graph import Altered, first, rewrite
from keraslayers.export.passes.lower_subsampling import subsampled


def subsample_pointwise(model):
    """Takes the strides out of 1x1 convolutions.

    LiteRT's GPU runtime ignores the strides of 1x1 convolutions with integer weights without a word: those of residual
    networks. ResNet50 is as fast as before on XNNPACK; a kernel widened by zeros instead would be twice the size.

    Given:   x -> 1x1 convolution with strides
    Result:  x -> depthwise 1x1 convolution (weight 1) with the strides -> 1x1 convolution

    Returns:
        (model, how many convolutions were changed).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    return (
        type(layer) is layers.Conv2D
        and set(layer.kernel_size) == {1}
        and layer.groups == 1
        and len(set(layer.strides)) == 1  # TensorFlow has depthwise convolutions of no others
        and layer.strides[0] > 1
        and layer.data_format == "channels_last"
        and not layer.dtype_policy.quantization_mode
    )


def _replace(layer, fresh, *args, **kwargs):
    x = subsampled(first(args, kwargs), layer.strides, fresh(f"{layer.name}_subsampling"))
    return Altered(layer, fresh(layer.name), strides=lambda layer: (1, 1))(x)
