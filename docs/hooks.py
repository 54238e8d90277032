"""What mkdocs calls: adds the generated pages, and lays the package out for the reader of docstrings."""

import os
import re
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).parent.parent
# The three code folders as the wheel holds them: docstrings are read from files, and a checkout has another layout.
PACKAGE = ROOT / "build" / "docs" / "keraslayers"


def on_startup(command, dirty):
    """Before anything looks at the configuration: a folder of it that is not there is forgotten."""
    shutil.rmtree(PACKAGE, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "keraslayers", PACKAGE, ignore=ignore)
    for name in ("models", "export"):
        shutil.copytree(ROOT / name, PACKAGE / name, ignore=ignore)


def on_config(config):
    for folder in (ROOT, ROOT / "docs"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    import model_pages
    import pages

    for entry in config.nav:
        if "Models" in entry:
            entry["Models"] = ["models/index.md", *(f"models/{family}.md" for family in model_pages.families())]
        if "Layers" in entry:
            entry["Layers"] = ["layers/index.md", *(f"layers/{module}.md" for module in pages.modules())]
    return config


def on_files(files, config):
    import pages
    from mkdocs.structure.files import File

    config.extra["tables"] = {}
    for path, text in pages.made():
        if path.endswith("-table.md"):
            config.extra["tables"][path.removesuffix("-table.md")] = text
        else:
            files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Puts generated tables where a page has a mark such as `<!-- targets -->`."""
    for name, text in config.extra["tables"].items():
        markdown = markdown.replace(f"<!-- {name} -->", text)
    return markdown


def on_page_content(html, page, config, files):
    """Makes links of the papers that docstrings name; takes dashes away that stand behind no name.

    The page of a layer begins with what it is: there its docstring goes on behind that.
    """
    if page.file.src_uri.startswith("layers/"):
        html = re.sub(
            r'(doc-class">.*?<div class="doc doc-contents first">)\s*<p>.*?</p>', r"\1", html, flags=re.DOTALL
        )
    html = re.sub(r'(<li class="doc-section-item field-body">)\s*\u2013', r"\1", html)
    html = re.sub(r"(?<![/\w])arXiv:(\d{4}\.\d{4,5})", r'<a href="https://arxiv.org/abs/\1">\g<0></a>', html)
    return re.sub(r"(?<![/\w])doi:(10\.[\w./-]*\w)", r'<a href="https://doi.org/\1">\g<0></a>', html)
