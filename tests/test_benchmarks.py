"""The page of benchmarks: each picture shows the numbers of its table. No benchmark is run."""

import json
import re

import pytest

from benchmarks import __main__ as command
from benchmarks import models as networks
from benchmarks import plots, tasks, verdicts
from keraslayers import models


def words(svg):
    return re.findall(r"<text[^>]*>(.*?)</text>", svg)


def marks(svg):
    """Where points and ticks stand."""
    return [float(number) for place in re.findall(r'<use [^>]*x="(\S+)" y="(\S+)"', svg) for number in place]


@pytest.mark.parametrize(
    ("source", "paper"),
    [
        ("Zhang et al. 2017, arXiv:1707.01083, section 3.1.", "Zhang et al. 2017, arXiv:1707.01083"),
        ('Krizhevsky 2010, "Deep Belief"; Sandler et al. 2018, arXiv:1801.04381.', "Krizhevsky 2010"),
        (
            'Innamorati et al. 2020, "On the Edge; or not", doi:10.1007/s1, section 1.',
            "Innamorati et al. 2020, doi:10.1007/s1",
        ),
        ('Gonzalez and Woods 2008, "Digital Image Processing", 3rd edition.', "Gonzalez and Woods 2008"),
    ],
)
def test_the_paper_of_a_layer_goes_with_its_own_number(source, paper):
    assert verdicts.paper(type("Layer", (), {"__doc__": f"What it is.\n\n    Source: {source}\n    "})) == paper


class MadeUp:
    """A benchmark that measures nothing."""

    __name__ = "benchmarks.hard_activations"
    TITLE, NOTE = "A title", "A note."
    COLUMNS = ("activation", "in place of", "precision", "ms", "ratio")

    def rows(self):
        yield "Steep", "flat", "float32", "2.000", "0.25"
        yield "Steep", "flat", "int8", "1.000", "4.00"


def test_a_benchmark_is_written_and_drawn(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text("# A page\n\n<!-- hard_activations -->\n<!-- /hard_activations -->\n\nMore.\n")
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "GROUPS", {"layers": (MadeUp(),)})
    command.main([])
    text = page.read_text()
    machine = r"\d+ cores of .+, (a|no) GPU, Python 3\.\d+\.\d+"
    tools = r"tensorflow \S+, keras \S+, ai-edge-litert \S+, "
    assert re.search(rf"\n## A title\n\n`make bench-layers` on {machine}; {tools}", text)
    assert "\n\n![A title, drawn](plots/hard_activations.svg)\n\n| activation | in" in text
    assert text.endswith("| 4.00 |\n\nA note.\n\n<!-- /hard_activations -->\n\nMore.\n")
    read = plots.table("hard_activations", page)
    assert [row["ratio"] for row in read] == ["0.25", "4.00"]
    drawn = (tmp_path / "plots" / "hard_activations.svg").read_text()
    assert {"Steep for flat", "0.25", "4.00"} <= set(words(drawn))
    assert drawn == plots.draw("hard_activations", read)


def test_the_guide_tells_what_the_silent_file_does():
    rows = {(row["file"], row["runtime"]): row for row in plots.table("silent")}
    assert [row["verdict"] for row in rows.values()] == ["PROVEN", "WRONG", "PROVEN", "PROVEN"]
    wrong = rows["stock", "gpu"]
    guide = " ".join((plots.PAGE.parent.parent / "docs" / "quantization.md").read_text().split())
    assert f"[{wrong['right of 397 digits']} of 397 digits]" in guide
    assert f"are right where {wrong['in Keras']} should be" in guide


def test_the_front_page_tells_what_the_table_of_exports_says():
    rows = {
        (row["network"], row["precision"]): row for row in plots.table("stock") if "keras export" not in row["network"]
    }
    large = rows["mobilenet_v3_large", "int8"]
    ours, theirs = large["pieces, stock"].split(", ")
    page = " ".join((plots.PAGE.parent.parent / "README.md").read_text().split())
    ratio = large["of stock's"]
    told = f"MobileNetV3-Large takes {ratio} of the time of the stock converter's file on the CPU, in {ours} piece"
    assert f"{told} where that falls into {theirs}; of nine networks in three precisions none is slower" in page
    assert len(rows) == 9 * 3
    assert max(float(row["of stock's"]) for row in rows.values()) <= 1.03
    assert {row["gpu, stock"].split(", ")[0] for row in rows.values()} == {"PROVEN"}


def test_every_benchmark_of_speed_has_its_picture_on_the_page():
    names = {benchmark.__name__.rpartition(".")[2] for group in command.GROUPS.values() for benchmark in group}
    of_verdicts = {"trained", "limits", "float16", "integers", "transformers", "drivers", "arm64"}
    assert names - of_verdicts | {"peers", "torch_peers"} == set(plots.PLOTS)
    assert re.findall(r"\]\(plots/(\w+)\.svg\)", plots.PAGE.read_text()) == list(plots.PLOTS)
    others = {"models", "foreign", "peers", "torch", "deformable", *(["tasks"] if tasks.FOUND.exists() else [])}
    assert set(re.findall(r"`make bench-(\w+)`", plots.PAGE.read_text())) == {*command.GROUPS, *others}


@pytest.mark.parametrize("name", plots.PLOTS)
def test_the_picture_shows_the_table(name):
    """If not: `python -m benchmarks.plots`."""
    kept = (plots.PAGE.with_name("plots") / f"{name}.svg").read_text()
    drawn = plots.draw(name, plots.table(name))
    assert words(kept) == words(drawn)
    # In points: another version of matplotlib or of its fonts may shift what is drawn a little.
    assert marks(kept) == pytest.approx(marks(drawn), abs=3)


def test_a_refused_form_says_so_and_a_label_covers_no_other():
    row = {"precision": "int8", "written as": "five", "copies": "3.1", "copies there": "0.9", "gpu": "REJECTED"}
    assert "0.9, gpu: REJECTED" in words(plots.draw("channel_shuffle", [row]))
    point = {"network": "even", "file": "int8", "zipped": "1,000", "of the file": "97.0 %"}
    drawn = plots.draw("optimize", [point | {"trained as": "one"}, point | {"trained as": "other"}])
    anchors = {word: side for side, word in re.findall(r"text-anchor: (\w+);[^>]*>(one|other)<", drawn)}
    assert anchors == {"one": "start", "other": "end"}  # of the same point, to its right and to its left


def test_the_table_of_networks_has_a_row_for_each_and_for_variants():
    found = networks.rows(models)
    assert set(found) == {*models.names(), *networks.VARIANTS}
    assert found["shufflenet groups=8"][1].options == {"groups": 8}
    assert set(json.loads(networks.RESULTS.read_text())) <= set(found)
    wrong = {"verdict": "WRONG", "partitions": 1, "reason": "it is off"}
    row = {"bytes": 2**21, "cpu": {"verdict": "PROVEN", "partitions": 5}, "gpu": wrong}
    proven = {"verdict": "PROVEN", "partitions": 1}
    small = {"bytes": 2**21, **dict.fromkeys(networks.COLUMNS[networks.SMALL], proven)}
    parts = {**dict.fromkeys(networks.PRECISIONS, row), networks.SMALL: small}
    lines = networks._table(found, {"nin version=cifar10": parts}).splitlines()
    assert sum(line.startswith("|") for line in lines) == 2 + len(found)
    told = f"{len(found)} networks in float32 and int8, on cpu and gpu, in 32 bits and in 16, and in web pages"
    assert f"<summary>{told}: 5 of 7 verdicts are PROVEN</summary>" in lines
    assert (lines[0], lines[-1]) == ("<details>", "</details>")
    assert "`nin version=cifar10` in int8 on gpu: it is off." in lines
    verdicts = "2.0 MiB | PROVEN, 5 parts | WRONG"
    assert (
        f"| `nin` | `version=cifar10` | 966,986 | 222 M | {verdicts} | PROVEN | PROVEN | PROVEN | {verdicts} |" in lines
    )
    none = " | ".join(["not run"] * 5)
    assert f"| `lenet5` |  | 61,706 | 0.4 M |  | {none} |  | not run | not run |" in lines
