"""What a detector gives, by the names of its outputs, and the layer that knows its points or anchors."""

from keraslayers import _rewrite
from keraslayers.models.detection.anchor_boxes import AnchorBoxes
from keraslayers.models.detection.point_boxes import PointBoxes

POINTS, ANCHORS = {"boxes", "classes", "centers"}, {"boxes", "classes", "offsets"}


def outputs_of(who, model):
    """The outputs of a detector as it is trained, by name; those of one that `quantize_aware` made have the same.

    Raises:
        TypeError: if `model` is no keras.Model.
        ValueError: if it is no detector of this package, or one made for apps by `detector`.
    """
    _rewrite.check_graph(who, model)
    given = dict(zip(model.output_names, model.outputs, strict=True))
    if set(given) not in (POINTS, ANCHORS):
        raise ValueError(
            f"`{who}`: `model` must be one of FCOS or SSDLite, as it is trained; {model.name!r} gives "
            f"{', '.join(map(repr, sorted(given)))}."
        )
    return given


def geometry(who, model):
    """(The layer that makes the boxes of a detector, the number of its classes); raises as `outputs_of`."""
    given = outputs_of(who, model)
    # What `quantize_aware` gave keeps the model that it was made of, with layers as they were.
    source = getattr(getattr(model, "plan", None), "source", model)
    found = [layer for layer in source.layers if isinstance(layer, PointBoxes | AnchorBoxes)]
    if len(found) != 1:
        raise ValueError(
            f"`{who}`: `model` must be one of FCOS or SSDLite; {model.name!r} has no layer that knows its boxes."
        )
    return found[0], given["classes"].shape[-1] - isinstance(found[0], AnchorBoxes)  # SSD's first is the background
