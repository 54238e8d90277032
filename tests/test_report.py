"""The report in its three forms: a table, JSON, a page."""

import dataclasses
import json
import re

import keras
import pytest

from keraslayers import export
from keraslayers.export.file.tensor_names import place
from tests.export_models import enliven, needs_gpu, samples


@pytest.fixture(scope="module")
def report():
    image = keras.Input((8, 8, 4), name="image")
    model = keras.Model(image, keras.layers.Conv2D(3, 3, activation="relu6", name="maps")(image), name="net")
    return export.to_tflite(model, target="gpu-fp32").report


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


@pytest.fixture(scope="module")
def cut():
    """A file in int8 that XNNPACK leaves in the middle, and its report."""
    x = image = keras.Input((8, 8, 4), name="image")
    for i in range(2):
        x = keras.layers.Conv2D(8, 3, activation="hard_silu", padding="same", name=f"conv{i}")(x)
    x = keras.layers.PReLU(name="bent")(x)
    model = enliven(keras.Model(image, keras.layers.Conv2D(3, 1, name="last")(x), name="net"))
    made = export.to_tflite(model, precision="int8", samples=samples(16, (8, 8, 4)), layer_errors=True)
    return made.tflite, made.report


def test_where_the_graph_leaves_the_runtime_is_told_by_layer(cut, tmp_path):
    blob, report = cut
    (left,) = report.proof("cpu").left_at
    assert left[1:] == ("PRELU", "bent")
    assert "left to the built-in kernels: PRELU 1x (bent)" in str(report)
    # Another tool's file tells by its own names.
    checked = export.prove(blob, runtimes="cpu")
    assert checked.proof("cpu").left_at == (left,)
    report.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<code>PRELU</code> of <code>bent</code>" in page
    assert page.count('fill="#c62828"><title>PRELU of bent</title></rect>') == 1


def test_the_passes_stand_in_the_table(cut):
    assert "passes: split_hard_swish 2x, lower_hard_swish 2x" in str(cut[1])


def test_pictures_show_every_layer_in_its_order(cut, tmp_path):
    report = cut[1]
    assert [name for name in report.layers if name in ("conv0", "conv1", "bent", "last")] == [
        "conv0", "conv1", "bent", "last"
    ]  # fmt: skip
    report.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    pictures = re.findall(r'<svg class="along".*?</svg>', page, re.DOTALL)
    assert len(pictures) == 3  # parts, errors, sizes
    assert pictures[1].count("<circle") == len(report.layer_errors)
    assert pictures[2].count("<rect") == len(report.sizes_along)
    # Nothing is drawn outside of the picture.
    for picture in pictures:
        width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', picture).groups())
        assert all(-0.1 <= float(x) <= width for x in re.findall(r' c?x="([-\d.]+)"', picture))
        assert all(-0.1 <= float(y) <= height for y in re.findall(r' c?y="([-\d.]+)"', picture))


def test_a_file_from_elsewhere_tells_the_bytes_of_its_layers(cut):
    blob, report = cut
    assert export.prove(blob, runtimes="cpu").layer_sizes["bent"] == report.layer_sizes["bent"]


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        ("net_1/stem_act_1/Relu;net_1/stem_1/convolution", "stem_act"),
        ("net_1/norm_1/batchnorm/mul", "norm"),
        ("net_1/bent_1/bent_1/Relu", "bent"),
        ("net_1/inner_1/stem_1/convolution1", "inner/stem"),
        ("MobilenetV1/Conv2d_0/Relu6", "Conv2d_0"),
        ("StatefulPartitionedCall:01", "the output"),
        ("tfl.quantize", "tfl.quantize"),
    ],
)
def test_what_a_tensors_name_tells(tensor, told):
    assert place(tensor) == told


def test_on_a_phone_no_table_is_wider_than_the_screen(report, tmp_path):
    report.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert 'class="wide"' not in page
    # What a card has no head for is told in its cells.
    for label in ("SNR, dB", "ms", "max error", "operators", "parts"):
        assert f'data-label="{label}"' in page


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
