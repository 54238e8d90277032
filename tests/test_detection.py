"""Detectors: targets as the papers tell, by plain loops; losses; the best of boxes; what fits no detector."""

import itertools
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from keraslayers import models
from keraslayers.export import optimize, to_tflite
from keraslayers.models import detection
from keraslayers.models.detection import (
    FCOS,
    AnchorBoxes,
    BoxLoss,
    CenterLoss,
    FocalLoss,
    Found,
    HardNegativeLoss,
    NonMaxSuppression,
    OffsetLoss,
    PointBoxes,
    SSDLite,
    average_precision,
    detector,
    losses,
    non_max_suppression,
    targets,
)
from keraslayers.models.detection.detector import WithinImage

ROOT = Path(__file__).parent.parent
SIZE = 64
BOXES = [[[4, 6, 30, 28], [20, 30, 63, 64], [22, 34, 40, 52]], []]
LABELS = [[0, 2, 1], []]


def stages(height, width):
    """Few layers, named by stage, of the strides 2 to 32."""
    x = image = keras.Input((height, width, 3), name="image")
    for stage in ("stem", "stage1", "stage2", "stage3", "stage4"):
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name=f"{stage}_conv")(x)
    return keras.Model(image, x, name="stages")


@pytest.fixture(scope="module")
def backbone():
    return stages(SIZE, SIZE)


@pytest.fixture(scope="module")
def fcos(backbone):
    return FCOS(backbone, 3, strides=(8, 16, 32, 64), filters=8, depth=1, reach=1.5)


@pytest.fixture(scope="module")
def ssd(backbone):
    return SSDLite(backbone, 3, levels=3)


# --- points


def points_one_by_one(boxes, labels, strides, reach, radius):
    """FCOS, sections 3.1 and 3.2, and center sampling: place by place."""
    bounds = [0, *(reach * stride for stride in strides[:-1]), math.inf]
    for level, stride in enumerate(strides):
        for row, column in itertools.product(range(-(-SIZE // stride)), repeat=2):
            x, y, best = (column + 0.5) * stride, (row + 0.5) * stride, None
            for (x1, y1, x2, y2), label in zip(boxes, labels, strict=True):
                left, top, right, bottom = x - x1, y - y1, x2 - x, y2 - y
                inside = min(left, top, right, bottom) > 0
                near = max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2)) < radius * stride
                fits = bounds[level] <= max(left, top, right, bottom) <= bounds[level + 1]
                area = (x2 - x1) * (y2 - y1)
                if inside and near and fits and (best is None or area < best[0]):
                    across = min(left, right) / max(left, right)
                    down = min(top, bottom) / max(top, bottom)
                    best = area, label, (x1, y1, x2, y2), math.sqrt(across * down)
            yield best[1:] if best else (-1, (0, 0, 0, 0), -1)


def test_points_are_trained_for_the_smallest_box_that_they_may_stand_for(fcos):
    made = targets(fcos, BOXES, LABELS)
    for image, (boxes, labels) in enumerate(zip(BOXES, LABELS, strict=True)):
        wanted = list(points_one_by_one(boxes, labels, (8, 16, 32, 64), 1.5, 1.5))
        assert made["classes"][image].tolist() == [label for label, _, _ in wanted]
        np.testing.assert_array_equal(made["boxes"][image], [box for _, box, _ in wanted])
        np.testing.assert_allclose(made["centers"][image, :, 0], [near for _, _, near in wanted], rtol=1e-6)
    assert set(made["classes"][0]) == {-1, 0, 1, 2}


def test_distances_become_boxes():
    layer = PointBoxes((16, 24), (8, 16))
    maps = [np.random.default_rng(0).uniform(0, 3, (2, *size, 4)).astype("float32") for size in ((2, 3), (1, 2))]
    boxes = keras.ops.convert_to_numpy(layer(maps))
    place = 0
    for stride, distances in zip((8, 16), maps, strict=True):
        for row, column in np.ndindex(distances.shape[1:3]):
            x, y = (column + 0.5) * stride, (row + 0.5) * stride
            left, top, right, bottom = stride * distances[:, row, column].T
            np.testing.assert_allclose(boxes[:, place].T, [x - left, y - top, x + right, y + bottom], rtol=1e-6)
            place += 1
    assert boxes.shape == (2, place, 4) == layer.compute_output_shape([x.shape for x in maps])


# --- anchors


def test_anchors_are_torchvisions():
    """The first places of ssdlite320's first two maps, as DefaultBoxGenerator([[2, 3]] * 6, 0.2, 0.95) gives them."""
    layer = AnchorBoxes((320, 320), [(20, 20), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)])
    assert len(layer.anchors) == 3234
    root = math.sqrt(0.2 * 0.35)
    sides = [(0.2, 0.2), (root, root)]
    for ratio in (2, 3):
        sides += [(0.2 * math.sqrt(ratio), 0.2 / math.sqrt(ratio)), (0.2 / math.sqrt(ratio), 0.2 * math.sqrt(ratio))]
    np.testing.assert_allclose(layer.anchors[6:12, :2], [[24, 8]] * 6, rtol=1e-6)  # the second place of the first row
    np.testing.assert_allclose(layer.anchors[6:12, 2:], 320 * np.array(sides), rtol=1e-6)
    np.testing.assert_allclose(layer.anchors[2400, :], [16, 16, 0.35 * 320, 0.35 * 320], rtol=1e-6)
    assert (layer.anchors[-1, 2:] <= 320).all()


def test_anchors_stand_for_what_they_share_most_with():
    layer = AnchorBoxes((SIZE, SIZE), [(4, 4), (2, 2)], smallest=0.3, largest=0.6)
    boxes, labels = np.array(BOXES[0], "float32"), np.array(LABELS[0])
    made = layer.assign(boxes, labels)
    wanted = np.zeros(len(layer.anchors), int)
    shares = np.array([[share(corners(anchor), box) for box in boxes] for anchor in layer.anchors])
    for anchor, row in enumerate(shares):
        if row.max() >= 0.5:
            wanted[anchor] = 1 + labels[row.argmax()]
    for box in range(len(boxes)):  # the best anchor of each, whatever it shares
        wanted[shares[:, box].argmax()] = 1 + labels[box]
    assert made["classes"].tolist() == wanted.tolist()
    assert set(wanted) == {0, 1, 2, 3}
    # What they are trained for gives the boxes back.
    back = keras.ops.convert_to_numpy(layer(made["offsets"][None, :, :4]))[0]
    for anchor in np.flatnonzero(wanted):
        assert made["offsets"][anchor, 4] == 1
        np.testing.assert_allclose(back[anchor], boxes[list(labels).index(wanted[anchor] - 1)], atol=1e-4)  # of 64
    assert not made["offsets"][wanted == 0].any()


def corners(anchor):
    x, y, width, height = anchor
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def share(a, b):
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0, width) * max(0, height)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_ssdlite_has_torchvisions_count():
    """ssdlite320_mobilenet_v3_large: 3,440,060 by torchvision's own documentation of its weights."""
    large = models.MobileNetV3Large(
        input_shape=(320, 320, 3), include_top=False, reduced_tail=True, padding="symmetric"
    )
    model = SSDLite(large, 90)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == 3_440_060
    assert {name: tuple(output.shape[1:]) for name, output in zip(model.output_names, model.outputs, strict=True)} == {
        "boxes": (3234, 4),
        "classes": (3234, 91),
        "offsets": (3234, 4),
    }


def test_ssdlite_takes_the_expansion_and_the_head(ssd, backbone):
    mobile = models.MobileNetV2(input_shape=(SIZE, SIZE, 3), alpha=0.35, include_top=False)
    for names, each, model in (
        (("stage6_unit1_expand_act", "head_act"), mobile, SSDLite(mobile, 3, levels=2)),
        (("stage3_conv", "stage4_conv"), backbone, ssd),
    ):
        for number, name in enumerate(names):
            assert model.get_layer(f"offsets{number + 1}_depthwise").input is each.get_layer(name).output


# --- losses


def focal_one_by_one(label, likely, alpha, gamma):
    total = 0
    for each, p in enumerate(likely):
        there = each == label
        right = p if there else 1 - p
        total -= (alpha if there else 1 - alpha) * (1 - right) ** gamma * math.log(right)
    return total


def test_losses_are_sums_by_what_is_there():
    random = np.random.default_rng(0)
    labels = np.array([[1, -1, 0], [-1, -1, 2]])
    likely = random.uniform(0.05, 0.95, (2, 3, 3)).astype("float32")
    total = sum(focal_one_by_one(labels[i], likely[i], 0.3, 1.5) for i in np.ndindex(2, 3))
    assert float(FocalLoss(0.3, 1.5)(labels, likely)) == pytest.approx(total / 3, rel=1e-5)  # three are there

    near = np.where(labels >= 0, random.uniform(size=(2, 3)), -1)[..., None].astype("float32")
    told = random.uniform(0.05, 0.95, (2, 3, 1)).astype("float32")
    pairs = [(near[i].item(), told[i].item()) for i in np.ndindex(2, 3) if labels[i] >= 0]
    entropy = -sum(wanted * math.log(p) + (1 - wanted) * math.log(1 - p) for wanted, p in pairs)
    assert float(CenterLoss()(near, told)) == pytest.approx(entropy / 3, rel=1e-5)

    # Equal, within each other, apart (further than they are wide), of no size in the prediction.
    boxes = np.array([[[0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 2, 2], [1, 1, 3, 3], [0, 0, 0, 0]]], "float32")
    found = np.array([[[0, 0, 4, 4], [1, 1, 3, 3], [6, 0, 8, 2], [2, 2, 2, 2], [9, 9, 1, 1]]], "float32")
    gious = [1, 4 / 16, 0 - (16 - 8) / 16, 0]
    assert float(BoxLoss()(boxes, found)) == pytest.approx(sum(1 - giou for giou in gious) / 4, rel=1e-5)

    offsets = np.array([[[0, 0, 0, 0, 1], [5, 5, 5, 5, 0], [1, 1, 1, 1, 1]]], "float32")
    told = np.array([[[0.5, 0, 0, -2], [0, 0, 0, 0], [1, 1, 1, 1]]], "float32")
    assert float(OffsetLoss()(offsets, told)) == pytest.approx((0.5 * 0.25 + (2 - 0.5)) / 2, rel=1e-5)


def test_the_hardest_negatives_count():
    logits = np.log(
        [[[0.7, 0.3], [0.2, 0.8], [0.9, 0.1], [0.4, 0.6]], [[0.6, 0.4], [0.3, 0.7], [0.8, 0.2], [0.5, 0.5]]]
    )
    truth = np.array([[1, 0, 0, 0], [0, 0, 0, 0]])
    # One for each that is there, and of the image without any one, too.
    wanted = -math.log(0.3) - math.log(0.2) - math.log(0.3)
    assert float(HardNegativeLoss(1)(truth, logits.astype("float32"))) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("loss", [FocalLoss(0.5), BoxLoss(), CenterLoss(), OffsetLoss(), HardNegativeLoss(2)])
def test_losses_come_back_from_their_config(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()


# --- the models


@pytest.mark.parametrize("kind", ["fcos", "ssd"])
def test_a_detector_trains_saves_and_gives_boxes_within_the_image(kind, request, tmp_path):
    """An image without boxes is in the batch, and then a batch of it alone."""
    model = request.getfixturevalue(kind)
    images = np.random.default_rng(0).uniform(size=(2, SIZE, SIZE, 3)).astype("float32")
    model.compile("adam", losses(model), run_eagerly=True)  # to trace it takes longer than to run it
    before = [np.array(weight) for weight in model.trainable_weights]
    made = targets(model, BOXES, LABELS)
    model.train_on_batch(images, made)
    found = model.train_on_batch(images[1:], {name: part[1:] for name, part in made.items()})
    assert np.isfinite(found).all()
    changed = [np.any(np.array(now) != then) for now, then in zip(model.trainable_weights, before, strict=True)]
    # From the first on; but some of maps of one place, which a normalization over few images leaves nothing of.
    assert changed[0]
    assert np.mean(changed) > 0.8
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    outputs = detector(again)(images)
    for name, values in detector(model)(images).items():
        np.testing.assert_allclose(outputs[name], values, atol=1e-4)
    boxes, scores = (keras.ops.convert_to_numpy(outputs[name]) for name in ("boxes", "scores"))
    assert boxes.min() >= 0
    assert boxes.max() <= SIZE
    assert scores.shape[2] == 3
    assert 0 <= scores.min() <= scores.max() <= 1


def test_boxes_by_their_middle_and_size(ssd):
    images = np.random.default_rng(0).uniform(size=(2, SIZE, SIZE, 3)).astype("float32")
    told, plain = (
        keras.tree.map_structure(keras.ops.convert_to_numpy, model(images))
        for model in (detector(ssd, boxes="cycxhw"), detector(ssd))
    )
    y, x, height, width = np.moveaxis(told["boxes"], -1, 0)
    again = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1)
    np.testing.assert_allclose(again, plain["boxes"], atol=1e-4)
    np.testing.assert_array_equal(told["scores"], plain["scores"])
    with pytest.raises(ValueError, match=r"`detector`: boxes='cycxhw' are for MediaPipe.*; got most=3\. Leave one"):
        detector(ssd, boxes="cycxhw", most=3)
    with pytest.raises(ValueError, match="`detector`: `boxes` must be one of 'xyxy', 'cycxhw'; got 'xywh'"):
        detector(ssd, boxes="xywh")


@pytest.mark.tensorflow
@pytest.mark.parametrize("batch", [None, 3])
def test_the_best_of_boxes_within_a_model_are_those_outside(batch):
    boxes, scores = boxes_and_scores()
    given = keras.Input((40, 4), batch_size=batch), keras.Input((40, 3), batch_size=batch)
    inside = keras.Model(given, NonMaxSuppression(6, least=0.4, overlap=0.3)(list(given)))
    inside = inside.predict([boxes, scores], verbose=0)
    for image, found in enumerate(non_max_suppression(boxes, scores, least=0.4, overlap=0.3, most=6)):
        count = len(found.boxes)
        np.testing.assert_array_equal(inside["boxes"][image, :count], found.boxes)
        np.testing.assert_array_equal(inside["scores"][image, :count], found.scores)
        np.testing.assert_array_equal(inside["labels"][image, :count], found.labels)
        assert not inside["scores"][image, count:].any()


def boxes_and_scores():
    """Three images; of the last few boxes have a score to speak of."""
    random = np.random.default_rng(0)
    low = random.uniform(0, 60, (3, 40, 2))
    boxes = np.concatenate([low, low + random.uniform(5, 40, (3, 40, 2))], -1).astype("float32")
    scores = random.uniform(0, 1, (3, 40, 3)).astype("float32")
    scores[2, 3:] *= 0.3
    return boxes, scores


def one_by_one(boxes, scores, least, overlap, most):
    """Non-maximum suppression: the numbers of the boxes that stay."""
    stays = []
    for box in sorted(range(len(boxes)), key=lambda i: -max(scores[i])):
        label = int(np.argmax(scores[box]))
        rivals = [other for other in stays if np.argmax(scores[other]) == label]
        if max(scores[box]) >= least and all(share(boxes[box], boxes[other]) <= overlap for other in rivals):
            stays.append(box)
    return stays[:most]


def test_the_best_of_boxes_are_those_of_a_loop():
    boxes, scores = boxes_and_scores()
    for image, found in enumerate(non_max_suppression(boxes, scores, least=0.2, overlap=0.3, most=9)):
        stays = one_by_one(boxes[image].tolist(), scores[image], 0.2, 0.3, 9)
        assert isinstance(found, Found)
        np.testing.assert_array_equal(found.boxes, boxes[image][stays])
        np.testing.assert_array_equal(found.scores, scores[image][stays].max(-1))
        np.testing.assert_array_equal(found.labels, scores[image][stays].argmax(-1))


@pytest.mark.tensorflow
def test_the_best_of_boxes_are_proven_within_a_file():
    boxes, scores = boxes_and_scores()
    given = [keras.Input((40, 4), name="boxes_in"), keras.Input((40, 3), name="scores_in")]
    inside = keras.Model(given, NonMaxSuppression(6, least=0.4, overlap=0.3)(given))
    made = to_tflite(inside, samples=[boxes, scores])
    made.report.require()
    np.testing.assert_array_equal(made.predict([boxes, scores])["boxes"], inside([boxes, scores])["boxes"])


@pytest.mark.skipif(shutil.which("node") is None, reason="Node runs the page's script; install npm")
def test_a_page_leaves_the_same_boxes():
    """app/boxes.js, run by Node: it shows boxes of 0.5 and more, and leaves of each two that share half the better."""
    boxes, scores = boxes_and_scores()
    script = (ROOT / "export/report/app/boxes.js").read_text()
    script += f"""
    const [boxes, scores] = {json.dumps([boxes.reshape(3, -1).tolist(), scores.reshape(3, -1).tolist()])};
    const about = {{ form: "xyxy", size: [100, 50] }};
    const kept = boxes.map((each, i) => found(new Float32Array(each), about, new Float32Array(scores[i])));
    console.log(JSON.stringify(kept));
    """
    done = subprocess.run(["node", "--input-type=module"], input=script, capture_output=True, text=True, check=True)
    wanted = non_max_suppression(boxes, scores, least=0.5, overlap=0.5, most=20)
    for found, other in zip(json.loads(done.stdout), wanted, strict=True):
        assert [each["index"] for each in found] == other.labels.tolist()
        np.testing.assert_allclose([each["box"] for each in found], other.boxes / [50, 100, 50, 100], rtol=1e-6)
        np.testing.assert_allclose([each["score"] for each in found], other.scores, rtol=1e-6)


@pytest.mark.parametrize(
    ("app", "declared"), [("android", r"(\w+): \w+ = ([\d.]+)f?"), ("ios", r"(\w+): \w+ = ([\d.]+)")]
)
def test_apps_leave_what_a_page_leaves(app, declared):
    """Their code runs nowhere here: of it the numbers are compared."""
    script = (ROOT / "export/report/app/boxes.js").read_text()
    wanted = {
        name.lower(): float(value) for name, value in re.findall(r"^const (\w+) = ([\d.]+);", script, re.MULTILINE)
    }
    code = (ROOT / "examples" / app / "README.md").read_text()
    given = dict(re.findall(declared, re.search(r"nonMaxSuppression\((.*?)\) ?(:|->)", code, re.DOTALL)[1]))
    assert {name: float(value) for name, value in given.items()} == wanted


# --- average precision


def test_average_precision_of_what_is_known():
    boxes, labels = [[[0, 0, 10, 10], [20, 20, 40, 40]], [[5, 5, 25, 25]], []], [[0, 1], [0], []]
    right = [Found(np.array(box), np.ones(len(box)), np.array(label)) for box, label in zip(boxes, labels, strict=True)]
    assert average_precision(right, boxes, labels) == {"AP": 1, "AP50": 1, "AP75": 1}
    none = [Found(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))] * 3
    assert average_precision(none, boxes, labels) == {"AP": 0, "AP50": 0, "AP75": 0}
    # Of the second class' one box a part of 0.64: right for overlaps of 0.5, 0.55 and 0.6.
    part = [Found(np.array([[0, 0, 10, 10], [20, 20, 36, 36]]), np.ones(2), np.array([0, 1])), *right[1:]]
    found = average_precision(part, boxes, labels)
    assert found == pytest.approx({"AP": (1 + 0.3) / 2, "AP50": 1, "AP75": 0.5})
    # A box that is not there, and is surer than one that is, halves what is precise from there on.
    more = [right[0], right[1], Found(np.array([[0, 0, 9, 9]]), np.full(1, 2.0), np.zeros(1, int))]
    assert average_precision(more, boxes, labels)["AP50"] == pytest.approx((2 / 3 + 1) / 2)


# --- what fits no detector


@pytest.mark.parametrize(
    ("boxes", "labels", "error", "words"),
    [
        (
            [[[4, 4, 4, 9]]],
            [[0]],
            ValueError,
            r"box 0 of image 0 must have x1 < x2 and y1 < y2.*\[4.0, 4.0, 4.0, 9.0\]",
        ),
        ([[], [[1, 1, float("nan"), 9]]], [[], [0]], ValueError, "box 0 of image 1 must have x1 < x2"),
        ([[[70, 4, 90, 9]]], [[0]], ValueError, "box 0 of image 0 lies outside of the image of 64 x 64 pixels"),
        (
            [[[4, 4, 9, 9]]],
            [[3]],
            ValueError,
            "label 0 of image 0 must be within 0 and 2, as the model has 3 classes; got 3",
        ),
        ([[[4, 4, 9, 9]]], [[-1]], ValueError, "label 0 of image 0 must be within 0 and 2"),
        ([[[4, 4, 9, 9]]], [[0.5]], TypeError, "`labels` of image 0 must be whole numbers; got float64"),
        ([[[4, 4, 9, 9]]], [[0, 1]], ValueError, "`labels` of image 0 must be one a box, 1; got the shape"),
        ([[4, 4, 9, 9]], [[0]], ValueError, r"`boxes` of image 0 must be \(count, 4\).*got the shape \(4,\)"),
        ([[[4, 4, 9, 9]]], [[0], []], ValueError, "`boxes` and `labels` must be of as many images; got 1 and 2"),
        ([], [], ValueError, "must be of one image at least"),
    ],
)
def test_boxes_that_are_none(fcos, boxes, labels, error, words):
    with pytest.raises(error, match=f"`targets`: .*{words}"):
        targets(fcos, boxes, labels)


def test_boxes_over_the_border_are_cut_off(fcos, ssd):
    for model in (fcos, ssd):
        whole, cut = (targets(model, [[box]], [[1]]) for box in ([30, 30, 99, 80], [30, 30, 64, 64]))
        for name, values in whole.items():
            np.testing.assert_array_equal(values, cut[name])


def test_what_is_no_detector(backbone, fcos, ssd):
    for who, ask in (("targets", lambda m: targets(m, [[]], [[]])), ("losses", losses), ("detector", detector)):
        for other in (backbone, detector(fcos)):
            with pytest.raises(ValueError, match=rf"`{who}`: `model` must be one of FCOS or SSDLite, as it is trained"):
                ask(other)
        with pytest.raises(TypeError, match=f"`{who}`: `model` must be a Keras model; got int"):
            ask(3)
    for model in (fcos, ssd):
        assert losses(model).keys() == targets(model, BOXES, LABELS).keys()
    aware = optimize.quantize_aware(fcos, samples=np.random.default_rng(0).random((4, SIZE, SIZE, 3), "float32"))
    for name, values in targets(fcos, BOXES, LABELS).items():
        np.testing.assert_array_equal(targets(aware, BOXES, LABELS)[name], values)
    opened = {
        name: keras.Input(tensor.shape[1:], name=name)
        for name, tensor in zip(fcos.output_names, fcos.outputs, strict=True)
    }
    with pytest.raises(ValueError, match="FCOS or SSDLite; 'opened' has no layer that knows its boxes"):
        targets(keras.Model(opened, opened, name="opened"), [[]], [[]])


def test_backbones_that_do_not_fit(backbone):
    open_size = stages(None, None)
    for build in (FCOS, SSDLite):
        with pytest.raises(
            ValueError,
            match=rf"`{build.__name__}`: `backbone` must take images of a known size.*\(None, None, None, 3\)",
        ):
            build(open_size, 3)
        with pytest.raises(ValueError, match=f"`{build.__name__}`: `classes` must be at least 1; got 0"):
            build(backbone, 0)
    odd = stages(80, 72)
    with pytest.raises(
        ValueError,
        match=r"`FCOS`: height and width .* multiples of its coarsest stride, 32; got \(80, 72\).*\(64, 64\)",
    ):
        FCOS(odd, 3)
    assert FCOS(odd, 3, strides=(8,)).get_layer("boxes").image_size == (80, 72)
    with pytest.raises(
        ValueError,
        match=r"`FCOS`: `strides` must begin with one of the backbone's; .* 2, 4, 8, 16, 32; got \(64, 128\)",
    ):
        FCOS(backbone, 3, strides=(64, 128))
    with pytest.raises(
        ValueError, match=r"`FCOS`: each of `strides` must be the double of the one before; got \(8, 32\)"
    ):
        FCOS(backbone, 3, strides=(8, 32))
    with pytest.raises(TypeError, match="`FCOS`: `strides` must be a list of whole numbers"):
        FCOS(backbone, 3, strides=8)
    with pytest.raises(ValueError, match="`SSDLite`: `levels` must be 2 to 6; got 7"):
        SSDLite(backbone, 3, levels=7)
    with pytest.raises(ValueError, match="`SSDLite`: `padding` must be one of 'same', 'symmetric'; got 'valid'"):
        SSDLite(backbone, 3, padding="valid")


def test_layers_and_functions_tell_what_does_not_fit():
    with pytest.raises(ValueError, match=r"`PointBoxes`: `strides` must be one or more that rise; got \(16, 8\)"):
        PointBoxes(64, (16, 8))
    with pytest.raises(
        ValueError, match=r"`PointBoxes`: the maps must be of the sizes \[\(8, 8, 4\)\]; got \[\(4, 4, 4\)\]"
    ):
        PointBoxes(64, (8,))([np.zeros((1, 4, 4, 4), "float32")])
    with pytest.raises(ValueError, match=r"`AnchorBoxes`: `smallest` must not be above `largest`; got 0\.9 and 0\.2"):
        AnchorBoxes(64, [(4, 4)], smallest=0.9, largest=0.2)
    with pytest.raises(ValueError, match=r"`AnchorBoxes`: the offsets must be of \(batch, 96, 4\).*got \(1, 9, 4\)"):
        AnchorBoxes(64, [(4, 4)])(np.zeros((1, 9, 4), "float32"))
    with pytest.raises(ValueError, match=r"`WithinImage`: `image_size` must be at least 1"):
        WithinImage((0, 4))
    with pytest.raises(
        ValueError, match=r"`non_max_suppression`: .*got \(4, 4\) and \(4, 2\)\. Of one image give boxes\[None\]"
    ):
        non_max_suppression(np.zeros((4, 4)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"`non_max_suppression`: `overlap` must be within \(0, 1\]; got 2"):
        non_max_suppression(np.zeros((1, 4, 4)), np.zeros((1, 4, 2)), overlap=2)
    with pytest.raises(ValueError, match="`NonMaxSuppression`: `most` must be at least 1; got 0"):
        NonMaxSuppression(0)
    with pytest.raises(
        ValueError, match="`average_precision`: `boxes` must hold a box at least; all images are without"
    ):
        average_precision([None], [[]], [[]])
    with pytest.raises(ValueError, match="must be of as many images; got 0, 1 and 1"):
        average_precision([], [[]], [[]])


@pytest.mark.parametrize("name", detection.__all__)
def test_everything_public_is_documented_and_named_here(name):
    assert f"{name}(" in (ROOT / "tests" / "test_detection.py").read_text()
    document = getattr(detection, name).__doc__
    for part in {"Found": ["Attributes:"], "losses": ["Args:"], "targets": ["Args:"]}.get(name, ["Args:", "Source: "]):
        assert part in document
