"""What the networks take of a backbone, in words and in maps."""

from functools import partial

from keras import layers

from keraslayers import _checks, _rewrite
from keraslayers.models import _blocks
from keraslayers.models.features import seen, stride_of
from keraslayers.models.segmentation.ending import OUTPUTS

COARSEST = 16  # of the maps that a network looks at last; of 32 little is left to tell pixels by
NORM = {"epsilon": 1e-5, "momentum": 0.9}  # PyTorch's, in which the networks are published


def coarse(who, backbone):
    """Returns (the image, the last maps) of a backbone.

    They are the backbone's own output, where these are maps of `COARSEST` pixels a step or fewer, else its last stage
    of that stride.
    """
    graph = checked(who, backbone)
    maps = graph.outputs[-1]
    if len(graph.outputs) == 1 and (len(maps.shape) != 4 or stride_of(backbone, maps) > COARSEST):
        (maps,) = seen(who, "backbone", backbone, (COARSEST,))
    return graph.inputs[0], maps


def coarse_and_fine(who, backbone, stride):
    """The same, and the last maps of `stride`; of a backbone of two outputs the first of these."""
    image, maps = coarse(who, backbone)
    outputs = _rewrite.graph_of(backbone).outputs
    fine = outputs[0] if len(outputs) > 1 else seen(who, "backbone", backbone, (stride,))[0]
    return image, maps, fine


def checked(who, backbone, most=2):
    """The graph of a backbone, after refusing what is none: one image in, of a known size, and maps out."""
    _rewrite.check_graph(who, backbone, "backbone")
    graph = _rewrite.graph_of(backbone)
    if len(graph.inputs) != 1 or len(graph.inputs[0].shape) != 4:
        shapes = ", ".join(str(tensor.shape) for tensor in graph.inputs)
        raise ValueError(f"`{who}`: `backbone` must take one image; {backbone.name!r} takes {shapes}.")
    if None in graph.inputs[0].shape[1:]:
        raise ValueError(
            f"`{who}`: `backbone` must take images of a known size, to which the logits are resized; "
            f"{backbone.name!r} takes {graph.inputs[0].shape[1:]}. Build it with input_shape=(512, 512, 3), say."
        )
    if len(graph.outputs) > 1:
        shapes = [tensor.shape for tensor in graph.outputs]
        sides = [shape[1] for shape in shapes if len(shape) == 4]
        if len(shapes) > most or len(sides) < len(shapes) or sides != sorted(sides, reverse=True):
            raise ValueError(
                f"`{who}`: `backbone` must give one output, or up to {most} maps of (batch, height, width, channels), "
                f"the finest first; {backbone.name!r} gives {', '.join(map(str, shapes))}."
            )
    return graph


def options(who, classes, output):
    """`classes` and `output`, checked."""
    return _checks.positive_int(who, "classes", classes), _checks.choice(who, "output", output, OUTPUTS)


conv_bn_relu = partial(_blocks.conv_bn_act, activation="relu", norm=NORM)


def classifier(x, classes, name):
    """Logits of each place."""
    return layers.Conv2D(classes, 1, name=name)(x)
