"""Quantizers of tfmot that keep zeros and clusters of a kernel."""

import copy


def of_tensor(algorithm, factor):
    """tfmot's `ClusteringAlgorithm` with its centroids, times a factor, as a tensor.

    Gradients of a tensor are tensors; of what is looked up in a variable they are rows of one, which MirroredStrategy
    cannot gather.
    """
    made = copy.copy(algorithm)
    made.cluster_centroids = algorithm.cluster_centroids * factor
    return made


class ClustersOfTensors:
    """A `ClusteringAlgorithm` as tfmot's quantizer uses it, which looks up in tensors."""

    def __init__(self, algorithm):
        self.cluster_centroids = algorithm.cluster_centroids
        self.algorithm = algorithm

    def get_pulling_indices(self, weight):
        return self.algorithm.get_pulling_indices(weight)

    def get_clustered_weight(self, pulling_indices, original_weight):
        return of_tensor(self.algorithm, 1.0).get_clustered_weight(pulling_indices, original_weight)


def preserving_quantizer(tfmot, kernel, name, sparse, clustered):
    """A quantizer for a pruned or clustered kernel, and what it takes for the layer.

    Args:
        tfmot: its parts.
        kernel: a `Kernel`.
        name: of the layer.
        sparse: whether its zeros shall stay.
        clustered: whether its clusters shall.
    """
    if clustered:
        # One for each kernel: it keeps whether it found zeros.
        quantizer = tfmot.cluster_preserve.ClusterPreserveDefault8BitConvWeightsQuantizer(sparse)
        kernel.variable.trainable = False  # its place is taken by the quantizer's own weights
    else:
        quantizer = tfmot.prune_preserve.PrunePreserveDefault8BitConvWeightsQuantizer()
    # A layer of Keras 2 with the same numbers, by which tfmot sees what it deals with. Clusters are of the whole kernel
    # here, as `cluster` makes them, and those of a Conv2D would be looked for in each channel: none is a Conv2D.
    stand_in = tfmot.keras2.layers.Dense(1, name=name)
    stand_in.kernel = kernel.rows()
    return quantizer, stand_in
