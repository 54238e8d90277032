"""A convolution that trains as several side by side, of which `keraslayers.reparameterize` makes one again."""

from keras import layers

from keraslayers.models import _blocks
from keraslayers.squeeze_excite import SqueezeExcite


def branched(
    x,
    filters,
    kernel_size,
    *,
    strides=1,
    depthwise=False,
    branches=1,
    small=1,
    skip="normalized",
    activation="relu",
    squeeze_excite=None,
    deploy,
    padding,
    norm,
    name,
):
    """Convolutions of one kernel size, a smaller one and the input itself, each normalized, are summed.

    Args:
        filters: of each convolution; of a depthwise one a multiple of the channels of `x`.
        depthwise: whether each channel is filtered alone.
        branches: how many convolutions of `kernel_size` stand side by side.
        small: kernel size of the one beside those that are larger; None for none.
        skip: how the input takes part where the sum has its shape: "normalized", "plain", or None for not at all.
        activation: behind the sum; None for none.
        squeeze_excite: arguments of the SqueezeExcite between sum and activation; None for none.
        deploy: whether to build what the sum is equal to, one convolution with a bias.
        padding, norm: see `_blocks`.
        name: of the first convolution; the names of the others begin with it.

    Source: Ding et al. 2021, arXiv:2101.03697, figure 4; Vasu et al. 2022, arXiv:2206.04040, figure 3.
    """
    channels = x.shape[-1]

    def convolution(size, name):
        y, pad = _blocks.pad(x, size, strides, padding, name)
        options = {"strides": strides, "padding": pad, "use_bias": deploy, "name": name}
        if depthwise:
            y = layers.DepthwiseConv2D(size, depth_multiplier=filters // channels, **options)(y)
        else:
            y = layers.Conv2D(filters, size, **options)(y)
        return y if deploy else _blocks.bn_act(y, None, norm, name)

    parts = [convolution(kernel_size, name)]
    if not deploy:
        parts += [convolution(kernel_size, f"{name}_branch{branch}") for branch in range(2, branches + 1)]
        if small is not None and kernel_size > small:
            parts.append(convolution(small, f"{name}_scale"))
        if skip and strides == 1 and channels == filters:
            parts.append(_blocks.bn_act(x, None, norm if skip == "normalized" else None, f"{name}_skip"))
    y = parts[0] if len(parts) == 1 else layers.Add(name=f"{name}_add")(parts)
    if squeeze_excite is not None:
        y = SqueezeExcite(**squeeze_excite, name=f"{name}_squeeze_excite")(y)
    return _blocks.bn_act(y, activation, None, name)


def alone(x, filters, kernel_size, *, activation=None, **options):
    """The same of one convolution and its normalization, which is folded into it where that runs."""
    return branched(x, filters, kernel_size, small=None, skip=None, activation=activation, **options)
