import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent


def on_config(config):
    package = ROOT / "build" / "docs" / "keraslayers"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    for path in (ROOT / "keraslayers").glob("*.py"):
        (package / path.name).write_bytes(path.read_bytes())
    for name in ("models", "export"):
        shutil.copytree(ROOT / name, package / name)
    return config
