"""Quantization-aware training, pruning and clustering of Keras 3 models, through tensorflow-model-optimization."""

from keraslayers.export.optimize.cluster import cluster
from keraslayers.export.optimize.prune import prune
from keraslayers.export.optimize.quantize import quantize_aware
from keraslayers.export.optimize.rules import register
from keraslayers.export.optimize.strip import strip

__all__ = ["cluster", "prune", "quantize_aware", "register", "strip"]
