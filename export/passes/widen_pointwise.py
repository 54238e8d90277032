"""Grouped and strided 1x1 convolutions in int8 as the GPU computes them rightly."""

from keras import ops

from keraslayers.export.passes._graph import Altered, first, rewrite
from keraslayers.export.passes._groups import fitting, is_convolution, merged

# Up to so many groups a dense kernel holds at most twice the numbers of a widened one, and XNNPACK took 0.3 to 0.8
# times as long for it. Of eight groups it was faster still on large images, and slower on those of 7x7.
_MOST_DENSE = 4


def widen_pointwise(model):
    """Gives 1x1 convolutions of several groups or with strides a second column of zeros; or makes a few groups one.

    Of 1x1 convolutions with integer weights LiteRT's GPU runtime ignores groups and strides without a word; larger
    kernels it computes rightly. Those of one group stay, if `subsample_pointwise` took their strides out before.

    Given:   x -> 1x1 convolution of g groups
    Result:  g <= 4, no strides:  x -> 1x1 convolution (kernel with zeros between the groups)
             else:                x -> 1x2 convolution of g groups (kernel, zeros), padding "same"

    Returns:
        (model, how many convolutions were changed).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    return is_convolution(layer) and set(layer.kernel_size) == {1} and (layer.groups > 1 or max(layer.strides) > 1)


def _replace(layer, fresh, *args, **kwargs):
    name = fresh(f"{layer.name}_widened")
    groups, count = layer.groups, fitting(layer)
    if max(layer.strides) == 1 and groups <= max(_MOST_DENSE, 2 * count):
        made = Altered(layer, name, kernel=lambda layer: merged(layer, groups))
    else:
        made = Altered(
            layer,
            name,
            kernel=lambda layer: _with_zeros(merged(layer, count)),
            kernel_size=lambda layer: (*layer.kernel_size[:-1], 2),
            padding=lambda layer: _wider(layer.padding),
        )
    return made(first(args, kwargs))


def _with_zeros(kernel):
    return ops.concatenate([kernel, ops.zeros_like(kernel)], axis=-3)


def _wider(padding):
    """The padding of two taps in a row for that of one."""
    if isinstance(padding, str):
        return "same"  # pads one place at most, behind the image, where the zeros are
    rows, (left, right) = padding
    return rows, (left, right + 1)
