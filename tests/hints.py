"""What a type checker sees of the package; `make lint` runs it: `python -m tests.hints`."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
# The package as the wheel has it, in links: type checkers do not run the `__init__.py` that finds the other folders.
LINKS = ROOT / "build" / "types"
# What people import from.
MODULES = (
    "keraslayers",
    "keraslayers.analysis",
    "keraslayers.export",
    "keraslayers.export.optimize",
    "keraslayers.models",
    "keraslayers.models.detection",
    "keraslayers.models.keypoints",
    "keraslayers.models.segmentation",
    "keraslayers.models.super_resolution",
    "keraslayers.models.weights",
)
# Keras has no hints. For this it is these classes, from which ours are derived, and all else in it any; what is unknown
# then is ours.
KERAS = {
    "__init__": ("KerasTensor", "Model", "Operation"),
    "initializers": ("Initializer",),
    "layers": ("Conv2D", "Layer"),
    "losses": ("Loss",),
    "metrics": ("Mean",),
}


def link(folder):
    """Lays the package out in a folder; again, where files have come and gone."""
    package = folder / "keraslayers"
    package.mkdir(parents=True, exist_ok=True)
    code = {path.name: path for path in (*(ROOT / "keraslayers").iterdir(), ROOT / "models", ROOT / "export")}
    for name in {path.name for path in package.iterdir()} - set(code):
        (package / name).unlink()
    for name in set(code) - {"__pycache__"}:
        if not (package / name).is_symlink():
            (package / name).symlink_to(code[name])


def keras_of_any(folder):
    """Writes a Keras that tells no more than that."""
    (folder / "keras").mkdir(parents=True)
    (folder / "keras" / "py.typed").touch()
    for module, classes in KERAS.items():
        lines = ["from typing import Any", "def __getattr__(name: str) -> Any: ..."]
        lines += [f"class {name}:\n    def __getattr__(self, name: str) -> Any: ..." for name in classes]
        if module == "__init__":
            lines += [f"from keras import {other} as {other}" for other in KERAS if other != module]
        (folder / "keras" / f"{module}.pyi").write_text("\n".join(lines) + "\n")


def start(*words, path=(), folder=ROOT):
    """Starts pyright in a folder; what lies in those of `path` it finds before what is installed."""
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def told(process):
    """What pyright says."""
    said, _ = process.communicate()
    return json.loads(said)


def faults(report):
    """What is wrong in files, a line each."""
    return [
        f"{Path(fault['file']).name}:{fault['range']['start']['line'] + 1}: {fault['message']}"
        for fault in report["generalDiagnostics"]
        if fault["severity"] == "error"
    ]


def public(report, modules=MODULES):
    """Of what `--verifytypes` tells what is public, by name: what the modules name, and what is in such classes."""
    symbols = report["typeCompleteness"]["symbols"]
    found, classes = {}, ()
    for symbol in symbols:
        names = (symbol["name"], *symbol.get("alternateNames", ()))
        if any(name.rpartition(".")[0] in modules for name in names):
            found[symbol["name"]] = symbol
            classes += (f"{symbol['name']}.",) * (symbol["category"] == "class")
    return found | {symbol["name"]: symbol for symbol in symbols if symbol["name"].startswith(classes)}


def unknown(symbols, modules=MODULES):
    """Names without a type, and why, a line each. What pyright calls ambiguous has one, which it infers."""
    prefixes = {name.rpartition(".")[0] for name in symbols}
    unseen = [f"{module}: pyright sees nothing in it" for module in modules if module not in prefixes]
    return unseen + [
        f"{name}: {'; '.join(dict.fromkeys(fault['message'] for fault in symbol['diagnostics']))}".replace("\n", " ")
        for name, symbol in symbols.items()
        if not symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"]
    ]


def main():
    link(LINKS)
    with tempfile.TemporaryDirectory(prefix="hints_") as folder:  # no run sweeps it away
        keras_of_any(Path(folder))
        checked = start()  # what pyproject.toml says
        complete = start("--verifytypes", "keraslayers", "--ignoreexternal", path=(LINKS, folder), folder=folder)
        wrong, symbols = faults(told(checked)), public(told(complete))
    missing = unknown(symbols)
    print(*wrong, *missing, sep="\n", end="\n" * bool(wrong + missing))
    declared = sum(symbol["isTypeKnown"] for symbol in symbols.values())
    inferred = len(symbols) - declared - len(missing)
    print(f"Of {len(symbols)} public names {declared} have declared types, {inferred} inferred, {len(missing)} none.")
    sys.exit(bool(wrong + missing))


if __name__ == "__main__":
    main()
