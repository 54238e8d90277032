"""What every test starts from: a quiet TensorFlow and the same random numbers."""

import collections
import functools
import gc
import importlib.util
import os

# Read once, when TensorFlow is first imported. It computes channels_first by oneDNN alone, which it takes by itself on
# newer processors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Without LLVM's optimizations lavapipe's shaders compile in half of the time, and compute the same more slowly:
# networks are small here, and no shader was ever compiled before.
os.environ.setdefault("GALLIVM_PERF", "nopt")

import keras
import pytest

from tests import backend, sweeps
from tests.mediapipe_tools import MEDIAPIPE

# Left out of `make test-backends`: export, which needs TensorFlow, and models, which are made of Keras's layers and of
# these; test_backends.py trains some. Receptive fields, too: no backend has a part in their arithmetic. What else needs
# TensorFlow is marked.
LEFT_OUT = (
    "adversary analyze_file answers arm64 auxiliary benchmarks blame browser command_line converter copied_outputs "
    "cover demo depth devices distribution documents edit export* files float16* foreign fuzz house lavapipe leash "
    "match mediapipe metadata* micro mixed models* optimize* others outputs own_runtime packaging page* parts pass* "
    "precisions predict preprocessing proof receptive_field recurrent repair report rewrite* scales site sixteen_bits "
    "spelled ssh strange threads weights*"
)
collect_ignore_glob = [f"test_{name}.py" for name in LEFT_OUT.split()] if backend.BACKEND != "tensorflow" else []
# Other people's networks, which `make test-zoo` installs; they need PyTorch.
if not all(importlib.util.find_spec(package) for package in ("timm", "torchvision")):
    collect_ignore_glob.append("test_zoo*.py")
# MediaPipe, which `make test-mediapipe` installs, in an environment of its own.
if not MEDIAPIPE.exists():
    collect_ignore_glob.append("test_mediapipe.py")


# Files of few tests that take minutes. Two processes share the files in this order: one of these at the end would have
# one process work alone.
FIRST = ("rewrites", "export_applications", "optimize_models", "converter", "optimize_rules", "documents", "demo")


def pytest_addoption(parser):
    parser.addoption(sweeps.ALL, action="store_true", help="test every row of what is marked `sweep`, not a sixth")


def pytest_collection_finish(session):
    """What is imported stays, and networks are many objects: to search all for garbage took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_collection_modifyitems(config, items):
    """Puts what takes long first; deselects rows of sweeps that have another turn, unless somebody asked for some.

    Deselected is, too, what is marked `tensorflow` where Keras computes with something else.
    """
    asked = config.getoption(sweeps.ALL) or config.option.keyword or any("::" in argument for argument in config.args)
    if not asked:
        swept = [item for item in items if item.get_closest_marker("sweep")]
        rows = collections.defaultdict(list)
        for item in swept:
            rows[item.path].append(item.callspec.id)
        turn = sweeps.turn()
        others = {path: sweeps.left_out(names, turn) for path, names in rows.items()}
        later = {item for item in swept if item.callspec.id in others[item.path]}
        items[:] = [item for item in items if item not in later]
        config.hook.pytest_deselected(items=list(later))
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in FIRST)
    if backend.BACKEND != "tensorflow":
        marked = [item for item in items if item.get_closest_marker("tensorflow")]
        items[:] = [item for item in items if item not in marked]
        config.hook.pytest_deselected(items=marked)


@pytest.fixture(autouse=True)
def seed():
    """Seeds Python, numpy and the backend, so that no test depends on which ran before it."""
    keras.utils.set_random_seed(0)


# Tests that export as users do.
AS_SHIPPED = ("answers", "blame", "command_line", "export_applications", "report")


@pytest.fixture(autouse=True)
def quick_proofs(request, monkeypatch):
    """To look for the layer to blame takes many runs, and to measure latency a quarter of a second in each: few do."""
    if backend.BACKEND == "tensorflow" and request.path.stem.removeprefix("test_") not in AS_SHIPPED:
        monkeypatch.setattr("keraslayers.export.pipeline.BLAME", False)
        monkeypatch.setattr("keraslayers.export.runtimes.child.TIMED", 0.0)


def _distributed(model):
    """Whether variables belong to a strategy, which has to make the optimizer's, too."""
    return getattr(getattr(model, "distribute_strategy", None), "num_replicas_in_sync", 1) > 1


@pytest.fixture(autouse=True, scope="session")
def built_optimizers():
    """Keras traces the first step twice where the optimizer has no variables yet: half of the time of a short `fit`."""
    fit = keras.Model.fit

    @functools.wraps(fit)
    def fit_built(model, *args, **options):
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None and model.built and not optimizer.built and not _distributed(model):
            optimizer.build(model.trainable_variables)
        return fit(model, *args, **options)

    keras.Model.fit = fit_built
    yield
    keras.Model.fit = fit


@pytest.fixture
def float64():
    """Keeps 64 bits on every backend."""
    with backend.float64():
        yield


def pytest_runtest_setup(item):
    """Tests of a runtime need it."""
    for mark in item.iter_markers("runtime"):
        if missing := mark.args[0].available():
            pytest.skip(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """On the machine that decides, nothing is skipped for want of a runtime: it must be installed there."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report
