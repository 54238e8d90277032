"""Eight files as pages, opened in Chromium and in Firefox: their verdicts are those of Python on the same runtime."""

import dataclasses
import json

import keras
import pytest
from keras import layers, ops

from keraslayers.export import Verdict, to_tflite
from keraslayers.export.file.graph import read_graph
from keraslayers.export.proof.proof import prove_blob
from keraslayers.export.runtimes import chromium
from tests import firefox
from tests.export_models import dense, enliven, needs_browser, samples

READY = """new Promise((resolve) => { const timer = setInterval(() => {
  if (!document.body.dataset.answer) return;
  clearInterval(timer); resolve(document.body.dataset.answer); }, 20); })"""


def network(last):
    """A small convolutional network with something at its end."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(image)
    return enliven(keras.Model(image, last(layers.Conv2D(4, 1, name="logits")(x))))


def told_otherwise(change):
    """The same file, of whose first output something else is wanted."""

    def changed(made):
        expected = {name: values.copy() for name, values in made.evidence.expected.items()}
        change(next(iter(expected.values())))
        return dataclasses.replace(made, evidence=dataclasses.replace(made.evidence, expected=expected))

    return changed


def more_of_a_channel(values):
    values[..., 1] *= 1.05


def one_sample(values):
    values[1] = values[0] + 1


# By name the model, its precision, and what is done to the proof's numbers.
FILES = {
    "dense": (dense, "float32", None),
    "maps": (lambda: network(lambda x: x), "int8", None),
    "halves": (lambda: network(layers.GlobalAveragePooling2D()), "float16", None),
    "narrow weights": (lambda: network(layers.Softmax()), "dynamic", None),
    "ids": (lambda: network(lambda x: ops.argmax(x, -1)), "float32", None),
    "several": (lambda: network(lambda x: [x, 1000 * layers.GlobalMaxPooling2D()(x)]), "float32", None),
    "a channel off": (lambda: network(lambda x: x), "float32", told_otherwise(more_of_a_channel)),
    "a sample off": (lambda: network(layers.Flatten()), "int8", told_otherwise(one_sample)),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """By name (a page, what Python says of its file on WebAssembly and WebGPU)."""
    folder, pages = tmp_path_factory.mktemp("pages"), {}
    for name, (build, precision, change) in FILES.items():
        model = build()
        x = samples(16, model.input_shape[1:])
        made = to_tflite(model, target="browser", precision=precision, samples=x)
        proofs = [made.report.proof("browser")]
        if change:
            made, graph = change(made), read_graph(made.tflite)
            told = {"expected": made.evidence.expected, "precision": precision}
            proofs = prove_blob(made.tflite, graph, made.evidence.samples, ["browser"], **told)
        scale = {"normalization": (0, 255)} if len(model.input_shape) == 4 else {}
        path = made.save_page(folder / f"{name.replace(' ', '_')}.html", **scale)
        pages[name] = path, str(proofs[0].verdict)
    return pages


def answers(browser, pages):
    """By name and runtime what pages say."""
    found = {}
    for name, (page, _) in pages.items():
        browser.open(page.as_uri())
        for each in json.loads(browser.evaluate(READY))["runtimes"]:
            found[name, each["runtime"]] = each["verdict"]
    return found


@needs_browser
def test_python_finds_what_is_wrong(pages):
    assert {name for name, (_, verdict) in pages.items() if verdict == Verdict.WRONG} == {
        "a channel off",
        "a sample off",
    }
    assert {verdict for _, verdict in pages.values()} == {"PROVEN", "WRONG"}


@needs_browser
def test_chromium_says_the_same_on_both_runtimes(pages):
    with chromium.Chromium(*chromium.SOFTWARE_GPU) as browser:
        found = answers(browser, pages)
    for (name, runtime), verdict in found.items():
        assert verdict == pages[name][1], (name, runtime)
    assert len(found) == 2 * len(pages)


@needs_browser
@pytest.mark.skipif(firefox.PATH is None, reason="there is no Firefox")
def test_firefox_says_the_same_in_webassembly(pages):
    with firefox.Firefox() as browser:
        found = answers(browser, pages)
    assert {name: found[name, "browser"] for name in pages} == {name: verdict for name, (_, verdict) in pages.items()}
    assert {found[name, "browser-gpu"] for name in pages} == {"UNTESTED"}  # it has no JSPI yet
