"""Renders a page from a template beside this file."""

from pathlib import Path


def render(template, *, folder=Path(__file__).parent, **values):
    """Returns the template filled with the values, everything in them escaped.

    Raises:
        ImportError: if jinja2 is missing.
    """
    jinja2 = engine()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)


def engine():
    """The module that renders; asked for before the work whose result it shows.

    Raises:
        ImportError: if it is missing.
    """
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("HTML pages need jinja2: pip install 'keraslayers[report]'") from error
    return jinja2
