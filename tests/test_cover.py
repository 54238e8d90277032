"""Whatever is public is judged, saved under its own name, documented, and free of TensorFlow."""

import ast
import dataclasses
import inspect
import pathlib
import re
import sys

import keras
import pytest
from keras.layers import Layer

import keraslayers
from keraslayers import export
from keraslayers.export.passes import PASSES
from keraslayers.export.runtimes import RUNTIMES
from tests.cases import CASES, FUNCTIONS, TOOLS

PUBLIC = {name: getattr(keraslayers, name) for name in keraslayers.__all__}
LAYERS = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing) and issubclass(thing, Layer)}
# What an analysis is made of: plain records.
RECORDS = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing) and name not in LAYERS}
PACKAGE = pathlib.Path(keraslayers.__file__).parent
SOURCES = sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("analysis/*.py")])

# The command line is built on everything, the layers on nothing.
FRONT = ("__main__.py", "_arguments.py", "_demo.py", "_demo_digits.py", "_demo_stock.py", "_serve.py")
# What an analysis needs to be shown, imported when it is.
SHOWN = {"table.py": {"rich"}, "plot.py": {"matplotlib"}}
# The layers train on every backend of Keras, so they see no backend; and arrows never point back at export or models.
ALLOWED = {"keras", "keraslayers", "numpy", *sys.stdlib_module_names}
ABOVE = ("keraslayers.export", "keraslayers.models")

every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


class WithoutHints(ast.NodeTransformer):
    """Source as it runs: what `TYPE_CHECKING` guards is for type checkers alone."""

    def visit_If(self, node):
        guards = ast.unparse(node.test).endswith("TYPE_CHECKING")
        return node.orelse if guards else self.generic_visit(node)


def missing(public, judged):
    return sorted(name for name, thing in public.items() if not any(thing is other for other in judged))


def test_everything_public_is_judged():
    judged = [*(case.layer for case in CASES), *(case.function for case in FUNCTIONS), *TOOLS]
    judged += [part for case in CASES for part in case.parts]
    judged += RECORDS.values()
    assert not (names := missing(PUBLIC, judged)), f"no row in tests/cases.py for: {', '.join(names)}"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
def test_tools_are_documented_and_tested(tool):
    for part in ("Args:", "Returns:", "Raises:", "Source:"):
        assert part in tool.__doc__, f"the docstring of {tool.__name__} has no {part!r}"
    for name in inspect.signature(tool).parameters:
        assert f"{name}:" in tool.__doc__, f"{tool.__name__} documents no {name!r}"
    assert re.search(rf"\b{tool.__name__}\(", TESTS[TOOLS[tool]])


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_documented_and_tested(name):
    for field in dataclasses.fields(RECORDS[name]):
        assert re.search(rf"\b{field.name}\b", RECORDS[name].__doc__), f"{name} documents no {field.name!r}"
    assert re.search(rf"\b{name}\b", TESTS["test_analysis.py"] + TESTS["test_receptive_field.py"])


def test_a_missing_row_is_noticed():
    judged = [thing for case in CASES for thing in (case.layer, *case.parts) if thing is not keraslayers.ReLU6]
    assert missing(LAYERS, judged) == ["ReLU6"]


def test_public_names_are_sorted_and_there():
    assert sorted(set(keraslayers.__all__)) == keraslayers.__all__
    # Whatever the layer files define without an underscore is meant for everyone.
    for name, thing in vars(keraslayers).items():
        if callable(thing) and not name.startswith("_"):
            assert name in keraslayers.__all__, f"{name} is imported but not in keraslayers.__all__"


def test_names_of_rows_differ():
    for rows in (CASES, FUNCTIONS):
        names = [row.name for row in rows]
        assert len(names) == len(set(names))


@every_layer
def test_registered_under_the_package(layer):
    name = f"keraslayers>{layer.__name__}"
    assert keras.saving.get_registered_name(layer) == name
    assert keras.saving.get_registered_object(name) is layer


@every_layer
@pytest.mark.parametrize("part", ["Input shape", "Output", "Source"])
def test_documented(layer, part):
    assert part in vars(layer).get("__doc__", ""), f"the docstring of {layer.__name__} has no {part!r}"


@every_layer
def test_every_argument_is_documented(layer):
    arguments = set(inspect.signature(layer).parameters) - {"kwargs"}
    for name in arguments:
        assert f"{name}:" in layer.__doc__ or f"{name}," in layer.__doc__, f"{layer.__name__} documents no {name!r}"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name not in FRONT], ids=lambda path: path.name)
def test_layers_import_keras_alone(path):
    for node in ast.walk(WithoutHints().visit(ast.parse(path.read_text()))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name}:{node.lineno}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            allowed = ALLOWED | SHOWN.get(path.name, set())
            assert name.split(".")[0] in allowed, f"{path.name}:{node.lineno} imports {name}"
            assert not name.startswith(ABOVE), f"{path.name}:{node.lineno} imports {name}, which is built on the layers"


# --- the export

TESTS = {path.name: path.read_text() for path in pathlib.Path(__file__).parent.glob("test_*.py")}


@pytest.mark.parametrize("name", export.__all__)
def test_everything_public_in_the_export_is_tested(name):
    used = re.compile(rf"\b{name}\b")
    assert any(used.search(text) for file, text in TESTS.items() if file != "test_cover.py"), f"no test uses {name}"


def test_public_names_of_the_export_are_there_and_documented():
    assert sorted(set(export.__all__)) == sorted(export.__all__)
    for name in export.__all__:
        thing = getattr(export, name)
        assert not callable(thing) or thing.__doc__, f"{name} has no docstring"


@pytest.mark.parametrize("name", PASSES)
def test_passes_show_what_they_do_and_are_tested(name):
    function, wanted = PASSES[name]
    assert function.__name__ == name
    assert function.__module__ == f"keraslayers.export.passes.{name}"  # one a file
    for part in ("Given:", "Result:", "Returns:"):
        assert part in function.__doc__, f"the docstring of {name} has no {part!r}"
    assert f"def test_{name}" in TESTS["test_passes.py"]
    assert any(wanted(target, precision) for target in export.TARGETS.values() for precision in export.PRECISIONS)


@pytest.mark.parametrize("name", RUNTIMES)
def test_runtimes_say_whether_they_are_there_and_run(name):
    runtime = RUNTIMES[name]
    assert isinstance(runtime.available(), str)
    assert list(inspect.signature(runtime.run).parameters)[:3] == ["blob", "graph", "inputs"]
    if not name.startswith("browser"):  # which is no child of Python's
        assert list(inspect.signature(runtime.load).parameters)[:3] == ["path", "inputs", "outputs"]
    assert isinstance(runtime.PLAIN, bool)
    assert runtime.FLOATS in (16, 32)
    # What takes the files of another runtime has no target of its own as a rule.
    named = {runtime for target in export.TARGETS.values() for runtime in target.runtimes}
    assert name in named or getattr(runtime, "LIKE", None) in named


def test_targets_name_runtimes_that_are_there():
    for name, target in export.TARGETS.items():
        assert target.name == name
        assert target.description
        assert set(target.runtimes) <= set(RUNTIMES)
