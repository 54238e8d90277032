"""QuickSRNet: a plain chain of 3x3 convolutions whose activations stay within 0 and 1, made for 8-bit hardware."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from keraslayers import _checks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant
from keraslayers.models.super_resolution import _frame

INPUT_SHAPE = (None, None, 3)


@_checks.register
class NearIdentity(keras.initializers.Initializer):
    """An initializer of convolutions under which each channel is passed on, as by a residual connection.

    Args:
        repeats: how many outputs of a place have the same input: 1, or the pixels that become of one.
        random: whether uniform weights are added, of the size that PyTorch begins with, as the authors do.
        seed: of these.

    Source: Berger et al. 2023, arXiv:2303.04336, section 3: residual connections collapsed before training.
    """

    def __init__(self, repeats=1, random=True, seed=None):
        self.repeats, self.random, self.seed = repeats, random, seed

    def __call__(self, shape, dtype=None):
        *size, inputs, outputs = shape
        passed = np.zeros(shape, "float32")
        # Behind a convolution whose outputs are pixels, those of a pixel's colors lie side by side.
        across = min(inputs, outputs // self.repeats)
        for place in range(self.repeats):
            for channel in range(across):
                passed[size[0] // 2, size[1] // 2, channel, place * (outputs // self.repeats) + channel] = 1
        if self.random:
            passed = passed + keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", self.seed)(shape)
        return keras.ops.cast(passed, dtype or "float32")

    def get_config(self):
        return {"repeats": self.repeats, "random": self.random, "seed": self.seed}


def _quicksrnet(who, filters, depth, from_input, *, scale=2, input_shape=INPUT_SHAPE, name):
    """Builds QuickSRNet.

    It takes images of 0 to 1 and gives them `scale` times as high and wide, within 0 and 1.

    Args:
        scale: how many times as high and wide, 2 or more.
        input_shape: (height, width, channels); height and width may be None, and the model then takes images of any
            size.
        name: name of the model.

    Returns:
        A keras.Model.

    Raises:
        TypeError: if `scale` is no whole number.
        ValueError: if `scale` is below 2, or `input_shape` no shape of images.

    Source: Berger et al. 2023, QuickSRNet: Plain single-image super-resolution architecture for faster inference on
    mobile platforms, arXiv:2303.04336, section 3, with the layers of github.com/quic/aimet-model-zoo.
    """
    inputs, scale = _frame.image_input(who, input_shape, scale)
    pixels, x = scale**2, inputs
    for place in range(1, depth + 2):
        x = layers.Conv2D(filters, 3, padding="same", kernel_initializer=NearIdentity(), name=f"conv{place}")(x)
        x = layers.ReLU(max_value=1.0, name=f"conv{place}_clip")(x)
    # The large one has its residual in a convolution of its own.
    start = "glorot_uniform" if from_input else NearIdentity(pixels)
    colors = pixels * inputs.shape[-1]
    x = layers.Conv2D(colors, 3, padding="same", kernel_initializer=start, name="last")(x)
    if from_input:
        start = NearIdentity(pixels, random=False)
        x = layers.Add(name="add")([x, layers.Conv2D(colors, 1, kernel_initializer=start, name="anchor")(inputs)])
    return keras.Model(inputs, _frame.larger(x, scale, clip=True), name=name)


def _variant(size, filters, depth, from_input) -> Callable[..., keras.Model]:
    return variant(
        _quicksrnet,
        f"QuickSRNet{size}",
        filters,
        depth,
        from_input,
        summary=f"Builds QuickSRNet-{size}.",
        name=f"quicksrnet_{size.lower()}",
    )


# As the authors' code, github.com/quic/aimet-model-zoo, has them: filters, convolutions between the first and the last,
# and whether a convolution of the input is added to the output.
QuickSRNetSmall = _variant("Small", 32, 2, False)
QuickSRNetMedium = _variant("Medium", 32, 5, False)
QuickSRNetLarge = _variant("Large", 64, 11, True)


def _spec(builder, parameters, biases):
    return Spec(
        name=f"quicksrnet_{builder.__name__[10:].lower()}",
        builder=builder,
        paper="Berger, Dhingra, Mercier, Savani, Panchal, Porikli: QuickSRNet: Plain single-image super-resolution "
        "architecture for faster inference on mobile platforms",
        year=2023,
        url="https://arxiv.org/abs/2303.04336",
        input_shape=(360, 640, 3),
        references=(
            Reference(
                options={},
                trainable_parameters=parameters,
                parameters=parameters,
                multiply_adds=(parameters - biases) * 360 * 640,
                top1=None,
                source="arXiv:2303.04336, section 3, with the layers of github.com/quic/aimet-model-zoo",
            ),
        ),
    )


SPECS = (
    _spec(QuickSRNetSmall, 22_860, 3 * 32 + 12),
    _spec(QuickSRNetMedium, 50_604, 6 * 32 + 12),
    _spec(QuickSRNetLarge, 414_972, 12 * 64 + 2 * 12),
)
