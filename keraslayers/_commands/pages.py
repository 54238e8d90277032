"""Commands about files in web pages, and what the devices that open them say."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from keraslayers import _arguments
from keraslayers._commands.terminal import JSON, NOT_PROVEN, PROVEN, err, keep, out, page_path, show, wrote
from keraslayers._printable import printable
from keraslayers._quiet import quiet

FILE = Annotated[Path, typer.Argument(metavar="FILE.tflite", help="Any .tflite file that web pages take.")]
LABELS = Annotated[Path | None, typer.Option(help="Names of the classes, one a line.")]
RESCALE = Annotated[
    str | None,
    typer.Option(
        metavar="SCALE,OFFSET",
        help="Of an image: what training did to pixels of 0 to 255, pixel * SCALE + OFFSET: 1/127.5,-1. "
        "Not for a file with a report beside it that says that it takes pixels.",
    ),
]
BOXES = Annotated[
    str | None, typer.Option(help="Of a detector, what the numbers of a box are: yxyx, xyxy, xywh, cxcywh or cycxhw.")
]
POINTS = Annotated[str | None, typer.Option(help="Of points, what the numbers of one are: xy or yx.")]
SAMPLES = Annotated[Path | None, typer.Option(help="Inputs that the page proves it on: .npy, or .npz by input name.")]
MODEL = Annotated[Path | None, typer.Option(help="The .keras model it was made of: what these must give.")]


def page(
    file: FILE,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="By default FILE.html.")] = None,
    labels: LABELS = None,
    rescale: RESCALE = None,
    boxes: BOXES = None,
    points: POINTS = None,
    samples: SAMPLES = None,
    model: MODEL = None,
):
    """Write a file as a web page that holds all it needs: it runs the file, and proves it where it is opened."""
    with quiet():
        from keraslayers.export.artifact import save_page
    read = {"FILE": file, "labels": labels, "samples": samples, "model": model}
    output = page_path("page", file.with_suffix(".html") if output is None else output, read)
    given = _given("page", file, labels, rescale, boxes, points, samples, model)
    wrote(save_page("page", given.blob, output, **given.about))


def report(
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="A file, with or without a report beside it.")],
    add: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="ANSWER.json", help="What a page of this file saved on some device: a runtime; again for more."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page, too: .html.")] = None,
    json: JSON = False,
):
    """Show the report beside a file; with --add put into it what pages found on the devices that opened them."""
    with quiet():
        from keraslayers.export.prove_file import opened
        from keraslayers.export.report import answers
    html = page_path("report", html, {"FILE": file, "the report beside it": file.with_suffix(".json")})
    blob, name, graph = opened("report", file)
    found = [answers.load("report", path, blob) for path in add or ()]
    made = _beside("report", file, blob, graph, name, begin=bool(found))
    if found:
        made = answers.added(made, found, graph)
        keep(file, made)
    show(made, html, json)
    raise typer.Exit(PROVEN if made.ok else NOT_PROVEN)


def serve(
    file: FILE,
    labels: LABELS = None,
    rescale: RESCALE = None,
    boxes: BOXES = None,
    points: POINTS = None,
    samples: SAMPLES = None,
    model: MODEL = None,
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help="Stop when nobody came for so long.")] = 15,
    address: Annotated[
        str | None, typer.Option(help="This machine's address to listen at; by default that in the local network.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="By default any that is free.")] = 0,
):
    """Serve a file's page in the local network, for phones: their verdicts come into the report beside the file.

    The address has a token in it; nothing else is served. The certificate is made on the spot, since pages get WebGPU
    over https alone: a browser warns of it, and goes on if it is told to.
    """
    with quiet():
        from keraslayers import _serve
        from keraslayers.export.artifact import check_beside
        from keraslayers.export.report import answers, app_page, tables
    host = _serve.own_address() if address is None else _arguments.ip_address("serve", address)
    check_beside("serve", file)
    given = _given("serve", file, labels, rescale, boxes, points, samples, model)
    made = _beside("serve", file, given.blob, given.graph, given.about["name"], begin=True)
    content = app_page.render("serve", given.blob, given.graph, send="answer", **given.about)

    def accept(body):
        return answers.read(body, given.blob)

    came = []
    try:
        server = _serve.Server(content, accept, most=answers.MOST_BYTES, host=host, port=port)
    except OSError as error:
        raise OSError(f"`serve`: cannot listen at {host}, port {port}: {error.strerror}") from error
    with server:
        if sys.stdout.isatty() and "utf" in (sys.stdout.encoding or "").lower():
            print(_serve.qr_code(server.address))
        print(server.address, flush=True)
        err.print(
            f"Open it on a device in this network; its browser warns of the certificate, whose SHA-256 begins with "
            f"{server.fingerprint[:16]}. This stops {minutes:g} minutes after the last visit, or on Ctrl-C.",
            highlight=False,
        )
        try:
            for answer in server.serve(minutes):
                came.append(answer)
                made = answers.added(made, [answer], given.graph)
                keep(file, made)
                out.print(tables.of_answers(came))
        except KeyboardInterrupt:
            pass
    if came:
        err.print(f"the answers are in {escape(printable(str(file.with_suffix('.json'))))}", highlight=False)
    raise typer.Exit(PROVEN if came and made.ok else NOT_PROVEN)


@dataclass(frozen=True)
class _Given:
    """A file, what `read_graph` says of it, and what else its page is made of."""

    blob: bytes
    graph: object
    about: dict


def _given(who, file, labels, rescale, boxes, points, samples, model):
    from keraslayers.export.prove_file import evidence_of, opened
    from keraslayers.export.report.report import beside

    blob, name, graph = opened(who, file)
    names = labels and _arguments.load_labels(who, labels)
    scaled = None
    if rescale is not None:
        layer = _arguments.rescaling(who, rescale)
        scaled = (-layer.offset / layer.scale, 1 / layer.scale)
    arrays = _arguments.load_samples(who, samples)
    loaded = model and _arguments.load_model(who, model)
    told = beside(file, blob)
    about = {
        "name": told.get("name", name),
        "precision": told.get("precision"),
        "pixels": told.get("preprocessing") is not None,
        "labels": names,
        "normalization": scaled,
        "boxes": boxes,
        "points": points,
        "evidence": evidence_of(who, graph, arrays, loaded),
    }
    return _Given(blob, graph, about)


def _beside(who, file, blob, graph, name, begin):
    """The report beside a file; a new one without proofs where there is none, if one is to begin."""
    from keraslayers.export.artifact import check_beside
    from keraslayers.export.report.read import read_report
    from keraslayers.export.report.report import beside, describe

    path = file.with_suffix(".json")
    if beside(file, blob):
        return read_report(who, path)
    if not begin:
        raise ValueError(
            f"`{who}`: beside {str(file)!r} is no report of it. `keraslayers check` proves it; `keraslayers page` "
            "makes a page whose answers `--add` puts into one."
        )
    check_beside(who, file)
    return describe(blob, graph, (), name=name, signatures=graph.signatures)
