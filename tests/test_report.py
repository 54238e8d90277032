"""The report in its three forms: a table, JSON, a page."""

import dataclasses
import json
import re

import keras
import pytest

from keraslayers import export
from tests.export_models import needs_gpu


@pytest.fixture(scope="module")
def report():
    image = keras.Input((8, 8, 4), name="image")
    model = keras.Model(image, keras.layers.Conv2D(3, 3, activation="relu6", name="maps")(image), name="net")
    return export.to_tflite(model, target="gpu").report


@needs_gpu
def test_the_table_fits_a_terminal_and_says_what_was_compared(report):
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 88
    assert "…" not in str(report)
    words = " ".join(str(report).split())
    assert "against the Keras model" in words
    assert "no phone's figure" in words
    assert "input image: float32 [1, 8, 8, 4]" in words


@needs_gpu
def test_the_bytes_of_every_layer(report):
    assert sum(report.layer_sizes.values()) < report.size
    assert list(report.layer_sizes.values()) == sorted(report.layer_sizes.values(), reverse=True)
    assert "" not in report.layer_sizes
    largest = next(iter(report.layer_sizes))
    assert f"most bytes: {largest} " in str(report)


def test_json_holds_every_field(report):
    read = json.loads(report.to_json())
    assert set(read) == {field.name for field in dataclasses.fields(export.Report)} | {"ok"}
    assert read["proofs"][0]["verdict"] == "PROVEN"


@needs_gpu
def test_the_page_needs_no_other_file_and_runs_nothing(report, tmp_path):
    report.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count('class="verdict PROVEN"') == 2
    assert report.sha256 in page
    assert "CONV_2D" in page
    assert "viewport" in page
    assert not re.search(r"<script|<link|<img|https?://", page)


def test_names_from_a_file_are_escaped_in_the_page(report, tmp_path):
    hostile = dataclasses.replace(report, name="<script>alert(1)</script>")
    hostile.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_names_from_a_file_are_no_markup_in_the_table(report):
    assert "[bold]net[/bold]" in str(dataclasses.replace(report, name="[bold]net[/bold]"))


def test_the_page_cannot_be_written_in_words(report, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        report.to_html(tmp_path / "missing" / "page.html")
    assert list(tmp_path.iterdir()) == []
