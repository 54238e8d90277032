"""What the site takes from pages that commands write into."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def block(path, name):
    """What stands between a page's marks of that name, which a command wrote there."""
    return (ROOT / path).read_text().split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]
