"""The command line. What is slow to import is imported by the command that needs it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from keraslayers import _arguments, _checks
from keraslayers._printable import printable
from keraslayers._quiet import quiet

PROVEN, NOT_PROVEN, BAD_USE = 0, 1, 2
FORCE = "Replace files that keraslayers did not write, too."

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console()
err = Console(stderr=True)


@app.callback()
def keraslayers(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
):
    """Layers, classic models and proven TFLite export for Keras 3.

    Exit codes: 0 proven, 1 not proven, 2 bad use.
    """


@app.command()
def demo(
    model: Annotated[str, typer.Option(help="Which of `keraslayers models` to train.")] = "shufflenet_v2",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the 1,400 training images.")] = 10,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the files; made if missing.")] = Path("demo"),
    force: Annotated[bool, typer.Option("--force", help=FORCE)] = False,
):
    """Train a classic network on scanned digits, export it in every precision, prove it, show the result."""
    with quiet():
        import tensorflow as tf

        from keraslayers import _demo
    # One machine trains one network, however its threads run.
    tf.config.experimental.enable_op_determinism()
    # A machine without a driver for the gpu runtime leaves it UNTESTED: the demo says so, and has not failed.
    raise typer.Exit(PROVEN if _demo.run(model, epochs, out_folder, out, force) else NOT_PROVEN)


@app.command()
def models():
    """List the classic networks: parameters, multiply-adds, paper."""
    with quiet():
        from keraslayers import models as classic
    caption = "Parameters and multiply-adds at the paper's input size; the tests check both."
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold underline", caption=caption)
    table.add_column("name, variants", no_wrap=True)
    for column in ("parameters", "mult-adds"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("paper", no_wrap=True)
    for name in classic.names():
        spec = classic.spec(name)
        paper = spec.url.removeprefix("https://").removeprefix("doi.org/").replace("arxiv.org/abs/", "arXiv:")
        for reference in spec.references:
            # The first is what the builder makes by itself; of the others what makes them, an option a line.
            first = reference is spec.references[0]
            shown = {} if first and not spec.needed else reference.options
            options = [f"  {option}" if value is True else f"  {option}={value}" for option, value in shown.items()]
            table.add_row(
                "\n".join([name, *options] if first else options),
                f"{reference.trainable_parameters:,}",
                f"{reference.multiply_adds:,}" if reference.multiply_adds else "",
                paper if first else "",
            )
    out.print(table)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL.keras", help="A saved Keras 3 model.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="By default MODEL.tflite.")] = None,
    target: Annotated[str, typer.Option(help="cpu, gpu, gpu-fp32, browser, browser-gpu or micro.")] = "cpu",
    precision: Annotated[
        str, typer.Option(help="float32, float16, dynamic, int4 (weights), int8 or int16x8 (all integer).")
    ] = "float32",
    samples: Annotated[
        Path | None, typer.Option(help="Typical inputs, prepared as for training: .npy, or .npz by input name.")
    ] = None,
    io: Annotated[
        str, typer.Option(help="Inputs and outputs: float32; int8 or uint8 of an int8 file, int16 of int16x8.")
    ] = "float32",
    batch_size: Annotated[int, typer.Option(min=1, help="Batch of the file.")] = 1,
    skip: Annotated[
        list[str] | None, typer.Option(help="A layer, or class of layers, to leave in floats in int8; again for more.")
    ] = None,
    rescale: Annotated[
        str | None,
        typer.Option(
            metavar="SCALE,OFFSET",
            help="The file takes pixels of 0 to 255 and computes pixel * SCALE + OFFSET before the model: 1/127.5,-1. "
            "Samples are pixels then, too.",
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Names of the classes, one a line: written into the file for Android.")
    ] = None,
    layer_errors: Annotated[
        bool, typer.Option("--layer-errors", help="Rank the layers by what int8 or float16 costs in each.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page, too: .html.")] = None,
    force: Annotated[bool, typer.Option("--force", help=FORCE)] = False,
):
    """Export a saved model to TFLite and prove the file."""
    with quiet():
        from keraslayers.export import to_tflite
    read = {"MODEL": model, "samples": samples, "labels": labels}
    output, html = _writable("export", output, model.with_suffix(".tflite"), html, read, force)
    given = _arguments.load_samples("export", samples)
    names = labels and _arguments.load_labels("export", labels)
    preprocessing = None if rescale is None else _arguments.rescaling("export", rescale)
    loaded = _arguments.load_model("export", model)
    if names:
        # An image of uint8 is pixels, too.
        _arguments.check_labels("export", names, loaded, rescale is not None or io == "uint8")
    artifact = to_tflite(
        loaded,
        target=target,
        precision=precision,
        samples=given,
        io=io,
        batch_size=batch_size,
        skip=skip or (),
        preprocessing=preprocessing,
        layer_errors=layer_errors,
    )
    artifact.save(output, labels=names, force=force)
    _show(artifact.report, html)
    _wrote(output, output.with_suffix(".json"))
    raise typer.Exit(PROVEN if artifact.report.ok else NOT_PROVEN)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="Any .tflite file, from whatever tool.")],
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            help="all that are installed, or cpu, gpu, gpu-fp16, browser, micro and others; again for more. By default "
            "the first three."
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="USER@HOST",
            help="Run it there, by ssh, on a Linux machine with Python and ai-edge-litert: on the CPU, and on the GPU "
            "where it has one, unless --runtime says otherwise.",
        ),
    ] = None,
    python: Annotated[
        str, typer.Option(help="With --on, the Python there: venv/bin/python, from the user's folder.")
    ] = "python3",
    samples: Annotated[Path | None, typer.Option(help="Inputs to run: .npy, or .npz by input name.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="The .keras model that the file was made of, to compare with it, too.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page, too: .html.")] = None,
):
    """Prove any .tflite file on the runtimes of a phone, or others, against LiteRT's built-in kernels."""
    with quiet():
        from keraslayers.export import prove
    html = _page("check", html, {"FILE": file, "samples": samples, "model": model})
    given = _arguments.load_samples("check", samples)
    loaded = model and _arguments.load_model("check", model)
    if on is not None:
        runtimes = _arguments.elsewhere(on, runtime, python)
    else:
        runtimes = "all" if runtime == ["all"] else runtime or None
    report = prove(file, runtimes=runtimes, samples=given, model=loaded)
    _show(report, html)
    raise typer.Exit(PROVEN if report.ok else NOT_PROVEN)


@app.command()
def setup(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="gpu: a Vulkan driver in software. arm64: ARM64 code and its emulator."),
    ],
):
    """Fetch what a runtime needs into a folder of your cache. Needs no root."""
    with quiet():
        from keraslayers.export.runtimes import SETUPS
    folder = SETUPS[_checks.choice("setup", "what", what, SETUPS)].setup()
    err.print(f"{what} is set up in {escape(printable(str(folder)))}", highlight=False, soft_wrap=True)


@app.command()
def repair(
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="Any .tflite file, from whatever tool.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="By default FILE.repaired.tflite.")] = None,
    target: Annotated[str, typer.Option(help="cpu, gpu, gpu-fp32, browser, browser-gpu or micro.")] = "gpu",
    samples: Annotated[Path | None, typer.Option(help="Inputs to run: .npy, or .npz by input name.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="The .keras model that the file was made of, to compare with it, too.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page, too: .html.")] = None,
    force: Annotated[bool, typer.Option("--force", help=FORCE)] = False,
):
    """Rewrite any .tflite file so that a target's runtimes take it and compute it right, and prove the result."""
    with quiet():
        from keraslayers.export import repair as repaired
    read = {"FILE": file, "samples": samples, "model": model}
    output, html = _writable("repair", output, file.with_suffix(".repaired.tflite"), html, read, force)
    given = _arguments.load_samples("repair", samples)
    loaded = model and _arguments.load_model("repair", model)
    artifact = repaired(file, target=target, samples=given, model=loaded)
    artifact.save(output, force=force)
    _show(artifact.report, html)
    _wrote(output, output.with_suffix(".json"))
    raise typer.Exit(PROVEN if artifact.report.ok else NOT_PROVEN)


@app.command()
def page(
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="Any .tflite file that web pages take.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="By default FILE.html.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Names of the classes, one a line.")] = None,
    rescale: Annotated[
        str | None,
        typer.Option(
            metavar="SCALE,OFFSET",
            help="Of an image: what training did to pixels of 0 to 255, pixel * SCALE + OFFSET: 1/127.5,-1. "
            "Not for a file with a report beside it that says that it takes pixels.",
        ),
    ] = None,
):
    """Write a file as a web page that holds all it needs: draw or choose an image, see what the file makes of it."""
    with quiet():
        from keraslayers.export.artifact import save_page
        from keraslayers.export.prove_file import opened
        from keraslayers.export.report.report import beside
    output = _page("page", file.with_suffix(".html") if output is None else output, {"FILE": file, "labels": labels})
    blob, name, _ = opened("page", file)
    names = labels and _arguments.load_labels("page", labels)
    scaled = None
    if rescale is not None:
        layer = _arguments.rescaling("page", rescale)
        scaled = (-layer.offset / layer.scale, 1 / layer.scale)
    told = beside(file, blob)
    about = {"name": told.get("name", name), "precision": told.get("precision")}
    pixels = told.get("preprocessing") is not None
    _wrote(save_page("page", blob, output, labels=names, normalization=scaled, pixels=pixels, **about))


@app.command()
def analyze(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="One of `keraslayers models`, a .keras or .tflite file.")
    ],
    input_shape: Annotated[
        str | None, typer.Option(help="Input without the batch, as 224,224,3; by default the model's own.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw them over the depth, too: .png, .svg or .pdf.")] = None,
):
    """Count what a model costs: multiply-adds, parameters, memory access, receptive field, layer by layer."""
    shape = None if input_shape is None else _arguments.shape("analyze", input_shape)
    if model.endswith(".tflite"):
        if shape is not None:
            raise ValueError(f"`analyze`: `input_shape` goes with a model; the file {model!r} has one of its own.")
        with quiet():
            from keraslayers.export.file.analyze_file import analyze_file

            found = analyze_file(model)
    else:
        found = _analyze(model, shape)
    if json:
        out.print_json(data=found.to_dict(), ensure_ascii=True)  # names obeyed by no terminal
    elif out.is_terminal:
        out.print(found)
    else:
        print(found)  # as wide as it is
    if plot:
        found.plot(plot)
        _wrote(plot)


def _analyze(model, shape):
    """Of a network by its name, or of a .keras file."""
    if model.endswith(".keras"):
        made = _arguments.load_model("analyze", Path(model))
    else:
        with quiet():
            from keraslayers import models as classic
        if model not in classic.names() and Path(model).exists():
            raise ValueError(f"`analyze`: `model` must be a name, a .keras or a .tflite file; got {model!r}.")
        try:
            _checks.choice("analyze", "model", model, classic.names())
        except ValueError as error:
            error.add_note("Or a file, whose name ends in .keras or .tflite.")
            raise
        made = classic.create(model, **classic.spec(model).references[0].options)
    with quiet():
        from keraslayers.analysis.analysis import analyze as count
    return count(made, shape)


def _show(report, html):
    from keraslayers.export.report import tables

    out.print(tables.of_report(report))
    if html:
        report.to_html(html)
        _wrote(html)


def _wrote(*paths):
    err.print(f"wrote {' and '.join(escape(printable(str(path))) for path in paths)}", highlight=False)


def _writable(who, output, default, html, read, force):
    """(the file to write, the page): where nothing is lost that the user did not name."""
    from keraslayers.export.artifact import check_beside, check_own
    from keraslayers.export.file import files

    path = files.writable(who, "output", default if output is None else output, ".tflite")
    files.check_distinct(who, {"output": path, "the report beside it": path.with_suffix(".json")}, read)
    if output is None:
        check_own(who, path, force)
    check_beside(who, path, force)
    return path, _page(who, html, {**read, "output": path, "the report beside it": path.with_suffix(".json")})


def _page(who, html, others):
    """Where the page goes; None where there is to be none."""
    from keraslayers.export.file import files
    from keraslayers.export.report.report import PAGES

    if html is None:
        return None
    files.check_distinct(who, {"html": html}, others)
    return files.writable(who, "html", html, PAGES)


def main(arguments=None):
    """Runs the command line; an error is one line, the traceback comes with --debug."""
    arguments = sys.argv[1:] if arguments is None else arguments
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        # --debug may stand anywhere; the app knows it for its help alone.
        app([word for word in arguments if word != "--debug"], prog_name="keraslayers")
    except Exception as error:  # of whatever class: the code in a model, and the libraries it calls, raise their own
        if "--debug" in arguments:
            raise
        err.print(f"[bold red]error[/]: {_one_line(error)}", highlight=False, soft_wrap=True)
        sys.exit(BAD_USE if isinstance(error, EXPECTED) and not isinstance(error, RuntimeError) else NOT_PROVEN)


# What bad use raises in words. All others say nothing without their names.
EXPECTED = (ValueError, TypeError, OSError, ImportError, RuntimeError)


def _one_line(error):
    said, name = str(error), type(error).__name__
    if isinstance(error, RecursionError) or not isinstance(error, EXPECTED):
        said = f"{name}: {said} (--debug shows where)" if said else f"{name} (--debug shows where)"
    words = [said or name, *getattr(error, "__notes__", ())]
    return escape(printable(" ".join(" ".join(words).split())))


if __name__ == "__main__":
    main()
