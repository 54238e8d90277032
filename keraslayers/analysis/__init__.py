"""What a model costs and what its layers see: in tables, in plots, and layer by layer."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keraslayers.analysis.analysis import analyze as analyze
    from keraslayers.analysis.analysis import receptive_field as receptive_field
else:

    def __getattr__(name):
        # On first use, as what a file costs is told without Keras.
        if name in ("analyze", "receptive_field"):
            return getattr(importlib.import_module("keraslayers.analysis.analysis"), name)
        raise AttributeError(f"module 'keraslayers.analysis' has no attribute {name!r}")
