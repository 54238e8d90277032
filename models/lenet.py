"""LeNet-5: the network that read handwritten digits."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

from keraslayers._hints import Activation, Shape
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Weights, builder

INPUT_SHAPE = (32, 32, 1)
INK = (1.275 / 255, -0.1)  # section III.A


@builder
def LeNet5(
    *,
    input_shape: Shape | None = None,
    classes: int = 10,
    include_top: bool = True,
    weights: Weights | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classifier_activation: Activation | None = "softmax",
    name: str = "lenet5",
    preprocessing: bool = False,
    modern: bool = False,
) -> keras.Model:
    """Builds LeNet-5 with its layers' names from the paper: C1, S2, C3, S4, C5, F6.

    What is built is the form that most later texts call LeNet-5, with 61,706 parameters. The paper (section
    II.B) has 60,000, and differs in five places:

    - C3 sees only some of the six maps of S2 (table I: 1,516 parameters; here all of them: 2,416);
    - S2 and S4 have a trainable coefficient and bias for each map (12 + 32 parameters) and an activation;
      here they average;
    - activations are 1.7159 tanh(2/3 a) (appendix A); here the sigmoid, of which that is a multiple moved by a
      constant, so that the weights on both sides can take up the difference;
    - C5 is a 5x5 convolution on 5x5 maps; here the Dense layer that this equals;
    - the output compares F6 with fixed bitmaps (RBF units); here it is Dense with softmax.

    Caffe's LeNet is another network: 20 and 50 maps, 500 hidden units, ReLU once, 431,080 parameters.

    Args:
        input_shape: (height, width, channels); at least 16x16. Digits of 28x28 pixels are padded to 32x32
            in the paper. Height and width may be None if `include_top` is False. Default: (32, 32, 1).
        classes: number of classes.
        include_top: whether C5, F6 and the output follow S4.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (the maps of S4), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels from 0 (paper) to 255 (ink) and scales them to -0.1 and 1.175
            as in section III.A; else they are expected so.
        modern: ReLU in place of the sigmoid, and maximum in place of average pooling.

    Returns:
        A keras.Model.

    Raises:
        ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: LeCun et al. 1998, Gradient-based learning applied to document recognition, Proc. IEEE 86(11).
    """
    shape = INPUT_SHAPE if input_shape is None else input_shape
    # 16 -> C1 12 -> S2 6 -> C3 2 -> S4 1
    inputs = _blocks.image_input(
        "LeNet5",
        shape,
        smallest=16,
        open_size=not include_top,
        classes=classes,
        pooling=pooling,
        weights=weights,
    )
    x = _blocks.preprocess("LeNet5", inputs, preprocessing, INK)
    activation = "relu" if modern else "sigmoid"
    subsample = layers.MaxPooling2D if modern else layers.AveragePooling2D

    x = layers.Conv2D(6, 5, activation=activation, name="c1")(x)
    x = subsample(2, name="s2")(x)
    x = layers.Conv2D(16, 5, activation=activation, name="c3")(x)
    x = subsample(2, name="s4")(x)
    if include_top:
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(120, activation=activation, name="c5")(x)
        x = layers.Dense(84, activation=activation, name="f6")(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = _blocks.pool(x, pooling)
    return _blocks.model("LeNet5", inputs, x, weights=weights, name=name)


SPECS = (
    Spec(
        name="lenet5",
        builder=LeNet5,
        paper="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition",
        year=1998,
        url="https://doi.org/10.1109/5.726791",
        input_shape=INPUT_SHAPE,
        references=(Reference({}, 61_706, 61_706, 416_520, None, "section II.B, with every map of S2 in C3"),),
    ),
)
