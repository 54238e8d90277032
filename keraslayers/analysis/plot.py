"""An analysis as a picture: what each depth costs, and how far it sees."""

from collections import defaultdict
from pathlib import Path

ENDINGS = (".png", ".svg", ".pdf")


def draw(analysis, path):
    """Writes the picture; see `Analysis.plot`."""
    try:
        from matplotlib.figure import Figure  # not pyplot, which keeps figures for the whole process
    except ImportError as error:
        raise ImportError("`Analysis.plot` needs matplotlib: pip install 'keraslayers[report]'") from error
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"`Analysis.plot`: `path` must end in {', '.join(ENDINGS)}; got {str(path)!r}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`Analysis.plot`: `path`: there is no folder {str(path.parent)!r}; make it first.")
    costs, memory, fields = defaultdict(int), defaultdict(int), {}
    for row in analysis.layers:
        costs[row.depth] += row.multiply_adds or 0
        memory[row.depth] += row.memory or 0
        if row.receptive_field is not None:
            fields[row.depth] = max(fields.get(row.depth, 0), *row.receptive_field)
    figure = Figure((7, 7), layout="constrained")
    above, middle, below = figure.subplots(3, sharex=True)
    above.bar(costs.keys(), [count / 1e6 for count in costs.values()], color="#3b7dd8")
    above.set(ylabel="multiply-adds, millions", title=analysis.name)
    middle.bar(memory.keys(), [count / 1e6 for count in memory.values()], color="#3b9d78")
    middle.set(ylabel="memory access,\nmillions of elements")
    below.plot(fields.keys(), fields.values(), color="#c8553d", drawstyle="steps-post", marker=".")
    below.set(ylabel="receptive field, pixels", xlabel="depth: convolutions so far")
    below.xaxis.get_major_locator().set_params(integer=True)
    for axes in (above, middle, below):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    if analysis.unknown:
        figure.supxlabel(f"unknown, and not drawn: {', '.join(analysis.unknown)}", fontsize=8)
    figure.savefig(path)
