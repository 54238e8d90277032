"""Reports as tables for a terminal."""

import io

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from keraslayers._printable import printable

COLOURS = {"PROVEN": "bold green", "WRONG": "bold red", "REJECTED": "bold red", "UNTESTED": "bold yellow"}


# Of many layers so many are named.
MOST = 5
# Of many that a rewrite changed.
FEW = 2
# A file that rewriting made so many times as large is told of.
LARGER = 2
# What a weight belongs to that no layer's name tells of.
UNKNOWN = "(no layer)"


def text(words, style=""):
    """Words as they are: a name out of a file is no markup, and no command to the terminal."""
    return Text(printable(words), style=style)


def verdict(proof):
    """The verdict's word in its colour."""
    return text(str(proof.verdict), style=COLOURS[proof.verdict])


def number(value, form):
    """A figure, or a dash where there is none."""
    return "-" if value is None else format(value, form)


def left_out(proof):
    """Which operators a runtime's accelerator did not take."""
    by_operator = {}
    for _, operator, layer in proof.left_at:
        by_operator.setdefault(operator, {})[layer] = None  # each layer once, in their order
    kinds = [
        f"{operator} {proof.left[operator]}x ({', '.join([*layers][:MOST])}{', ...' if len(layers) > MOST else ''})"
        for operator, layers in by_operator.items()
    ]
    return f"left to the built-in kernels: {', '.join(kinds)}"


def changes(made):
    """How many changes a pass made; one of them tells what it did by layer."""
    return len(made) if isinstance(made, dict) else made


def rewritten(name, places):
    """How often a rewrite changed something, and where."""
    by_operator = {}
    for operator, layer in places:
        by_operator.setdefault(operator, {})[layer] = None
    where = [
        f"{operator} of {', '.join([*layers][:FEW])}{', ...' if len(layers) > FEW else ''}"
        for operator, layers in by_operator.items()
    ]
    return f"{name} {len(places)}x ({', '.join(where)})"


def tried(trial):
    """A file that the search of precision "auto" tried."""
    what = f"{len(trial.floats)} layers in floats score" if trial.precision == "int8" else f"{trial.precision} scores"
    time = "" if trial.latency_ms is None else f" and {trial.latency_ms:.2f} ms"
    return f"{what} {trial.score:.6g} in {trial.size:,} bytes{time}"


def _each_once(report, words_of):
    """What is said of the proofs, behind the names of all runtimes that it holds of."""
    said = {}
    for proof in report.proofs:
        for words in words_of(proof):
            said.setdefault(words, []).append(proof.runtime)
    return [text(f"{', '.join(names)}: {words}") for words, names in said.items()]


def of_report(report):
    """A report as a rich renderable."""
    about = [f"{report.size:,} bytes"]
    about += [
        f"{word} {value}" for word, value in (("target", report.target), ("precision", report.precision)) if value
    ]
    # Narrow, so that a terminal of 80 columns shows all.
    proofs = Table(
        title=text(f"{report.name}: {', '.join(about)}"),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    proofs.add_column("runtime")  # another machine's has its name
    for column in ("arithmetic", "verdict"):
        proofs.add_column(column, no_wrap=True)
    for column in ("operators", "parts", "max error", "SNR dB", "top-1", "ms"):
        proofs.add_column(column, justify="right", no_wrap=True)
    for proof in report.proofs:
        proofs.add_row(
            text(proof.runtime),
            proof.arithmetic,
            verdict(proof),
            "/".join(str(part) for part in (proof.delegated, proof.operators) if part is not None) or "-",
            number(proof.partitions, "d"),
            number(proof.max_error, ".2g"),
            "exact" if proof.max_error is not None and proof.snr_db is None else number(proof.snr_db, ".1f"),
            number(proof.agreement, ".1%"),
            number(proof.latency_ms, ".2f"),
        )
    parts = [proofs, *(text(str(each)) for each in report.latencies)]
    for side, tensors in (("input", report.inputs), ("output", report.outputs)):
        for tensor in tensors:
            quantized = ""
            if tensor["scale"] is not None:
                quantized = f", real = {tensor['scale']:.6g} * (integer - {tensor['zero_point']})"
            parts.append(text(f"{side} {tensor['name']}: {tensor['dtype']} {list(tensor['shape'])}{quantized}"))
    if len(report.signatures) > 1:
        parts.append(text(f"signatures, each run by itself: {', '.join(report.signatures)}"))
    parts += [
        text(f"{proof.runtime}: runs in {proof.arena_bytes:,} bytes of memory on this 64-bit host, weights not counted")
        for proof in report.proofs
        if proof.arena_bytes is not None
    ]
    parts += _each_once(report, lambda proof: [left_out(proof)] if proof.left else [])
    if report.passes:
        parts.append(text(f"passes: {', '.join(f'{name} {changes(made)}x' for name, made in report.passes.items())}"))
    if report.rewrites:
        parts.append(text(f"rewrites: {'; '.join(rewritten(*item) for item in report.rewrites.items())}"))
    if report.growth > LARGER:
        parts.append(text(f"rewriting made the file {report.growth:.1f} times as large"))
    if report.unrepaired:
        parts.append(text(f"left as it was: {report.unrepaired}"))
    if report.preprocessing:
        parts.append(text(f"preprocessing in the file: {report.preprocessing}"))
    parts += [
        text(f"offsets of {layer} are clipped to {pixels} pixels, the largest on the samples")
        for layer, pixels in report.bounds.items()
    ]
    if report.largest:
        parts.append(text(str(report.largest)))
    if report.float_layers:
        parts.append(text(f"layers in floats: {', '.join(report.float_layers)}"))
    if report.trials:
        parts.append(text(f"tried: {'; '.join(tried(trial) for trial in report.trials)}"))
    if report.layer_errors:
        worst = [f"{error.layer} {error.snr_db:.1f} dB" for error in report.layer_errors[:5]]
        bits = report.precision
        parts.append(text(f"{bits} costs most in: {', '.join(worst)} (signal over error, that layer alone in {bits})"))
    if report.layer_sizes:
        most = list(report.layer_sizes.items())[:5]
        parts.append(text(f"most bytes: {', '.join(f'{layer or UNKNOWN} {size:,}' for layer, size in most)}"))
    if report.float_operators:
        parts.append(text(f"in floats: {', '.join(f'{n} {count}x' for n, count in report.float_operators.items())}"))
    off = "a probability is off by {:.2g} at most"
    parts += _each_once(report, lambda proof: [off.format(e)] if (e := proof.probability_error) is not None else [])
    references = dict.fromkeys(proof.reference for proof in report.proofs if proof.reference)
    reference = " or ".join(references) or "the reference"
    samples = " to ".join(str(n) for n in sorted({proof.samples for proof in report.proofs if proof.samples})) or "no"
    parts.append(
        text(
            "arithmetic: what the runtime computes in. operators: taken by its accelerator, of all, in so many parts. "
            f"Errors and top-1 agreement: against {reference}, over {samples} samples. ms: one call on this host, or "
            "behind ssh, no phone's figure; emulated code has none, as its time means nothing.",
            style="dim",
        )
    )
    parts += _each_once(report, lambda proof: [" ".join(w.split()) for w in (proof.reason, proof.note) if w])
    if report.absent:
        absent = "; ".join(f"{name} ({remedy})" for name, remedy in report.absent.items())
        parts.append(text(f"not on this machine: {absent}"))
    return Group(*parts)


def of_answers(answers):
    """What devices found, one row a runtime."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, pad_edge=False, collapse_padding=True)
    for column in ("device", "browser", "GPU"):
        made.add_column(column)
    for column in ("runtime", "verdict"):
        made.add_column(column, no_wrap=True)
    for column in ("SNR dB", "top-1", "ms"):
        made.add_column(column, justify="right", no_wrap=True)
    for answer in answers:
        for i, found in enumerate(answer.runtimes):
            about = (answer.device, answer.browser, answer.gpu) if i == 0 else ("", "", "")
            exact = found.max_error is not None and found.snr_db is None
            made.add_row(
                *map(text, about),
                found.runtime,
                verdict(found),
                "exact" if exact else number(found.snr_db, ".1f"),
                number(found.agreement, ".1%"),
                number(found.latency_ms, ".2f"),
            )
    return made


def of_evaluation(evaluation):
    """A file beside its Keras model."""
    table = Table(box=box.HORIZONTALS, show_edge=False, padding=(0, 1, 0, 0))
    for column in ("", "Keras", evaluation.runtime):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, value in evaluation.keras.items():
        table.add_row(text(name), f"{value:.4f}", f"{evaluation.file[name]:.4f}")
    told = [f"{evaluation.samples:,} samples"]
    if evaluation.agreement is not None:
        told.append(f"the same class in {evaluation.agreement:.2%}")
    told.append("equal" if evaluation.snr_db is None else f"{evaluation.snr_db:.1f} dB of signal over error")
    words = Text(", ".join(told))
    return Group(table, words) if evaluation.keras else words


def of_comparison(comparison):
    """Two files side by side."""
    whole = Table(box=box.HORIZONTALS, show_edge=False, padding=(0, 1, 0, 0))
    for column in ("", *comparison.names):
        whole.add_column(text(column), justify="right" if column else "left")
    whole.add_row("bytes", *(f"{size:,}" for size in comparison.sizes))
    whole.add_row("operators", *map(str, comparison.operators))
    whole.add_row("parts", *(str(count) if count else "-" for count in comparison.partitions))
    whole.add_row("ms", *(number(value, ".2f") for value in comparison.latencies_ms))
    table = Table(box=box.HORIZONTALS, show_edge=False, padding=(0, 1, 0, 0))
    for column in ("layer", "operators"):
        table.add_column(column)
    for column in ("bytes", "second", "dB"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in comparison.layers:
        first, second = (" ".join(f"{name} {count}" for name, count in each.items()) for each in row.operators)
        kinds = first if first == second else f"{first or 'none'} / {second or 'none'}"
        table.add_row(
            text(row.layer), text(kinds), *(number(size, ",") for size in row.sizes), number(row.snr_db, ".1f")
        )
    told = [f"`{name}` {snr:.1f} dB" for name, snr in comparison.outputs.items()]
    words = f"outputs of the second against the first, over {comparison.samples} samples: {', '.join(told)}"
    if comparison.agreement is not None:
        words += f"; the same class in {comparison.agreement:.1%}"
    return Group(whole, Text(), table, text(words))


def to_text(renderable, width=88):
    """A rich renderable as plain text."""
    page = io.StringIO()
    Console(file=page, width=width, color_system=None).print(renderable)
    return page.getvalue()
