"""Pictures of where a file's time goes, as SVG text that stands in the page itself."""

import math
from html import escape

from keraslayers.export.report.pictures import BLUE, GREY, RED, WIDTH, box, svg, words

# So many operators have a bar, and of a layer's name so many letters are shown.
MOST, LETTERS = 25, 30
DARK, LINE = "#1c2330", "#dde2ea"
HIGH = 190


def bars(profile):
    """A bar for each of the costliest operators: how long it takes, and within it, dark, the least that it can."""
    rows = [row for row in profile.costliest if row.ms][:MOST]
    most, parts = max((row.ms for row in rows), default=1.0), []
    for number, row in enumerate(rows):
        y, wide = 24 * number, WIDTH - 2
        title = f"{row.operator} of {row.layer}: {row.ms:.3f} ms, floor {row.floor_ms:.3f} ms"
        parts += [
            words(0, y + 9, f"{row.operator} {_short(row.layer)}"),
            words(WIDTH, y + 9, times(row), "end"),
            box(0, y + 12, max(wide * row.ms / most, 0.5), 8, BLUE, title),
            box(0, y + 12, max(wide * min(row.floor_ms, row.ms) / most, 0.5), 8, DARK, title),
        ]
    return svg(24 * max(1, len(rows)), "milliseconds of the costliest operators and their floors", parts)


def times(row):
    """Its milliseconds, and how many times its floor that is."""
    return f"{row.ms:.3f} ms" + ("" if row.ratio is None else f", {row.ratio:.1f}x")


def roofline(profile):
    """Multiply-adds a second against multiply-adds a byte: how far below the roof each operator that has some is.

    The larger a point, the more of the time it takes. The roof falls to the left, where bytes decide: the upper line
    is for few bytes, which the nearest cache holds, the lower one for the most that were measured.
    """
    rows = [row for row in profile.operators if row.multiply_adds and row.moved_bytes and row.ms]
    if not rows:
        return ""
    peaks = profile.peaks
    near, far = max(peaks.bandwidths.values()), min(peaks.bandwidths.values())
    across = [row.multiply_adds / row.moved_bytes for row in rows]
    reached = [1000 * row.multiply_adds / row.ms for row in rows]
    left, right = _decades([*across, max(peaks.multiply_adds.values()) / far])
    low, high = _decades([*reached, *peaks.multiply_adds.values()])

    def x(value):
        return 30 + (WIDTH - 34) * (math.log10(value) - left) / (right - left)

    def y(value):
        return 14 + (HIGH - 30) * (high - math.log10(value)) / (high - low)

    parts = []
    for power in range(left, right + 1):
        at = x(10**power)
        parts += [
            _line(at, 14, at, HIGH - 16, LINE),
            words(at, HIGH - 4, f"{10.0**power:g}", "end" if power == right else "middle"),
        ]
    for power in range(low, high + 1):
        at = y(10**power)
        parts += [_line(30, at, WIDTH - 4, at, LINE), words(27, at + 3, f"{10.0 ** (power - 9):g}", "end")]
    for kind, rate in peaks.multiply_adds.items():
        for bandwidth in (near, far):
            corner, start = rate / bandwidth, max(10.0**left, 10.0**low / bandwidth)
            if corner > start:
                parts.append(_line(x(start), y(start * bandwidth), x(corner), y(rate), GREY))
        parts.append(_line(x(max(rate / near, 10.0**left)), y(rate), WIDTH - 4, y(rate), GREY))
        parts.append(words(WIDTH - 6, y(rate) - 3, kind, "end"))
    share = max(row.ms for row in rows)
    for row, along, up in zip(rows, across, reached, strict=True):
        colour, radius = RED if row.ms > share / 2 else BLUE, 2 + 4 * math.sqrt(row.ms / share)
        title = f"{row.operator} of {row.layer}: {times(row)} its floor, {up / 1e9:.3g} G multiply-adds a second"
        parts.append(
            f'<circle cx="{x(along):.1f}" cy="{y(up):.1f}" r="{radius:.1f}" fill="{colour}" fill-opacity="0.7">'
            f"<title>{escape(title)}</title></circle>"
        )
    return svg(HIGH, "roofline: multiply-adds a second against multiply-adds a byte", parts)


def _decades(values):
    """The powers of ten that values lie between."""
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)


def _line(x, y, to_x, to_y, colour):
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}"/>'


def _short(name):
    return name if len(name) <= LETTERS else f"...{name[3 - LETTERS :]}"
