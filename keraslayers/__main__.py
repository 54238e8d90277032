"""The command line: the front door."""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from keraslayers._commands import files, networks, pages
from keraslayers._commands.terminal import BAD_USE, NOT_PROVEN, err
from keraslayers._printable import printable

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool):
    if wanted:
        print(f"keraslayers {version('keraslayers')}")
        raise typer.Exit


@app.callback()
def keraslayers(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
):
    """Layers, classic models and proven TFLite export for Keras 3.

    Exit codes: 0 proven, 1 not proven, 2 bad use.
    """


for command in (
    networks.demo,
    networks.models,
    files.export,
    files.check,
    files.compare,
    files.benchmark,
    files.setup,
    files.repair,
    pages.page,
    pages.report,
    pages.serve,
    networks.analyze,
):
    app.command()(command)


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
