"""The demo, with a small network and few epochs: everything it prints and writes."""

import base64
import io
import json
import re

import numpy as np
import pytest
from matplotlib import image as images
from rich.console import Console

from keraslayers import _demo
from keraslayers._demo_stock import NAMES
from keraslayers.export.file.graph import read_graph
from keraslayers.export.runtimes import browser, chromium, gpu
from tests.export_models import needs_browser, run_reference
from tests.test_page import DROP, QUIET, READY

FILES = [f"lenet5_{target}_{precision}" for target in ("cpu", "gpu") for precision in ("float16", "float32", "int8")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Whether all was proven, what was printed, and the folder."""
    folder = tmp_path_factory.mktemp("demo") / "made" / "by it"
    printed = Console(file=io.StringIO(), width=80)
    return _demo.run("lenet5", 3, folder, printed), printed.file.getvalue(), folder


def test_every_file_is_proven(ran):
    proven, printed, _ = ran
    assert proven
    # Three precisions for cpu, and for gpu on its three runtimes; and the file that fails, as it is and repaired.
    assert printed.count("PROVEN") == 12 + 3


def test_the_stock_file_fails_on_the_gpu_and_is_right_when_it_is_repaired(ran):
    shown = ran[1].split("the stock converter writes it")[1]
    rows = [line.split() for line in shown.splitlines() if re.search("PROVEN|WRONG|REJECTED", line)]
    (_, _, _, verdict, _, on_cpu, _, _), (_, wrong, on_gpu, _, _), (_, _, _, again, _, repaired, _, _), _ = rows
    assert (verdict, wrong, again) == ("PROVEN", "WRONG", "PROVEN")
    assert float(on_cpu[:-1]) > 80
    assert float(repaired[:-1]) == pytest.approx(float(on_cpu[:-1]), abs=5)  # of a quarter of the images
    assert float(on_gpu[:-1]) < 50


def test_the_table_fits_80_columns_whole(ran):
    assert "…" not in ran[1]


def test_accuracy_of_the_files_is_that_of_the_model(ran):
    accuracy = float(re.search(r"accuracy in Keras: ([\d.]+)%", ran[1])[1])
    assert accuracy > 80  # three epochs of LeNet-5; the full demo is held to 97 %
    in_files = [float(row) for row in re.findall(r"PROVEN +[\d,]* +([\d.]+)%", ran[1].split("A small network")[0])]
    assert len(in_files) == 12
    # int8 may cost a point, floats a rounding of the last digit shown.
    assert min(in_files) >= accuracy - 1.0


def test_it_writes_files_labels_and_one_page(ran):
    folder = ran[2]
    names = [f"{name}.{ending}" for name in FILES for ending in ("tflite", "json")]
    names += [path for name in NAMES for path in (name, name.replace(".tflite", ".json"))]
    names += ["labels.txt", "report.html", *(["digits.html"] if browser.packages() else [])]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert (folder / "labels.txt").read_text().split() == [str(digit) for digit in range(10)]
    assert all(json.loads((folder / f"{name}.json").read_text())["ok"] for name in FILES)


def test_the_page_holds_all_its_pictures_itself(ran):
    page = (ran[2] / "report.html").read_text()
    assert page.count("<figure><svg") == 5
    assert page.count('class="verdict PROVEN"') == 12 + 3
    assert page.count('class="verdict WRONG"') == 1
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "viewport" in page


@needs_browser
def test_the_live_page_reads_a_digit_as_the_file_does(ran):
    digits, path = _demo.load_digits(), ran[2] / "lenet5_gpu_float16.tflite"
    graph = read_graph(path.read_bytes())
    (scores,) = run_reference(path.read_bytes(), **{graph.inputs[0].name: digits.x_test[:1]}).values()
    png = io.BytesIO()
    images.imsave(png, digits.x_test[0, :, :, 0], cmap="gray", vmin=0, vmax=1, format="png")
    with chromium.Chromium() as tab:
        tab.open((ran[2] / "digits.html").as_uri())
        tab.evaluate(READY)
        assert tab.evaluate("document.querySelector('#proofs .verdict').textContent") == "PROVEN"
        tab.evaluate(DROP % base64.b64encode(png.getvalue()).decode())
        tab.evaluate(QUIET)
        assert tab.evaluate("document.querySelector('dl dt').textContent") == str(int(np.argmax(scores)))
        assert tab.refused == []


def test_without_a_driver_it_says_what_to_install_and_has_not_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "drivers", list)
    monkeypatch.setenv(browser.SETTING, str(tmp_path))
    printed = Console(file=io.StringIO(), width=80)
    assert _demo.run("lenet5", 1, tmp_path, printed)
    words = " ".join(printed.file.getvalue().split())
    assert words.count("UNTESTED") == 8  # six rows of the table, and two reasons
    assert "install Debian's package `chromium`" in words
    assert "no page to draw a digit in: LiteRT.js is not installed: `npm install @litertjs/core`" in words
    assert not (tmp_path / "digits.html").exists()
    assert "UNTESTED" in (tmp_path / "report.html").read_text()


def test_an_unknown_network_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'lenet5'"):
        _demo.run("lenet", 1, tmp_path / "out", Console(file=io.StringIO()))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name",
    [
        "lenet5_gpu_int8.tflite",
        "lenet5_cpu_float32.json",
        "stock_int8.tflite",
        "labels.txt",
        "report.html",
        "digits.html",
    ],
)
def test_what_it_did_not_write_it_does_not_replace(name, tmp_path, monkeypatch):
    monkeypatch.setattr(_demo, "load_digits", lambda: pytest.fail("it set to work before it looked"))
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match=f"`demo`: .*{name}"):
        _demo.run("lenet5", 1, tmp_path, Console(file=io.StringIO()))
    assert (tmp_path / name).read_text() == "mine"


def test_what_it_wrote_it_replaces(ran, monkeypatch):
    monkeypatch.setattr(_demo, "load_digits", lambda: (_ for _ in ()).throw(InterruptedError))
    with pytest.raises(InterruptedError):
        _demo.run("lenet5", 1, ran[2], Console(file=io.StringIO()))
