"""A file as a page of one HTML file: with the model, LiteRT.js and what a person draws, chooses or photographs."""

import base64
import gzip
import hashlib
import math
from pathlib import Path

from keraslayers import _checks
from keraslayers.export.app.boxes import FORMS
from keraslayers.export.app.metadata import normalization_of
from keraslayers.export.progress import step
from keraslayers.export.proof import evidence as evidences
from keraslayers.export.report import page
from keraslayers.export.runtimes import browser

HERE = Path(__file__).parent / "app"
# The one build that has WebGPU; where a browser lacks what it needs of JavaScript, it computes in WebAssembly.
RUNTIME = "litert_wasm_jspi_internal"
POINTS = ("xy", "yx")
# Of an input of so few rows and columns a picture can be drawn.
LEAST, MOST_CHANNELS = 4, 4


def render(
    who,
    blob,
    graph,
    *,
    name,
    precision,
    evidence=None,
    labels=None,
    normalization=None,
    pixels=False,
    boxes=None,
    points=None,
    send=None,
):
    """The page as bytes of HTML.

    Args:
        who: for messages.
        blob, graph: the file, and what `read_graph` says of it.
        name, precision: of the file, for people.
        evidence: an `Evidence` on which the page proves the file where it is opened; without it there is no proof.
        labels: names of the classes, or of a mask's.
        normalization: (mean, std) of an image's pixels, as in `Artifact.save`.
        pixels: whether the file takes pixels of 0 to 255 as they are.
        boxes: of a detector what the four numbers of a box are, one of `boxes.FORMS`.
        points: of a file that finds points what the two numbers of one are, one of `POINTS`.
        send: where the page sends what it found, an address beside its own; by default nowhere.

    Raises:
        TypeError, ValueError: if the labels or the normalization do not fit, or web pages do not take such a file.
        ImportError: if LiteRT.js or jinja2 is not installed.
    """
    folder = browser.packages()
    if folder is None:
        raise ImportError(f"`{who}`: {browser.REMEDY}")
    if reason := browser.unfit(blob, graph):
        raise ValueError(f"`{who}`: no page takes this file: {reason}.")
    image = None
    if is_image(graph.inputs):
        mean, std = normalization_of(who, normalization, graph.inputs[0], pixels)
        image = {"mean": mean, "std": std}
    elif normalization is not None:
        raise ValueError(f"`{who}`: `normalization` is for files of one input, an image; give none.")
    proof, arrays = {"why": "the page carries no samples"}, b""
    if evidence is not None:
        with step("choosing what the page is proven on"):
            proof, arrays = evidences.packed(evidence, blob, graph)
    # Names of points are none of classes.
    named = points is not None and any(_are_points(each.shape, len(labels or ())) for each in graph.outputs)
    classes = None if named else labels
    about = {
        "name": name,
        "sha256": hashlib.sha256(blob).hexdigest(),
        "version": browser.version(),
        "proof": proof,
        "send": send,
        "key": graph.signatures[0] if graph.signatures else "",
        "inputs": list(map(_told, graph.inputs)),
        "outputs": _points(who, graph, points, _outputs(who, graph, classes, boxes)),
        "labels": None if labels is None else list(labels),
        "image": image,
    }
    _check_labels(who, about)
    with step("packing the page"):
        wasm = folder / browser.PACKAGE / "wasm"
        parts = {
            "model": _packed(blob),
            "evidence": _packed(arrays),
            "loader": _packed((wasm / f"{RUNTIME}.js").read_bytes()),
            "wasm": _packed((wasm / f"{RUNTIME}.wasm").read_bytes()),
        }
        modules = {browser.PACKAGE: folder / browser.CORE, "@litertjs/wasm-utils": folder / browser.UTILITIES}
        modules |= {f"app/{path.name}": path for path in (browser.HERE / "calls.js", *sorted(HERE.glob("*.js")))}
        addresses = {key: f"data:text/javascript;base64,{_base64(path.read_bytes())}" for key, path in modules.items()}
        return page.render(
            "app/app.html",
            about=about,
            parts=parts,
            imports={"imports": addresses},
            size=len(blob),
            precision=precision,
        ).encode()


def _outputs(who, graph, labels, boxes):
    """What is told of the outputs; those of a detector belong together."""
    told = [{**_told(output), "kind": kind_of(output, graph, labels)} for output in graph.outputs]
    if boxes is None:
        return told
    _checks.choice(who, "boxes", boxes, FORMS)
    shapes = [tuple(output.shape) for output in graph.outputs]
    places = [i for i, shape in enumerate(shapes) if len(shape) == 3 and shape[0] == 1 and shape[2] == 4]
    # Of boxes and scores of four classes the boxes come first, as in every detector that we know.
    rows = shapes[places[0]][:2] if places else None
    others = [i for i, shape in enumerate(shapes) if i not in places[:1] and len(shape) < 4 and shape[:2] == rows]
    scores = [i for i in others if not graph.outputs[i].counted]
    classes = [i for i in others if i not in scores and len(shapes[i]) == 2]
    if not places or len(scores) != 1 or not is_image(graph.inputs):
        given = ", ".join(f"`{output.name}` {output.shape}" for output in graph.outputs)
        raise ValueError(
            f"`{who}`: `boxes` are for files of an image that give boxes of (1, boxes, 4), scores of (1, boxes) or "
            f"(1, boxes, classes), and with the former classes, integers of (1, boxes); got {given}."
        )
    size = graph.inputs[0].shape[1:3]
    told[places[0]] |= {
        "kind": "boxes",
        "boxes": {"form": boxes, "size": size, "scores": scores[0], "classes": classes[0] if classes else None},
    }
    for place in (*scores, *classes):
        told[place]["kind"] = "part"
    return told


def _points(who, graph, points, told):
    """The same with the outputs that are points."""
    if points is None:
        return told
    _checks.choice(who, "points", points, POINTS)
    found = [output for output in told if _are_points(output["shape"]) and output["kind"] != "part"]
    if not found or not is_image(graph.inputs):
        given = ", ".join(f"`{output.name}` {output.shape}" for output in graph.outputs)
        raise ValueError(
            f"`{who}`: `points` are for files of an image that give points of (1, points, 2); got {given}."
        )
    for output in found:
        output |= {"kind": "points", "points": {"form": points, "size": graph.inputs[0].shape[1:3]}}
    return told


def _are_points(shape, count=None):
    """Whether an output is of (1, points, 2), and of so many."""
    return len(shape) == 3 and shape[0] == 1 and shape[2] == 2 and count in (None, shape[1])


def is_image(inputs):
    """Whether the one input is a picture: (1, height, width, channels)."""
    if len(inputs) != 1 or inputs[0].dtype not in ("float32", "uint8") or len(inputs[0].shape) != 4:
        return False
    batch, height, width, channels = inputs[0].shape
    return batch == 1 and min(height, width) >= LEAST and channels <= MOST_CHANNELS and channels != 2


def kind_of(output, graph, labels):
    """What an output is shown as: "classes", a "mask" of scores or classes, an "image", a "heat" map, or "numbers"."""
    shape = output.shape
    if is_class_map(output, graph):
        return "mask"
    if len(shape) == 4 and shape[0] == 1 and is_image(graph.inputs) and min(shape[1:3]) > 1:
        if shape[3] == 1:
            return "heat"
        # Three channels are colors, unless they are what the labels name.
        named = labels is not None and not any(_scores(other, len(labels)) for other in graph.outputs)
        return "image" if shape[3] == 3 and not named else "mask"
    return "classes" if _scores(output) and (labels is not None or shape[1] > 2) else "numbers"


def is_class_map(output, graph):
    """Whether an output is of whole numbers, one for each place of the picture: (1, height, width)."""
    shape = output.shape
    return output.counted and len(shape) == 3 and shape[0] == 1 and min(shape[1:]) > 1 and is_image(graph.inputs)


def _scores(output, count=None):
    """Whether an output is of (1, classes), and of so many."""
    shape = output.shape
    return len(shape) == 2 and shape[0] == 1 and shape[1] > 1 and not output.counted and count in (None, shape[1])


def _check_labels(who, about):
    if about["labels"] is None:
        return
    named = [output for output in about["outputs"] if output["kind"] in ("classes", "mask", "part", "points")]
    apart = any(map(_of_any_classes, about["outputs"]))
    if not apart and not any(output["shape"][_named(output)] == len(about["labels"]) for output in named):
        shapes = ", ".join(f"`{output['name']}` {tuple(output['shape'])}" for output in about["outputs"])
        raise ValueError(
            f"`{who}`: `labels` must be one a class, of an output of (1, classes), of a mask or of boxes' scores, or "
            f"one a point; got {len(about['labels'])} for {shapes}."
        )


def _named(output):
    """The axis of what labels name."""
    return 1 if output["kind"] == "points" else -1


def _of_any_classes(output):
    """Whether an output holds class numbers, which do not tell how many classes there are."""
    if output["kind"] == "boxes":
        return output["boxes"]["classes"] is not None
    return output["kind"] == "mask" and len(output["shape"]) == 3


def _told(tensor):
    told = {key: getattr(tensor, key) for key in ("name", "dtype", "shape", "scale", "zero_point")}
    return {**told, "size": math.prod(tensor.shape)}


def _packed(content):
    return _base64(gzip.compress(content, 9, mtime=0))


def _base64(content):
    return base64.b64encode(content).decode()
