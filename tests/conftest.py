"""What every test starts from: a quiet TensorFlow and the same random numbers."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, when TensorFlow is first imported

import keras
import pytest


@pytest.fixture(autouse=True)
def seed():
    """Seeds Python, numpy and the backend, so that no test depends on which ran before it."""
    keras.utils.set_random_seed(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """On the machine that decides, nothing is skipped for want of a runtime: it must be installed there."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report
