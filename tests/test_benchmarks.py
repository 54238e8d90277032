"""The page of benchmarks: each picture shows the numbers of its table. No benchmark is run."""

import json
import re

import pytest

from benchmarks import __main__ as command
from benchmarks import models as networks
from benchmarks import plots
from keraslayers import models


def words(svg):
    return re.findall(r"<text[^>]*>(.*?)</text>", svg)


def marks(svg):
    """Where points and ticks stand."""
    return [float(number) for place in re.findall(r'<use [^>]*x="(\S+)" y="(\S+)"', svg) for number in place]


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
    assert re.search(
        r"\n## A title\n\n`make bench-layers` on .*; tensorflow \S+, keras \S+, ai-edge-litert \S+, ", text
    )
    assert "\n\n![A title, drawn](plots/hard_activations.svg)\n\n| activation | in" in text
    assert text.endswith("| 4.00 |\n\nA note.\n\n<!-- /hard_activations -->\n\nMore.\n")
    read = plots.table("hard_activations", page)
    assert [row["ratio"] for row in read] == ["0.25", "4.00"]
    drawn = (tmp_path / "plots" / "hard_activations.svg").read_text()
    assert {"Steep for flat", "0.25", "4.00"} <= set(words(drawn))
    assert drawn == plots.draw("hard_activations", read)


def test_every_benchmark_of_speed_has_its_picture_on_the_page():
    names = {benchmark.__name__.rpartition(".")[2] for group in command.GROUPS.values() for benchmark in group}
    assert names - {"trained"} == set(plots.PLOTS)  # that one tells verdicts
    assert re.findall(r"\]\(plots/(\w+)\.svg\)", plots.PAGE.read_text()) == list(plots.PLOTS)
    assert set(re.findall(r"`make bench-(\w+)`", plots.PAGE.read_text())) == set(command.GROUPS)


@pytest.mark.parametrize("name", plots.PLOTS)
def test_the_picture_shows_the_table(name):
    """If not: `python -m benchmarks.plots`."""
    kept = (plots.PAGE.with_name("plots") / f"{name}.svg").read_text()
    drawn = plots.draw(name, plots.table(name))
    assert words(kept) == words(drawn)
    # In points: another version of matplotlib or of its fonts may shift what is drawn a little.
    assert marks(kept) == pytest.approx(marks(drawn), abs=3)


def test_a_refused_form_says_so_and_a_label_covers_no_other():
    row = {"precision": "int8", "written as": "five", "ratio to ours": "0.90", "gpu": "REJECTED"}
    assert "0.90, gpu: REJECTED" in words(plots.draw("channel_shuffle", [row]))
    point = {"network": "even", "file": "int8", "zipped": "1,000", "of the file": "97.0 %"}
    drawn = plots.draw("optimize", [point | {"trained as": "one"}, point | {"trained as": "other"}])
    anchors = {word: side for side, word in re.findall(r"text-anchor: (\w+);[^>]*>(one|other)<", drawn)}
    assert anchors == {"one": "start", "other": "end"}  # of the same point, to its right and to its left


def test_the_table_of_networks_has_a_row_for_each_and_for_variants():
    found = networks.rows(models)
    assert set(found) == {*models.names(), *networks.VARIANTS}
    assert found["shufflenet groups=8"][1].options == {"groups": 8}
    assert set(json.loads(networks.RESULTS.read_text())) <= set(found)
    row = {"bytes": 2**21, "cpu": {"verdict": "PROVEN", "partitions": 5}, "gpu": {"verdict": "WRONG", "partitions": 1}}
    lines = networks._table(found, {"nin version=cifar10": dict.fromkeys(networks.PRECISIONS, row)}).splitlines()
    assert len(lines) == 2 + len(found)
    verdicts = "2.0 MiB | PROVEN, 5 parts | WRONG"
    assert f"| `nin` | `version=cifar10` | 966,986 | 222 M | {verdicts} | {verdicts} |" in lines
    assert "| `lenet5` |  | 61,706 | 0.4 M |  | not run | not run |  | not run | not run |" in lines
