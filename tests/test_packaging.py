"""What `pip install` gives: the wheel, the editable install, and the checkout itself, each from another folder."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import keraslayers
from keraslayers.export.runtimes import SETUPS

ROOT = Path(__file__).parent.parent
FOLDERS = {"keraslayers": "keraslayers", "models": "keraslayers/models", "export": "keraslayers/export"}
USE = """
import keraslayers
from keraslayers import export, models
model = models.create("lenet5", input_shape=(16, 16, 1))
assert export.to_tflite(model).report.ok
print(keraslayers.__file__)
"""


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def use(python, folder, path):
    """Uses the package in a fresh process whose working folder is not the checkout."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return Path(run(python, "-c", USE, cwd=folder, env=environment).splitlines()[-1])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the source distribution, as the one people get from a registry."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_three_folders(wheel):
    expected = set()
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add(f"{package}/{path.relative_to(ROOT / folder).as_posix()}")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == expected
    assert "keraslayers/py.typed" in held


def test_the_image_is_built_of_the_package(wheel, tmp_path):
    """What .dockerignore lets through makes the same wheel, which has what the Dockerfile asks for."""
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    for name in (rule[1:] for rule in rules if rule.startswith("!")):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", tmp_path)
    (built,) = (tmp_path / "dist").glob("*.whl")
    files, expected = (zipfile.ZipFile(path).namelist() for path in (built, wheel))
    assert sorted(files) == sorted(expected)
    (metadata,) = (name for name in files if name.endswith("/METADATA"))
    extras = re.findall(r"^Provides-Extra: (.*)", zipfile.ZipFile(built).read(metadata).decode(), re.MULTILINE)
    said = (ROOT / "Dockerfile").read_text()
    assert set(re.search(r"/keraslayers\[(.*)\]'", said)[1].split(",")) <= set(extras)
    assert re.search(r"keraslayers setup (\w+)", said)[1] in SETUPS


def test_a_registry_takes_the_wheel_and_the_source(wheel):
    run(sys.executable, "-m", "twine", "check", "--strict", *wheel.parent.iterdir())
    assert wheel.name == f"keraslayers-{keraslayers.__version__}-py3-none-any.whl"


def test_the_import_prints_nothing(tmp_path):
    """TensorFlow has much to say of drivers and instructions that it does not find."""
    loud = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    code = "import keraslayers, keraslayers.models, keraslayers.export"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, env=loud, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_wheel_says_what_it_is(wheel):
    archive = zipfile.ZipFile(wheel)
    names = {Path(name).name: name for name in archive.namelist()}
    assert "LICENSE" in names
    metadata = archive.read(names["METADATA"]).decode()
    assert f"Version: {keraslayers.__version__}" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    assert "keraslayers = keraslayers.__main__:main" in archive.read(names["entry_points.txt"]).decode()


def test_the_wheel_works(wheel, tmp_path):
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", tmp_path / "site", wheel)
    assert use(sys.executable, tmp_path, [tmp_path / "site"]) == tmp_path / "site/keraslayers/__init__.py"


def test_the_editable_install_works(tmp_path):
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    # From a copy: setuptools leaves its notes in the source folder.
    source = tmp_path / "source"
    run("git", "-C", ROOT, "checkout-index", "--all", f"--prefix={source}/")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--quiet", "--editable", source)
    assert (tmp_path / "venv/bin/keraslayers").exists()
    # Behind its own folder on the path, as this environment may hold an editable install of the checkout.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    assert use(python, tmp_path, []) == source / "keraslayers/__init__.py"


def test_the_checkout_works_without_an_install(tmp_path):
    assert use(sys.executable, tmp_path, [ROOT]) == ROOT / "keraslayers/__init__.py"


def test_import_adds_neither_converter_nor_tfmot_nor_runtime():
    code = """
import sys, keras
before = set(sys.modules)
import keraslayers
print(*sorted(set(sys.modules) - before))
"""
    added = run(sys.executable, "-c", code, cwd=ROOT).split()
    assert "keraslayers.channel_shuffle" in added
    heavy = ("tensorflow", "tf_keras", "ai_edge_litert", "matplotlib", "keraslayers.export", "keraslayers.models")
    assert [name for name in added if name.startswith(heavy)] == []


def test_no_file_is_named_after_a_module_of_the_standard_library():
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if not path.stem.startswith("__")]
    assert [path.name for path in files if path.stem in sys.stdlib_module_names] == []


@pytest.mark.parametrize("name", ["models", "export"])
def test_the_folders_refuse_to_be_imported_under_another_name(name):
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"`keraslayers.{name}`" in done.stderr.splitlines()[-1]
