"""What Android's task libraries read in a .tflite file of a classifier or a detector: labels, and how to scale pixels.

The TFLite Task Library and MediaPipe Tasks take a bitmap and give labels with scores, MediaPipe Tasks boxes too, if the
file tells how. It does so in a FlatBuffer of its own (identifier M001) in a buffer of the model's, called
TFLITE_METADATA, and in `labels.txt` in a zip archive behind the model.

Source: metadata_schema.fbs, version 1.5.0, in google-ai-edge/mediapipe, mediapipe/tasks/metadata.
"""

import numbers
from dataclasses import dataclass

import flatbuffers
import numpy as np

from keraslayers.export.app import flat
from keraslayers.export.app.boxes import CUSTOM, Boxes, are_boxes, decoding, outputs_of

LABELS = "labels.txt"
# By table its slots in the schema's order, as `flat.writer` takes them.
TABLES = {
    "ModelMetadata": "name description version subgraph_metadata author license associated_files min_parser_version",
    "SubGraphMetadata": "name description input_tensor_metadata output_tensor_metadata associated_files "
    "input_process_units output_process_units input_tensor_groups output_tensor_groups custom_metadata",
    "CustomMetadata": "name data",
    "TensorMetadata": "name description dimension_names content process_units stats associated_files",
    "Content": "content_properties_type:byte content_properties range",
    "FeatureProperties": "",
    "ImageProperties": "color_space:byte default_size",
    "BoundingBoxProperties": "index type:byte coordinate_type:byte",
    "ProcessUnit": "options_type:byte options",
    "NormalizationOptions": "mean std",
    "Stats": "max min",
    "AssociatedFile": "name description type:byte locale version",
}
# ContentProperties, ColorSpaceType by number of channels, ProcessUnitOptions, AssociatedFileType, BoundingBoxType
FEATURES, IMAGE, BOXES = 1, 2, 3
COLORS = {3: 1, 1: 2}
NORMALIZATION = 1
AXIS_LABELS = 2
BOUNDARIES = 1


@dataclass(frozen=True)
class Metadata:
    """What a file tells of a classifier or a detector.

    Attributes:
        name: of the model.
        labels: by class.
        mean, std: by channel, or one for all: apps compute (pixel - mean) / std. None where the input is no image.
        channels: of the image; None where the input is none.
        inputs, outputs: names of the file's one input, and of the output that holds scores.
        boxes: of a detector; None of a classifier.
        description, author, license: for people; None where nothing is to be said.
    """

    name: str
    labels: tuple[str, ...]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    channels: int | None
    inputs: str
    outputs: str
    boxes: Boxes | None = None
    description: str | None = None
    author: str | None = None
    license: str | None = None


def describe_classifier(who, graph, *, name, labels, normalization=None, pixels=False, **texts):
    """Checks what is to be told of a file, and says in words what does not fit it.

    Args:
        who: function to name in errors.
        graph: what `read_graph` says of the file.
        name: of the model.
        labels: names of the classes.
        normalization: (mean, std), or None.
        pixels: whether the file takes pixels of 0 to 255 and scales them itself.
        **texts: description, author, license.

    Returns:
        A `Metadata`.
    """
    _check_texts(who, texts)
    for side, tensors in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        if len(tensors) != 1:
            detector = " Of a detector tell `boxes`, too." if any(are_boxes(one.shape) for one in tensors) else ""
            raise ValueError(
                f"`{who}`: `labels` are for classifiers of one input and one output; {name!r} has the {side} "
                f"{[tensor.name for tensor in tensors]}.{detector}"
            )
    entry, scores = graph.inputs[0], graph.outputs[0]
    labels = _texts_of_classes(who, labels)
    if len(scores.shape) < 2 or int(np.prod(scores.shape[1:])) != scores.shape[-1]:
        raise ValueError(
            f"`{who}`: `labels` name the classes of an output of (batch, classes); output `{scores.name}` has the "
            f"shape {scores.shape}."
        )
    _check_count(who, labels, scores)
    _check_single(who, name, entry)
    image = is_image(entry)
    if not image and normalization is not None:
        raise ValueError(
            f"`{who}`: `normalization` is for images of one or three channels; input `{entry.name}` has the shape "
            f"{entry.shape}."
        )
    mean, std = normalization_of(who, normalization, entry, pixels) if image else (None, None)
    channels = entry.shape[3] if image else None
    return Metadata(name, labels, mean, std, channels, entry.name, scores.name, **texts)


def describe_detector(who, graph, order, *, name, labels, boxes, normalization=None, pixels=False, **texts):
    """The same of a detector.

    Args:
        order: numbers of the output tensors, in the order of the file's graph, in which MediaPipe counts them.
        boxes: what the four numbers of a box are.
        graph, name, labels, normalization, pixels, **texts: as of a classifier.
    """
    _check_texts(who, texts)
    places, scores = outputs_of(who, graph, boxes)
    (entry,) = graph.inputs
    labels = _texts_of_classes(who, labels)
    _check_count(who, labels, scores)
    mean, std = normalization_of(who, normalization, entry, pixels)
    about = Boxes(places.shape[1], entry.shape[1:3], order.index(places.index) < order.index(scores.index))
    return Metadata(name, labels, mean, std, entry.shape[3], entry.name, scores.name, about, **texts)


def is_image(entry):
    """Whether an input is an image that the libraries fill."""
    return len(entry.shape) == 4 and entry.shape[3] in COLORS


def _check_texts(who, texts):
    for argument, text in texts.items():
        if text is not None and (not isinstance(text, str) or not text.strip()):
            raise TypeError(f"`{who}`: `{argument}` must be a text; got {text!r}.")


def _check_single(who, name, entry):
    if entry.shape[0] != 1:
        raise ValueError(
            f"`{who}`: `labels` are for apps, whose task libraries take one input at a time; {name!r} was made for "
            f"batches of {entry.shape[0]}. Export it with batch_size=1."
        )


def _check_count(who, labels, scores):
    if len(labels) != scores.shape[-1]:
        raise ValueError(
            f"`{who}`: `labels` must be one a class: {scores.shape[-1]} for output `{scores.name}`; got {len(labels)}."
        )


def _texts_of_classes(who, labels):
    if isinstance(labels, str | bytes):
        raise TypeError(f"`{who}`: `labels` must be a list of texts, one a class; got {labels!r}.")
    labels = tuple(labels)
    for i, label in enumerate(labels):
        if not isinstance(label, str):
            raise TypeError(f"`{who}`: `labels` must be texts; got {label!r} for class {i}.")
        if not label.strip() or len(label.splitlines()) > 1 or label != label.strip():
            raise ValueError(
                f"`{who}`: `labels` stand one on a line in {LABELS}: they must not be empty, nor hold line breaks, nor "
                f"begin or end with spaces; got {label!r} for class {i}."
            )
    first = {}
    for i, label in enumerate(labels):
        if first.setdefault(label, i) != i:
            raise ValueError(f"`{who}`: `labels` must differ; got {label!r} for classes {first[label]} and {i}.")
    return labels


def normalization_of(who, given, entry, pixels):
    """Returns (mean, std) as tuples of floats."""
    if entry.dtype not in ("float32", "uint8"):
        raise ValueError(
            f"`{who}`: `labels` are for apps, whose task libraries feed images as float32 or uint8; input "
            f"`{entry.name}` is of dtype {entry.dtype}. Export with io='float32' or io='uint8'."
        )
    if pixels:
        if given is not None:
            raise ValueError(
                f"`{who}`: `normalization` would be done twice: the file takes pixels as they are, as it was exported "
                "with `preprocessing`. Leave it out."
            )
        return (0.0,), (1.0,)
    # An app puts its pixels into a uint8 input as they are; which values they mean there, the file says.
    scale, zero = entry.scale or 1.0, entry.zero_point or 0
    fixed = ((float(zero),), (1 / scale,)) if entry.dtype == "uint8" else None
    if given is None:
        if fixed:
            return fixed
        raise ValueError(
            f"`{who}`: images need `normalization`=(mean, std), from which apps compute what the model was trained "
            "on, (pixel - mean) / std: (0, 255) for values of 0 to 1, (127.5, 127.5) for -1 to 1, (0, 1) for pixels "
            "as they are. Or export with `preprocessing`."
        )
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise TypeError(f"`{who}`: `normalization` must be (mean, std); got {given!r}.")
    mean, std = (_by_channel(who, values, given, entry.shape[3]) for values in given)
    if len(mean) != len(std):  # the libraries want equally many
        mean, std = (values * (entry.shape[3] // len(values)) for values in (mean, std))
    if min(std) <= 0:
        raise ValueError(f"`{who}`: `normalization`: std must be above zero; got {given!r}.")
    if fixed:
        ends = np.array([[0.0], [255.0]])
        off = np.abs((ends - zero) * scale - (ends - mean) / std).max() / scale
        if off > 1:  # a zero point is a whole number, so that half a step is usual
            raise ValueError(
                f"`{who}`: `normalization`={given!r} does not fit input `{entry.name}`, into which apps put pixels as "
                f"they are: they mean (pixel - {zero}) * {scale:.6g} there. Export with `preprocessing`, or with "
                "io='float32'."
            )
    return mean, std


def _by_channel(who, values, given, channels):
    values = tuple(values) if isinstance(values, list | tuple | np.ndarray) else (values,)
    good = all(isinstance(v, numbers.Real) and not isinstance(v, bool) and np.isfinite(v) for v in values)
    if not good or len(values) not in (1, channels):
        raise ValueError(
            f"`{who}`: `normalization` must be (mean, std), each a number or one number for each of the {channels} "
            f"channels; got {given!r}."
        )
    return tuple(float(value) for value in values)


def encode(metadata):
    """Returns the metadata as a FlatBuffer."""
    builder = flatbuffers.Builder(1024)
    table = flat.writer(builder, TABLES)

    def content(kind, properties, **fields):
        return table("Content", content_properties_type=kind, content_properties=table(properties, **fields))

    if metadata.channels:
        mean, std = (np.array(values, "float32") for values in (metadata.mean, metadata.std))
        options = table("NormalizationOptions", mean=mean, std=std)
        more = {
            "description": "an image, its values (pixel - mean) / std for pixels of 0 to 255",
            "content": content(IMAGE, "ImageProperties", color_space=COLORS[metadata.channels]),
            "process_units": [table("ProcessUnit", options_type=NORMALIZATION, options=options)],
            "stats": table("Stats", max=(255 - mean) / std, min=(0 - mean) / std),
        }
    else:
        more = {"content": content(FEATURES, "FeatureProperties")}
    boxes = metadata.boxes
    labels = table("AssociatedFile", name=LABELS, description="names of the classes", type=AXIS_LABELS)
    outputs = [
        table(
            "TensorMetadata",
            name="score" if boxes else metadata.outputs,  # of a detector MediaPipe looks for these names
            description="score of each class",
            content=content(FEATURES, "FeatureProperties"),
            associated_files=[labels],
        )
    ]
    if boxes:
        location = table(
            "TensorMetadata",
            name="location",
            description="y and x of the middle, height and width of each box, in pixels",
            # MediaPipe takes files that say so, and goes by what the detector's own metadata say.
            content=content(BOXES, "BoundingBoxProperties", type=BOUNDARIES),
        )
        outputs.insert(0 if boxes.first else 1, location)
    custom = boxes and [table("CustomMetadata", name=CUSTOM, data=decoding(boxes, len(metadata.labels)))]
    subgraph = table(
        "SubGraphMetadata",
        input_tensor_metadata=[table("TensorMetadata", name=metadata.inputs, **more)],
        output_tensor_metadata=outputs,
        custom_metadata=custom,
    )
    root = table(
        "ModelMetadata",
        name=metadata.name,
        description=metadata.description,
        author=metadata.author,
        license=metadata.license,
        subgraph_metadata=[subgraph],
        min_parser_version="1.5.0" if boxes else "1.0.0",  # of the schema, with the first metadata of one's own
    )
    builder.Finish(root, b"M001")
    return bytes(builder.Output())
