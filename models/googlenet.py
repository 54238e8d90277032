"""GoogLeNet, the first Inception: kernels of several sizes side by side, behind 1x1 convolutions that cost little."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

from keraslayers import _checks
from keraslayers._hints import Activation, Shape
from keraslayers.auxiliary_output import AuxiliaryOutput
from keraslayers.local_response import LocalResponseNormalization
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Weights, builder

INPUT_SHAPE = (224, 224, 3)
# Stage -> #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj of each unit: arXiv:1409.4842, table 1, the
# inception rows. A max pooling comes before each stage.
STAGES = {
    3: (
        (64, 96, 128, 16, 32, 32),
        (128, 128, 192, 32, 96, 64),
    ),
    4: (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    5: (
        (256, 160, 320, 32, 128, 128),
        (384, 192, 384, 48, 128, 128),
    ),
}
AUXILIARY = {(4, 1): "aux1", (4, 4): "aux2"}  # section 5: after (4a) and (4d)


@builder
def GoogLeNet(
    *,
    input_shape: Shape | None = None,
    classes: int = 1000,
    include_top: bool = True,
    weights: Weights | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classifier_activation: Activation | None = "softmax",
    name: str = "googlenet",
    preprocessing: bool = False,
    bn_epsilon: float = 1e-3,
    aux_heads: bool = False,
    batch_norm: bool = False,
    dropout_rate: float = 0.4,
) -> keras.Model:
    """Builds GoogLeNet, by default as in the paper and in Caffe: local response normalization, 5x5 kernels.

    `batch_norm=True` builds torchvision's form: batch normalization after each convolution, which has no bias, no
    local response normalization, 3x3 kernels in place of 5x5, and a 2x2 pooling in front of the last stage.

    With `aux_heads=True` there are three outputs, `predictions`, `aux1` and `aux2`; each learns the classes, and
    section 5 of the paper weighs the losses of the latter by 0.3:

    ```python
    model = keraslayers.models.GoogLeNet(classes=10, aux_heads=True)
    model.compile("adam", ["sparse_categorical_crossentropy"] * 3, loss_weights=[1.0, 0.3, 0.3])
    # model.fit(images, [labels] * 3)
    ```

    A file of the trained network fits one without heads, too: GoogLeNet(weights=path). Of the model itself they drop
    with keras.Model(model.input, model.outputs[0]); `keraslayers.export.to_tflite` leaves them out.

    Their first Dense layer sees the maps row by row with the channels last; Caffe's and torchvision's weights for it
    have the channels first and must be reordered. They average windows of 5x5 as in the paper; torchvision divides the
    maps into 4x4 windows.

    Args:
        input_shape: (height, width, channels); height and width may be None without auxiliary heads.
            Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the classifier, and auxiliary ones if asked for, follow the maps.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the outputs; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to [-1, 1], which torchvision's
            weights want in the end (its transform_input); else they are expected so. (Caffe subtracts a mean from
            blue, green, red.)
        bn_epsilon: of batch normalization, added to the variance; 1e-3 in torchvision.
        aux_heads: whether there are two auxiliary classifiers, for training.
        batch_norm: whether to build torchvision's form.
        dropout_rate: share of features dropped in training before the output, within [0, 1); 0.4 in table 1, and
            always 0.7 in the auxiliary heads.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Szegedy et al. 2015, arXiv:1409.4842, table 1 and section 5.
    """
    norm = _blocks.norm("GoogLeNet", bn_epsilon, momentum=0.9)
    _checks.rate("GoogLeNet", "dropout_rate", dropout_rate)
    aux_heads = aux_heads and include_top
    inputs = _blocks.image_input(
        "GoogLeNet",
        INPUT_SHAPE if input_shape is None else input_shape,
        smallest=79 if aux_heads else 1,  # 40 -> 20 -> 9 -> 5: the heads average 5x5 maps of stage 4
        open_size=not aux_heads,
        classes=classes,
        pooling=pooling,
        weights=weights,
    )

    def conv(x, filters, kernel_size, name, **options):
        normalized = {"norm": norm} if batch_norm else {"norm": None, "use_bias": True}
        return _blocks.conv_bn_act(x, filters, kernel_size, activation="relu", name=name, **normalized, **options)

    def respond(x, name):
        return x if batch_norm else LocalResponseNormalization(**_blocks.CAFFE_LRN, name=name)(x)

    x = _blocks.preprocess("GoogLeNet", inputs, preprocessing, _blocks.ONE_TO_ONE)
    x = conv(x, 64, 7, "stem_conv", strides=2, padding="symmetric")
    x = _blocks.ceil_max_pool(x, 3, strides=2, name="stage2_pool")
    x = respond(x, "stage2_lrn1")
    x = conv(x, 64, 1, "stage2_reduce")
    x = conv(x, 192, 3, "stage2_conv")
    x = respond(x, "stage2_lrn2")
    outputs = []
    for stage, units in STAGES.items():
        size = 2 if batch_norm and stage == 5 else 3
        x = _blocks.ceil_max_pool(x, size, strides=2, name=f"stage{stage}_pool")
        for unit, row in enumerate(units, start=1):
            x = _inception(conv, x, row, 3 if batch_norm else 5, f"stage{stage}_unit{unit}")
            if aux_heads and (stage, unit) in AUXILIARY:
                outputs.append(_auxiliary(conv, x, classes, classifier_activation, AUXILIARY[stage, unit]))
    x = _blocks.top(
        x,
        include_top=include_top,
        classes=classes,
        classifier_activation=classifier_activation,
        pooling=pooling,
        dropout_rate=dropout_rate,
    )
    return _blocks.model("GoogLeNet", inputs, [x, *outputs] if outputs else x, weights=weights, name=name)


def _inception(conv, x, row, large, name):
    """Figure 2 (b) of the paper, with kernels of `large` where it has 5x5."""
    plain, reduced3, filters3, reduced5, filters5, projected = row
    pooled = layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    branches = [
        conv(x, plain, 1, f"{name}_1x1"),
        conv(conv(x, reduced3, 1, f"{name}_3x3_reduce"), filters3, 3, f"{name}_3x3"),
        conv(conv(x, reduced5, 1, f"{name}_5x5_reduce"), filters5, large, f"{name}_5x5"),
        conv(pooled, projected, 1, f"{name}_project"),
    ]
    return layers.Concatenate(name=f"{name}_concat")(branches)


def _auxiliary(conv, x, classes, activation, name):
    """Section 5 of the paper: "the exact structure of the extra network on the side"."""
    x = layers.AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)
    x = conv(x, 128, 1, f"{name}_conv")
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = layers.Dense(1024, activation="relu", name=f"{name}_fc")(x)
    x = layers.Dropout(0.7, name=f"{name}_dropout")(x)
    x = layers.Dense(classes, activation=activation, name=f"{name}_predictions")(x)
    return AuxiliaryOutput(name=name)(x)


_CAFFE = "github.com/BVLC/caffe, models/bvlc_googlenet"
_TORCHVISION = "torchvision, GoogLeNet_Weights.IMAGENET1K_V1"

SPECS = (
    Spec(
        name="googlenet",
        builder=GoogLeNet,
        paper="Szegedy et al.: Going deeper with convolutions",
        year=2015,
        url="https://arxiv.org/abs/1409.4842",
        input_shape=INPUT_SHAPE,
        references=(
            Reference({}, 6_998_552, 6_998_552, 1_582_671_872, 68.7, _CAFFE),
            Reference({"aux_heads": True}, 13_378_280, 13_378_280, 1_591_044_096, 68.7, _CAFFE),
            Reference({"batch_norm": True}, 6_624_904, 6_639_464, 1_498_376_192, 69.778, _TORCHVISION),
            Reference(
                {"batch_norm": True, "aux_heads": True}, 13_004_888, 13_019_960, 1_506_748_416, 69.778, _TORCHVISION
            ),
        ),
    ),
)
