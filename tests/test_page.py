"""A saved page in real headless Chromium: a digit is drawn, an image dropped, and nothing is asked of anybody."""

import base64
import dataclasses
import io
import json
import re

import keras
import numpy as np
import pytest
from keras import layers
from matplotlib import image as images

import keraslayers
from keraslayers.__main__ import main
from keraslayers.export import Verdict, to_tflite
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof.proof import prove_blob
from keraslayers.export.runtimes import browser, chromium
from keraslayers.models import segmentation
from tests.export_models import dense, enliven, needs_browser, run_reference, samples

READY = """new Promise((resolve) => { const timer = setInterval(() => {
  if (!document.body.dataset.ready && !document.querySelector(".wrong")) return;
  clearInterval(timer); resolve(document.querySelector("#state").textContent); }, 20); })"""
QUIET = "new Promise((resolve) => setTimeout(() => requestAnimationFrame(resolve), 300))"
# A picture as a person drops it, and what the file then saw of it.
DROP = """(async () => {
  const file = new File([await (await fetch("data:image/png;base64,%s")).blob()], "x.png", {type: "image/png"});
  const data = new DataTransfer(); data.items.add(file);
  document.querySelector("#picture").dispatchEvent(new DragEvent("drop", {dataTransfer: data}));
})()"""


def colors():
    """Tells red, green and blue apart, and gives the picture, its red and a mask."""
    image = keras.Input((8, 8, 3), name="image")
    mean = layers.GlobalAveragePooling2D()(image)
    scores = layers.Softmax(name="scores")(8 * mean)
    return keras.Model(image, [scores, 0.5 * image, image[..., :1], layers.Conv2D(4, 1, name="mask")(image)])


@pytest.fixture(scope="module")
def made():
    x = np.random.default_rng(0).uniform(size=(16, 8, 8, 3)).astype("float32")
    made = to_tflite(colors(), target="browser-gpu", samples=x)
    made.report.require()
    return made


@pytest.fixture(scope="module")
def page(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "colors.html"
    return made.save_page(path, labels=["red", "green", "blue"], normalization=(0, 255))


@needs_browser
def test_its_verdict_is_that_of_a_proof(made, page, tmp_path):
    """Of the right file, and of one of which something else is wanted: a channel of one output, 5 % more of it."""
    graph = read_graph(made.tflite)
    wrong = {name: values.copy() for name, values in made.evidence.expected.items()}
    wrong["mask"][..., 2] *= 1.05
    other = dataclasses.replace(made, evidence=dataclasses.replace(made.evidence, expected=wrong))
    pages = {page: made, other.save_page(tmp_path / "wrong.html", normalization=(0, 255)): other}
    with chromium.Chromium(*chromium.SOFTWARE_GPU) as tab:
        for path, artifact in pages.items():
            tab.open(path.as_uri())
            tab.evaluate(READY)
            told = json.loads(tab.evaluate("document.body.dataset.answer"))
            assert told["sha256"] == made.report.sha256
            (proof,) = prove_blob(
                made.tflite,
                graph,
                made.evidence.samples,
                ["cpu"],
                expected=artifact.evidence.expected,
                precision="float32",
            )
            assert proof.verdict is (Verdict.PROVEN if artifact is made else Verdict.WRONG)
            assert [each["runtime"] for each in told["runtimes"]] == ["browser", "browser-gpu"]
            for here in told["runtimes"]:
                assert (here["verdict"], here["samples"]) == (str(proof.verdict), 16)
                if artifact is other:  # of the right one there is nothing but rounding
                    assert here["max_error"] == pytest.approx(proof.max_error, rel=1e-3)
                    assert here["snr_db"] == pytest.approx(proof.snr_db, abs=0.1)
        assert "`mask`" in here["reason"]
        shown = tab.evaluate("document.querySelector('#proofs').innerText")
        assert shown.count("WRONG") == 2
        assert here["reason"] in shown


@needs_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_it_shows_what_is_dropped_and_drawn(page, width):
    with chromium.Chromium(*chromium.SOFTWARE_GPU) as tab:
        tab.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
        tab.open(page.as_uri())
        assert tab.evaluate(READY).startswith("WebAssembly: ")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for color, name in (([255, 0, 0], "red"), ([0, 0, 255], "blue")):
            png = io.BytesIO()
            images.imsave(png, np.full((20, 30, 3), color, "uint8"), format="png")
            tab.evaluate(DROP % base64.b64encode(png.getvalue()).decode())
            tab.evaluate(QUIET)
            assert tab.evaluate("document.querySelector('dl dt').textContent") == name
        tab.evaluate("document.querySelector('[value=webgpu]').click()")
        tab.evaluate(QUIET)
        assert tab.evaluate("document.querySelector('#state').textContent").startswith("WebGPU: ")
        assert tab.evaluate("document.querySelector('dl dt').textContent") == "blue"
        assert tab.evaluate("document.querySelectorAll('#results canvas').length") == 3
        # The image that it gives is half as bright as the one dropped.
        figure = "[...document.querySelectorAll('figure')].find((each) => each.innerText.startsWith('multiply'))"
        pixel = f"[...{figure}.querySelector('canvas').getContext('2d').getImageData(9, 9, 1, 1).data]"
        np.testing.assert_allclose(tab.evaluate(pixel), [0, 0, 128, 255], atol=1)
        rows = tab.evaluate("[...document.querySelectorAll('#proofs tr')].map((row) => row.innerText)")
        assert [row.split("\t")[0] for row in rows] == ["WebAssembly", "WebGPU"]
        assert [row.split("\t")[1] for row in rows] == ["PROVEN", "PROVEN"]
        # By keys alone: a black canvas, and a white stroke on it.
        tab.evaluate("document.querySelector('#clear').click(); document.querySelector('#picture').focus()")
        for kind in ("keyDown", "keyUp"):
            tab.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight")
        middle = "[...document.querySelector('#picture').getContext('2d').getImageData(145, 140, 1, 1).data]"
        assert tab.evaluate(middle) == [255] * 4
        assert tab.refused == []


@needs_browser
def test_it_runs_where_there_is_neither_webgpu_nor_jspi(page):
    """As in other browsers than Chromium."""
    with chromium.Chromium() as tab:
        lacking = "delete WebAssembly.Suspending; delete WebAssembly.promising;"
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=lacking)
        tab.open(page.as_uri())
        assert tab.evaluate(READY).startswith("WebAssembly: ")
        assert tab.evaluate("document.querySelector('[value=webgpu]').disabled")
        assert tab.evaluate("document.querySelector('dl dt').textContent") in ("red", "green", "blue")


@needs_browser
def test_the_policy_of_the_page_lets_nothing_out(page):
    with chromium.Chromium() as tab:
        tab.open(page.as_uri())
        tab.evaluate(READY)
        out = "fetch('https://example.com/').then(() => 'out', () => 'kept')"
        assert tab.evaluate(out) == "kept"
        assert tab.refused == []  # it was not even tried


@needs_browser
def test_numbers_are_those_of_an_independent_run(tmp_path):
    model = dense()
    (tmp_path / "m.tflite").write_bytes(to_tflite(model).tflite)
    with pytest.raises(SystemExit) as stopped:
        main(["page", str(tmp_path / "m.tflite")])
    assert not stopped.value.code
    x = samples(1, (4,))
    graph = read_graph((tmp_path / "m.tflite").read_bytes())
    (wanted,) = run_reference((tmp_path / "m.tflite").read_bytes(), **{graph.inputs[0].name: x}).values()
    with chromium.Chromium() as tab:
        tab.open((tmp_path / "m.html").as_uri())
        tab.evaluate(READY)
        given = json.dumps(" ".join(map(str, x[0])))
        tab.evaluate(f"document.querySelector('textarea').value = {given}; document.querySelector('#run').click()")
        tab.evaluate(QUIET)
        best = tab.evaluate("document.querySelector('#results dt').textContent")
        assert best == f"class {int(np.argmax(wanted))}"
        tab.evaluate("document.querySelector('textarea').value = '1 2'; document.querySelector('#run').click()")
        assert "4 numbers are wanted" in tab.evaluate("document.querySelector('#state').textContent")


def test_what_does_not_fit_is_told(tmp_path, monkeypatch):
    image = keras.Input((8, 8, 1), name="image")
    model = enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(image))))
    made = to_tflite(model)
    path = tmp_path / "x.html"
    with pytest.raises(ValueError, match=r"`labels` must be one a class.*got 2 for `dense\w*` \(1, 3\)"):
        made.save_page(path, labels=["a", "b"], normalization=(0, 1))
    with pytest.raises(ValueError, match="need `normalization`"):
        made.save_page(path)
    with pytest.raises(ValueError, match=r"must end in '\.html' or '\.htm'"):
        made.save_page(tmp_path / "x.txt", normalization=(0, 1))
    with pytest.raises(ValueError, match="`normalization` is for files of one input, an image"):
        to_tflite(dense()).save_page(path, normalization=(0, 1))
    integers = to_tflite(dense(), precision="int8", io="int8", samples=samples(16, (4,)))
    with pytest.raises(ValueError, match=r"`Artifact.save_page`: no page takes this file: input `\w+` is of int8"):
        integers.save_page(path)
    monkeypatch.setenv(browser.SETTING, str(tmp_path))
    with pytest.raises(ImportError, match="npm install @litertjs/core"):
        made.save_page(path, normalization=(0, 1))
    assert not path.exists()


BOXES = [[0.25, 0.125, 0.75, 0.5], [0.25, 0.125, 0.8, 0.5], [0.5, 0.5, 0.75, 0.875]]


def detector():
    """Finds three boxes, top, left, bottom and right, in any picture; the first two overlap, and are of one class."""
    image = keras.Input((8, 8, 3), name="image")
    nothing = 0 * layers.GlobalAveragePooling2D(keepdims=True)(image)[:, 0]
    boxes = nothing[..., :1] + keras.ops.convert_to_tensor([BOXES], "float32")
    scores = nothing[..., :1] + keras.ops.convert_to_tensor([[[0.9, 0.1], [0.8, 0.1], [0.2, 0.7]]], "float32")
    return keras.Model(image, {"boxes": boxes, "scores": scores})


@needs_browser
def test_boxes_are_laid_over_the_picture(tmp_path):
    x = np.random.default_rng(0).uniform(size=(4, 8, 8, 3)).astype("float32")
    made = to_tflite(detector(), samples=x)
    about = {"normalization": (0, 255), "labels": ["cat", "dog"]}
    with pytest.raises(
        ValueError, match="`boxes` must be one of 'yxyx', 'xyxy', 'xywh', 'cxcywh', 'cycxhw'; got 'xyx'"
    ):
        made.save_page(tmp_path / "x.html", boxes="xyx", **about)
    with pytest.raises(ValueError, match=r"must be one a class.*got 3"):
        made.save_page(tmp_path / "x.html", boxes="yxyx", normalization=(0, 255), labels=["a", "b", "c"])
    path = made.save_page(tmp_path / "x.html", boxes="yxyx", **about)
    with chromium.Chromium() as tab:
        tab.open(path.as_uri())
        tab.evaluate(READY)
        tab.evaluate(QUIET)
        assert tab.evaluate("document.querySelector('#results').innerText").split("\n")[-1] == "2 found"
        pixels = "document.querySelector('#results canvas').getContext('2d')"
        colors = [tab.evaluate(f"[...{pixels}.getImageData({x}, {y}, 1, 1).data]") for x, y in ((35, 150), (245, 150))]
        assert colors[0][:3] != colors[1][:3]
        assert all(max(color[:3]) == 255 for color in colors)
        # The same boxes in every form; in pixels of a picture of 80 x 80, too.
        top, left, bottom, right = BOXES[0]
        forms = {
            "yxyx": BOXES[0],
            "xyxy": [left, top, right, bottom],
            "xywh": [left, top, right - left, bottom - top],
            "cxcywh": [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top],
            "cycxhw": [(top + bottom) / 2, (left + right) / 2, bottom - top, right - left],
        }
        for form, numbers in forms.items():
            for size in (1, 80):
                values = f"new Float32Array({[size * number for number in numbers]})"
                asked = f"m.found({values}, {{form: '{form}', size: [80, 80]}}, new Float32Array([0.6]), null)"
                (one,) = tab.evaluate(f"import('app/boxes.js').then((m) => {asked})")
                assert one["box"] == pytest.approx([left, top, right, bottom])


@needs_browser
def test_a_class_map_is_laid_over_the_picture(tmp_path):
    """Whole numbers, one a pixel, as segmentation's files give them."""
    image = keras.Input((8, 8, 3), name="image")
    x = np.random.default_rng(0).uniform(size=(4, 8, 8, 3)).astype("float32")
    made = to_tflite(keras.Model(image, segmentation.ClassMap(name="class_map")(image)), samples=x)
    made.report.require()
    path = made.save_page(tmp_path / "x.html", labels=["red", "green", "blue", "nothing"], normalization=(0, 255))
    halves = np.zeros((16, 16, 3), "uint8")
    halves[:, :8, 0] = halves[:, 8:, 2] = 255  # red at the left, blue at the right
    png = io.BytesIO()
    images.imsave(png, halves, format="png")
    with chromium.Chromium() as tab:
        tab.open(path.as_uri())
        tab.evaluate(READY)
        tab.evaluate(DROP % base64.b64encode(png.getvalue()).decode())
        tab.evaluate(QUIET)
        assert tab.evaluate("document.querySelector('#proofs .verdict').textContent") == "PROVEN"
        assert tab.evaluate("document.querySelector('#results').innerText").strip() == "red 50.0 %blue 50.0 %"
        pixels = "document.querySelector('#results canvas').getContext('2d')"
        left, right = (tab.evaluate(f"[...{pixels}.getImageData({x}, 140, 1, 1).data]") for x in (70, 210))
        # Of four classes the first and the third, in opposite colors of the rainbow, over red and blue.
        assert left[0] > 200
        assert right[0] < 50 < 100 < right[2]
        assert right[1] > 100


@needs_browser
def test_points_and_enlarged_images_are_shown(tmp_path):
    """Of one file: a point where the picture is red, green and blue each, and the picture twice as large."""
    image = keras.Input((8, 8, 3), name="image")
    places = keraslayers.SoftArgmax(size=8, name="places")(100 * image)
    larger = keras.layers.UpSampling2D(2, name="larger")(image)
    x = np.random.default_rng(0).uniform(size=(4, 8, 8, 3)).astype("float32")
    made = to_tflite(keras.Model(image, {"places": places, "larger": larger}), samples=x)
    with pytest.raises(ValueError, match="`points` must be one of 'xy', 'yx'; got 'x'"):
        made.save_page(tmp_path / "x.html", normalization=(0, 255), points="x")
    with pytest.raises(ValueError, match=r"or one a point; got 2 for"):
        made.save_page(tmp_path / "x.html", normalization=(0, 255), points="xy", labels=["a", "b"])
    path = made.save_page(tmp_path / "x.html", normalization=(0, 255), points="xy", labels=["red", "green", "blue"])
    picture = np.zeros((16, 16, 3), "uint8")
    picture[2:4, 4:6, 0] = picture[12:14, 8:10, 2] = 255
    png = io.BytesIO()
    images.imsave(png, picture, format="png")
    with chromium.Chromium() as tab:
        tab.open(path.as_uri())
        tab.evaluate(READY)
        tab.evaluate(DROP % base64.b64encode(png.getvalue()).decode())
        tab.evaluate(QUIET)
        words = tab.evaluate("document.querySelector('#results').innerText")
        assert re.search(r"what the file sees: 8 x 8\s+what it makes of it: 16 x 16", words)
        # Nothing is green, so that the second point lies in the middle, which is black, in the second of three colors.
        canvases = "[...document.querySelectorAll('#results canvas')]"
        middle = "one.getContext('2d').getImageData(140, 140, 1, 1).data"
        colors = tab.evaluate(f"{canvases}.map((one) => [...{middle}])")
        assert sorted(colors) == [[0, 0, 0, 255], [0, 0, 0, 255], [0, 0, 255, 255]]
        asked = "m.placed(new Float32Array(%s), {form: '%s', size: [40, 80]})"
        for numbers, form in (([20, 30], "xy"), ([30, 20], "yx"), ([0.25, 0.75], "xy")):
            place = tab.evaluate(f"import('app/points.js').then((m) => {asked % (numbers, form)})")
            assert place == [[0.25, 0.75]]


def test_points_need_points(tmp_path):
    image = keras.Input((8, 8, 1), name="image")
    made = to_tflite(enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(image)))))
    with pytest.raises(ValueError, match=r"`points` are for files of an image that give points of \(1, "):
        made.save_page(tmp_path / "x.html", normalization=(0, 1), points="xy")


def test_boxes_need_a_detector(tmp_path):
    image = keras.Input((8, 8, 1), name="image")
    made = to_tflite(enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(image)))))
    with pytest.raises(ValueError, match=r"`boxes` are for files of an image.*got `\w+` \(1, 3\)"):
        made.save_page(tmp_path / "x.html", normalization=(0, 1), boxes="yxyx")
