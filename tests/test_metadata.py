"""Labels and normalization in a file, for Android's task libraries."""

import hashlib
import io
import json
import math
import os
import types
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers import export
from keraslayers.export.app import labelled
from keraslayers.export.app.metadata import describe_classifier
from keraslayers.export.file.graph import Tensor, read_graph
from keraslayers.export.runtimes import cpu
from tests.export_models import dense, enliven, run_reference, samples
from tests.metadata_reader import buffer_places, read_metadata

LABELS = ["cat", "dog", "Fußgänger am Zebrastreifen"]
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3)).astype("uint8")


def classifier(channels=3, outputs=1):
    image = keras.Input((8, 8, channels), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(x)
    scores = [layers.Dense(3, activation="softmax", name=f"scores{i or ''}")(x) for i in range(outputs)]
    return enliven(keras.Model(image, scores if outputs > 1 else scores[0], name="tiny"))


KINDS = {
    "float32": {},
    "int8": {"precision": "int8", "samples": samples()},
    "uint8": {"precision": "int8", "samples": samples().clip(-1, 1), "io": "uint8"},
    "raw int8": {"precision": "int8", "samples": samples(), "io": "int8"},
    "pixels": {"preprocessing": keras.layers.Rescaling(1 / 127.5, -1)},
    "two at a time": {"batch_size": 2},
    "gray": {},
    "vector": {},
    "two outputs": {},
    "maps": {},
}


@pytest.fixture(scope="module")
def made():
    models = {
        "gray": lambda: classifier(channels=1),
        "vector": dense,
        "two outputs": lambda: classifier(outputs=2),
        "maps": lambda: enliven(keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 1, name="maps")])),
    }
    cache = {}

    def make(kind):
        if kind not in cache:
            keras.utils.set_random_seed(0)
            cache[kind] = export.to_tflite(models.get(kind, classifier)(), **KINDS[kind])
            assert cache[kind].report.ok
        return cache[kind]

    return make


def saved(artifact, folder, **options):
    path = artifact.save(folder / "m.tflite", **options)
    assert {file.name for file in folder.iterdir()} == {"m.tflite", "m.json"}
    return path.read_bytes()


# --- what is in the file


@pytest.mark.parametrize(
    ("kind", "given", "mean", "std"),
    [
        ("float32", (127.5, 127.5), [127.5], [127.5]),
        ("float32", ((123.5, 116.25, 103.5), (58.5, 57.25, 57.5)), [123.5, 116.25, 103.5], [58.5, 57.25, 57.5]),
        # MediaPipe refuses a mean and a std of different lengths.
        ("float32", (np.array([1.0, 2, 3]), 255), [1, 2, 3], [255, 255, 255]),
        ("int8", [0, 255], [0], [255]),
        ("pixels", None, [0], [1]),
    ],
)
def test_what_apps_read(made, tmp_path, kind, given, mean, std):
    texts = {"description": "what it tells apart", "author": "Jane Doe", "license": "Apache-2.0"}
    read = read_metadata(saved(made(kind), tmp_path, labels=LABELS, normalization=given, **texts))
    assert {name: read[name] for name in texts} == texts
    assert (read["name"], read["version"], read["min_parser_version"]) == ("tiny", None, "1.0.0")
    ((subgraph,),) = (read["subgraphs"],)
    ((entry,), (scores,)) = subgraph["inputs"], subgraph["outputs"]
    assert (entry["name"], scores["name"]) == ("image", "scores")
    assert entry["content"] == {"kind": 2, "properties": {"color_space": 1}}  # an image, RGB
    assert entry["process_units"] == [{"kind": 1, "options": {"mean": mean, "std": std}}]
    low, high = ((np.array([end], "float32") - mean) / np.array(std) for end in (0, 255))
    np.testing.assert_allclose(entry["stats"]["min"], low, rtol=1e-6)  # float32 in the file
    np.testing.assert_allclose(entry["stats"]["max"], high, rtol=1e-6)
    assert scores["content"]["kind"] == 1
    (file,) = scores["associated_files"]
    assert (file["name"], file["type"]) == ("labels.txt", 2)  # the labels of an axis


def test_a_uint8_input_says_by_itself_what_pixels_mean(made, tmp_path):
    artifact = made("uint8")
    (entry,) = artifact.report.inputs
    for given in (None, (127.5, 127.5)):
        read = read_metadata(saved(artifact, tmp_path, labels=LABELS, normalization=given))
        options = read["subgraphs"][0]["inputs"][0]["process_units"][0]["options"]
        # The samples went from -1 to 1.
        assert options["mean"] == pytest.approx([entry["zero_point"] if given is None else 127.5])
        assert options["std"] == pytest.approx([1 / entry["scale"] if given is None else 127.5])


def test_gray_images_and_vectors(made, tmp_path):
    read = read_metadata(saved(made("gray"), tmp_path, labels=LABELS, normalization=(0, 255)))
    assert read["subgraphs"][0]["inputs"][0]["content"]["properties"] == {"color_space": 2}
    read = read_metadata(saved(made("vector"), tmp_path, labels=LABELS))
    (entry,) = read["subgraphs"][0]["inputs"]
    assert (entry["content"]["kind"], entry["process_units"], entry["stats"]) == (1, None, None)


def test_labels_lie_behind_the_model_uncompressed(made, tmp_path):
    blob = saved(made("float32"), tmp_path, labels=LABELS, normalization=(0, 255))
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        (info,) = archive.infolist()
        assert (info.filename, info.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert archive.read(info).decode().split("\n") == LABELS
        assert archive.testzip() is None
    # The same content gives the same bytes, on whatever day.
    assert blob == saved(made("float32"), tmp_path, labels=iter(LABELS), normalization=(0.0, 255.0))


# --- the file is still the file


@pytest.mark.parametrize(
    ("kind", "given"), [("float32", (0, 255)), ("int8", (0, 255)), ("uint8", None), ("pixels", None)]
)
def test_the_graph_is_the_same_and_computes_the_same(made, tmp_path, kind, given):
    artifact = made(kind)
    blob = saved(artifact, tmp_path, labels=LABELS, normalization=given)
    assert artifact.tflite in blob
    assert read_graph(blob) == read_graph(artifact.tflite)
    dtype = artifact.report.inputs[0]["dtype"]
    for x in PIXELS[:4].astype(dtype):
        old, new = (run_reference(file, image=x[None])["scores"] for file in (artifact.tflite, blob))
        assert old.tobytes() == new.tobytes()
    # Weights stay where they were to multiples of 16 bytes, which TFLite Micro wants of them.
    old, new = buffer_places(artifact.tflite), buffer_places(blob)
    assert len(new) == len(old) + 1
    assert [place and place % 16 for place in new[:-1]] == [place and place % 16 for place in old]
    assert new[-1] % 16 == 0


def test_the_saved_file_is_proven_like_any_other(made, tmp_path):
    made("float32").save(tmp_path / "m.tflite", labels=LABELS, normalization=(0, 255))
    report = export.prove(tmp_path / "m.tflite")
    assert report.proof("cpu").verdict is export.Verdict.PROVEN
    told = json.loads((tmp_path / "m.json").read_text())
    assert told == json.loads(made("float32").report.to_json()) | {"size": report.size, "sha256": report.sha256}
    assert report.sha256 == hashlib.sha256((tmp_path / "m.tflite").read_bytes()).hexdigest()


def test_without_labels_the_file_is_as_it_was_made(made, tmp_path):
    assert saved(made("float32"), tmp_path) == made("float32").tflite


# --- what does not fit


SAVE = "`Artifact.save`: "
LINES = (
    SAVE + "`labels` stand one on a line in labels.txt: they must not be empty, nor hold line breaks, nor begin or end "
    "with spaces; got {!r} for class {}."
)
PAIR = SAVE + "`normalization` must be (mean, std), each a number or one number for each of the 3 channels; got {!r}."
UNIT = {"normalization": (0, 255)}


@pytest.mark.parametrize(
    ("kind", "given", "error", "message"),
    [
        ("float32", {"labels": "cat"}, TypeError, SAVE + "`labels` must be a list of texts, one a class; got 'cat'."),
        ("float32", {"labels": [0, 1, 2]}, TypeError, SAVE + "`labels` must be texts; got 0 for class 0."),
        (
            "float32",
            {"labels": LABELS[:2], **UNIT},
            ValueError,
            SAVE + "`labels` must be one a class: 3 for output `scores`; got 2.",
        ),
        ("float32", {"labels": []}, ValueError, SAVE + "`labels` must be one a class: 3 for output `scores`; got 0."),
        (
            "float32",
            {"labels": ["a", "b", "a"]},
            ValueError,
            SAVE + "`labels` must differ; got 'a' for classes 0 and 2.",
        ),
        ("float32", {"labels": ["a", "", "b"]}, ValueError, LINES.format("", 1)),
        ("float32", {"labels": ["a", "b", " \t"]}, ValueError, LINES.format(" \t", 2)),
        ("float32", {"labels": ["a\nb", "c", "d"]}, ValueError, LINES.format("a\nb", 0)),
        ("float32", {"labels": ["a", "b", "c\n"]}, ValueError, LINES.format("c\n", 2)),
        (
            "float32",
            {"labels": LABELS},
            ValueError,
            SAVE + "images need `normalization`=(mean, std), from which apps compute what the model was trained on, "
            "(pixel - mean) / std: (0, 255) for values of 0 to 1, (127.5, 127.5) for -1 to 1, (0, 1) for pixels as "
            "they are. Or export with `preprocessing`.",
        ),
        (
            "float32",
            {"labels": LABELS, "normalization": 255},
            TypeError,
            SAVE + "`normalization` must be (mean, std); got 255.",
        ),
        ("float32", {"labels": LABELS, "normalization": ((0, 0), 1)}, ValueError, PAIR.format(((0, 0), 1))),
        ("float32", {"labels": LABELS, "normalization": (math.nan, 1)}, ValueError, PAIR.format((math.nan, 1))),
        ("float32", {"labels": LABELS, "normalization": ("0", 1)}, ValueError, PAIR.format(("0", 1))),
        (
            "float32",
            {"labels": LABELS, "normalization": (0, (1, 1, 0))},
            ValueError,
            SAVE + "`normalization`: std must be above zero; got (0, (1, 1, 0)).",
        ),
        ("float32", {"author": "me"}, ValueError, SAVE + "`author` goes with `labels`; give these too."),
        (
            "float32",
            {"normalization": (0, 1)},
            ValueError,
            SAVE + "`normalization` goes with `labels`; give these too.",
        ),
        (
            "float32",
            {"labels": LABELS, **UNIT, "license": ""},
            TypeError,
            SAVE + "`license` must be a text; got ''.",
        ),
        (
            "pixels",
            {"labels": LABELS, **UNIT},
            ValueError,
            SAVE + "`normalization` would be done twice: the file takes pixels as they are, as it was exported with "
            "`preprocessing`. Leave it out.",
        ),
        (
            "raw int8",
            {"labels": LABELS, **UNIT},
            ValueError,
            SAVE + "`labels` are for apps, whose task libraries feed images as float32 or uint8; input `image` is of "
            "dtype int8. Export with io='float32' or io='uint8'.",
        ),
        (
            "two at a time",
            {"labels": LABELS, **UNIT},
            ValueError,
            SAVE
            + "`labels` are for apps, whose task libraries take one input at a time; 'tiny' was made for batches of "
            "2. Export it with batch_size=1.",
        ),
        (
            "two outputs",
            {"labels": LABELS, **UNIT},
            ValueError,
            SAVE + "`labels` are for classifiers of one input and one output; 'tiny' has the outputs ['scores', "
            "'scores1'].",
        ),
        (
            "maps",
            {"labels": LABELS, **UNIT},
            ValueError,
            SAVE
            + "`labels` name the classes of an output of (batch, classes); output `maps` has the shape (1, 8, 8, 3).",
        ),
        (
            "vector",
            {"labels": LABELS, **UNIT},
            ValueError,
            SAVE + "`normalization` is for images of one or three channels; input `x` has the shape (1, 4).",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(made, tmp_path, kind, given, error, message):
    with pytest.raises(error) as caught:
        made(kind).save(tmp_path / "m.tflite", **given)
    assert type(caught.value) is error
    assert str(caught.value) == message
    assert os.listdir(tmp_path) == []


def test_a_normalization_that_a_uint8_input_contradicts(made, tmp_path):
    with pytest.raises(ValueError, match=r"`normalization`=\(0, 255\) does not fit input `image`, into which apps put"):
        made("uint8").save(tmp_path / "m.tflite", labels=LABELS, normalization=(0, 255))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("steps", [-5, -2, -1.5, -0.9, 0, 0.9, 1.5, 2, 5])
def test_a_normalization_may_be_one_step_off(steps):
    """A uint8 input whose integers are the pixels: what they mean, each `steps` of the input's scale too high."""
    scale, zero = 1 / 64, 100
    entry = Tensor("image", 0, (1, 4, 4, 3), "uint8", scale, zero, scale)
    graph = types.SimpleNamespace(inputs=(entry,), outputs=(Tensor("scores", 1, (1, 3), "float32"),))
    given = {"name": "m", "labels": LABELS, "normalization": (zero - steps, 1 / scale)}
    if abs(steps) <= 1:
        assert describe_classifier("save", graph, **given).mean == (zero - steps,)
    else:
        with pytest.raises(ValueError, match="does not fit input `image`"):
            describe_classifier("save", graph, **given)
    # At one end of the pixels alone.
    given["normalization"] = (zero, 1 / scale * (1 + steps / 155))
    if abs(steps) <= 1:
        assert describe_classifier("save", graph, **given).std == (1 / scale * (1 + steps / 155),)
    else:
        with pytest.raises(ValueError, match="does not fit input `image`"):
            describe_classifier("save", graph, **given)


def test_a_file_that_labels_change_is_not_written(made, tmp_path, monkeypatch):
    real = cpu.run_reference
    calls = []

    def other(blob, graph, inputs):
        calls.append(blob)
        return real(blob, graph, {name: x + len(calls) for name, x in inputs.items()})

    monkeypatch.setattr(labelled.cpu, "run_reference", other)
    with pytest.raises(RuntimeError, match="the file is not the same any more"):
        made("float32").save(tmp_path / "m.tflite", labels=LABELS, normalization=(0, 255))
    assert os.listdir(tmp_path) == []
