"""Padding before a pooling, which phones' GPUs take for the pooling's own."""

from keras import layers

from keraslayers.export.passes._graph import first, made_by, rewrite
from keraslayers.export.passes._relu import NOTHING, function_kind, relu_kind


def keep_padding(model):
    """Puts a convolution of single pixels between zeros around an image and a pooling.

    LiteRT's GPU runtime makes one operator of both, whose padding counts for nothing: averages are too large at the
    borders, and maxima of negative numbers are not 0 there. After a ReLU maxima are right as they are.

    Given:   x -> zero padding -> pooling
    Result:  x -> zero padding -> depthwise 1x1 convolution (weight 1) -> pooling

    Returns:
        (model, how many were kept).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    if type(layer) not in (layers.AveragePooling2D, layers.MaxPooling2D) or layer.data_format != "channels_last":
        return False
    x = first(args, kwargs)
    maker, inputs = _past_nothing(x)
    if type(maker) is not layers.ZeroPadding2D or x.shape[-1] is None:
        return False
    return type(layer) is layers.AveragePooling2D or not _is_relu(_past_nothing(inputs[0])[0])


def _past_nothing(x):
    maker, inputs = made_by(x)
    while type(maker) in NOTHING:
        maker, inputs = made_by(inputs[0])
    return maker, inputs


def _is_relu(maker):
    return relu_kind(maker) is not None or function_kind(getattr(maker, "activation", None)) is not None


def _replace(layer, fresh, *args, **kwargs):
    x = first(args, kwargs)
    pixels = layers.DepthwiseConv2D(
        1,
        depthwise_initializer="ones",
        use_bias=False,
        data_format="channels_last",
        dtype=x.dtype,
        name=fresh(f"{layer.name}_pixels"),
    )(x)
    return type(layer).from_config({**layer.get_config(), "name": fresh(layer.name)})(pixels)
