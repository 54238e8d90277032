"""VGG: nothing but 3x3 convolutions and poolings, deeper and deeper."""

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant

INPUT_SHAPE = (224, 224, 3)
FILTERS = (64, 128, 256, 512, 512)  # arXiv:1409.1556, table 1: by stage
# Convolutions by stage, arXiv:1409.1556, table 1: columns A, B, D and E
VGG11_CONVS = (1, 1, 2, 2, 2)
VGG13_CONVS = (2, 2, 2, 2, 2)
VGG16_CONVS = (2, 2, 3, 3, 3)
VGG19_CONVS = (2, 2, 4, 4, 4)


def _vgg(
    who,
    convs,
    *,
    input_shape=None,
    classes=1000,
    include_top=True,
    weights=None,
    pooling=None,
    classifier_activation="softmax",
    name="vgg",
    preprocessing=False,
    bn_epsilon=1e-5,
    batch_norm=False,
    units=4096,
    dropout_rate=0.5,
):
    """Builds VGG with `convs` convolutions a stage.

    Weights of keras.applications, which has VGG16 and VGG19, give the same outputs here. So do torchvision's after
    a reordering: the first Dense layer sees the maps row by row with the channels last, theirs channel by channel.

    Args:
        input_shape: (height, width, channels); height and width may be None without top. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the Dense layers follow the last pooling.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to the mean 0 and deviation 1 of
            ImageNet, as torchvision does; else they are expected so. (Weights of Keras and of the paper's authors
            want blue, green, red less a mean: keras.applications.vgg16.preprocess_input.)
        bn_epsilon: of batch normalization, added to the variance; 1e-5 in torchvision.
        batch_norm: whether batch normalization follows each convolution, which keeps its bias, as in torchvision (in
            pytorchcv it has none, which is as many parameters fewer as there are maps); the paper has none.
        units: of each of the two hidden Dense layers; fewer will do for small images or few classes.
        dropout_rate: share of the hidden units dropped in training, within [0, 1); 0.5 in section 3.1.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Simonyan, Zisserman 2015, arXiv:1409.1556, table 1.
    """
    norm = _blocks.norm(who, bn_epsilon, momentum=0.9)
    _checks.positive_int(who, "units", units)
    _checks.rate(who, "dropout_rate", dropout_rate)
    inputs = _blocks.image_input(
        who,
        INPUT_SHAPE if input_shape is None else input_shape,
        smallest=32,  # five poolings
        open_size=not include_top,
        classes=classes,
        pooling=pooling,
        weights=weights,
    )
    x = _blocks.preprocess(who, inputs, preprocessing, _blocks.IMAGENET)
    for stage, (filters, count) in enumerate(zip(FILTERS, convs, strict=True), start=1):
        if stage > 1:
            x = _blocks.max_pool(x, 2, strides=2, padding="valid", name=f"stage{stage}_pool")
        for conv in range(1, count + 1):
            x = _blocks.conv_bn_act(
                x,
                filters,
                3,
                use_bias=True,
                activation="relu",
                norm=norm if batch_norm else None,
                name=f"stage{stage}_conv{conv}",
            )
    x = _blocks.max_pool(x, 2, strides=2, padding="valid", name="stage6_pool")
    if include_top:
        x = _blocks.dense_top(
            x,
            units=units,
            dropout_rate=dropout_rate,
            classes=classes,
            classifier_activation=classifier_activation,
        )
    else:
        x = _blocks.pool(x, pooling)
    return _blocks.model(who, inputs, x, weights=weights, name=name)


VGG11 = variant(_vgg, "VGG11", VGG11_CONVS, summary="Builds VGG of 11 layers, column A of the table.", name="vgg11")
VGG13 = variant(_vgg, "VGG13", VGG13_CONVS, summary="Builds VGG of 13 layers, column B of the table.", name="vgg13")
VGG16 = variant(_vgg, "VGG16", VGG16_CONVS, summary="Builds VGG of 16 layers, column D of the table.", name="vgg16")
VGG19 = variant(_vgg, "VGG19", VGG19_CONVS, summary="Builds VGG of 19 layers, column E of the table.", name="vgg19")


def _spec(builder, plain, batch_norm):
    """The Spec of one depth from its two rows, (trainable parameters, parameters, multiply-adds, top1)."""
    source = f"torchvision, {builder.__name__}{{}}_Weights.IMAGENET1K_V1"
    return Spec(
        name=builder.__name__.lower(),
        builder=builder,
        paper="Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition",
        year=2015,
        url="https://arxiv.org/abs/1409.1556",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({}, *plain, source.format("")),
            Reference({"batch_norm": True}, *batch_norm, source.format("_BN")),
        ),
    )


SPECS = (
    _spec(
        VGG11,
        (132_863_336, 132_863_336, 7_609_090_048, 69.02),
        (132_868_840, 132_874_344, 7_609_090_048, 70.37),
    ),
    _spec(
        VGG13,
        (133_047_848, 133_047_848, 11_308_466_176, 69.928),
        (133_053_736, 133_059_624, 11_308_466_176, 71.586),
    ),
    _spec(
        VGG16,
        (138_357_544, 138_357_544, 15_470_264_320, 71.592),
        (138_365_992, 138_374_440, 15_470_264_320, 73.36),
    ),
    _spec(
        VGG19,
        (143_667_240, 143_667_240, 19_632_062_464, 72.376),
        (143_678_248, 143_689_256, 19_632_062_464, 74.218),
    ),
)
