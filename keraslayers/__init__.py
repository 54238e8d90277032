"""Layers, classic models and proven TFLite export for Keras 3."""

import importlib as _importlib
import os as _os

_here = _os.path.dirname(_os.path.abspath(__file__))
if not _os.path.isdir(_os.path.join(_here, "models")):  # a checkout, not an installed wheel
    __path__.append(_os.path.dirname(_here))

from keraslayers.activations import HardSigmoid, HardSwish, HardTanh, ReLU6, hard_sigmoid
from keraslayers.channel_shuffle import ChannelShuffle, channel_shuffle
from keraslayers.squeeze_excite import SqueezeExcite

__version__ = "0.1.0"

__all__ = [
    "ChannelShuffle",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "ReLU6",
    "SqueezeExcite",
    "channel_shuffle",
    "hard_sigmoid",
]


def __getattr__(name):
    # `keraslayers.models` and `keraslayers.export` load on first use, so that the layers stay light.
    if name in ("models", "export"):
        return _importlib.import_module(f"keraslayers.{name}")
    raise AttributeError(f"module 'keraslayers' has no attribute {name!r}")
