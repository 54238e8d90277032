"""The rooms of the export: what each may import, so that a reader can start at the bottom and never has to look up."""

import ast
import graphlib
import pathlib

import pytest

EXPORT = pathlib.Path(__file__).parent.parent / "export"
# From the way in down to what builds on nothing here. A room may import from its own floor, in no circle, and below.
FLOORS = (
    {"pipeline"},
    {"plan", "prove_file", "repair", "artifact", "predict", "compare", "benchmark"},
    {"convert", "report", "optimize"},
    {"proof", "app"},
    {"source", "targets"},
    {"file", "rewrites", "passes", "runtimes", "measures", "precisions", "progress", "scratch", "cache"},
)
# A file is read, mended and run without Keras.
WITHOUT_KERAS = {
    "file",
    "rewrites",
    "runtimes",
    "measures",
    "proof",
    "report",
    "app",
    "repair",
    "prove_file",
    "compare",
    "benchmark",
}
KERAS = {"keras", "tensorflow", "tf_keras"}

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ROOMS = sorted(path.stem for path in EXPORT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
ROOMS.remove("__init__")


def imported(source):
    """Names of all that is imported, at the top or within a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(room):
    return [EXPORT / f"{room}.py"] if (EXPORT / f"{room}.py").exists() else sorted((EXPORT / room).rglob("*.py"))


def rooms_of(names):
    """The rooms that imports reach into."""
    return {name.split(".")[2] for name in names if name.startswith("keraslayers.export.")}


def upward(room, names):
    return sorted(other for other in rooms_of(names) if FLOOR[other] < FLOOR[room])


def circle(arrows):
    """The rooms of a circle; none if there is none."""
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("room", ROOMS)
def test_no_arrow_runs_up(room):
    assert room in FLOOR, f"export/{room} stands on no floor of tests/test_house.py"
    for path in files(room):
        names = list(imported(path.read_text()))
        assert not upward(room, names), f"{path.relative_to(EXPORT.parent)} imports from a floor above"
        assert not [name for name in names if name.startswith("keraslayers.models")], f"{path} imports models"


def test_rooms_make_no_circle():
    reached = {room: {*imported("\n".join(path.read_text() for path in files(room)))} for room in ROOMS}
    assert circle({room: rooms_of(names) - {room} for room, names in reached.items()}) == []


@pytest.mark.parametrize("room", sorted(WITHOUT_KERAS & set(ROOMS)))
def test_files_need_no_keras(room):
    for path in files(room):
        used = {name.split(".")[0] for name in imported(path.read_text())} & KERAS
        assert not used, f"{path.relative_to(EXPORT.parent)} imports {', '.join(used)}"


@pytest.mark.parametrize("room", [room for room in ROOMS if (EXPORT / room).is_dir()])
def test_rooms_say_what_is_in_them(room):
    assert ast.get_docstring(ast.parse((EXPORT / room / "__init__.py").read_text()))


def test_arrows_that_run_up_and_circles_are_seen():
    lazy = "def later():\n    from keraslayers.export.pipeline import to_tflite\n"
    code = f"{lazy}from keraslayers.export import plan, proof"
    assert upward("optimize", imported(code)) == ["pipeline", "plan"]
    assert upward("passes", imported("import keraslayers.export.source.samples")) == ["source"]
    assert circle({"file": {"runtimes"}, "runtimes": {"measures"}, "measures": {"file"}})
    assert not circle({"file": {"runtimes"}, "runtimes": {"measures"}})
