"""Quantization-aware training, pruning and clustering of Keras 3 models, through tensorflow-model-optimization."""

from keraslayers.export.optimize.clustering import cluster
from keraslayers.export.optimize.multi_worker import multi_worker_strategy
from keraslayers.export.optimize.pruning import prune
from keraslayers.export.optimize.quantizing import quantize_aware
from keraslayers.export.optimize.rules import register
from keraslayers.export.optimize.saving import load, save
from keraslayers.export.optimize.stripping import strip

__all__ = ["cluster", "load", "multi_worker_strategy", "prune", "quantize_aware", "register", "save", "strip"]
