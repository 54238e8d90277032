"""The checks of `make lint` on hints, which must be able to fail; and hints beside what they name."""

import ast
import importlib
import inspect
import typing
from pathlib import Path

import pytest

import keraslayers
from keraslayers import _hints, _padding, export
from keraslayers.models import _variants, segmentation
from keraslayers.models._mobile import Frame
from tests import hints

USE = """# pyright: reportUnnecessaryTypeIgnoreComment=error
import keras
import keraslayers
from keraslayers import export
model = keraslayers.models.MobileNetV2(classes=10)
made = export.to_tflite(model, precision="int8")
export.to_tflite(model, precision="int9")
made.blob
keraslayers.nothing
keraslayers.ChannelShuffle(2)  # pyright: ignore
keraslayers.ChannelShuffle("2")
"""
OWN = """
from own import _private, rooms
from own.rooms import Room, bare, hinted
__all__ = ["Room", "bare", "hinted"]
"""
ROOMS = """
def hinted(count: int) -> list[int]: return [count]
def bare(count): return hinted(count)
def elsewhere(count): return count
class Room:
    count: dict
    def __init__(self) -> None: self.size = len(hinted(1))
    def open(self, door: str): return door
"""


def test_wrong_use_is_seen(tmp_path):
    hints.link(tmp_path)
    (tmp_path / "use.py").write_text(USE)
    found = hints.faults(hints.told(hints.start("use.py", path=[tmp_path], folder=tmp_path)))
    lines = {7: '"int9"', 8: '"blob"', 9: '"nothing"', 10: "Unnecessary", 11: '"int"'}
    assert [fault.split(":")[1] for fault in found] == [str(line) for line in lines]
    for fault, said in zip(found, lines.values(), strict=True):
        assert said.strip('"') in fault


def test_missing_hints_are_seen(tmp_path):
    (tmp_path / "own").mkdir()
    for name, text in {
        "__init__.py": OWN,
        "rooms.py": ROOMS,
        "_private.py": "def f(x): return x",
        "py.typed": "",
    }.items():
        (tmp_path / "own" / name).write_text(text)
    report = hints.told(hints.start("--verifytypes", "own", "--ignoreexternal", path=[tmp_path], folder=tmp_path))
    symbols = hints.public(report, ("own",))
    assert {"own.bare", "own.rooms.Room.open", "own.rooms.Room.size"} < set(symbols)
    assert "own.rooms.elsewhere" not in symbols  # which `own` does not name
    found = [line.split(":")[0] for line in hints.unknown(symbols, ("own", "own.none"))]
    assert set(found) == {"own.none", "own.bare", "own.rooms.bare", "own.Room", "own.rooms.Room"} | {
        "own.rooms.Room.count",
        "own.rooms.Room.open",
    }


def test_links_follow_the_files(tmp_path):
    (tmp_path / "keraslayers").mkdir()
    (tmp_path / "keraslayers" / "gone.py").symlink_to(tmp_path / "nowhere.py")
    hints.link(tmp_path)
    hints.link(tmp_path)
    names = {path.name for path in (tmp_path / "keraslayers").iterdir()}
    assert names >= {"__init__.py", "py.typed", "analysis", "export", "models"}
    assert not names & {"gone.py", "__pycache__"}


def test_modules_that_are_looked_at_are_all():
    folders = (keraslayers.__path__[0], *(str(hints.ROOT / name) for name in ("models", "export")))
    named = set()
    for folder in map(Path, folders):
        for path in folder.rglob("__init__.py"):
            name = ".".join(path.parent.relative_to(hints.ROOT).parts)
            name = name if name.startswith("keraslayers") else f"keraslayers.{name}"
            if hasattr(importlib.import_module(name), "__all__"):
                named.add(name)
    own = {"keraslayers.export.passes", "keraslayers.export.rewrites"}  # of those who add to the library
    assert named - own | {"keraslayers.analysis"} == set(hints.MODULES)


@pytest.mark.parametrize("module", [keraslayers, keraslayers.analysis])
def test_type_checkers_are_told_of_what_comes_lazily(module):
    """What stands under `TYPE_CHECKING` is what `__getattr__` knows."""
    guarded = next(
        node
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    )
    told = {alias.asname for node in guarded.body for alias in node.names}
    (known,) = (node for node in ast.walk(guarded) if isinstance(node, ast.Tuple))
    assert told == set(ast.literal_eval(known))
    for name in told:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        module.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("hint", "names"),
    [
        (_hints.Precision, export.PRECISIONS),
        (_hints.TargetName, export.TARGETS),
        (_hints.PaddingMode, _padding.MODES),
        (segmentation.ending.Ending, segmentation.ending.OUTPUTS),
    ],
)
def test_literals_are_the_names_that_are_there(hint, names):
    assert typing.get_args(hint) == tuple(names)


def test_builders_take_what_their_type_says():
    told = inspect.signature(_variants.Builder.__call__).parameters
    frame = inspect.signature(Frame).parameters
    for name, parameter in told.items():
        if name not in ("self", "options"):
            assert name in frame
            assert parameter.default in (..., frame[name].default)
