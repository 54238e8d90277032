"""Every second pixel, in an operator that XNNPACK takes."""

from keras import layers

from keraslayers.export.passes._graph import first, rewrite


def lower_subsampling(model):
    """Writes pooling over windows of one pixel, which only leaves pixels out, as a depthwise convolution.

    XNNPACK takes neither such pooling nor slices with strides, in floats as in int8. Keras's ResNetV2 has three.

    Given:   x -> pooling of 1x1 windows with strides above 1
    Result:  x -> depthwise 1x1 convolution (weight 1) with these strides

    Returns:
        (model, how many were lowered).
    """
    return rewrite(model, _applies, _replace)


def subsampled(x, strides, name):
    """The pixels of an image that strides meet."""
    return layers.DepthwiseConv2D(
        1,
        strides,
        depthwise_initializer="ones",
        use_bias=False,
        data_format="channels_last",
        dtype=x.dtype,
        name=name,
    )(x)


def _applies(layer, *args, **kwargs):
    return (
        type(layer) in (layers.MaxPooling2D, layers.AveragePooling2D)
        and set(layer.pool_size) == {1}
        and len(set(layer.strides)) == 1  # TensorFlow has depthwise convolutions of no others
        and layer.strides[0] > 1
        and layer.data_format == "channels_last"
        and first(args, kwargs).shape[-1] is not None
    )


def _replace(layer, fresh, *args, **kwargs):
    return subsampled(first(args, kwargs), layer.strides, fresh(f"{layer.name}_convolution"))
