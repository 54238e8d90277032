"""Files in a web page, in real headless Chromium: proven, refused in words, and what becomes of pages that die."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.export import TARGETS, Verdict, find_culprit, prove, to_tflite
from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import browser, browser_gpu, chromium
from tests.export_models import as_converted, cnn, dense, enliven, needs_browser, samples
from tests.file_tools import Made

ROOT = pathlib.Path(__file__).parent.parent
PAGES = ["browser", "browser-gpu"]


def verdicts(report):
    return {proof.runtime: str(proof.verdict) for proof in report.proofs}


@needs_browser
@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8"])
def test_precisions_are_proven(precision):
    model = cnn()
    made = to_tflite(model, target="browser-gpu", precision=precision, samples=samples(24, model.input_shape[1:]))
    assert verdicts(made.report.require()) == {"browser-gpu": "PROVEN", "browser": "PROVEN"}
    on_gpu, on_cpu = made.report.proofs
    assert on_gpu.delegated == on_gpu.operators == on_cpu.operators == read_graph(made.tflite).total
    assert on_cpu.delegated is None  # it does not tell what XNNPACK took
    assert "swiftshader" in on_gpu.device
    assert f"LiteRT.js {browser.version()}, Chrome/" in on_cpu.device
    assert made.report.tools["@litertjs/core"] == browser.version()
    assert on_gpu.latency_ms > 0


@needs_browser
def test_integers_of_16_bits_run_in_webassembly_alone():
    model = cnn()
    made = to_tflite(model, target="browser-gpu", precision="int16x8", samples=samples(24, model.input_shape[1:]))
    assert verdicts(made.report) == {"browser-gpu": "REJECTED", "browser": "PROVEN"}
    assert "Tensor type(INT16) is not supported" in made.report.proofs[0].reason


@needs_browser
def test_numbers_of_every_kind_find_their_places():
    left, ids = keras.Input((6,), name="2"), keras.Input((3,), dtype="int64", name="1")
    joined = layers.Concatenate()([left, layers.Flatten()(layers.Embedding(5, 2)(ids))])
    model = keras.Model([left, ids], [layers.Dense(2, name="zeta")(joined), joined > 0, keras.ops.argmax(left, -1)])
    x = {"2": samples(20, (6,)), "1": np.random.default_rng(0).integers(0, 5, (20, 3))}
    report = to_tflite(enliven(model), target="browser", samples=x).report.require()
    assert report.rewrites["cast_borders"]
    assert {tensor["dtype"] for tensor in (*report.inputs, *report.outputs)} == {"float32", "int32"}


@needs_browser
def test_pixels_are_taken_as_they_are():
    image = keras.Input((8, 8, 3), name="image")
    model = enliven(keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(image)))))
    pixels = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3)).astype("uint8")
    scale = layers.Rescaling(1 / 127.5, -1)
    options = {"precision": "int8", "io": "uint8", "samples": pixels, "preprocessing": scale}
    report = to_tflite(model, target="browser", **options).report.require()
    assert [tensor["dtype"] for tensor in report.inputs] == ["uint8"]


# --- what they refuse


def file(dtype="float32", open=None, same=False):
    f = Made()
    x = f.input((1, 6), dtype)
    if open is not None:
        x._table.shapeSignature = [-1 if axis == open else size for axis, size in enumerate(x.shape)]
    return f.done(x if same else f.new("ABS" if dtype == "float32" else "CAST", (x,), x.shape, "float32"))


@pytest.mark.parametrize("runtime", [browser, browser_gpu])
@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (file("int8"), "input `x` is of int8; LiteRT.js takes and gives float32, int32, uint8 alone: export with"),
        (file("bool"), "input `x` is of bool"),
        (file("float16"), "input `x` is of float16"),
        (file(open=1), "the file leaves the shape of input 'x' open"),
        (file(open=0), "the file leaves the shape of input 'x' open"),
        (file(same=True), "output `y0` is input `x` itself"),
    ],
)
def test_what_it_does_not_hand_over_is_told_before_it_runs(blob, words, runtime, monkeypatch):
    monkeypatch.setattr(chromium, "find", lambda: pytest.fail("it was run"))
    outcome = runtime.run(blob, read_graph(blob), {})
    assert outcome.outputs is None
    assert outcome.reason.startswith(words)


@needs_browser
def test_a_file_that_is_refused_for_its_ends_blames_no_operator():
    assert find_culprit(file("int8"), "browser") is None
    (proof,) = prove(file("int8"), "browser").proofs
    assert proof.verdict is Verdict.REJECTED
    assert "begins" not in proof.reason


def test_inputs_and_outputs_that_pages_do_not_take_are_refused_in_words():
    with pytest.raises(ValueError, match="`io`='int8' does not go with target 'browser', whose files take and give"):
        to_tflite(dense(), target="browser", precision="int8", io="int8", samples=samples(8, (4,)))
    assert TARGETS["cpu"].types is None


@needs_browser
def test_the_layer_is_blamed_in_integers(monkeypatch):
    """Its beginnings end in integers, which no page gives."""
    as_converted(monkeypatch)
    image = keras.Input((8, 8, 8), name="image")
    x = layers.Conv2D(8, 3, padding="same", name="first")(image)
    gate = layers.Dense(8, activation="sigmoid", name="gate")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply(name="scale")([x, layers.Reshape((1, 1, 8))(gate)])
    model = enliven(keras.Model(image, layers.Flatten()(layers.Conv2D(3, 3, name="last")(x))))
    made = to_tflite(model, precision="int8", samples=samples(24, (8, 8, 8)))
    culprit = find_culprit(made.tflite, "browser-gpu", model=model)
    assert (culprit.layer, culprit.operator) == ("scale", "MUL")
    assert "keraslayers.SqueezeExcite" in culprit.remedy


@needs_browser
def test_a_page_that_computes_something_else_is_wrong(monkeypatch, tmp_path):
    source = (browser.HERE / "calls.js").read_text()
    wrong = "return gives.map((place) => arrays[place].map((x) => 1.01 * x));"
    assert "return gives.map((place) => arrays[place]);" in source
    (tmp_path / "calls.js").write_text(source.replace("return gives.map((place) => arrays[place]);", wrong))
    (tmp_path / "browser.html").write_text((browser.HERE / "browser.html").read_text())
    tflite = to_tflite(dense()).tflite
    monkeypatch.setenv(browser.SETTING, str(browser.packages()))
    monkeypatch.setattr(browser, "HERE", tmp_path)
    assert prove(tflite, "browser").proofs[0].verdict is Verdict.WRONG


# --- the browser itself


@needs_browser
def test_a_page_that_hangs_and_one_that_crashes_are_told():
    with chromium.Chromium(files={"": b"<p>"}) as page:
        page.open()
        with pytest.raises(chromium.PageDied, match="did not finish within 1 s"):
            page.evaluate("(() => { while (true); })()", seconds=1)
        with pytest.raises(chromium.PageDied, match="the page crashed; it may have run out of memory"):
            page.call("Page.crash")


@needs_browser
@needs_browser
def test_a_browser_that_reads_no_more_is_told(monkeypatch):
    with chromium.Chromium(files={"": b"<p>"}) as page:
        monkeypatch.setattr(chromium, "START", 1)
        os.killpg(page.process, signal.SIGSTOP)
        with pytest.raises(chromium.PageDied, match="the browser did not take what it was sent within 1 s"):
            page.evaluate("0;" * 2**20)


@needs_browser
def test_what_is_long_goes_in_parts(monkeypatch):
    """Chromium reads no message of more than 100 MB, and says nothing."""
    model = cnn()
    x = samples(24, model.input_shape[1:])
    whole = to_tflite(model, target="browser", samples=x)
    monkeypatch.setattr(chromium, "PART", len(whole.tflite) // 3)
    again = prove(whole.tflite, "browser", samples=x)
    assert again.require().proof("browser").samples == len(x)


def test_a_page_that_dies_is_a_verdict(monkeypatch):
    tflite = to_tflite(dense()).tflite
    died = chromium.PageDied("the page crashed")
    evaluate = chromium.Chromium.evaluate

    def dies(page, expression, **options):
        if expression.startswith("answer("):
            raise died
        return evaluate(page, expression, **options)

    monkeypatch.setattr(chromium.Chromium, "evaluate", dies)
    (proof,) = prove(tflite, "browser").proofs
    assert (proof.verdict, proof.reason) == (Verdict.REJECTED, "the page crashed")


open_page = chromium.Chromium.open


@needs_browser
@pytest.mark.parametrize(
    ("fails", "words"),
    [
        (lambda self: self.call("Page.enable", seconds=0), "the page did not finish within 0 s"),
        (lambda self: open_page(self, "https://elsewhere.invalid/"), "https://elsewhere.invalid/: net::ERR"),
        (lambda self: open_page(self, "about:blank"), "ReferenceError: load is not defined"),
    ],
    ids=["busy", "address", "loader"],
)
def test_a_page_that_does_not_come_up_is_no_verdict(monkeypatch, fails, words):
    """On a machine that is busy with other work it may take a minute: that is not the file's fault."""
    monkeypatch.setattr(chromium.Chromium, "open", fails)
    (proof,) = prove(to_tflite(dense()).tflite, "browser").proofs
    assert proof.verdict == Verdict.UNTESTED
    assert proof.reason.startswith(f"no page to run it in: {words}"), proof.reason


@needs_browser
def test_nothing_goes_out():
    script = b"<script>fetch('https://example.com/').catch(() => console.log('in vain'))</script>"
    with chromium.Chromium(files={"": script}) as page:
        page.open()
        page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")
    assert page.said == ["in vain"]
    assert page.refused == ["https://example.com/", f"{chromium.ORIGIN}favicon.ico"]


@needs_browser
def test_it_ends_with_the_program_that_started_it():
    code = (
        "import os, signal; from keraslayers.export.runtimes.chromium import Chromium\n"
        "with Chromium() as page: print(page.process, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    process = int(done.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(process, signal.SIGKILL)
    pytest.fail("the browser lives on")


def test_without_the_package_or_the_browser_it_is_untested(monkeypatch, tmp_path):
    tflite = file()
    monkeypatch.setenv(chromium.SETTING, str(tmp_path / "none"))
    assert [proof.reason for proof in prove(tflite, PAGES).proofs] == [chromium.REMEDY] * 2
    monkeypatch.setenv(browser.SETTING, str(tmp_path))
    report = prove(tflite, PAGES)
    assert verdicts(report) == {"browser": "UNTESTED", "browser-gpu": "UNTESTED"}
    assert [proof.reason for proof in report.proofs] == [browser.REMEDY] * 2
    assert "npm install @litertjs/core" in browser.REMEDY
