"""Pictures for the reports, as SVG text that stands in the page itself."""

import io
import re


def _figure(width, height):
    try:
        from matplotlib.figure import Figure  # not pyplot, which keeps figures for the whole process
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'keraslayers[report]'") from error
    figure = Figure((width, height), layout="constrained")
    return figure


def _svg(figure, description):
    page = io.StringIO()
    figure.savefig(page, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = page.getvalue()[page.getvalue().index("<svg") :]
    # Without a size of its own it becomes as wide as the page lets it, on a phone too.
    sizes = re.compile(r'width="[^"]*pt" height="[^"]*pt"')
    return re.sub(r'height="[^"]*pt" ', "", sizes.sub("", text, 1), count=1).replace(
        "<svg ", f'<svg role="img" aria-label="{description}" ', 1
    )


def curves(training, validation):
    """Accuracy by epoch."""
    figure = _figure(5, 3)
    axes = figure.add_subplot()
    epochs = range(1, len(training) + 1)
    axes.plot(epochs, training, ".-", label="training, in passing")
    axes.plot(epochs, validation, ".-", label="test images")
    axes.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    return _svg(figure, "accuracy by epoch")


def confusion(counts):
    """Which class was taken for which: counts of (true, found)."""
    figure = _figure(4.4, 4)
    axes = figure.add_subplot()
    axes.imshow(counts, cmap="Blues")
    for true, row in enumerate(counts):
        for found, count in enumerate(row):
            if count:
                colour = "white" if count > counts.max() / 2 else "black"
                axes.text(found, true, count, ha="center", va="center", color=colour, fontsize=8)
    axes.set(xlabel="found", ylabel="true", xticks=range(len(counts)), yticks=range(len(counts)))
    return _svg(figure, "confusion matrix")


def bars(labels, values, axis):
    """One bar a label, its value beside it."""
    figure = _figure(5, 0.35 * len(labels) + 0.8)
    axes = figure.add_subplot()
    axes.bar_label(axes.barh(labels, values, color="#3b7dd8"), fmt="%.1f", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(xlabel=axis)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure, axis)


def images(pixels, true, found):
    """Images in a grid, what was found below each, in red where it is not what is there."""
    figure = _figure(6, 1.5 * -(-len(pixels) // 10))
    for i, image in enumerate(pixels):
        axes = figure.add_subplot(-(-len(pixels) // 10), 10, i + 1)
        axes.imshow(image.squeeze(-1), cmap="gray_r")
        axes.set_axis_off()
        axes.set_title(str(found[i]), fontsize=9, color="black" if found[i] == true[i] else "red")
    return _svg(figure, "test images and the digits found")
