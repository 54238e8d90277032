"""What all commands share: the terminal, what they print and where they write."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from keraslayers._printable import printable

PROVEN, NOT_PROVEN, BAD_USE = 0, 1, 2
FORCE = "Replace files that keraslayers did not write, too."
JSON = Annotated[bool, typer.Option("--json", help="Print all that is known as JSON.")]

out = Console()
err = Console(stderr=True)


def show(report, html, json):
    """Prints a report, and writes it as a page where one is wanted."""
    from keraslayers.export.report import tables

    if json:
        print_json(report.to_json())
    else:
        out.print(tables.of_report(report))
    if html:
        report.to_html(html)
        wrote(html)


def print_json(text):
    out.print_json(text, ensure_ascii=True)  # names obeyed by no terminal


def wrote(*paths):
    err.print(f"wrote {' and '.join(escape(printable(str(path))) for path in paths)}", highlight=False)


def writable(who, output, default, html, read, force):
    """(the file to write, the page): where nothing is lost that the user did not name."""
    from keraslayers.export.artifact import check_beside, check_own
    from keraslayers.export.file import files

    path = files.writable(who, "output", default if output is None else output, ".tflite")
    files.check_distinct(who, {"output": path, "the report beside it": path.with_suffix(".json")}, read)
    if output is None:
        check_own(who, path, force)
    check_beside(who, path, force)
    return path, page_path(who, html, {**read, "output": path, "the report beside it": path.with_suffix(".json")})


def page_path(who, html, others):
    """Where the page goes; None where there is to be none."""
    from keraslayers.export.file import files
    from keraslayers.export.report import page
    from keraslayers.export.report.report import PAGES

    if html is None:
        return None
    page.engine()
    files.check_distinct(who, {"html": html}, others)
    return files.writable(who, "html", html, PAGES)


def keep(file, report):
    """Writes a report beside its file."""
    from keraslayers.export.file import files

    files.write({file.with_suffix(".json"): report.to_json().encode()})
