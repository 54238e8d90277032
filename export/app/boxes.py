"""What MediaPipe's ObjectDetector reads of a detector that leaves the best of its boxes to the app.

It decodes boxes as SSD's: raw numbers by a scale, times an anchor's size, beside the anchor. Files of ours give boxes
that are decoded, of any detector, so that all anchors are one: of the size of the image, and at its origin.

Source: object_detector_metadata_schema.fbs, version 1.0.0, in google-ai-edge/mediapipe, mediapipe/tasks/metadata; the
decoding is `DecodeBoxes` of tensors_to_detections_calculator.cc there, its order of numbers that of
detection_postprocessing_graph.cc.
"""

from dataclasses import dataclass

import flatbuffers

from keraslayers import _checks
from keraslayers.export.app import flat

# What the four numbers of a box are: its sides, its corner and size, or its middle and size.
FORMS = ("yxyx", "xyxy", "xywh", "cxcywh", "cycxhw")
MEDIAPIPE = "cycxhw"
CUSTOM = "DETECTOR_METADATA"
TABLES = {
    "ObjectDetectorOptions": "min_parser_version ssd_anchors_options tensors_decoding_options",
    "SsdAnchorsOptions": "fixed_anchors_schema",
    "FixedAnchorsSchema": "anchors",
    "FixedAnchor": "x_center:float y_center:float width:float height:float",
    "TensorsDecodingOptions": "num_classes:int num_boxes:int num_coords:int keypoint_coord_offset:int "
    "num_keypoints:int num_values_per_keypoint:int x_scale:float y_scale:float w_scale:float h_scale:float "
    "apply_exponential_on_box_size:bool sigmoid_score:bool",
}


@dataclass(frozen=True)
class Boxes:
    """What a file tells of its boxes.

    Attributes:
        count: how many there are.
        image_size: (height, width) of the images, in whose pixels they are.
        first: whether they come before the scores.
    """

    count: int
    image_size: tuple[int, int]
    first: bool


def decoding(boxes, classes):
    """Returns how MediaPipe makes boxes of the numbers of a file, as a FlatBuffer."""
    builder = flatbuffers.Builder(1024)
    table = flat.writer(builder, TABLES)
    height, width = map(float, boxes.image_size)
    anchor = table("FixedAnchor", width=1.0, height=1.0)
    schema = table("FixedAnchorsSchema", anchors=[anchor] * boxes.count)  # one table, referred to by all
    options = table(
        "TensorsDecodingOptions",
        num_classes=classes,
        num_boxes=boxes.count,
        num_coords=4,
        num_values_per_keypoint=2,  # of points there are none, but MediaPipe ends the program at another number
        x_scale=width,
        y_scale=height,
        w_scale=width,
        h_scale=height,
    )
    root = table(
        "ObjectDetectorOptions",
        min_parser_version="1.0.0",
        ssd_anchors_options=table("SsdAnchorsOptions", fixed_anchors_schema=schema),
        tensors_decoding_options=options,
    )
    builder.Finish(root, b"V001")
    return bytes(builder.Output())


def check_form(who, boxes):
    """Raises unless boxes are what MediaPipe's ObjectDetector takes."""
    if _checks.choice(who, "boxes", boxes, FORMS) != MEDIAPIPE:
        raise ValueError(
            f"`{who}`: `boxes` must be {MEDIAPIPE!r}, y and x of the middle, height and width, which MediaPipe's "
            f"ObjectDetector alone takes; got {boxes!r}. Build the model to give them, as "
            f"keraslayers.models.detection.detector(model, boxes={MEDIAPIPE!r}) does."
        )


def outputs_of(who, graph, boxes):
    """Returns the outputs of a file that hold boxes and scores.

    Args:
        who: function to name in errors.
        graph: what `read_graph` says of the file.
        boxes: what the four numbers of a box are.

    Raises:
        ValueError: if MediaPipe's ObjectDetector does not take such boxes, or such a file.
    """
    check_form(who, boxes)
    shapes = [tensor.shape for tensor in graph.outputs]
    # Of boxes and scores of four classes the boxes come first, as on pages.
    place = next((i for i, shape in enumerate(shapes) if are_boxes(shape)), None)
    floats = all(tensor.dtype == "float32" for tensor in graph.outputs)
    image = len(graph.inputs) == 1 and len(graph.inputs[0].shape) == 4 and graph.inputs[0].shape[3] == 3
    if image and floats and len(shapes) == 2 and place is not None:
        scores = graph.outputs[1 - place]
        if len(scores.shape) == 3 and scores.shape[:2] == shapes[place][:2]:
            return graph.outputs[place], scores
    given = ", ".join(f"`{tensor.name}` {tensor.shape} {tensor.dtype}" for tensor in (*graph.inputs, *graph.outputs))
    raise ValueError(
        f"`{who}`: with `boxes`, `labels` are for detectors of one image of three channels that give boxes of (1, "
        f"boxes, 4) and scores of (1, boxes, classes), both in float32 and nothing else; got {given}."
    )


def are_boxes(shape):
    """Whether an output may be boxes of one image."""
    return len(shape) == 3 and shape[0] == 1 and shape[2] == 4
