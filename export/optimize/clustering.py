"""Clustering: the weights of a kernel become few different numbers while the model trains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers.export.optimize._state import State
from keraslayers.export.optimize._tfmot import tfmot
from keraslayers.export.optimize.kernels import kernel_key
from keraslayers.export.optimize.model import Optimized
from keraslayers.export.optimize.preserving_quantizers import of_tensor
from keraslayers.export.optimize.rebuild import chosen, kernel_name, replaced, source_of
from keraslayers.export.optimize.rules import check_skip
from keraslayers.export.source.in_float32 import float32_policy

INITIALIZATIONS = {
    "kmeans++": "KMEANS_PLUS_PLUS",
    "linear": "LINEAR",
    "density": "DENSITY_BASED",
    "random": "RANDOM",
}


class ClusteredKernel(keras.layers.Layer):
    """A kernel with each weight replaced by the nearest centroid; both train, through tfmot's algorithm.

    Args:
        kernel: a `Found`.
        centroids: its centroids to begin with, in NumPy.
        algorithm: makes tfmot's `ClusteringAlgorithm` of a variable of centroids.
        sparse: whether zeros stay zero.
    """

    def __init__(self, kernel, centroids, algorithm, sparse):
        super().__init__(name=kernel_name(kernel), dtype="float32")
        self.kernel = kernel
        state = State(self)
        self.centroids = state.add("centroids", centroids, trainable=True)
        self.mask = None
        if sparse:
            self.mask = state.add("mask", (ops.convert_to_numpy(self.variable) != 0).astype("float32"))
            self.zero = state.add("zero", (centroids != 0).astype("float32"))
        self.algorithm = algorithm(self.centroids.value)
        self.built = True

    def now(self):
        """The kernel of centroids."""
        # Without a gradient no optimizer moves the centroid that stands for zero.
        kernel, algorithm = self.variable.value, of_tensor(self.algorithm, 1.0 if self.mask is None else self.zero)
        if self.mask is not None:
            kernel = kernel * self.mask.value
        clustered = algorithm.get_clustered_weight(algorithm.get_pulling_indices(kernel), kernel)
        return clustered if self.mask is None else clustered * self.mask.value

    finished = now

    def advance(self):
        """Nothing is to be done once a step."""

    def beginnings(self):
        """By `kernel_key` its centroids: how many there are is not known before."""
        return {_key(self.kernel): ops.convert_to_numpy(self.centroids)}

    @property
    def variable(self):
        """The kernel that trains; its weights are near the centroids, not on them."""
        return self.kernel.variable


@float32_policy()
def cluster(
    model: keras.Model,
    *,
    clusters: int = 16,
    initialization: Literal["kmeans++", "linear", "density", "random"] = "kmeans++",
    skip: Iterable[str | keras.layers.Layer] = (),
) -> Optimized:
    """Gives a model that trains with few different weights in each kernel.

    It is a Keras 3 model with weights of its own: compile it, fit it, then `strip` it or hand it on to
    `quantize_aware`, which keeps the clusters. A file with 16 different weights compresses to half and less. Kernels
    of Conv1D, Conv2D, Conv2DTranspose, Dense, EinsumDense, PaddedConv2D and SpatialSeparableConv2D are clustered, and
    the pointwise ones of SeparableConv1D and SeparableConv2D, each by itself, those of layers within other layers too;
    what is frozen stays as it is. In a model that `prune` gave, zeros stay zero and are a cluster.

    Args:
        model: a trained Functional or Sequential model, or what `prune` gave; it stays as it is.
        clusters: how many different weights each kernel shall have, 2 or more; a kernel with no more is left alone.
        initialization: where centroids begin: `"kmeans++"`, `"linear"`, `"density"` or `"random"`.
        skip: names of layers, or layers, to leave as they are.

    Returns:
        An `Optimized` model.

    Raises:
        ImportError: if tensorflow-model-optimization is not installed.
        TypeError: if `model` is no Keras 3 model.
        ValueError: if it is subclassed, or has nothing to cluster, or an
            argument does not fit.

    Source: Han et al. 2016, arXiv:1510.00149, section 3; tfmot's `ClusteringAlgorithm`.
    """
    who = "cluster"
    tfmot(who)
    clusters = _checks.positive_int(who, "clusters", clusters)
    if clusters < 2:
        raise ValueError(f"`{who}`: `clusters` must be 2 at least; got {clusters}.")
    _checks.choice(who, "initialization", initialization, INITIALIZATIONS)
    source, before = source_of(who, model)
    skip = sorted(check_skip(who, before.source if before else model, skip))
    options = {"clusters": clusters, "initialization": initialization, "skip": skip}
    return build(who, source, options, before.sparse if before else ())


def build(who, source, options, sparse=(), centroids=None):
    """The model that `cluster` gives, around a copy of the user's, of options that `Plan` holds.

    Args:
        who: the function, for messages.
        source: a copy of the user's model, whose weights the clusters are found in.
        options: as in `Plan`.
        sparse: labels of layers whose zeros stay zero.
        centroids: by `kernel_key` those to begin with; by default found.
    """
    parts = tfmot(who)
    found = chosen(who, source, options["skip"])
    if centroids is None:
        found = [kernel for kernel in found if _various(kernel, options["clusters"])]
    else:
        found = [kernel for kernel in found if _key(kernel) in centroids]
    if not found:
        raise ValueError(f"`{who}`: no kernel of `model` {source.name!r} has more than {options['clusters']} weights.")
    method = getattr(parts.cluster_config.CentroidInitialization, INITIALIZATIONS[options["initialization"]])
    initializer = parts.centroids.CentroidsInitializerFactory.get_centroid_initializer(method)

    def clustered(kernel):
        zeros = kernel.label in sparse
        if centroids is None:
            begin = initializer(kernel.variable.value, options["clusters"], False, "channels_last", zeros)
            first = begin.get_cluster_centroids()
        else:
            first = centroids[_key(kernel)]
        return ClusteredKernel(kernel, np.asarray(first), parts.clustering.ClusteringAlgorithm, zeros)

    made = [(kernel, clustered(kernel)) for kernel in found]
    return replaced(source, "cluster", options, made, sparse, {kernel.label for kernel in found})


def _key(kernel):
    return kernel_key(kernel.label, kernel.variable)


def _various(kernel, clusters):
    return len(np.unique(ops.convert_to_numpy(kernel.variable))) > clusters
