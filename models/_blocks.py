"""What several networks have in common: the way in, convolutions with normalization, the way out."""

import keras
from keras import layers

from keraslayers import _checks, _keras
from keraslayers.models import weights as _weights
from keraslayers.squeeze_excite import SqueezeExcite

OUTPUT_STRIDES = (None, 8, 16)
PADDINGS = ("same", "symmetric")  # TensorFlow's and PyTorch's; they differ where strides meet even sizes


def image_input(who, input_shape, *, smallest=1, open_size=True, classes, pooling, weights):
    """Returns the input tensor, after refusing everything that is known to be wrong before the first layer.

    Args:
        smallest: height and width below which too little is left.
        open_size: whether height and width may be None.
    """
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            f"`{who}`: models are built for images of shape (height, width, channels), but Keras's image data "
            "format is 'channels_first'. Call keras.config.set_image_data_format('channels_last') first."
        )
    shape = _image_shape(who, input_shape, smallest)
    if None in shape and not open_size:
        raise ValueError(
            f"`{who}`: `input_shape` must have a known height and width, since the first Dense layer has weights for "
            f"every place; got {shape}. With include_top=False both may be None."
        )
    _checks.positive_int(who, "classes", classes)
    _checks.choice(who, "pooling", pooling, (None, "avg", "max"))
    _weights.check(who, weights)
    return layers.Input(shape, name="image")


def text_input(who, vocabulary, tokens, embedding_dim, *, smallest=1, classes, dropout_rate, weights):
    """Returns (input of token numbers, their vectors), after refusing what is known to be wrong."""
    _checks.positive_int(who, "vocabulary", vocabulary)
    _checks.positive_int(who, "classes", classes)
    _checks.positive_int(who, "embedding_dim", embedding_dim)
    _checks.rate(who, "dropout_rate", dropout_rate)
    _weights.check(who, weights)
    if tokens is not None:
        _checks.whole_number(who, "tokens", tokens, least=smallest)
    inputs = layers.Input((tokens,), dtype="int32", name="tokens")
    return inputs, layers.Embedding(vocabulary, embedding_dim, name="embedding")(inputs)


def _image_shape(who, shape, smallest):
    if not isinstance(shape, (tuple, list)) or len(shape) != 3 or shape[2] is None:
        raise ValueError(
            f"`{who}`: `input_shape` must be (height, width, channels), of which height and width may be None; "
            f"got {shape!r}."
        )
    shape = tuple(size if size is None else _checks.positive_int(who, "input_shape", size) for size in shape)
    if any(size is not None and size < smallest for size in shape[:2]):
        raise ValueError(
            f"`{who}`: the smallest `input_shape` is ({smallest}, {smallest}, {shape[2]}), since too little "
            f"is left of a smaller one; got {shape}."
        )
    return shape


def model(who, inputs, outputs, *, weights, name):
    """Returns the keras.Model, with the weights of the file `weights` unless that is None."""
    made = keras.Model(inputs, outputs, name=name)
    last = made.outputs[0]
    if last.shape[-1] == 1 and getattr(_keras.history(last).operation, "activation", None) is keras.activations.softmax:
        raise ValueError(
            f"`{who}`: `classes` must be 2 or more behind a softmax, which is always 1 for a single class; got 1. For "
            "yes and no take 2 classes, or classifier_activation='sigmoid'."
        )
    return _weights.loaded(who, made, weights)


# What preprocessing=True puts behind the input, as (scale, offset) for pixels of 0 to 255.
ONE_TO_ONE = (1 / 127.5, -1.0)  # [-1, 1]: TensorFlow's networks
# Mean 0 and standard deviation 1 of ImageNet's red, green and blue: torchvision's networks.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET = (
    [1 / (255 * deviation) for deviation in DEVIATION],
    [-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)],
)


# Local response normalization of Caffe's AlexNet and GoogLeNet: 1 + 1e-4 times the mean of the squares of 5 channels.
CAFFE_LRN = {"depth_radius": 2, "bias": 1.0, "alpha": 1e-4 / 5, "beta": 0.75}


def preprocess(who, x, preprocessing, convention):
    """Returns pixels of 0 to 255 in the scale of `convention` if `preprocessing` asks for it, else `x` as it is."""
    if not preprocessing:
        return x
    if isinstance(preprocessing, _weights.Published):
        return _weights.scaled(x, preprocessing)
    scale, offset = convention
    if isinstance(scale, list) and x.shape[-1] != len(scale):
        raise ValueError(
            f"`{who}`: preprocessing=True takes images of {len(scale)} channels, red, green and blue; got "
            f"{x.shape[-1]}. Scale other images before the model."
        )
    return layers.Rescaling(scale, offset, name="preprocessing")(x)


def norm(who, epsilon, momentum):
    """Returns the arguments of batch normalization, `bn_epsilon` checked."""
    return {"epsilon": _checks.number(who, "bn_epsilon", epsilon, above=0), "momentum": momentum}


def top(x, *, include_top, classes, classifier_activation, pooling, dropout_rate=0.0):
    """The usual way out: the averages of the maps and a Dense layer; without top what `pooling` asks for."""
    if not include_top:
        return pool(x, pooling)
    x = pool(x, "avg")
    if dropout_rate:
        x = layers.Dropout(dropout_rate, name="dropout")(x)
    return layers.Dense(classes, activation=classifier_activation, name="predictions")(x)


def dense_top(x, *, units, dropout_rate, classes, classifier_activation):
    """The way out of AlexNet and VGG: two hidden Dense layers, which see every place of the maps."""
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(units, activation="relu", name=name)(x)
        x = layers.Dropout(dropout_rate, name=f"{name}_dropout")(x)
    return layers.Dense(classes, activation=classifier_activation, name="predictions")(x)


def pool(x, pooling):
    """Returns the features as `pooling` asks for them: maps (None), or their averages or maxima."""
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name="max_pool")(x)
    return x


def atrous(who, output_stride, strides):
    """Of layers that stride one after another, from the image on, (stride, dilation, dilation behind it) each.

    What would stride beyond `output_stride` keeps its maps, and the kernels behind it look as far as they would have.
    Sources differ in whether the strided layer itself is dilated already.

    Args:
        output_stride: input pixels per step of the last maps; None for as many as `strides` say.
        strides: of each layer.

    Source: Chen et al. 2017, arXiv:1706.05587, section 3.1.
    """
    _checks.choice(who, "output_stride", output_stride, OUTPUT_STRIDES)
    made, stride, rate = [], 1, 1
    for step in strides:
        before = rate
        if output_stride is not None and stride * step > output_stride:
            rate, step = rate * step, 1
        stride *= step
        made.append((step, before, rate))
    return made


def conv(x, filters, kernel_size, *, strides=1, padding="same", groups=1, dilation_rate=1, use_bias=False, name):
    """Convolution with padding "valid", "same", or "symmetric": PyTorch's, as much before as behind."""
    x, padding = pad(x, kernel_size, strides, padding, name)
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        groups=groups,
        dilation_rate=dilation_rate,
        use_bias=use_bias,
        name=name,
    )(x)


def conv_bn_act(
    x,
    filters,
    kernel_size,
    *,
    strides=1,
    padding="same",
    groups=1,
    dilation_rate=1,
    use_bias=False,
    activation=None,
    norm,
    name,
):
    """`conv`, batch normalization with the arguments `norm`, and an activation; either may be None."""
    options = {"strides": strides, "padding": padding, "groups": groups, "dilation_rate": dilation_rate}
    x = conv(x, filters, kernel_size, use_bias=use_bias, name=name, **options)
    return bn_act(x, activation, norm, name)


def conv_relu(x, filters, kernel_size, *, strides=1, padding="same", groups=1, name):
    """Convolution with bias and ReLU, as before batch normalization."""
    x = conv(x, filters, kernel_size, strides=strides, padding=padding, groups=groups, use_bias=True, name=name)
    return bn_act(x, "relu", None, name)


def depthwise_bn_act(x, kernel_size, *, strides=1, padding="same", dilation_rate=1, activation=None, norm, name):
    """As `conv_bn_act`, with one filter for each channel of its own."""
    x, padding = pad(x, kernel_size, strides, padding, name)
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate, "use_bias": False}
    x = layers.DepthwiseConv2D(kernel_size, name=name, **options)(x)
    return bn_act(x, activation, norm, name)


def bn_act(x, activation, norm, name):
    """Batch normalization with the arguments `norm`, and an activation; either may be None."""
    if norm is not None:
        x = layers.BatchNormalization(**norm, name=f"{name}_bn")(x)
    return x if activation is None else layers.Activation(activation, name=f"{name}_act")(x)


def inverted_residual(
    x,
    expanded,
    filters,
    kernel_size,
    *,
    strides=1,
    padding="same",
    dilation_rate=1,
    activation,
    squeeze_excite=None,
    drop_rate=0.0,
    norm,
    name,
):
    """Expands, filters each channel, weighs the channels, projects; added to `x` where both have one shape.

    Args:
        expanded: channels between; nothing expands where `x` has as many.
        squeeze_excite: arguments of `SqueezeExcite`; None for none.
        drop_rate: share of images for which training leaves the unit out (stochastic depth, arXiv:1603.09382).

    Source: Sandler et al. 2018, arXiv:1801.04381, table 1; Howard et al. 2019, arXiv:1905.02244, figure 4.
    """
    shortcut = x
    if expanded != x.shape[-1]:
        x = conv_bn_act(x, expanded, 1, activation=activation, norm=norm, name=f"{name}_expand")
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    x = depthwise_bn_act(x, kernel_size, activation=activation, norm=norm, name=f"{name}_depthwise", **options)
    if squeeze_excite is not None:
        x = SqueezeExcite(**squeeze_excite, name=f"{name}_squeeze_excite")(x)
    x = conv_bn_act(x, filters, 1, norm=norm, name=f"{name}_project")
    return add_where_alike(shortcut, x, strides, drop_rate, name)


def fused_residual(x, expanded, filters, kernel_size, *, strides=1, padding, activation, drop_rate=0.0, norm, name):
    """As `inverted_residual`, with one convolution that expands and filters; nothing projects what was not expanded.

    Source: Tan and Le 2021, arXiv:2104.00298, figure 2: Fused-MBConv.
    """
    shortcut, channels = x, x.shape[-1]
    common = {"padding": padding, "norm": norm}
    if expanded == channels:
        x = conv_bn_act(x, filters, kernel_size, strides=strides, activation=activation, name=name, **common)
    else:
        x = conv_bn_act(
            x, expanded, kernel_size, strides=strides, activation=activation, name=f"{name}_expand", **common
        )
        x = conv_bn_act(x, filters, 1, name=f"{name}_project", **common)
    return add_where_alike(shortcut, x, strides, drop_rate, name)


def add_where_alike(shortcut, x, strides, drop_rate, name):
    """Adds a unit to what it was given, where both have one shape."""
    if strides > 1 or shortcut.shape[-1] != x.shape[-1]:
        return x
    return add_branch(shortcut, x, drop_rate, name)


def add_branch(shortcut, x, drop_rate, name):
    """Adds a branch to its shortcut; in training `drop_rate` of the images go without it (arXiv:1603.09382)."""
    if drop_rate:
        x = layers.Dropout(drop_rate, noise_shape=(None, *(1,) * (len(x.shape) - 1)), name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([shortcut, x])


def max_pool(x, size, *, strides, padding="same", name):
    """Max pooling of values that are nowhere negative, padded as in `conv`: zeros never win."""
    x, padding = pad(x, size, strides, padding, name)
    return layers.MaxPooling2D(size, strides=strides, padding=padding, name=name)(x)


def ceil_max_pool(x, size, *, strides, name):
    """Max pooling of values that are nowhere negative, as in Caffe: the last window may reach over the end."""
    # What the last whole window leaves is less than a stride, so that an unknown side gets no window too many.
    ends = [strides - 1 if side is None else _behind(side, size, strides) for side in x.shape[1:3]]
    # "same" pads in the operator itself; it serves where it would put nothing in front.
    if any(ends) and all(
        side and _same(side, size, strides) == (0, end) for side, end in zip(x.shape[1:3], ends, strict=True)
    ):
        return layers.MaxPooling2D(size, strides=strides, padding="same", name=name)(x)
    if any(ends):
        x = layers.ZeroPadding2D([(0, end) for end in ends], name=f"{name}_pad")(x)
    return layers.MaxPooling2D(size, strides=strides, name=name)(x)


def _behind(side, size, strides):
    return (size - side) % strides if side > size else size - side


def _same(side, size, strides):
    total = max((-(-side // strides) - 1) * strides + size - side, 0)
    return total // 2, total - total // 2


def pad(x, size, strides, padding, name):
    """Returns x and what is left of the padding: "same" pads as "symmetric" does at stride 1 and odd sizes."""
    if padding != "symmetric":
        return x, padding
    if strides == 1:
        return x, "same"
    if size == 1:
        return x, "valid"
    return layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x), "valid"


def make_divisible(value, divisor=8):
    """Rounds to the nearest multiple of `divisor`, and up where that would take away more than a tenth.

    Source: the published code of MobileNetV2, arXiv:1801.04381, which its successors share.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded
