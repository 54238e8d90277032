"""The pages that are made of what the code says of itself: layers, models, examples; and that of benchmarks."""

import ast
import inspect
import json
import re

import live
import model_pages
import pictures
import usage
from readme import ROOT, block

import keraslayers
from keraslayers import export, models
from keraslayers.export.passes import PASSES
from keraslayers.export.proof.match import EQUAL, FACTORS, LIMITS, PART
from keraslayers.export.rewrites import REWRITES

LAYERS = {
    name: thing
    for name in keraslayers.__all__
    if inspect.isclass(thing := getattr(keraslayers, name)) and name in pictures.PICTURES
}


def made():
    """Yields (path, text) of every page and picture."""
    for name in LAYERS:
        yield f"layers/{name}.svg", pictures.draw(name)
    yield "layers/index.md", _layers()
    for module, names in modules().items():
        yield f"layers/{module}.md", _layer_page(module, names)
    yield from model_pages.made()
    yield "examples.md", _examples()
    yield "benchmarks.md", _benchmarks()
    for path in sorted((ROOT / "benchmarks" / "plots").glob("*.svg")):
        yield f"plots/{path.name}", path.read_text()
    yield "pictures/mobilenet_v2.svg", _plot("mobilenet_v2")
    yield "targets-table.md", _targets()
    yield "traps-table.md", _traps()
    yield "rewrites-table.md", _rewrites()
    yield "limits-table.md", _limits()
    yield "trained-table.md", _trained()
    yield "demo-block-table.md", block("benchmarks/verdicts.md", "demo")
    words, app = live.made()
    yield "live-table.md", words
    if app:
        yield "live/digits.html", app
    silent = block("benchmarks/README.md", "silent").splitlines()
    yield "silent-files-table.md", "\n".join(line for line in silent if line.startswith("|"))


def _benchmarks():
    text = (ROOT / "benchmarks" / "README.md").read_text()
    text = text.replace("stand in [verdicts.md](verdicts.md)", "stand elsewhere")
    for words, page in (
        ("verdicts of every layer", "layers/index.md"),
        ("verdicts of every network", "models/index.md#files-and-verdicts"),
        ("`make demo`", "index.md#results"),
    ):
        text = text.replace(words, f"[{words}]({page})", 1)
    text = re.sub(r"\(\.\./examples/(\w+)\.py\)", r"(examples.md#\1py)", text)
    # Without the list of headings beside it, there is room for the widest table.
    return f"---\nhide: [toc]\n---\n\n{text}"


def modules():
    """Public names of layers, and of the functions beside them, by the file they are in."""
    found = {}
    for name in LAYERS:
        found.setdefault(LAYERS[name].__module__.rpartition(".")[2], []).append(name)
    for name in keraslayers.__all__:
        thing = getattr(keraslayers, name)
        module = thing.__module__.rpartition(".")[2]
        if module in found and name not in LAYERS:
            found[module].append(name)
    return found


def _summary(thing):
    return " ".join(inspect.getdoc(thing).split("\n\n")[0].split())


def _verdicts():
    """The table of layers: its columns, by layer a list of (the condition, its verdicts), and the notes."""
    section = (ROOT / "benchmarks" / "verdicts.md").read_text().split("## Layers\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    columns = range(header.index("paper") + 1, len(header))
    verdicts = {name: [] for name in LAYERS}
    for row in rows:
        for name, condition in re.findall(r"`(\w+)`((?: with `\w+`)?)", row[0]):
            if name in LAYERS:
                verdicts[name].append((condition.strip(), [row[number] for number in columns]))
    notes = [part for part in section.split("\n\n") if part.startswith("Each verdict")]
    return [header[number] for number in columns], verdicts, "".join(notes)


def _layers():
    header, rows, notes = _verdicts()
    files = {name: module for module, names in modules().items() for name in names}
    lines = [
        "# Layers",
        "",
        "Plain Keras 3 layers: `model.fit`, saving, mixed precision, every backend. The verdicts are of each layer in",
        "a small network, in float32 and in int8; `make table-layers` finds them, and counts what is left out.",
        "",
        f"| layer | what it is | {' | '.join(header)} |",
        "|---|---|" + "---|" * len(header),
    ]
    for name in sorted(LAYERS):
        for condition, cells in rows[name]:
            link = f"[`{name}`]({files[name]}.md#{name.lower()}) {condition}".strip()
            lines.append(f"| {link} | {_summary(LAYERS[name])} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", notes, ""])


def _anchor(name):
    return f"keraslayers.{getattr(keraslayers, name).__module__.rpartition('.')[2]}.{name}"


def _layer_page(module, names):
    """What a layer is, how it looks, what is proven of it and how it is used, and only then every argument."""
    layers = [name for name in names if name in LAYERS]
    lines = [f"# {', '.join(layers)}", ""]
    # A page of one layer has its name once; of several, each stands below its own.
    level = 2 if len(layers) == 1 else 3
    for name in names:
        if name not in LAYERS:
            lines += [f"::: {_anchor(name)}", ""]
            continue
        if level == 3:
            lines += [f"## {name}", ""]
        lines += [f"{_summary(LAYERS[name])}.".replace("..", "."), ""]
        lines += [f"![{name}: {_summary(LAYERS[name])}]({name}.svg)", ""]
        lines += [f'<p class="formula">{pictures.PICTURES[name][0]}</p>', ""]
        lines += [*_verdicts_of(name), "", "```python", usage.lines(name), "```", ""]
        options = ["    options:", f"      heading_level: {level}", f'      heading: "{name}: arguments"']
        lines += [f"::: {_anchor(name)}", *options, f"      toc_label: {'Arguments' if level == 2 else name}", ""]
    return "\n".join(lines)


def _verdicts_of(name):
    header, rows, notes = _verdicts()
    several = len(rows[name]) > 1
    header = [name, *header] if several else header
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for condition, cells in rows[name]:
        cells = [condition or "without", *cells] if several else cells
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    if several:
        lines += [re.search(rf"`{name}` stands there[^.]*\.", notes)[0], ""]
    if any("left out" in cell for _, cells in rows[name] for cell in cells):
        lines += [re.search(r'"Left out"[^.]*\.', notes)[0], ""]
    return lines


def _examples():
    lines = ["# Examples", "", "Each of these runs in a test, with small settings.", ""]
    for path in sorted(path for path in (ROOT / "examples").glob("*.*") if path.is_file()):
        about, source = _notebook(path) if path.suffix == ".ipynb" else _program(path)
        lines += [f"## {path.name}", "", about, "", f'```python title="examples/{path.name}"', source, "```", ""]
    return "\n".join(lines)


def _program(path):
    """(What it says of itself, its code)."""
    source = path.read_text()
    return ast.get_docstring(ast.parse(source)).split("\n\n")[0], source.rstrip()


def _notebook(path):
    """The same of a notebook: what stands below its title, and the code of all cells."""
    title, *cells = json.loads(path.read_text())["cells"]
    code = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return "".join(title["source"]).partition("\n\n")[2], "\n\n".join(code)


def _targets():
    lines = ["| target | proven on | what it is | limits |", "|---|---|---|---|"]
    for target in export.TARGETS.values():
        lines.append(
            f'| `"{target.name}"` | {", ".join(target.runtimes)} | {target.description} | {"; ".join(target.limits)} |'
        )
    lines += ["", "| precision | " + " | ".join(f"passes for {name}" for name in export.TARGETS) + " |"]
    lines += ["|---|" + "---|" * len(export.TARGETS)]
    for precision in export.PRECISIONS:
        passes = [", ".join(f"`{name}`" for name in t.passes(precision)) for t in export.TARGETS.values()]
        lines.append(f'| `"{precision}"` | {" | ".join(passes)} |')
    return "\n".join(lines) + "\n"


def _plot(name):
    path = ROOT / "build" / f"{name}.svg"
    path.parent.mkdir(exist_ok=True)
    keraslayers.analyze(models.create(name)).plot(path)
    return path.read_text()


def _traps():
    """What a test asserts of every pass: what becomes of a file without it."""
    from tests.test_pass_exports import MENDED

    lines = ["| rewrite | what it does | without it | precisions |", "|---|---|---|---|"]
    fates = {}
    for name, _, precisions, fate, _ in MENDED:
        fates.setdefault((name, fate), set()).update(precisions)
    for (name, fate), precisions in fates.items():
        function, _ = {**PASSES, **REWRITES}[name]
        lines.append(f"| `{name}` | {_summary(function)} | {fate} | {', '.join(sorted(precisions))} |")
    return "\n".join(lines) + "\n"


def _rewrites():
    """What a test asserts of every rewrite: what a file that it is for is without it."""
    from tests.rewrite_cases import CASES

    lines = ["| rewrite | what it does | without it | on |", "|---|---|---|---|"]
    for name, (function, _) in REWRITES.items():
        rows = [case for case in CASES if case.rewrite == name and not case.stays]
        fates = [fate for fate in ("WRONG", "REJECTED") if any(case.without == fate for case in rows)]
        on = ", ".join(sorted({case.runtime for case in rows}))
        lines.append(f"| `{name}` | {_summary(function)} | {', '.join(fates) or 'slower'} | {on} |")
    return "\n".join(lines) + "\n"


def _trained():
    """What right files of trained networks give, of the page of benchmarks."""
    measured = block("benchmarks/README.md", "limits").splitlines()
    return "\n".join(line for line in measured if line.startswith("|"))


def _limits():
    lines = [
        "| precision | the whole | a part | largest error of the spread | a factor of its own | ids and masks |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for precision, (decibels, largest) in LIMITS.items():
        error = "" if largest is None else f"{largest:g}"
        factor = f"{FACTORS[precision]:g}" if FACTORS[precision] < 1 else ""
        lines.append(
            f'| `"{precision}"` | {decibels:.0f} dB | {decibels - PART:.0f} dB | {error} | {factor} | '
            f"{EQUAL[precision]:.0%} |"
        )
    return "\n".join(lines) + "\n"
