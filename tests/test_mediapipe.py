"""MediaPipe's ObjectDetector finds in our files what Python finds in their outputs; `make test-mediapipe` runs this."""

import keras
import numpy as np
import pytest

from keraslayers import export, models
from keraslayers.models import detection
from tests import mediapipe_tools
from tests.export_models import enliven

SIZE = (96, 128)
LABELS = ["cat", "dog", "bird"]
LEAST, MOST = 0.2, 12
OVERLAP = 0.3  # of MediaPipe's Python API, which has no option for it; all classes are alike to it
SCALE = keras.layers.Rescaling(1 / 127.5, -1)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (16, *SIZE, 3)).astype("uint8")


@pytest.fixture(scope="module")
def files(pixels, tmp_path_factory):
    """By network and form what was made, and the file with its labels."""
    folder, cache = tmp_path_factory.mktemp("files"), {}

    def file(kind, form):
        if (kind, form) not in cache:
            app = detection.detector(network(kind), boxes="cycxhw")
            options, about = {"samples": pixels / 127.5 - 1}, {"normalization": (127.5, 127.5)}
            if form == "int8":
                options |= {"precision": "int8", "skip": ["boxes", "within", "middles"]}
            elif form == "preprocessing":
                options, about = {"samples": pixels, "preprocessing": SCALE}, {}
            made = export.to_tflite(app, target="cpu", **options)
            made.report.require()
            path = folder / f"{kind}_{form}.tflite"
            cache[kind, form] = made, made.save(path, labels=LABELS, boxes="cycxhw", **about)
        return cache[kind, form]

    return file


def network(kind):
    keras.utils.set_random_seed(0)
    backbone = models.MobileNetV2(input_shape=(*SIZE, 3), alpha=0.35, include_top=False)
    if kind == "fcos":
        model = detection.FCOS(backbone, classes=3, strides=(8, 16), filters=16, depth=1, reach=2)
        enliven(model)
        for layer in model.layers:  # it begins with next to no class anywhere
            if layer.name.endswith("_end") and layer.use_bias:
                layer.bias.assign(np.zeros_like(layer.bias))
        return model
    return enliven(detection.SSDLite(backbone, 3))


def results(made, given):
    """Boxes by their corners, the best scores and the classes of what the file gives."""
    told = made.predict(given)
    y, x, height, width = np.moveaxis(told["boxes"], -1, 0)
    boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1)
    return boxes, told["scores"].max(-1), told["scores"].argmax(-1)


@pytest.mark.parametrize("times", [1, 2])  # at twice the size four pixels are of a colour, and are scaled without loss
@pytest.mark.parametrize("kind", ["ssdlite", "fcos"])
def test_it_finds_the_best_of_what_the_file_gives(kind, times, files, pixels, tmp_path):
    made, file = files(kind, "float32")
    boxes, scores, classes = results(made, pixels[:4] / 127.5 - 1)
    wanted = detection.non_max_suppression(boxes, scores[..., None], least=LEAST, overlap=OVERLAP, most=MOST)
    larger = pixels[:4].repeat(times, 1).repeat(times, 2)
    found = mediapipe_tools.found(file, larger, tmp_path, least=LEAST, most=MOST)
    for image, (theirs, ours) in enumerate(zip(found, wanted, strict=True)):
        assert len(theirs) == len(ours.scores) > 2
        for (box, label, score), own, likely in zip(theirs, ours.boxes, ours.scores, strict=True):
            place = np.flatnonzero((boxes[image] == own).all(-1) & (scores[image] == likely))[0]
            assert label == LABELS[classes[image, place]]
            assert score == pytest.approx(likely, abs=1e-5)
            # Corner and size are cut off to whole pixels each.
            assert np.abs(np.array(box) - times * own).max() <= 2


@pytest.mark.parametrize("kind", ["ssdlite", "fcos"])
@pytest.mark.parametrize("form", ["int8", "preprocessing"])
def test_it_takes_files_of_other_forms(kind, form, files, pixels, tmp_path):
    """In int8 pixels are scaled by other code than here: a step apart, another of two that overlap may be the best."""
    made, file = files(kind, form)
    given = pixels[:4].astype("float32") if form == "preprocessing" else pixels[:4] / 127.5 - 1
    boxes, scores, classes = results(made, given)
    for image, theirs in enumerate(mediapipe_tools.found(file, pixels[:4], tmp_path, least=LEAST, most=MOST)):
        assert len(theirs) > 2
        assert theirs[0][2] == pytest.approx(scores[image].max(), abs=0.02)
        for box, label, score in theirs:
            near = np.abs(boxes[image] - box).max(-1) <= 3
            alike = np.abs(scores[image] - score) <= 0.02
            assert (near & alike & (classes[image] == LABELS.index(label))).any()
