"""SESR: trains with wide linear blocks, each of which becomes one narrow convolution."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

from keraslayers import _checks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import variant
from keraslayers.models.super_resolution import _frame

INPUT_SHAPE = (None, None, 1)
FIRST_AND_LAST, BETWEEN = 5, 3  # kernel sizes, arXiv:2103.09404, section 3


def _sesr(
    who,
    filters,
    depth,
    *,
    scale=2,
    input_shape=INPUT_SHAPE,
    expansion=256,
    activation="prelu",
    from_input=True,
    deploy=False,
    name,
):
    """Builds SESR.

    It takes images of 0 to 1, in the paper the luminance alone, and gives them `scale` times as high and wide, within 0
    and 1. Each convolution trains as one of `expansion` filters and a 1x1 convolution behind it;
    `keraslayers.reparameterize` makes of a trained one what deploy=True builds, of the same outputs.

    Args:
        scale: how many times as high and wide, 2 or more.
        input_shape: (height, width, channels); height and width may be None, and the model then takes images of any
            size.
        expansion: filters within a linear block.
        activation: of the convolutions between the first and the last: `"prelu"`, or `"relu"`, which its
            authors take for int8.
        from_input: whether the input is added to the output.
        deploy: whether to build the form that runs, of one convolution a block.
        name: name of the model.

    Returns:
        A keras.Model.

    Raises:
        TypeError: if a number is none.
        ValueError: if `scale` is below 2, `activation` is another, or `input_shape` is no shape of images.

    Source: Bhardwaj et al. 2021, Collapsible linear blocks for super-efficient super resolution, arXiv:2103.09404,
    section 3; without biases, as its count of parameters, and without activation behind the first block, as the
    authors' code, github.com/ARM-software/sesr.
    """
    inputs, scale = _frame.image_input(who, input_shape, scale)
    _checks.positive_int(who, "expansion", expansion)
    _checks.choice(who, "activation", activation, ("prelu", "relu"))

    def block(x, filters, size, name):
        options = {"padding": "same", "use_bias": False}
        if deploy:
            return layers.Conv2D(filters, size, **options, name=name)(x)
        x = layers.Conv2D(expansion, size, **options, name=name)(x)
        return layers.Conv2D(filters, 1, **options, name=f"{name}_project")(x)

    def act(x, name):
        return layers.PReLU(shared_axes=(1, 2), name=name)(x) if activation == "prelu" else layers.ReLU(name=name)(x)

    x = layers.Rescaling(1.0, -0.5, name="center")(inputs)  # as the authors' code
    x = first = block(x, filters, FIRST_AND_LAST, "first")
    for place in range(1, depth + 1):
        y = block(x, filters, BETWEEN, f"block{place}")
        if not deploy:
            y = layers.Add(name=f"block{place}_add")([y, x])
        x = act(y, f"block{place}_{activation}")
    x = layers.Add(name="add")([x, first])
    x = block(x, scale**2 * inputs.shape[-1], FIRST_AND_LAST, "last")
    if from_input:
        x = layers.Add(name="add_input")([x, _frame.each_pixel(inputs, scale)])
    return keras.Model(inputs, _frame.larger(x, scale, clip=True), name=name)


def _variant(size, filters, depth) -> Callable[..., keras.Model]:
    return variant(_sesr, f"SESR{size}", filters, depth, summary=f"Builds SESR-{size}.", name=f"sesr_{size.lower()}")


# arXiv:2103.09404, section 5: f filters and m convolutions of 3x3
SESRM3 = _variant("M3", 16, 3)
SESRM5 = _variant("M5", 16, 5)
SESRM7 = _variant("M7", 16, 7)
SESRM11 = _variant("M11", 16, 11)
SESRXL = _variant("XL", 32, 11)


def _spec(builder, twice, four_times):
    size = builder.__name__[4:]
    return Spec(
        name=f"sesr_{size.lower()}",
        builder=builder,
        paper="Bhardwaj, Milosavljevic, O'Neil, Gope, Matas, Chalfin, Suda, Meng, Loh: Collapsible linear blocks for "
        "super-efficient super resolution",
        year=2021,
        url="https://arxiv.org/abs/2103.09404",
        input_shape=(360, 640, 1),
        # The paper counts those of convolutions; those of PReLU come on top.
        references=tuple(
            Reference(
                options={"scale": scale, "activation": "relu", "deploy": True},
                trainable_parameters=parameters,
                parameters=parameters,
                multiply_adds=parameters * 360 * 640,
                top1=None,
                source=f"arXiv:2103.09404, table {table}",
            )
            for scale, parameters, table in ((2, twice, 1), (4, four_times, 2))
        ),
    )


SPECS = (
    _spec(SESRM3, 8_912, 13_712),
    _spec(SESRM5, 13_520, 18_320),
    _spec(SESRM7, 18_128, 22_928),
    _spec(SESRM11, 27_344, 32_144),
    _spec(SESRXL, 105_376, 114_976),
)
