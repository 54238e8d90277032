"""Of which size a backbone's images are, and which maps it has for a detector."""

import itertools

from keraslayers import _rewrite
from keraslayers.models.features import strides_of


def image_size(who, backbone):
    """(height, width) of a backbone's images, which must be known: boxes are in their pixels."""
    _rewrite.check_graph(who, backbone, "backbone")
    shapes = [tuple(tensor.shape) for tensor in backbone.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or None in shapes[0][1:3]:
        raise ValueError(
            f"`{who}`: `backbone` must take images of a known size, by input_shape=(height, width, channels): boxes "
            f"are in their pixels; {backbone.name!r} takes {', '.join(map(str, shapes))}."
        )
    return shapes[0][1:3]


def check_multiple(who, size, stride):
    """Raises unless height and width are multiples of the coarsest stride, by which maps fit onto each other."""
    if any(side % stride for side in size):
        fit = tuple(max(1, round(side / stride)) * stride for side in size)
        raise ValueError(
            f"`{who}`: height and width of `backbone`'s images must be multiples of its coarsest stride, {stride}; got "
            f"{size}. Build it for {fit}, or ask for fewer strides."
        )


def own_strides(who, backbone, strides):
    """The first of the strides, as many as the backbone has maps of; one at least."""
    have = strides_of(who, "backbone", backbone)
    own = tuple(itertools.takewhile(have.__contains__, strides))
    if not own:
        raise ValueError(
            f"`{who}`: `strides` must begin with one of the backbone's; {backbone.name!r} has maps of the strides "
            f"{', '.join(map(str, sorted(have)))}; got {strides}."
        )
    return own
