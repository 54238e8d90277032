"""Where a file's time goes, as a table for a terminal and in sentences."""

import math
from collections import Counter

from rich import box
from rich.console import Group
from rich.table import Table

from keraslayers.export.report.tables import number, text, verdict

# So many operators have a row.
COSTLIEST = 20
# So many kinds of operators have a sum.
KINDS = 5
# From so many times the whole file's time on the sum of its operators' is told to be more.
MORE = 1.1


def of_profile(profile):
    """Where a file's time goes, the costliest operators first."""
    table = Table(title=text(profile.name), title_justify="left", title_style="bold", box=box.HORIZONTALS, padding=0)
    table.add_column("operator", no_wrap=True)
    table.add_column("layer", overflow="fold")
    for column in ("output", "ms", "%", "floor ms", "times"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    rows, total = profile.costliest, profile.ms or 1.0
    for row in rows[:COSTLIEST]:
        table.add_row(
            text(row.operator),
            text(row.layer),
            "x".join(map(str, row.output_shape)),
            number(row.ms, ".3f"),
            "-" if row.ms is None else f"{100 * row.ms / total:.1f}",
            f"{row.floor_ms:.3f}",
            number(row.ratio, ".1f"),
            verdict(row),
        )
    if others := rows[COSTLIEST:]:
        ms = _ms(others)
        floor = sum(row.floor_ms for row in others)
        table.add_row(f"{len(others)} others", "", "", f"{ms:.3f}", f"{100 * ms / total:.1f}", f"{floor:.3f}", "", "")
    return Group(table, *map(text, profiled(profile)))


def profiled(profile):
    """What a profile comes to, in sentences."""
    peaks = profile.peaks
    rates = " and ".join(f"{rate / 1e9:.0f} billion in {kind}" for kind, rate in peaks.multiply_adds.items())
    moved = sorted(peaks.bandwidths)
    few, many = (peaks.bandwidth(size) / 1e9 for size in (moved[0], moved[-1]))
    times = "" if profile.ratio is None else f", {profile.ratio:.1f} times less than the whole"
    yield (
        f"{profile.latency_ms:.3f} ms a call on one thread of {peaks.host}: this host's figure, no phone's. Its "
        f"{len(profile.operators)} operators take {profile.ms:.3f} ms, each alone, which is "
        f"{100 * profile.ms / profile.latency_ms:.0f} % of that; their floors are {profile.floor_ms:.3f} ms{times}."
    )
    if profile.ms > MORE * profile.latency_ms:
        yield (
            "Alone they take more than together, as where XNNPACK makes one operator of several, of a PAD and the "
            "convolution behind it: here is what each takes by itself."
        )
    yield (
        "The floor of an operator is the longer of its multiply-adds and its bytes at the best that LiteRT reached "
        f"here on one thread: multiply-adds a second {rates}; {few:.0f} GB a second where few bytes are moved, "
        f"{many:.0f} where {moved[-1] / 1e6:.0f} MB are. A call that does nothing takes {1000 * peaks.call_ms:.1f} "
        "microseconds, which are taken off."
    )
    kinds = {}
    for row in profile.costliest:
        kinds.setdefault(row.operator, []).append(row)
    told = [_of_kind(*item) for item in sorted(kinds.items(), key=lambda item: -_ms(item[1]))[:KINDS]]
    yield f"Most time by kind: {'; '.join(told)}."
    if left := [row for row in profile.operators if not row.xnnpack and row.ms is not None]:
        yield f"Left to the built-in kernels: {_counts(left)}, {_ms(left):.3f} ms."
    if unknown := [row for row in profile.operators if row.multiply_adds is None]:
        told = f"{_counts(unknown)}, {_ms(unknown):.3f} ms"
        yield f"Of {told}, no multiply-adds are known: their floors are of bytes alone."
    for reason, rows in _by_reason(profile).items():
        yield f"{', '.join(dict.fromkeys(rows))}: {reason}."


def _counts(rows):
    return ", ".join(f"{name} {count}x" for name, count in Counter(row.operator for row in rows).items())


def _ms(rows):
    return sum(row.ms or 0.0 for row in rows)


def _of_kind(kind, rows):
    floor = sum(row.floor_ms for row in rows)
    times = f", {_ms(rows) / floor:.1f} times its floor" if floor else ""
    return f"{len(rows)} {kind} {_ms(rows):.3f} ms{times}"


def _by_reason(profile):
    found = {}
    for row in profile.operators:
        if row.reason:
            found.setdefault(f"{row.verdict}, {row.reason}", []).append(f"{row.operator} of {row.layer}")
    return found


def decibels(value):
    """Decibels, "equal" where there is no difference."""
    return "equal" if math.isinf(value) else f"{value:.1f}"
