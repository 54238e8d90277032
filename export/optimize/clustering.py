"""Clustering: the weights of a kernel become few different numbers while the model trains."""

import keras
import numpy as np
from keras import ops

from keraslayers import _checks
from keraslayers.export.optimize._state import State
from keraslayers.export.optimize._tfmot import tfmot
from keraslayers.export.optimize.rebuild import chosen, kernel_of, source_of, wrapped
from keraslayers.export.optimize.rules import check_skip

INITIALIZATIONS = {
    "kmeans++": "KMEANS_PLUS_PLUS",
    "linear": "LINEAR",
    "density": "DENSITY_BASED",
    "random": "RANDOM",
}


class Clustered(keras.layers.Layer):
    """Computes a layer with each weight replaced by the nearest centroid; both train, through tfmot's algorithm.

    Args:
        layer: one of `rebuild.KINDS`.
        centroids: its centroids to begin with, in NumPy.
        algorithm: makes tfmot's `ClusteringAlgorithm` of a variable of centroids.
        sparse: whether zeros stay zero.
    """

    def __init__(self, layer, centroids, algorithm, sparse, **kwargs):
        super().__init__(name=layer.name, dtype="float32", activity_regularizer=layer.activity_regularizer, **kwargs)
        self.layer = layer
        state = State(self)
        self.centroids = state.add("centroids", centroids, trainable=True)
        self.mask = None
        if sparse:
            self.mask = state.add("mask", (ops.convert_to_numpy(kernel_of(layer)) != 0).astype("float32"))
            self.zero = state.add("zero", (centroids != 0).astype("float32"))
        self.algorithm = algorithm(self.centroids.value)
        self.built = True

    def call(self, inputs):
        with keras.StatelessScope(state_mapping=[(kernel_of(self.layer), self.now())]):
            return self.layer.call(inputs)

    def now(self):
        """The kernel of centroids."""
        kernel = kernel_of(self.layer).value
        if self.mask is None:
            return self.algorithm.get_clustered_weight(self.algorithm.get_pulling_indices(kernel), kernel)
        # An optimizer moves the centroid that stands for zero as it moves all others.
        self.centroids.assign(self.centroids * self.zero)
        kernel = kernel * self.mask.value
        clustered = self.algorithm.get_clustered_weight(self.algorithm.get_pulling_indices(kernel), kernel)
        return clustered * self.mask.value

    def beginnings(self):
        """By the layer's name its centroids: how many there are is not known before."""
        return {self.layer.name: ops.convert_to_numpy(self.centroids)}

    @property
    def variable(self):
        """The kernel that trains; its weights are near the centroids, not on them."""
        return kernel_of(self.layer)

    def finished(self):
        """The kernel of centroids."""
        return self.now()

    def compute_output_spec(self, inputs):
        return self.layer.compute_output_spec(inputs)


def cluster(model, *, clusters=16, initialization="kmeans++", skip=()):
    """Gives a model that trains with few different weights in each kernel.

    It is a Keras 3 model with weights of its own: compile it, fit it, then `strip` it or hand it on to
    `quantize_aware`, which keeps the clusters. A file with 16 different weights compresses to half and less. Kernels
    of Conv2D, Dense and PaddedConv2D are clustered, and the pointwise ones of SeparableConv2D, each by itself; in a
    model that `prune` gave, zeros stay zero and are a cluster.

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
        ValueError: if it is subclassed, computes in another dtype than float32 or has nothing to cluster, or an
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
    skip = sorted(check_skip(who, source, skip))
    options = {"clusters": clusters, "initialization": initialization, "skip": skip}
    return build(who, source, options, before.sparse if before else ())


def build(who, source, options, sparse=(), centroids=None):
    """The model that `cluster` gives, around a copy of the user's, of options that `Plan` holds.

    Args:
        who: the function, for messages.
        source: a copy of the user's model, whose weights the clusters are found in.
        options: as in `Plan`.
        sparse: names of layers whose zeros stay zero.
        centroids: by layer name those to begin with; by default found.
    """
    parts = tfmot(who)
    found = chosen(who, source, options["skip"])
    if centroids is None:
        found = [layer for layer in found if _various(layer, options["clusters"])]
    else:
        found = [layer for layer in found if layer.name in centroids]
    if not found:
        raise ValueError(f"`{who}`: no kernel of `model` {source.name!r} has more than {options['clusters']} weights.")
    method = getattr(parts.cluster_config.CentroidInitialization, INITIALIZATIONS[options["initialization"]])
    initializer = parts.centroids.CentroidsInitializerFactory.get_centroid_initializer(method)

    def wrapper(layer):
        zeros = layer.name in sparse
        if centroids is None:
            begin = initializer(kernel_of(layer).value, options["clusters"], False, "channels_last", zeros)
            first = begin.get_cluster_centroids()
        else:
            first = centroids[layer.name]
        return Clustered(layer, np.asarray(first), parts.clustering.ClusteringAlgorithm, zeros)

    wrappers = {id(layer): wrapper(layer) for layer in found}
    return wrapped(source, "cluster", options, wrappers, sparse, {layer.name for layer in found})


def _various(layer, clusters):
    return len(np.unique(ops.convert_to_numpy(kernel_of(layer)))) > clusters
