"""Pictures of a report, as SVG text that stands in the page itself; lines and boxes alone."""

from html import escape

WIDTH, HIGH = 360, 90
BLUE, RED, GREY = "#3b7dd8", "#c62828", "#57606a"
# By what a file takes.
UNITS = {"size": "bytes", "latency_ms": "ms"}
# Of so many layers the names stand in the picture of errors.
NAMED = 3


def svg(height, description, parts):
    """Parts as a picture that is as wide as the page lets it."""
    return (
        f'<svg class="along" role="img" aria-label="{escape(description)}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="10">{"".join(parts)}</svg>'
    )


def box(x, y, width, height, colour, title):
    """A box that says something where it is pointed at."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}">'
        f"<title>{escape(title)}</title></rect>"
    )


def words(x, y, text, anchor="start", colour=GREY):
    """A line of words."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def parts_of(proof):
    """Where along the network a runtime's accelerator computes, and where it leaves the graph to built-in kernels."""
    wide = WIDTH / proof.operators
    parts = [box(0, 0, WIDTH, 16, BLUE, f"{proof.delegated} operators on the accelerator")]
    for place, operator, layer in proof.left_at:
        # Of a thousand operators one would be too thin to see.
        parts.append(box(place * wide, 0, max(wide, 1.5), 16, RED, f"{operator} of {layer}"))
    parts += [words(0, 28, "first operator"), words(WIDTH, 28, "last", "end")]
    return svg(32, f"{proof.runtime}: where the accelerator computes", parts)


def sizes_along(sizes):
    """Bytes of weights, layer by layer along the network.

    Args:
        sizes: by the layer's name, in the order of the network.
    """
    most = max([1, *sizes.values()])
    wide = WIDTH / len(sizes)
    parts = [
        box(
            i * wide, 12 + HIGH * (1 - size / most), max(0.8 * wide, 0.8), HIGH * size / most, BLUE, f"{name}: {size:,}"
        )
        for i, (name, size) in enumerate(sizes.items())
    ]
    largest = max(sizes, key=sizes.get)
    at = (list(sizes).index(largest) + 0.5) * wide
    parts.append(words(at, 9, f"{largest or '(no layer)'}: {most:,}", _anchor(at)))
    parts += [words(0, HIGH + 24, "first layer"), words(WIDTH, HIGH + 24, "last", "end")]
    return svg(HIGH + 28, "bytes of weights along the network", parts)


def errors_along(errors, names):
    """Signal over error, layer by layer along the network: the lower the point, the more the layer costs.

    Args:
        errors: of `LayerError`, the worst first.
        names: of the layers in the order of the network; errors of others stand behind.
    """
    order = {name: i for i, name in enumerate(names)}
    along = sorted(errors, key=lambda error: order.get(error.layer, len(order)))
    low, high = errors[0].snr_db, max(errors[-1].snr_db, errors[0].snr_db + 1)
    wide = WIDTH / len(along)
    worst = {error.layer for error in errors[:NAMED]}
    parts = [f'<line x1="0" y1="{HIGH}" x2="{WIDTH}" y2="{HIGH}" stroke="#dde2ea"/>']
    for i, error in enumerate(along):
        x, y = (i + 0.5) * wide, 6 + (HIGH - 12) * (high - error.snr_db) / (high - low)
        colour = RED if error.layer in worst else BLUE
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{escape(error.layer)}: '
            f"{error.snr_db:.1f} dB</title></circle>"
        )
    for line, error in enumerate(errors[:NAMED]):
        parts.append(words(0, HIGH + 12 + 12 * line, f"{error.layer}: {error.snr_db:.1f} dB", colour=RED))
    parts += [words(WIDTH, 10, f"{high:.0f} dB", "end"), words(WIDTH, HIGH + 12, f"{low:.0f} dB", "end")]
    return svg(HIGH + 16 + 12 * NAMED, "signal over error along the network", parts)


def trials_against(trials, name, chosen):
    """Scores of files against what they take; those in blue have none beside them that scores as well and takes less.

    Args:
        trials: of `Trial`.
        name: of what they take, a field of them.
        chosen: the one whose report it is.
    """
    takes, scores = [getattr(trial, name) for trial in trials], [trial.score for trial in trials]
    low, high, most = min(scores), max(scores), max(takes)
    parts, labels = [f'<line x1="0" y1="{HIGH}" x2="{WIDTH}" y2="{HIGH}" stroke="#dde2ea"/>'], []
    for trial, taken in zip(trials, takes, strict=True):
        beaten = any(
            other.score >= trial.score and more <= taken and (other.score > trial.score or more < taken)
            for other, more in zip(trials, takes, strict=True)
        )
        x = 8 + (WIDTH - 90) * taken / most
        y = 10 + (HIGH - 20) * (high - trial.score) / ((high - low) or 1)
        colour, label = GREY if beaten else BLUE, called(trial)
        ring = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="none" stroke="{RED}"/>' if trial is chosen else ""
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{escape(label)}</title></circle>')
        beside = y + 3
        while any(
            abs(x - left) < 5.5 * max(len(label), len(text)) and abs(beside - at) < 10 for left, at, text in labels
        ):
            beside += 10 if y < HIGH / 2 else -10  # inwards, to where no other label stands
        labels.append((x, beside, label))
        parts += [ring, words(x + 9, beside, label, colour=colour)]
    parts += [
        words(0, HIGH + 12, "0"),
        words(WIDTH - 82, HIGH + 12, f"{most:,.{0 if most > 100 else 2}f} {UNITS[name]}", "middle"),
    ]
    return svg(HIGH + 16, f"score against {name}", parts)


def called(trial):
    """What a file that was tried is called: by its precision, and how many layers it leaves in floats."""
    return f"{trial.precision}, {len(trial.floats)} in floats" if trial.floats else trial.precision


def _anchor(at):
    return "start" if at < WIDTH / 3 else "end" if at > 2 * WIDTH / 3 else "middle"
