"""Commands about the classic networks and what models cost."""

from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from keraslayers import _arguments, _checks
from keraslayers._commands.terminal import FORCE, JSON, NOT_PROVEN, PROVEN, out, page_path, print_json, wrote
from keraslayers._quiet import quiet


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


def models(json: JSON = False):
    """List the classic networks: parameters, multiply-adds, paper."""
    with quiet():
        from keraslayers import models as classic
    if json:
        print_json(dumps([asdict(classic.spec(name)) for name in classic.names()], default=str))
        return
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
            # Without spaces in sizes a line of 80 letters holds all.
            told = {option: str(value).replace(" ", "") for option, value in shown.items()}
            options = [f"  {option}" if shown[option] is True else f"  {option}={told[option]}" for option in shown]
            table.add_row(
                "\n".join([name, *options] if first else options),
                f"{reference.trainable_parameters:,}",
                f"{reference.multiply_adds:,}" if reference.multiply_adds else "",
                paper if first else "",
            )
    out.print(table)


def analyze(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="One of `keraslayers models`, a .keras or .tflite file.")
    ],
    input_shape: Annotated[
        str | None, typer.Option(help="Input without the batch, as 224,224,3; by default the model's own.")
    ] = None,
    json: JSON = False,
    plot: Annotated[Path | None, typer.Option(help="Draw them over the depth, too: .png, .svg or .pdf.")] = None,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile",
            help="Of a .tflite file: time each operator on this machine, beside the least that it can take here.",
        ),
    ] = False,
    samples: Annotated[
        Path | None, typer.Option(help="With --profile, inputs to run: .npy, or .npz by input name.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="With --profile, write it as a page, too: .html.")] = None,
    node_data: Annotated[
        Path | None,
        typer.Option(
            help="With --profile, write it for Model Explorer, too: of NAME.json NAME.ms.json and three others."
        ),
    ] = None,
):
    """Count what a model costs: multiply-adds, parameters, memory access, receptive field, layer by layer."""
    if profile:
        if not model.endswith(".tflite"):
            raise ValueError(f"`analyze`: `profile` goes with a .tflite file, which can be timed; got {model!r}.")
        for name, given in (("input_shape", input_shape), ("plot", plot)):
            if given is not None:
                raise ValueError(f"`analyze`: `{name}` does not go with `profile`; leave one away.")
        _profile(Path(model), samples, html, node_data, json)
        return
    for name, given in (("samples", samples), ("html", html), ("node_data", node_data)):
        if given is not None:
            raise ValueError(f"`analyze`: `{name}` goes with `profile`; give that, too.")
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
        print_json(dumps(found.to_dict()))
    elif out.is_terminal:
        out.print(found)
    else:
        print(found)  # as wide as it is
    if plot:
        found.plot(plot)
        wrote(plot)


def _profile(file, samples, html, node_data, json):
    """Where a file's time goes."""
    with quiet():
        from keraslayers.export import profile
        from keraslayers.export.file import files
        from keraslayers.export.report import node_data as written
        from keraslayers.export.report import profile_table
    read = {"MODEL": file, "samples": samples, "the report beside it": file.with_suffix(".json")}
    html = page_path("analyze", html, read)
    if node_data:
        places = written.paths("analyze", "node_data", node_data, written.OF_PROFILE)
        files.check_distinct("analyze", {f"node_data, {place.name}": place for place in places.values()}, read)
    found = profile(file, _arguments.load_samples("analyze", samples))
    if json:
        print_json(dumps(found.to_dict()))
    else:
        out.print(profile_table.of_profile(found))
    if html:
        found.to_html(html)
        wrote(html)
    if node_data:
        wrote(*found.save_node_data(node_data))


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
