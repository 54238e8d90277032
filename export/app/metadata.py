"""What Android's task libraries read in a .tflite file of an image classifier: labels, and how to scale pixels.

The TFLite Task Library and MediaPipe Tasks take a bitmap and give labels with scores, if the file tells how. It does
so in a FlatBuffer of its own (identifier M001) in a buffer of the model's, called TFLITE_METADATA, and in `labels.txt`
in a zip archive behind the model.

Source: metadata_schema.fbs, version 1.5.0, in google-ai-edge/mediapipe, mediapipe/tasks/metadata.
"""

import numbers
from dataclasses import dataclass

import flatbuffers
import numpy as np

LABELS = "labels.txt"
# By table the names of its slots, in the schema's order; of TABLES' fields these are bytes, all others references.
TABLES = {
    "ModelMetadata": "name description version subgraph_metadata author license associated_files min_parser_version",
    "SubGraphMetadata": "name description input_tensor_metadata output_tensor_metadata",
    "TensorMetadata": "name description dimension_names content process_units stats associated_files",
    "Content": "content_properties_type content_properties range",
    "FeatureProperties": "",
    "ImageProperties": "color_space default_size",
    "ProcessUnit": "options_type options",
    "NormalizationOptions": "mean std",
    "Stats": "max min",
    "AssociatedFile": "name description type locale version",
}
BYTES = {"content_properties_type", "color_space", "options_type", "type"}
# ContentProperties, ColorSpaceType by number of channels, ProcessUnitOptions, AssociatedFileType
FEATURES, IMAGE = 1, 2
COLORS = {3: 1, 1: 2}
NORMALIZATION = 1
AXIS_LABELS = 2


@dataclass(frozen=True)
class Metadata:
    """What a file tells of a classifier.

    Attributes:
        name: of the model.
        labels: by class.
        mean, std: by channel, or one for all: apps compute (pixel - mean) / std. None where the input is no image.
        channels: of the image; None where the input is none.
        inputs, outputs: names of the file's one input and one output.
        description, author, license: for people; None where nothing is to be said.
    """

    name: str
    labels: tuple[str, ...]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    channels: int | None
    inputs: str
    outputs: str
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
    for argument, text in texts.items():
        if text is not None and (not isinstance(text, str) or not text.strip()):
            raise TypeError(f"`{who}`: `{argument}` must be a text; got {text!r}.")
    for side, tensors in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        if len(tensors) != 1:
            raise ValueError(
                f"`{who}`: `labels` are for classifiers of one input and one output; {name!r} has the {side} "
                f"{[tensor.name for tensor in tensors]}."
            )
    entry, scores = graph.inputs[0], graph.outputs[0]
    labels = _labels(who, labels, scores)
    if entry.shape[0] != 1:
        raise ValueError(
            f"`{who}`: `labels` are for apps, whose task libraries take one input at a time; {name!r} was made for "
            f"batches of {entry.shape[0]}. Export it with batch_size=1."
        )
    image = len(entry.shape) == 4 and entry.shape[3] in COLORS
    if not image and normalization is not None:
        raise ValueError(
            f"`{who}`: `normalization` is for images of one or three channels; input `{entry.name}` has the shape "
            f"{entry.shape}."
        )
    mean, std = normalization_of(who, normalization, entry, pixels) if image else (None, None)
    channels = entry.shape[3] if image else None
    return Metadata(name, labels, mean, std, channels, entry.name, scores.name, **texts)


def _labels(who, labels, scores):
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
    if len(scores.shape) < 2 or int(np.prod(scores.shape[1:])) != scores.shape[-1]:
        raise ValueError(
            f"`{who}`: `labels` name the classes of an output of (batch, classes); output `{scores.name}` has the "
            f"shape {scores.shape}."
        )
    if len(labels) != scores.shape[-1]:
        raise ValueError(
            f"`{who}`: `labels` must be one a class: {scores.shape[-1]} for output `{scores.name}`; got {len(labels)}."
        )
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

    def table(kind, **fields):
        slots = TABLES[kind].split()
        # What a table refers to is written before it.
        fields = {
            field: value if field in BYTES else _written(builder, value)
            for field, value in fields.items()
            if value is not None
        }
        builder.StartObject(len(slots))
        for field, value in fields.items():
            put = builder.PrependByteSlot if field in BYTES else builder.PrependUOffsetTRelativeSlot
            put(slots.index(field), value, 0)
        return builder.EndObject()

    if metadata.channels:
        mean, std = (np.array(values, "float32") for values in (metadata.mean, metadata.std))
        properties = table("ImageProperties", color_space=COLORS[metadata.channels])
        options = table("NormalizationOptions", mean=mean, std=std)
        more = {
            "description": "an image, its values (pixel - mean) / std for pixels of 0 to 255",
            "content": table("Content", content_properties_type=IMAGE, content_properties=properties),
            "process_units": [table("ProcessUnit", options_type=NORMALIZATION, options=options)],
            "stats": table("Stats", max=(255 - mean) / std, min=(0 - mean) / std),
        }
    else:
        content = table("Content", content_properties_type=FEATURES, content_properties=table("FeatureProperties"))
        more = {"content": content}
    labels = table("AssociatedFile", name=LABELS, description="names of the classes", type=AXIS_LABELS)
    scores = table(
        "TensorMetadata",
        name=metadata.outputs,
        description="score of each class",
        content=table("Content", content_properties_type=FEATURES, content_properties=table("FeatureProperties")),
        associated_files=[labels],
    )
    subgraph = table(
        "SubGraphMetadata",
        input_tensor_metadata=[table("TensorMetadata", name=metadata.inputs, **more)],
        output_tensor_metadata=[scores],
    )
    root = table(
        "ModelMetadata",
        name=metadata.name,
        description=metadata.description,
        author=metadata.author,
        license=metadata.license,
        subgraph_metadata=[subgraph],
        min_parser_version="1.0.0",  # of the schema: nothing here came later
    )
    builder.Finish(root, b"M001")
    return bytes(builder.Output())


def _written(builder, value):
    """Writes a text, numbers or a list of tables; a table is written already. Returns where."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    if isinstance(value, list):
        builder.StartVector(4, len(value), 4)
        for place in reversed(value):
            builder.PrependUOffsetTRelative(place)
        return builder.EndVector()
    return value
