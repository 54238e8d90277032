"""Transposed convolutions of padding "same" as phones' GPUs compute them rightly."""

import keras
from keras import layers

from keraslayers.export.passes._graph import Altered, first, rewrite

# (kernel, stride) of an axis that the GPU computes rightly whatever the size.
_RIGHT = {(2, 2), (4, 2)}


def crop_transposed(model):
    """Writes transposed convolutions of padding "same" as "valid" ones that are cropped.

    LiteRT's GPU runtime computes most of them wrongly: all of stride 3 or 4 that were tried, and of stride 2 those
    whose kernel is odd where the image's height or width is. Of padding "valid" it computes them rightly.

    Given:   x -> transposed convolution (padding "same")
    Result:  x -> transposed convolution (padding "valid") -> cropping -> activation

    Returns:
        (model, how many were written so).
    """
    return rewrite(model, _applies, _replace)


def _axes(layer):
    """(size, stride) of the kernel's reach on each axis."""
    reaches = [(k - 1) * d + 1 for k, d in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    return list(zip(reaches, layer.strides, strict=True))


def _applies(layer, *args, **kwargs):
    plain = (
        type(layer) is layers.Conv2DTranspose
        and layer.padding == "same"
        and layer.output_padding is None
        and layer.data_format == "channels_last"
        and not layer.dtype_policy.quantization_mode
    )
    if not plain or max(layer.strides) == 1:
        return False
    sizes = first(args, kwargs).shape[1:3]
    axes = _axes(layer)
    even = all(size is not None and size % 2 == 0 for size in sizes)
    return not (all(axis in _RIGHT for axis in axes) or (even and axes == [(3, 2), (3, 2)]))


def _replace(layer, fresh, *args, **kwargs):
    linear = Altered(
        layer,
        fresh(f"{layer.name}_valid"),
        padding=lambda layer: "valid",
        activation=lambda layer: keras.activations.linear,
    )
    x = linear(first(args, kwargs))
    crops = [max(reach - stride, 0) for reach, stride in _axes(layer)]
    if any(crops):
        crops = [(crop // 2, crop - crop // 2) for crop in crops]
        x = layers.Cropping2D(crops, data_format="channels_last", dtype=x.dtype, name=fresh(f"{layer.name}_crop"))(x)
    if layer.activation is keras.activations.linear:
        return x
    return layers.Activation(layer.activation, dtype=x.dtype, name=fresh(f"{layer.name}_activation"))(x)
