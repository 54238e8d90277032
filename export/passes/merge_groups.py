"""Grouped convolution with as many channels in a group as the GPU computes rightly."""

from keraslayers.export.passes._graph import Altered, first, rewrite
from keraslayers.export.passes._groups import channels, fitting, is_convolution, merged


def merge_groups(model):
    """Merges groups of a convolution until the channels of each, in and out, are multiples of 4.

    Of other numbers LiteRT's GPU runtime computes something else without a word, or takes its process down. One
    convolution with zeros in its kernel is as fast on XNNPACK as the groups were where two are merged in float32 (up to
    2.5 times slower where four are), and two to eight times as fast in int8; slices, a convolution each and a
    concatenation took 0.9 to 2.6 times as long as the groups in either, and are many operators for a GPU.

    Given:   x -> convolution of g groups (kernel (h, w, n, filters))
    Result:  x -> convolution of g / m groups (kernel (h, w, m * n, filters), zero between the merged groups), m the
             smallest number that will do

    Returns:
        (model, how many convolutions were changed).
    """
    return rewrite(model, _applies, _replace)


def _applies(layer, *args, **kwargs):
    # One channel in and out is a depthwise convolution, which is right.
    return is_convolution(layer) and layer.groups > 1 and channels(layer) != (1, 1) and fitting(layer) > 1


def _replace(layer, fresh, *args, **kwargs):
    count = fitting(layer)
    made = Altered(layer, fresh(f"{layer.name}_merged"), kernel=lambda layer: merged(layer, count))
    return made(first(args, kwargs))
