"""What the site takes from the README and its like."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def block(path, name):
    """What stands between a page's marks of that name, which a command wrote there."""
    return (ROOT / path).read_text().split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]


def on_site(text, base):
    """Text of the README, whose links to examples lead to the page that shows them."""
    return re.sub(r"\(examples/(\w+)\.py\)", rf"({base}examples.md#\1py)", text)
