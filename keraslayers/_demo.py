"""The demo: a classic network learns scanned digits, is exported in every precision, proven, and shown."""

import itertools
import time
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from keraslayers import _demo_stock
from keraslayers._demo_digits import SIZE, build, load_digits, train
from keraslayers._quiet import quiet

PRECISIONS = ("float32", "float16", "int8")
TARGETS = ("cpu", "gpu")
LABELS = "".join(f"{digit}\n" for digit in range(10)).encode()
TITLE = b"<title>keraslayers: "
STOCK = (
    "A small network with squeeze-and-excitation, as the stock converter writes it: the GPU takes every operator, and "
    "computes something else. The same file after `keraslayers repair`:"
)
CAPTION = (
    "top-1: test images that get the Keras model's class; gpu runs every fourth. ms: one call on this host, on one "
    "thread, gpu on a software driver unless the host has one; no phone's figure."
)
# Of the test images a GPU runs every so manieth: in software it takes 300 times as long as the CPU.
APART = 4


@dataclass(frozen=True)
class Row:
    """One file: what it is for, and what it does on the test images.

    Attributes:
        accuracy: on the test images, by runtime, run by that runtime.
        agreement: part of these that get the Keras model's class, by runtime.
    """

    target: str
    precision: str
    file: str
    report: object
    accuracy: dict
    agreement: dict


def run(name, epochs, folder, console, force=False):
    """Runs the demo.

    Args:
        name: of the network, as in `models.names()`.
        epochs: passes over the training images.
        folder: where the files go; made if missing.
        console: rich Console to show progress and the table on.
        force: whether files of those names that are none of the library's are replaced.

    Returns:
        Whether every file is PROVEN on every runtime that this machine has.

    Raises:
        FileExistsError: if there are such files.
        ImportError: if the extra `keraslayers[demo]` is not installed.
        ValueError: if there is no such network, or none for images.
    """
    started = time.monotonic()
    with quiet():
        import keras

        from keraslayers import models
        from keraslayers.export import Verdict, to_tflite
        from keraslayers.export.file import files
        from keraslayers.export.runtimes import browser, gpu
    if len(models.spec(name).input_shape) != 3:
        raise ValueError(f"`demo`: `model` must be a network for images; {name!r} reads text.")
    places = {each: folder / f"{name}_{'_'.join(each)}.tflite" for each in itertools.product(TARGETS, PRECISIONS)}
    labels, page, live = folder / "labels.txt", folder / "report.html", folder / "digits.html"
    others = [folder / each for each in _demo_stock.NAMES]
    if not force:
        _check_own((*places.values(), *others), {labels: LABELS, page: TITLE, live: f"<title>{name}".encode()})
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    digits = load_digits()
    model = build(name, epochs)
    console.print(
        f"[bold]{name}[/]: {model.count_params():,} parameters; {len(digits.x_train):,} scanned digits to learn, "
        f"{len(digits.x_test)} to test, {SIZE}x{SIZE} pixels",
        highlight=False,
    )
    history = train(model, digits, epochs, console)
    expected = model.predict(digits.x_test, verbose=0)
    accuracy = float(np.mean(expected.argmax(-1) == digits.y_test))
    console.print(f"accuracy in Keras: [bold]{accuracy:.1%}[/]", highlight=False)

    rows, made = [], {}
    for (target, precision), path in places.items():
        made[target, precision] = to_tflite(model, target=target, precision=precision, samples=digits.x_train[:200])
        made[target, precision].save(path, force=force)
        with console.status(f"running {path.name} on the test images"):
            rows.append(_row(made[target, precision], path, digits, expected))
    files.write({labels: LABELS})
    stock = []
    if not gpu.available():
        with console.status("a file of the stock converter"):
            stock = _stock_rows(others, digits, force)
    with console.status("drawing the report"):
        _write_page(page, name, model, digits, history, expected, accuracy, rows, stock)
    console.print(table(rows))
    proofs = [proof for row in rows for proof in row.report.proofs]
    for line in dict.fromkeys(f"{p.runtime}: {p.verdict}, {p.reason}" for p in proofs if p.reason):
        console.print(line, highlight=False)
    if stock:
        console.print(f"\n{STOCK}", highlight=False)
        console.print(table(stock, caption=None))
    console.print(f"wrote {folder}/: {len(rows + stock)} .tflite files, their reports, labels.txt and report.html")
    if browser.packages():
        # Training saw values of 0 to 1.
        made["gpu", "float16"].save_page(live, labels=LABELS.decode().split(), normalization=(0, 255))
        console.print(f"open {live} in a browser, or on a phone, and draw a digit as large as its field")
    else:
        console.print(f"no page to draw a digit in: {browser.REMEDY}", highlight=False)
    console.print(f"{time.monotonic() - started:.0f} s in all", highlight=False)
    return all(proof.verdict in (Verdict.PROVEN, Verdict.UNTESTED) for proof in proofs)


def _check_own(places, marks):
    """Refuses to replace what no demo wrote."""
    from keraslayers.export.artifact import check_beside, check_own

    for path in places:
        check_own("demo", path)
        check_beside("demo", path)
    for path, mark in marks.items():
        if path.is_file() and mark not in path.read_bytes()[:1000]:
            raise FileExistsError(
                f"`demo`: {str(path)!r} is there, and no demo wrote it. Name another folder by --out, or force it."
            )


def _row(artifact, path, digits, expected):
    """Runs a file on the test images, on every runtime that took it."""
    from keraslayers.export.file.graph import read_graph
    from keraslayers.export.runtimes import RUNTIMES

    graph = read_graph(artifact.tflite)
    (source,), (result,) = graph.inputs, graph.outputs
    accuracy, agreement = {}, {}
    for proof in artifact.report.proofs:
        if proof.samples == 0:
            continue
        part = slice(None, None, 1 if proof.runtime == "cpu" else APART)
        inputs = {source.name: digits.x_test[part, None]}  # each call a batch of one
        outcome = RUNTIMES[proof.runtime].run(artifact.tflite, graph, inputs)
        classes = outcome.outputs[result.name][:, 0].argmax(-1)
        count = len(classes)  # what takes too long stops early
        accuracy[proof.runtime] = float(np.mean(classes == digits.y_test[part][:count]))
        agreement[proof.runtime] = float(np.mean(classes == expected[part][:count].argmax(-1)))
    *_, target, precision = path.stem.split("_")
    return Row(target, precision, path.name, artifact.report, accuracy, agreement)


def _stock_rows(paths, digits, force):
    model, *artifacts = _demo_stock.files(digits)
    expected = model.predict(digits.x_test, verbose=0)
    rows = []
    for artifact, path in zip(artifacts, paths, strict=True):
        artifact.save(path, force=force)
        rows.append(_row(artifact, path, digits, expected))
    return rows


def table(rows, caption=CAPTION):
    """The files as a table: one row a file and runtime."""
    from keraslayers.export.report.tables import number, verdict

    made = Table(
        box=None,
        padding=(0, 2, 0, 0),
        header_style="bold underline",
        caption=caption,
        caption_justify="left",
    )
    for column in ("target", "precision", "runtime", "verdict"):
        made.add_column(column, no_wrap=True)
    for column in ("bytes", "accuracy", "top-1", "ms"):
        made.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        for i, proof in enumerate(row.report.proofs):
            made.add_row(
                row.target if i == 0 else "",
                row.precision if i == 0 else "",
                proof.runtime,
                verdict(proof),
                f"{row.report.size:,}" if i == 0 else "",
                number(row.accuracy.get(proof.runtime), ".1%"),
                number(row.agreement.get(proof.runtime), ".1%"),
                number(proof.latency_ms, ".2f"),
            )
    return made


def _write_page(path, name, model, digits, history, expected, accuracy, rows, stock):
    """Writes the report: training, confusions, files; one HTML file with its pictures inside."""
    from pathlib import Path

    from keraslayers.export.file import files
    from keraslayers.export.report import page, plots

    found = expected.argmax(-1)
    confusions = np.zeros((10, 10), int)
    np.add.at(confusions, (digits.y_test, found), 1)
    labels = [f"{row.target} {row.precision}" for row in rows]
    pictures = {
        "training": plots.curves(history["accuracy"], history["val_accuracy"]),
        "confusion": plots.confusion(confusions),
        "accuracy": plots.bars(labels, [100 * min(row.accuracy.values(), default=0) for row in rows], "accuracy, %"),
        "size": plots.bars(labels, [row.report.size / 1024 for row in rows], "size, KiB"),
        "digits": plots.images(digits.x_test[:20], digits.y_test[:20], found[:20]),
    }
    text = page.render(
        "demo.html",
        folder=Path(__file__).parent,
        name=name,
        parameters=model.count_params(),
        accuracy=accuracy,
        digits=digits,
        rows=rows,
        stock=stock,
        told=STOCK,
        pictures=pictures,
    )
    files.write({path: text.encode()})
