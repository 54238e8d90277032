"""Layers, classic models and proven TFLite export for Keras 3."""

import importlib as _importlib
import os as _os
import sys as _sys
import typing as _types

__version__ = "0.1.0"

_here = _os.path.dirname(_os.path.abspath(__file__))
if not _os.path.isdir(_os.path.join(_here, "models")):  # a checkout, not an installed wheel
    __path__.append(_os.path.dirname(_here))

# As a command, `keraslayers` or `python -m keraslayers`, this starts at once: Keras takes seconds to import, and only
# some commands need it.
_command = _sys.orig_argv[1:3] == ["-m", "keraslayers"] or _os.path.basename((_sys.argv or [""])[0]) == "keraslayers"
if not _command:
    from keraslayers._quiet import quiet as _quiet

    with _quiet():  # TensorFlow tells of drivers and instructions that it did not find
        _importlib.import_module("keras")
    from keraslayers._public import *
    from keraslayers._public import __all__ as __all__

if _types.TYPE_CHECKING:  # what comes lazily
    from keraslayers import export as export
    from keraslayers import models as models
else:

    def __getattr__(name):
        # `keraslayers.models` and `keraslayers.export` load on first use, so that the layers stay light.
        if name in ("models", "export"):
            return _importlib.import_module(f"keraslayers.{name}")
        raise AttributeError(f"module 'keraslayers' has no attribute {name!r}")
