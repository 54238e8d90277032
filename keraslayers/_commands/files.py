"""Commands that make, prove and mend files."""

from dataclasses import asdict, replace
from json import dumps
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from keraslayers import _arguments, _checks
from keraslayers._commands.terminal import (
    FORCE,
    JSON,
    NOT_PROVEN,
    PROVEN,
    err,
    keep,
    out,
    page_path,
    print_json,
    show,
    writable,
    wrote,
)
from keraslayers._printable import printable
from keraslayers._quiet import quiet

# What several commands ask for in the same words.
FILE = Annotated[Path, typer.Argument(metavar="FILE.tflite", help="Any .tflite file, from whatever tool.")]
TARGET = Annotated[str, typer.Option(help="cpu, gpu, gpu-fp32, browser, browser-gpu or micro.")]
INPUTS = Annotated[Path | None, typer.Option(help="Inputs to run: .npy, or .npz by input name.")]
MADE_OF = Annotated[
    Path | None, typer.Option(help="The .keras model that the file was made of, to compare with it, too.")
]
HTML = Annotated[Path | None, typer.Option(help="Write the report as a page, too: .html.")]
OVER = Annotated[bool, typer.Option("--force", help=FORCE)]


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL.keras", help="A saved Keras 3 model.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="By default MODEL.tflite.")] = None,
    target: TARGET = "cpu",
    precision: Annotated[
        str,
        typer.Option(
            help="float32, float16, dynamic, int4 (weights), int8 or int16x8 (all integer); auto is int8 with as many "
            "layers in floats as --max-drop asks for."
        ),
    ] = "float32",
    samples: Annotated[
        Path | None,
        typer.Option(
            help="Typical inputs, prepared as for training: .npy, or .npz by input name; or a folder of images, up to "
            "512 of them, with --rescale."
        ),
    ] = None,
    max_drop: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="With --precision auto, the part of the samples whose class may not be Keras's.",
        ),
    ] = 0.01,
    prefer: Annotated[
        str | None,
        typer.Option(
            help="With --precision auto, float32, float16, dynamic and int4 are tried, too: latency or size is what "
            "the file shall have least of."
        ),
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
    boxes: Annotated[
        str | None,
        typer.Option(help="With --labels, of a detector: cycxhw, the boxes that MediaPipe's ObjectDetector takes."),
    ] = None,
    layer_errors: Annotated[
        bool, typer.Option("--layer-errors", help="Rank the layers by what int8 or float16 costs in each.")
    ] = False,
    html: HTML = None,
    json: JSON = False,
    force: OVER = False,
):
    """Export a saved model to TFLite and prove the file."""
    with quiet():
        from keraslayers.export import to_tflite
    read = {"MODEL": model, "samples": samples, "labels": labels}
    output, html = writable("export", output, model.with_suffix(".tflite"), html, read, force)
    images = samples is not None and samples.is_dir()
    given = None if images else _arguments.load_samples("export", samples)
    names = labels and _arguments.load_labels("export", labels)
    if boxes and not names:
        raise ValueError("`export`: `boxes` goes with `labels`; give these too.")
    preprocessing = None if rescale is None else _arguments.rescaling("export", rescale)
    loaded = _arguments.load_model("export", model)
    if images:
        given = _arguments.load_images("export", samples, loaded, rescale)
    auto = {}
    if precision == "auto":
        auto = {"evaluate": _arguments.alike("export", given), "max_drop": max_drop}
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
        prefer=prefer,
        layer_errors=layer_errors,
        **auto,
    )
    artifact.save(output, labels=names, boxes=boxes, force=force)
    show(artifact.report, html, json)
    wrote(output, output.with_suffix(".json"))
    raise typer.Exit(PROVEN if artifact.report.ok else NOT_PROVEN)


def check(
    file: FILE,
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
    samples: INPUTS = None,
    model: MADE_OF = None,
    html: HTML = None,
    json: JSON = False,
):
    """Prove any .tflite file on the runtimes of a phone, or others, against LiteRT's built-in kernels."""
    with quiet():
        from keraslayers.export import prove
    html = page_path("check", html, {"FILE": file, "samples": samples, "model": model})
    given = _arguments.load_samples("check", samples)
    loaded = model and _arguments.load_model("check", model)
    if on is not None:
        runtimes = _arguments.elsewhere(on, runtime, python)
    else:
        runtimes = "all" if runtime == ["all"] else runtime or None
    report = prove(file, runtimes=runtimes, samples=given, model=loaded)
    show(report, html, json)
    raise typer.Exit(PROVEN if report.ok else NOT_PROVEN)


def repair(
    file: FILE,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="By default FILE.repaired.tflite.")] = None,
    target: TARGET = "gpu",
    samples: INPUTS = None,
    model: MADE_OF = None,
    html: HTML = None,
    json: JSON = False,
    force: OVER = False,
):
    """Rewrite any .tflite file so that a target's runtimes take it and compute it right, and prove the result."""
    with quiet():
        from keraslayers.export import repair as repaired
    read = {"FILE": file, "samples": samples, "model": model}
    output, html = writable("repair", output, file.with_suffix(".repaired.tflite"), html, read, force)
    given = _arguments.load_samples("repair", samples)
    loaded = model and _arguments.load_model("repair", model)
    artifact = repaired(file, target=target, samples=given, model=loaded)
    artifact.save(output, force=force)
    show(artifact.report, html, json)
    wrote(output, output.with_suffix(".json"))
    raise typer.Exit(PROVEN if artifact.report.ok else NOT_PROVEN)


def compare(
    first: FILE,
    second: Annotated[Path, typer.Argument(metavar="OTHER.tflite", help="Another file of the same network.")],
    samples: INPUTS = None,
    node_data: Annotated[
        Path | None, typer.Option(help="Write the decibels of layers for Model Explorer, too: .json.")
    ] = None,
    json: JSON = False,
):
    """Run two files of one network on the same inputs and compare them, whole and layer by layer."""
    with quiet():
        from keraslayers.export import compare as compared
        from keraslayers.export.file import files
        from keraslayers.export.report import tables
    if node_data:
        path = files.writable("compare", "node_data", node_data, ".json")
        reports = {f"the report beside {file.name}": file.with_suffix(".json") for file in (first, second)}
        files.check_distinct("compare", {"node_data": path}, reports)
    given = _arguments.load_samples("compare", samples)
    found = compared(first, second, given)
    if json:
        print_json(dumps(asdict(found)))
    else:
        out.print(tables.of_comparison(found))
    if node_data:
        wrote(found.save_node_data(node_data))


def benchmark(
    file: FILE,
    device: Annotated[str, typer.Option(help="adb, or adb:SERIAL where several phones are plugged in.")] = "adb",
    accelerator: Annotated[str, typer.Option(help="cpu or gpu.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Of the CPU.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="How many calls are timed at least.")] = 50,
    json: JSON = False,
):
    """Time a file on a phone, by LiteRT's benchmark_model there; the report beside the file takes the figures in."""
    with quiet():
        from keraslayers.export import benchmark as timed
        from keraslayers.export.report.read import read_report
        from keraslayers.export.report.report import beside
    report = file.with_suffix(".json")
    told = read_report("benchmark", report) if file.is_file() and beside(file, file.read_bytes()) else None
    found = timed(file, device, accelerator=accelerator, threads=threads, runs=runs)
    if json:
        print_json(dumps(asdict(found)))
    else:
        out.print(printable(str(found)), markup=False, highlight=False)
    if told:
        keep(file, replace(told, latencies=(*told.latencies, found)))
        wrote(report)


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
