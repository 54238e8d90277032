"""The pages of the models: one of all with their counts, and one a family, which is a file in models/."""

import inspect
import io
import re
import textwrap

from block_pictures import block_picture
from matplotlib import rc_context
from matplotlib.figure import Figure
from pictures import BLUE, GREY, STYLE
from readme import ROOT, block

from keraslayers import models

HEADER = [
    "| name | options | input | parameters | multiply-adds | published top-1 | paper |",
    "|---|---|---|--:|--:|--:|---|",
]


def families():
    """By the name of its file the specs of a family, in the order of their years."""
    by_year = sorted(map(models.spec, models.names()), key=lambda spec: spec.year)
    modules = dict.fromkeys(inspect.getmodule(spec.builder) for spec in by_year)
    return {module.__name__.rpartition(".")[2]: list(module.SPECS) for module in modules}


def made():
    """Yields (path, text) of every page and picture."""
    yield "models/index.md", _index()
    yield "models/costs.svg", _costs()
    for family, specs in families().items():
        block, picture = block_picture(family, specs)
        yield f"models/{family}.svg", picture
        yield f"models/{family}.md", _page(family, specs, block)


def _index():
    lines = [
        "# Models",
        "",
        "Networks as their papers' tables say, a page a family. Every figure but the accuracy is asserted by a test,",
        "at the paper's input size; multiply-adds also against [`keraslayers.analyze`](../analysis.md). Accuracies are",
        "published ones, for weights that are not part of this library.",
        "",
        "![Multiply-adds and parameters of every network](costs.svg)",
        "",
        *HEADER,
    ]
    for family, specs in families().items():
        lines += _counts(specs, f"{family}.md")
    notes = (ROOT / "benchmarks" / "verdicts.md").read_text().split("<!-- /models -->\n")[1]
    lines += ["", "## Files and verdicts", "", *_verdicts(), "", notes.strip(), "", "## Functions", ""]
    for function in ("create", "names", "spec", "features", "replace_classifier"):
        lines += _documented(function, getattr(models, function), "###")
    return "\n".join(lines)


def _page(family, specs, block):
    title, _, about = inspect.getdoc(inspect.getmodule(specs[0].builder)).split("\n\n")[0].partition(": ")
    name, needed = specs[0].name, specs[0].references[0].options
    options = "".join(f", {option}={needed[option]!r}" for option in specs[0].needed)
    papers = dict.fromkeys(f"{spec.paper} ([{spec.year}]({spec.url}))" for spec in specs)
    lines = [
        f"# {title}",
        "",
        about[:1].upper() + about[1:] if about else title,
        "",
        *(f"{paper}." for paper in papers),
        "",
        "```python",
        "from keraslayers import models",
        "",
        f'model = models.create("{name}"{options})',
        "```",
        "",
        f"![{title}: {block or 'the network'}]({family}.svg)",
        "",
        f"`{block}` of `{name}`, drawn from the Keras model." if block else "The network, drawn from the Keras model.",
        "",
        *HEADER,
        *_counts(specs),
        "",
    ]
    verdicts = _verdicts([spec.name for spec in specs])
    if len(verdicts) > 2:
        lines += [
            "## Files and verdicts",
            "",
            *verdicts,
            "",
            "[What the columns are](index.md#files-and-verdicts).",
            "",
        ]
    lines += ["## Builders", ""]
    said = {}
    for spec in specs:
        who, builder = spec.builder.__name__, spec.builder
        rest = inspect.getdoc(builder).partition("\n\n")[2]
        if rest in said:  # one function makes several, with other defaults
            first = inspect.signature(said[rest]).parameters
            own = [
                f"`{name}={parameter.default!r}`"
                for name, parameter in inspect.signature(builder).parameters.items()
                if name != "name" and parameter.default != first[name].default
            ]
            summary = inspect.getdoc(builder).partition("\n\n")[0]
            others = f", with {', '.join(own)}" if own else ""
            lines += [f"### {who}", "", f"{summary} As `{said[rest].__name__}`{others}.", ""]
            continue
        said[rest] = builder
        lines += _documented(who, builder, "###")
    source = (ROOT / "models" / f"{family}.py").read_text().rstrip()
    return "\n".join([*lines, "## The code", "", f'```python title="models/{family}.py"', source, "```", ""])


def _counts(specs, page=""):
    lines = []
    for spec in specs:
        for reference in spec.references:
            # The input has a column of its own. Lines break between options, not within one.
            options = [f"`{key}={value!r}`" for key, value in reference.options.items() if key != "input_shape"]
            shape = reference.options.get("input_shape", spec.input_shape)
            cells = [
                f"[`{spec.name}`]({page}#{spec.builder.__name__.lower()})",
                ", ".join(options),
                "x".join("any" if size is None else str(size) for size in shape),
                f"{reference.trainable_parameters:,}",
                f"{reference.multiply_adds:,}" if reference.multiply_adds else "",
                f"{reference.top1:.1f}" if reference.top1 else "",
                f"[{spec.year}]({spec.url})",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _verdicts(names=None):
    """The table of files, all of it or the rows of some networks."""
    lines = [line for line in block("benchmarks/verdicts.md", "models").splitlines() if line.startswith("|")]
    # What is folded up there stands in a table of its own; here one is enough.
    head, rows = lines[:2], [line for line in lines[2:] if re.match(r"\| `", line)]
    return [*head, *(row for row in rows if names is None or re.match(r"\| `(\w+)`", row)[1] in names)]


def _costs():
    """Multiply-adds against parameters, what each builder makes by itself; a line joins a family."""
    with rc_context(STYLE):
        figure = Figure((9, 6), layout="constrained")
        axes = figure.add_subplot()
        for family, specs in families().items():
            shown = [spec.references[0] for spec in specs if spec.references[0].multiply_adds]
            points = sorted((one.trainable_parameters / 1e6, one.multiply_adds / 1e9) for one in shown)
            if points:
                axes.plot(*zip(*points, strict=True), "o-", color=BLUE, alpha=0.6, markersize=4, linewidth=0.2)
                axes.annotate(family, points[0], (4, 4), textcoords="offset points", fontsize=8, color=GREY)
        axes.set(xscale="log", yscale="log", xlim=(1, 1000), ylim=(0.03, 200))  # LeNet-5 lies below
        axes.set(xlabel="million parameters", ylabel="billion multiply-adds")
        axes.grid(alpha=0.3)
        page = io.StringIO()
        figure.savefig(page, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return page.getvalue()


def _documented(name, thing, level):
    """A function as it documents itself: some builders are made by other functions, where no parser finds them."""
    # Without hints: what an argument may be is said below in words.
    bare = [parameter.replace(annotation=parameter.empty) for parameter in inspect.signature(thing).parameters.values()]
    signature = textwrap.fill(f"{name}{inspect.Signature(bare)}", 100, subsequent_indent="    ")
    lines = [f"{level} {name}", "", "```text", signature, "```", ""]
    section = None
    for line in inspect.getdoc(thing).splitlines():
        if found := re.match(r"(Args|Returns|Raises):$", line):
            section = found[1]
            lines += ["", f"**{section}**", ""]
        elif section and re.match(r"    [\w*`, ]+: ", line):
            word, _, rest = line.strip().partition(": ")
            lines.append(f"- `{word}`: {rest}")
        elif section and line.startswith("    "):
            lines.append(f"  {line.strip()}" if section != "Returns" else line.strip())
        else:
            section = None if line else section
            lines.append(line)
    return [*lines, ""]
