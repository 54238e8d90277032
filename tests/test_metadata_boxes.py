"""What MediaPipe's ObjectDetector reads in a file. `make test-mediapipe` has MediaPipe itself run some."""

import os

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers import export
from keraslayers.export.file.graph import read_graph
from tests.export_models import enliven, run_reference
from tests.metadata_reader import buffer_places, read_detector, read_metadata

LABELS = ["cat", "dog", "bird"]
SIZE = (8, 16)
PIXELS = np.random.default_rng(0).integers(0, 256, (8, *SIZE, 3)).astype("float32")


def detector(names=("boxes", "scores"), numbers=4, classes=3, channels=3):
    """Of each of 32 places a box, and a score a class; `names` says which output comes first in the alphabet."""
    image = keras.Input((*SIZE, channels), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    parts = [layers.Reshape((-1, n))(layers.Conv2D(n, 1)(x)) for n in (numbers, classes)]
    boxes = layers.Identity(name=names[0])(parts[0])
    scores = layers.Activation("softmax", name=names[1])(parts[1])
    return enliven(keras.Model(image, {names[0]: boxes, names[1]: scores}, name="tiny"))


KINDS = {
    "float32": {},
    "scores first": {"names": ("places", "likely")},
    "four classes": {"classes": 4},
    "gray": {"channels": 1},
    "five numbers": {"numbers": 5},
    "uint8": {},
    "preprocessing": {},
}
EXPORTS = {
    "uint8": {"precision": "int8", "io": "uint8", "samples": PIXELS / 127.5 - 1},
    "preprocessing": {"preprocessing": keras.layers.Rescaling(1 / 127.5, -1)},
}


@pytest.fixture(scope="module")
def made():
    cache = {}

    def make(kind):
        if kind not in cache:
            keras.utils.set_random_seed(0)
            cache[kind] = export.to_tflite(detector(**KINDS[kind]), target="cpu", **EXPORTS.get(kind, {}))
        return cache[kind]

    return make


GIVEN = {"labels": LABELS, "normalization": (127.5, 127.5), "boxes": "cycxhw"}


@pytest.mark.parametrize("kind", ["float32", "scores first", "four classes", "preprocessing"])
def test_what_mediapipe_reads(made, tmp_path, kind):
    labels = [*LABELS, "fish"] if kind == "four classes" else LABELS
    given = GIVEN | {"labels": labels, "description": "what it finds"}
    if kind == "preprocessing":
        given["normalization"] = None
    blob = made(kind).save(tmp_path / "m.tflite", **given).read_bytes()
    read = read_metadata(blob)
    assert (read["name"], read["description"], read["min_parser_version"]) == ("tiny", "what it finds", "1.5.0")
    (subgraph,) = read["subgraphs"]
    (entry,) = subgraph["inputs"]
    assert entry["content"]["kind"] == 2
    ends = ([0], [1]) if kind == "preprocessing" else ([127.5], [127.5])
    assert entry["process_units"] == [{"kind": 1, "options": dict(zip(("mean", "std"), ends, strict=True))}]
    # MediaPipe counts outputs as the graph does, and finds them by these names.
    outputs = {output["name"]: output for output in subgraph["outputs"]}
    shapes = [tuple(shape) for shape in shapes_of_outputs(blob)]
    wide = {"location": (1, 32, 4), "score": (1, 32, len(labels))}
    assert [wide[name] for name in outputs] == shapes
    assert outputs["location"]["content"] == {"kind": 3, "properties": {"type": 1, "coordinate_type": None}}
    (file,) = outputs["score"]["associated_files"]
    assert (file["name"], file["type"]) == ("labels.txt", 2)
    (custom,) = subgraph["custom"]
    assert custom["name"] == "DETECTOR_METADATA"
    about = read_detector(custom["data"])
    assert about["min_parser_version"] == "1.0.0"
    anchors = about["anchors"]["schema"]["anchors"]
    assert anchors == [{"x_center": None, "y_center": None, "width": 1, "height": 1}] * 32
    height, width = SIZE
    assert about["decoding"] == {
        "num_classes": len(labels), "num_boxes": 32, "num_coords": 4, "keypoint_coord_offset": None,
        "num_keypoints": None, "num_values_per_keypoint": 2, "x_scale": width, "y_scale": height, "w_scale": width,
        "h_scale": height, "apply_exponential_on_box_size": None, "sigmoid_score": None,
    }  # fmt: skip


def shapes_of_outputs(blob):
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.Model.GetRootAsModel(blob, 0).Subgraphs(0)
    return [graph.Tensors(i).ShapeAsNumpy().tolist() for i in graph.OutputsAsNumpy()]


def test_the_graph_is_the_same_and_computes_the_same(made, tmp_path):
    artifact = made("float32")
    blob = artifact.save(tmp_path / "m.tflite", **GIVEN).read_bytes()
    assert artifact.tflite in blob
    assert read_graph(blob) == read_graph(artifact.tflite)
    assert len(buffer_places(blob)) == len(buffer_places(artifact.tflite)) + 1
    for x in PIXELS[:2] / 127.5 - 1:
        old, new = (run_reference(file, image=x[None]) for file in (artifact.tflite, blob))
        for name in ("boxes", "scores"):
            assert old[name].tobytes() == new[name].tobytes()


SAVE = "`Artifact.save`: "
FOUND = (
    SAVE
    + "with `boxes`, `labels` are for detectors of one image of three channels that give boxes of (1, boxes, 4) and "
)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("float32", {"boxes": None}, "'tiny' has the outputs ['boxes', 'scores']. Of a detector tell `boxes`, too."),
        ("float32", {"boxes": "xyxy"}, SAVE + "`boxes` must be 'cycxhw', y and x of the middle, height and"),
        ("float32", {"boxes": "yxhw"}, "`boxes` must be one of 'yxyx', 'xyxy', 'xywh', 'cxcywh', 'cycxhw'; got 'yxhw"),
        ("float32", {"labels": None, "normalization": None}, SAVE + "`boxes` goes with `labels`; give these too."),
        ("float32", {"labels": LABELS[:2]}, SAVE + "`labels` must be one a class: 3 for output `scores`; got 2."),
        ("float32", {"labels": ["a", "b", "a"]}, SAVE + "`labels` must differ; got 'a' for classes 0 and 2."),
        ("float32", {"normalization": None}, SAVE + "images need `normalization`=(mean, std)"),
        ("preprocessing", {}, SAVE + "`normalization` would be done twice"),
        ("gray", {}, FOUND),
        ("five numbers", {}, FOUND),
        ("uint8", {}, "both in float32 and nothing else; got `image` (1, 8, 16, 3) uint8, `boxes` (1, 32, 4) uint8"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_written(made, tmp_path, kind, given, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        made(kind).save(tmp_path / "m.tflite", **(GIVEN | given))
    assert message in str(caught.value)
    assert os.listdir(tmp_path) == []
