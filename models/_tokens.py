"""What networks of tokens have in common: an image cut into patches, and blocks of two residual branches."""

import keras
from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks


@keras.saving.register_keras_serializable(package="keraslayers")
def gelu_tanh(x):
    """GELU by the tanh that JAX's networks trained with; the exact one differs by 5e-4 at most.

    Source: Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2.
    """
    return keras.activations.gelu(x, approximate=True)


def image_of_maps(who, input_shape, smallest, *, classes, pooling, weights):
    """As `_blocks.image_input`, for an image of known size."""
    inputs = _blocks.image_input(who, input_shape, smallest=smallest, classes=classes, pooling=pooling, weights=weights)
    if None in inputs.shape[1:3]:
        raise ValueError(
            f"`{who}`: `input_shape` must have a known height and width, by which tokens are counted; got "
            f"{inputs.shape[1:]}."
        )
    return inputs


def image_of_patches(who, input_shape, patch_size, *, classes, pooling, weights):
    """As `_blocks.image_input`, for an image of known size that patches fill."""
    inputs = image_of_maps(who, input_shape, patch_size, classes=classes, pooling=pooling, weights=weights)
    height, width = inputs.shape[1:3]
    if height % patch_size or width % patch_size:
        raise ValueError(
            f"`{who}`: height and width of `input_shape` must be multiples of `patch_size`, {patch_size}; got "
            f"{inputs.shape[1:]}."
        )
    return inputs


def stages(who, argument, value, least=1):
    """A number for each stage, of `least` or more, checked."""
    if not isinstance(value, list | tuple) or not value:
        raise TypeError(f"`{who}`: `{argument}` must be a list of whole numbers, one a stage; got {value!r}.")
    return tuple(_checks.whole_number(who, argument, number, least) for number in value)


def paired(who, least=1, **given):
    """Several of those, with as many numbers each."""
    checked = [stages(who, argument, value, least) for argument, value in given.items()]
    if len({len(numbers) for numbers in checked}) > 1:
        names = " and ".join(f"`{argument}`" for argument in given)
        raise ValueError(f"`{who}`: {names} must have one number a stage; got {' and '.join(map(str, checked))}.")
    return checked


def embed(x, channels, patch_size):
    """Maps of a vector for each patch, which a convolution with a stride as large as its kernel computes."""
    return _blocks.conv(x, channels, patch_size, strides=patch_size, padding="valid", use_bias=True, name="patches")


def to_tokens(x):
    """The places of maps as tokens, row by row."""
    return layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]), name="tokens")(x)


def merge_patches(x, channels, epsilon, name):
    """Four patches become one of `channels`: those of a 2x2 square one behind the other, normalized, times a matrix.

    They come row by row, as in `keras.ops.space_to_depth`; published code takes them column by column, which is another
    order of the weights. An odd side is filled up with zeros.

    Source: Liu et al. 2021, arXiv:2103.14030, section 3.1.
    """
    if any(side % 2 for side in x.shape[1:3]):
        x = layers.ZeroPadding2D([(0, side % 2) for side in x.shape[1:3]], name=f"{name}_pad")(x)
    _, height, width, features = x.shape
    x = layers.Reshape((height // 2, 2, width // 2, 2 * features), name=f"{name}_squares")(x)
    x = layers.Permute((1, 3, 2, 4), name=f"{name}_turn")(x)
    x = layers.Reshape((height // 2, width // 2, 4 * features), name=f"{name}_join")(x)
    x = layers.LayerNormalization(epsilon=epsilon, name=f"{name}_norm")(x)
    return layers.Dense(channels, use_bias=False, name=name)(x)


def mlp(x, units, *, activation="gelu", approximate=False, dropout_rate=0.0, name):
    """Dense, an activation, which may be the approximate GELU, and a Dense back to as many features."""
    features = x.shape[-1]
    for step, size in (("expand", units), ("project", features)):
        x = layers.Dense(size, name=f"{name}_{step}")(x)
        if step == "expand":
            x = layers.Activation(gelu_tanh if approximate else activation, name=f"{name}_{activation}")(x)
        if dropout_rate:
            x = layers.Dropout(dropout_rate, name=f"{name}_{step}_dropout")(x)
    return x


def across_tokens(x, mix, name):
    """What `mix` makes of the tokens of each channel; alone it makes that of the channels of each token."""
    x = layers.Permute((2, 1), name=f"{name}_turn")(x)
    return layers.Permute((2, 1), name=f"{name}_turn_back")(mix(x, name=name))


def branch(x, norm, mix, drop_rate, name):
    """A residual branch: what `mix` makes of the tokens or maps is added to them.

    Args:
        norm: the layer that normalizes; None for none.
        mix: function of tokens and name.
        drop_rate: see `_blocks.add_branch`.
    """
    return _blocks.add_branch(x, mix(x if norm is None else norm(x), name=name), drop_rate, name)


def layer_norm(name, epsilon=1e-6):
    """Layer normalization; by default as the published code of ViT and Mixer has it."""
    return layers.LayerNormalization(epsilon=epsilon, name=name)


def drop_rates(rate, blocks):
    """The rate of each block, from 0 in the first to `rate` in the last: arXiv:1603.09382, eq. 4."""
    return [rate * block / max(blocks - 1, 1) for block in range(blocks)]
