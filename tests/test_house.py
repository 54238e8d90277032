"""The rooms of the export: what each may import, so that a reader can start at the bottom and never has to look up.

And of all code: who may use what Keras keeps private.
"""

import ast
import functools
import graphlib
import importlib.util
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
EXPORT = ROOT / "export"
PRIVATE = re.compile(r"_[a-z]\w*")
# The one file that may use what Keras keeps private.
KERAS_PRIVATE = ROOT / "keraslayers" / "_keras.py"
# From the way in down to what builds on nothing here. A room may import from its own floor, in no circle, and below.
FLOORS = (
    {"pipeline"},
    {"plan", "made", "prove_file", "profile_file", "repair", "artifact", "predict", "compare", "benchmark"},
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
    "profile_file",
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


def private(source):
    """Private names that are used: attributes but for those that the source makes itself, and `keras.src`."""
    used, made = [], set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(ast.Name("keras"), "src"):
                used.append("keras.src")
            case ast.Attribute(ast.Name("self"), name, ast.Store()) | ast.FunctionDef(name):
                made.add(name)
            case ast.Attribute(_, name):
                used.append(name)
            case ast.Call(ast.Name("getattr" | "hasattr" | "setattr"), [_, ast.Constant(str(name)), *_]):
                used.append(name)
            case ast.Constant(str(text)) if "keras.src" in text:
                used.append("keras.src")
    used += ["keras.src" for name in imported(source) if f"{name}.".startswith("keras.src.")]
    return [name for name in used if name == "keras.src" or (PRIVATE.fullmatch(name) and name not in made)]


@functools.cache
def private_of_keras():
    """What Keras calls its private attributes, by its own source: Keras is read, not imported."""
    source = pathlib.Path(importlib.util.find_spec("keras").origin).parent / "src"
    found = (re.findall(rf"\.({PRIVATE.pattern})", path.read_text()) for path in source.rglob("*.py"))
    return {"keras.src"}.union(*found)


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


@pytest.mark.parametrize("folder", ["keraslayers", "models", "export"])
def test_one_file_knows_what_keras_keeps_private(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        used = private_of_keras().intersection(private(path.read_text())) if path != KERAS_PRIVATE else ()
        assert not used, f"{path.relative_to(ROOT)} uses {', '.join(sorted(used))}: only keraslayers/_keras.py may"


def test_private_names_are_seen():
    code = '''
"""Says `_keras_history`."""
import keras.src.models
from keras.src import ops
import_module(f"keras.src.{name}")
keras.src.ops, keras.ops, self.__class__
tensor._keras_history.operation, getattr(model, "_functional"), self._tracker
self._nodes = graph._nodes
'''
    names = private(code)
    assert sorted(names) == [*["_functional", "_keras_history", "_tracker"], *["keras.src"] * 4]
    assert private_of_keras() > {*names, "_nodes", "_inputs_struct"}


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
