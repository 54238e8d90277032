"""Renders a page from a template beside this file."""

from pathlib import Path


def render(template, *, folder=Path(__file__).parent, **values):
    """Returns the template filled with the values, everything in them escaped.

    Raises:
        ImportError: if jinja2 is missing.
    """
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("HTML pages need jinja2: pip install 'keraslayers[report]'") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
