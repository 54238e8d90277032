"""The site: it builds without a warning, shows what is public, and fetches nothing."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keraslayers
from benchmarks.plots import PLOTS
from keraslayers import models
from keraslayers.export.runtimes import chromium
from tests.export_models import needs_browser
from tests.test_page import READY

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "docs"))
import block_pictures  # noqa: E402  of the site, whose folder is no package
import usage  # noqa: E402

LAYERS = [
    name
    for name in keraslayers.__all__
    if isinstance(thing := getattr(keraslayers, name), type) and issubclass(thing, keras.layers.Layer)
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as `make docs` builds it, in strict mode: a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def text_of(page):
    return re.sub(r"<[^>]+>", "", page.read_text())


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_has_its_place(site, name):
    module = getattr(keraslayers, name).__module__
    page = site / "layers" / f"{module.rpartition('.')[2]}.html"
    assert f'id="{module}.{name}"' in page.read_text()
    picture = site / "layers" / f"{name}.svg"
    assert "</svg>" in picture.read_text()
    assert re.search(r"Source:|Source</", text_of(page))
    # What it is comes before its arguments, and its name is a heading once.
    text = page.read_text()
    parts = [f'id="{name.lower()}"', f'src="{name}.svg"', 'class="formula"', ">gpu-fp16<", f">{name}</span>"]
    begin = text.index(parts[0])
    places = [text.index(part, begin) for part in parts]
    assert places == sorted(places)
    assert places[-1] < text.index(f'id="{module}.{name}"')
    assert len(re.findall(rf'<h\d id="[^"]*">{name}<', text)) == 1
    table = (site / "layers" / "index.html").read_text()
    row = next(row for row in table.split("</tr>") if f">{name}<" in row)
    assert name == "AuxiliaryOutput" or row.count("PROVEN") >= 2


def test_a_condition_of_verdicts_stands_on_the_page_of_the_layer(site):
    page = text_of(site / "layers" / "deformable.html")
    assert "stands there with max_offset, which" in " ".join(page.split())
    index, shown = (text.read_text() for text in (site / "layers" / "index.html", site / "layers" / "deformable.html"))
    rows = [row for row in index.split("</tr>") if "<td><a" in row and ">DeformableConv2D<" in row]
    assert ["with <code>max_offset</code>" in row for row in rows] == [True, False]
    assert re.search(r"<td>with <code>max_offset</code></td>\s*<td>PROVEN", shown)
    assert re.search(r"<td>without</td>\s*<td>float32 PROVEN, \d+ left out", shown)


@pytest.mark.parametrize("name", LAYERS)
def test_what_a_layer_is_is_said_once_on_its_page(site, name):
    module = getattr(keraslayers, name).__module__
    page = (site / "layers" / f"{module.rpartition('.')[2]}.html").read_text()
    before, below = page.split(f'id="{module}.{name}"')
    below = below.split("doc-function")[0].split('class="formula"')[0]  # what comes next may say the same of itself
    first = " ".join(getattr(keraslayers, name).__doc__.split("\n\n")[0].replace("`", "").split())[:30]
    told = [" ".join(html.unescape(re.sub(r"<[^>]+>", "", part)).split()) for part in (before, below)]
    assert first in told[0]
    assert first not in told[1]


def test_every_layer_shows_how_it_is_used():
    assert set(usage.USAGE) == set(LAYERS)


@pytest.mark.parametrize("name", usage.USAGE)
def test_the_lines_of_a_page_run(name):
    names = {"keras": keras, "keraslayers": keraslayers}
    exec(compile(usage.lines(name), name, "exec"), names)
    assert names["y"].shape == usage.USAGE[name][1]
    assert f"keraslayers.{name}(" in usage.lines(name)


def test_what_a_verdict_leaves_out_is_explained_beside_it(site):
    """On the pages of layers whose verdicts leave something out, and on no other."""
    left_out = {}
    for name in LAYERS:
        page = text_of(site / "layers" / f"{getattr(keraslayers, name).__module__.rpartition('.')[2]}.html")
        left_out[name] = bool(re.search(r"PROVEN, \d+ left out", page))
        assert ('"Left out" are operators' in page) == left_out[name], name
    assert set(left_out.values()) == {True, False}


def test_a_sentence_of_what_is_returned_stays_whole(site):
    for page in site.rglob("*.html"):
        for returned in re.findall(r"Returns:</span></p>\s*<ul>(.*?)</ul>", page.read_text(), re.DOTALL):
            assert returned.count("doc-section-item") == 1, f"{page.name}: {returned}"


def test_every_network_has_its_counts(site):
    page = text_of(site / "models" / "index.html")
    for name in models.names():
        spec = models.spec(name)
        of_family = text_of(site / "models" / f"{spec.builder.__module__.rpartition('.')[2]}.html")
        assert spec.builder.__name__ in of_family
        for reference in spec.references:
            assert f"{reference.trainable_parameters:,}" in page
            assert f"{reference.trainable_parameters:,}" in of_family


def test_every_family_has_the_picture_of_its_block(site):
    for family in {models.spec(name).builder.__module__.rpartition(".")[2] for name in models.names()}:
        assert f'src="{family}.svg"' in (site / "models" / f"{family}.html").read_text()
        assert "</svg>" in (site / "models" / f"{family}.svg").read_text()


def test_a_picture_of_a_block_joins_what_the_model_does():
    begin, operations = block_pictures.block_of("repvgg", [models.spec("repvgg_a0")])
    rows, edges = block_pictures.placed(operations)
    assert begin == "stage1_unit2"
    names = [{getattr(one, "name", one) for one in row if not isinstance(one, tuple)} for row in rows]
    assert names[0] == {"input"}
    assert names[1] == {"stage1_unit2", "stage1_unit2_scale", "stage1_unit2_skip_bn"}
    assert names[3:] == [{"stage1_unit2_add"}, {"stage1_unit2_act"}]
    # Three ways of three steps from the input to the sum, one of them with a bend, and on to the activation.
    assert len(edges) == 3 + 3 + 3 + 1
    assert sum(isinstance(one, tuple) for row in rows for one in row) == 1


def test_every_example_is_shown(site):
    page = text_of(site / "examples.html")
    for path in (ROOT / "examples").glob("*.*"):
        assert path.is_dir() or f"examples/{path.name}" in page


def test_tables_stand_where_pages_have_their_marks(site):
    assert "lower_up_sampling" in text_of(site / "quantization.html")
    assert "narrow_transpose" in text_of(site / "quantization.html")
    assert "60 dB" in text_of(site / "proof.html")
    assert "phone GPU" in text_of(site / "targets.html")


@needs_browser
def test_a_page_of_the_site_is_an_app(site):
    assert 'href="live/digits.html"' in (site / "targets.html").read_text()
    with chromium.Chromium() as tab:
        tab.open((site / "live" / "digits.html").as_uri())
        tab.evaluate(READY)
        assert tab.evaluate("document.querySelector('#proofs .verdict').textContent") == "PROVEN"
        assert tab.evaluate("document.querySelectorAll('dl dt').length") == 5


def test_the_benchmarks_are_shown_with_their_pictures(site):
    page = (site / "benchmarks.html").read_text()
    pictures = re.findall(r'src="(plots/[^"]+)"', page)
    assert [Path(picture).stem for picture in pictures] == list(PLOTS)
    for picture in pictures:
        assert "</svg>" in (site / picture).read_text()


def test_no_formula_became_emphasis(site):
    """Stars between letters are italics in Markdown: formulas of docstrings stand in backticks."""
    for page in site.rglob("*.html"):
        assert re.findall(r"[\w()]<(?:em|strong)>|</(?:em|strong)>\w", page.read_text()) == [], page.name


def test_search_needs_no_server(site):
    """From a folder no page may load the index or start a worker: both come as scripts."""
    assert (site / "search" / "search_index.js").read_text().startswith("var __index = ")
    assert '<script src="../iframe-worker.js">' in (site / "layers" / "deformable.html").read_text()
    assert "window.Worker" in (site / "iframe-worker.js").read_text()


def test_the_front_page_shows_what_was_measured(site):
    page = (site / "index.html").read_text()
    assert 'src="plots/silent.svg"' in page
    assert re.search(r"<td>stock</td>\s*<td>gpu</td>\s*<td>[^<]*</td>\s*<td>WRONG</td>", page)
    assert "accuracy in Keras" in page


def test_no_page_fetches_anything(site):
    for page in site.rglob("*.html"):
        fetched = re.findall(r"<(?:script|img|iframe)[^>]+src=\"?(https?:[^\" >]+)", page.read_text())
        fetched += re.findall(
            r"<link[^>]+rel=\"?(?:stylesheet|preconnect)[^>]+href=\"?(https?:[^\" >]+)", page.read_text()
        )
        assert fetched == [], page.name
