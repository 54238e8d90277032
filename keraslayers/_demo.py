"""The demo: a classic network learns scanned digits, is exported in every precision, proven, and shown."""

import itertools
import time
from dataclasses import dataclass

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from keraslayers._quiet import quiet

SIZE = 64  # the scans have 8x8 pixels; networks for photographs halve the size five times
TEST_IMAGES = 397
BATCH = 32
LEARNING_RATE = 6e-3
PRECISIONS = ("float32", "float16", "int8")
TARGETS = ("cpu", "gpu")
LABELS = "".join(f"{digit}\n" for digit in range(10)).encode()


@dataclass(frozen=True)
class Digits:
    """Images of (samples, 64, 64, 1) within [0, 1] and their classes 0 to 9."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


@dataclass(frozen=True)
class Row:
    """One file: what it is for, and what it does on the test images.

    Attributes:
        accuracy: on all test images, by runtime, run by that runtime.
        agreement: part of the test images that get the Keras model's class, by runtime.
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
    if len(models.spec(name).input_shape) != 3:
        raise ValueError(f"`demo`: `model` must be a network for images; {name!r} reads text.")
    places = {each: folder / f"{name}_{'_'.join(each)}.tflite" for each in itertools.product(TARGETS, PRECISIONS)}
    labels, page = folder / "labels.txt", folder / "report.html"
    if not force:
        _check_own(places.values(), labels, page)
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

    rows = []
    for (target, precision), path in places.items():
        artifact = to_tflite(model, target=target, precision=precision, samples=digits.x_train[:200])
        artifact.save(path, force=force)
        with console.status(f"running {path.name} on all test images"):
            rows.append(_row(artifact, path, digits, expected))
    files.write({labels: LABELS})
    with console.status("drawing the report"):
        _write_page(page, name, model, digits, history, expected, accuracy, rows)
    console.print(table(rows))
    proofs = [proof for row in rows for proof in row.report.proofs]
    for line in dict.fromkeys(f"{p.runtime}: {p.verdict}, {p.reason}" for p in proofs if p.reason):
        console.print(line, highlight=False)
    console.print(f"wrote {folder}/: {len(rows)} .tflite files, their reports, labels.txt and report.html")
    console.print(f"{time.monotonic() - started:.0f} s in all", highlight=False)
    return all(proof.verdict in (Verdict.PROVEN, Verdict.UNTESTED) for proof in proofs)


def _check_own(places, labels, page):
    """Refuses to replace what no demo wrote."""
    from keraslayers.export.artifact import check_beside, check_own

    for path in places:
        check_own("demo", path)
        check_beside("demo", path)
    for path, mark in ((labels, LABELS), (page, b"<title>keraslayers: ")):
        if path.is_file() and mark not in path.read_bytes()[:1000]:
            raise FileExistsError(
                f"`demo`: {str(path)!r} is there, and no demo wrote it. Name another folder by --out, or force it."
            )


def load_digits():
    """The 1,797 scans of handwritten digits that scikit-learn carries, enlarged.

    Source: E. Alpaydin and C. Kaynak 1998, Optical Recognition of Handwritten Digits, UCI repository (its test set).
    """
    import keras

    try:
        from sklearn import datasets, model_selection
    except ImportError as error:
        raise ImportError("`demo` needs scikit-learn and matplotlib: pip install 'keraslayers[demo]'") from error
    pixels, classes = datasets.load_digits(return_X_y=True)
    images = pixels.reshape(-1, 8, 8, 1).astype("float32") / 16.0
    images = keras.ops.convert_to_numpy(keras.ops.image.resize(images, (SIZE, SIZE)))
    split = model_selection.train_test_split(images, classes, test_size=TEST_IMAGES, stratify=classes, random_state=0)
    x_train, x_test, y_train, y_test = split
    return Digits(x_train, y_train, x_test, y_test)


def build(name, epochs):
    """The network for one-channel images of ten classes, compiled for a short training."""
    import keras

    from keraslayers import models

    # The narrowest ShuffleNet V2 is wide enough for digits; LeNet-5 with its sigmoids learns too slowly for a demo.
    options = {"shufflenet_v2": {"alpha": 0.5}, "lenet5": {"modern": True}}.get(name, {})
    model = models.create(name, input_shape=(SIZE, SIZE, 1), classes=10, **options)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 averages over more steps than this training has
    steps = epochs * (1797 - TEST_IMAGES) // BATCH
    model.compile(
        optimizer=keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def train(model, digits, epochs, console):
    """Fits the model, every image shifted anew by up to half a pixel of the scan; returns Keras's history."""
    import keras

    with Progress(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("", total=epochs, state="")

        def show(epoch, logs):
            state = f"accuracy {logs['accuracy']:.1%}, on the test images {logs['val_accuracy']:.1%}"
            progress.update(task, advance=1, state=state)

        return model.fit(
            _batches(digits),
            epochs=epochs,
            validation_data=(digits.x_test, digits.y_test),
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=show)],
            verbose=0,
        ).history


def _batches(digits):
    import keras

    margin = SIZE // 16
    padded = np.pad(digits.x_train, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    random = np.random.default_rng(0)

    class Batches(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.on_epoch_end()

        def on_epoch_end(self):
            self.order = random.permutation(len(digits.x_train))

        def __len__(self):
            return len(digits.x_train) // BATCH

        def __getitem__(self, index):
            chosen = self.order[index * BATCH : (index + 1) * BATCH]
            corners = random.integers(0, 2 * margin, (len(chosen), 2), endpoint=True)
            images = [padded[i, y : y + SIZE, x : x + SIZE] for i, (y, x) in zip(chosen, corners, strict=True)]
            return np.stack(images), digits.y_train[chosen]

    return Batches()


def _row(artifact, path, digits, expected):
    """Runs a file on every test image, on every runtime that took it."""
    from keraslayers.export.file.graph import read_graph
    from keraslayers.export.runtimes import RUNTIMES

    graph = read_graph(artifact.tflite)
    (source,), (result,) = graph.inputs, graph.outputs
    inputs = {source.name: digits.x_test[:, None]}  # each call a batch of one
    accuracy, agreement = {}, {}
    for proof in artifact.report.proofs:
        if proof.samples == 0:
            continue
        outcome = RUNTIMES[proof.runtime].run(artifact.tflite, graph, inputs)
        classes = outcome.outputs[result.name][:, 0].argmax(-1)
        accuracy[proof.runtime] = float(np.mean(classes == digits.y_test))
        agreement[proof.runtime] = float(np.mean(classes == expected.argmax(-1)))
    return Row(path.stem.rsplit("_", 2)[1], artifact.report.precision, path.name, artifact.report, accuracy, agreement)


def table(rows):
    """The files as a table: one row a file and runtime."""
    from keraslayers.export.report.tables import number, verdict

    made = Table(
        box=None,
        padding=(0, 2, 0, 0),
        header_style="bold underline",
        caption="top-1: test images that get the Keras model's class. ms: one call on this host, on one thread, "
        "gpu on a software driver unless the host has one; no phone's figure.",
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


def _write_page(path, name, model, digits, history, expected, accuracy, rows):
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
        pictures=pictures,
    )
    files.write({path: text.encode()})
