"""Draws the tables of `benchmarks/README.md` from the page, without running anything: `python -m benchmarks.plots`."""

import io
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

PAGE = Path(__file__).with_name("README.md")
WIDTH = 4.8  # inches: not much wider than a phone's screen, on which the words are to be read, too
BLUE, RED, GREY = "#3b7dd8", "#c8553d", "#888888"
STYLE = {
    # Readable on a light page and on a dark one.
    "text.color": GREY, "axes.labelcolor": GREY, "axes.edgecolor": GREY, "axes.titlecolor": GREY,
    "xtick.color": GREY, "ytick.color": GREY, "font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left",
    # The same bytes every time, with words that can be searched.
    "svg.hashsalt": "keraslayers", "svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans"],
}  # fmt: skip


def table(name, page=PAGE):
    """The rows of a block's table, each a dict by column."""
    block = page.read_text().split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]
    lines = [line[1:-1] for line in block.splitlines() if line.startswith("|")]
    columns, _, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [dict(zip(columns, row, strict=True)) for row in rows]


def draw(name, rows):
    """The picture of a block's table, as the text of an SVG."""
    with rc_context(STYLE):
        figure = Figure(layout="constrained")
        PLOTS[name](figure, rows)
        page = io.StringIO()
        figure.savefig(page, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"


def write(name, page=PAGE):
    """Draws a block's table into the file that the page shows above it."""
    folder = page.with_name("plots")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.svg").write_text(draw(name, table(name, page)))


def _silent(figure, rows):
    figure.set_size_inches(WIDTH, 2.6)
    axes = figure.subplots()
    for place, row in enumerate(rows):
        held = row["verdict"] == "PROVEN"
        right = row["right of 397 digits"]
        axes.barh(place, float(right or 0), height=0.55, color=BLUE if held else RED)
        words = f"{row['operators taken']} operators taken, no error: {row['verdict']}"
        axes.annotate(words, (0, place - 0.28), (0, 2), textcoords="offset points", va="bottom", fontsize=8)
        axes.annotate(right, (float(right or 0), place), (4, 0), textcoords="offset points", va="center")
    axes.axvline(float(rows[0]["in Keras"]), color=GREY, linewidth=1, linestyle="--")
    labels = [f"{row['file']}, {row['runtime']}" for row in rows]
    axes.set(title="Right of 397 digits; dashed: in Keras", xlim=(0, 397), yticks=range(len(rows)), yticklabels=labels)
    axes.set_ylim(len(rows) - 0.6, -0.7)
    axes.spines[["top", "right"]].set_visible(False)


def _deformable(figure, rows):
    titles = {
        "forward": "Time of a call over Conv2D's",
        "training": "Training time over Conv2D's",
        "memory": "Memory over the first batch's",
    }
    panels = {}
    for row in rows:
        kind, _, what = row["what"].partition(", ")
        label = f"{what}, {row['shape']}" if what else kind
        title = titles.get(kind, f"Time of the file over {row['to']}")
        panels.setdefault(title, []).append((label, row["ratio"], row["gpu"]))
    _ratios(figure, panels)


def _dynamic(figure, rows):
    panels = {}
    for row in rows:
        bar = f"{row['what']}, {row['kernel']}", row["ratio to Conv2D"], row["gpu"]
        panels.setdefault("Time over Conv2D's", []).append(bar)
    _ratios(figure, panels)


def _channel_shuffle(figure, rows):
    panels = {}
    for row in rows:
        for where, column in (("alone", "copies"), ("in a network", "copies there")):
            bar = f"{row['written as']}, {where}", row[column], row["gpu"]
            panels.setdefault(f"Time over a copy's, {row['precision']}", []).append(bar)
    _ratios(figure, panels)


def _hard_activations(figure, rows):
    panels = {}
    for row in rows:
        bar = f"{row['activation']} for {row['in place of']}", row["ratio"], ""
        panels.setdefault(f"Time over the smooth one's, {row['precision']}", []).append(bar)
    _ratios(figure, panels)


def _stock(figure, rows):
    panels = {}
    for precision in ("int8", "float16", "float32"):
        panels[f"Time over stock's, {precision}"] = [
            (row["network"], row["of stock's"], row["gpu, stock"].split(",")[0])
            for row in rows
            if row["precision"] == precision and "keras export" not in row["network"]
        ]
    _ratios(figure, panels)


def _whole_export(figure, rows):
    bars = {"Time over stock's": "of stock's", "Memory over stock's": "memory of stock's"}
    _ratios(figure, {title: [(row["network"].strip("`"), row[of], "") for row in rows] for title, of in bars.items()})


def _ratios(figure, panels):
    """One under the other horizontal bars, by title (label, ratio, verdict of the GPU or ""), and a line at 1."""
    figure.set_size_inches(WIDTH, sum(0.25 * len(bars) + 0.6 for bars in panels.values()))
    heights = [len(bars) + 1 for bars in panels.values()]
    parts = figure.subplots(len(panels), height_ratios=heights, squeeze=False)[:, 0]
    for axes, (title, bars) in zip(parts, panels.items(), strict=True):
        labels, ratios, verdicts = zip(*bars, strict=True)
        end = 1.15 * max(1, *map(float, ratios))
        for place, (ratio, verdict) in enumerate(zip(ratios, verdicts, strict=True)):
            length, refused = float(ratio), verdict in ("REJECTED", "WRONG")
            axes.barh(place, length, color=RED if refused else BLUE)
            # Where the line would go through it, the number stands behind the line.
            x = 1 if 1 - 0.12 * end < length < 1 else length
            words = f"{ratio}, gpu: {verdict}" if refused else ratio
            axes.annotate(words, (x, place), (3, 0), textcoords="offset points", va="center", annotation_clip=False)
        axes.axvline(1, color=GREY, linewidth=1, linestyle="--")
        axes.set(title=title, yticks=range(len(bars)), yticklabels=labels, xlim=(0, end))
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)


def _optimize(figure, rows):
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure.set_size_inches(WIDTH, 3 * len(networks))
    parts = figure.subplots(len(networks), sharex=True, squeeze=False)[:, 0]
    points = {axes: [] for axes in parts}
    for row in rows:
        axes = parts[networks.index(row["network"])]
        size, accuracy = float(row["zipped"].replace(",", "")) / 1000, float(row["of the file"].rstrip(" %"))
        axes.plot(size, accuracy, "o", color=BLUE if row["file"] == "int8" else RED)
        points[axes].append((row["trained as"], size, accuracy))
    for axes, network in zip(parts, networks, strict=True):
        axes.set(title=f"{network}: int8 files blue, float32 red", ylabel="accuracy of the file, %")
        axes.margins(0.15, 0.2)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    parts[-1].set(xlabel="kB, zipped", xlim=(0, None))
    figure.draw_without_rendering()  # from here on it is known where the points are
    for axes in parts:
        _name(axes, points[axes])


def _peers(figure, rows):
    """How near each file is to Keras, and how long it takes of ours."""
    best = ("litert-quantizer, its best", ("min-max", "MSE", "OCTAV"), "of litert-quantizer's", RED)
    _beside(figure, rows, "Keras", [best, ("stock", ("stock",), "of stock's", GREY)], (0.25, 0.5, 1))


def _torch_peers(figure, rows):
    """The same of networks that are PyTorch's, by the tools for those."""
    others = [(tool, (tool,), f"of {tool}'s", color) for tool, color in (("litert-torch", RED), ("onnx2tf", GREY))]
    _beside(figure, rows, "PyTorch", others, (0.25, 0.5, 1))


def _beside(figure, rows, truth, others, ticks):
    """Decibels of our files and others', and our time of theirs.

    Args:
        figure: to draw on.
        rows: of the table.
        truth: what the decibels are against.
        others: (name, its columns of decibels, of which the best counts, its column of time, a color) each.
        ticks: of the times.
    """
    figure.set_size_inches(WIDTH, 0.8 + 0.24 * len(rows))
    axes, times = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, row in enumerate(rows):
        for name, decibels, ratio, color in others:
            if told := [float(row[column]) for column in decibels if row[column] != "-"]:
                axes.plot(max(told), place, "o", color=color, markersize=4, label=name if place == 0 else None)
            if row[ratio] != "-":
                times.plot(float(row[ratio]), place, "o", color=color, markersize=4)
        axes.plot(float(row["dB"]), place, "o", color=BLUE, markersize=5, label="ours" if place == 0 else None)
    labels = [row["network"].strip("`") for row in rows]
    axes.set(title=f"dB against {truth}", yticks=range(len(rows)), yticklabels=labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    times.set(title="Our time of theirs", xscale="log", xticks=ticks, xticklabels=[f"{tick:g}" for tick in ticks])
    times.minorticks_off()
    times.axvline(1, color=GREY, linewidth=1, linestyle="--")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    for each in (axes, times):
        each.spines[["top", "right"]].set_visible(False)
        each.grid(axis="y", color=GREY, alpha=0.2)


def _name(axes, points):
    """Writes a label beside each (label, x, y), on the first side where it covers nothing."""
    places = axes.transData.transform([point[1:] for point in points])
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in places]
    for label, *place in points:
        for align, offset in (("left", (6, 0)), ("right", (-6, 0)), ("center", (0, 9)), ("center", (0, -9))):
            words = axes.annotate(label, place, offset, textcoords="offset points", ha=align, va="center")
            words.set_in_layout(False)
            box = words.get_window_extent()
            free = not any(box.overlaps(other) for other in taken)
            if free or offset == (0, -9):  # the last one, for want of a better
                break
            words.remove()
        taken.append(box)


def _floors(figure, rows):
    """What each network takes, and the least that it can."""
    rows = [row for row in rows if row["ms"]]  # the last is of all
    figure.set_size_inches(WIDTH, 0.8 + 0.3 * len(rows))
    axes = figure.subplots()
    for place, row in enumerate(rows):
        floor, took = float(row["floor, ms"]), float(row["ms"])
        axes.plot((floor, took), (place, place), color=GREY, linewidth=1, zorder=1)
        axes.plot(floor, place, "o", color=GREY, label="floor" if place == 0 else None)
        axes.plot(took, place, "o", color=BLUE, label="the file" if place == 0 else None)
        axes.annotate(f"{row['times']}x", (took, place), (6, 0), textcoords="offset points", va="center", fontsize=8)
    labels = [row["network"].strip("`") for row in rows]
    axes.set(title="Milliseconds", xscale="log", yticks=range(len(rows)), yticklabels=labels)
    axes.margins(x=0.15)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)


# By the name of the block.
PLOTS = {
    "silent": _silent,
    "deformable": _deformable,
    "dynamic": _dynamic,
    "channel_shuffle": _channel_shuffle,
    "hard_activations": _hard_activations,
    "stock": _stock,
    "whole_export": _whole_export,
    "optimize": _optimize,
    "peers": _peers,
    "torch_peers": _torch_peers,
    "floors": _floors,
}

if __name__ == "__main__":
    for each in PLOTS:
        write(each)
