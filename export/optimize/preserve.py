"""Quantizers of tfmot that keep zeros and clusters of a kernel."""


def preserving(tfmot, layer, sparse, clustered):
    """A quantizer for the kernel of a pruned or clustered layer, and what it takes for the layer.

    Args:
        tfmot: its parts.
        layer: a Keras 3 layer with a `kernel`.
        sparse: whether its zeros shall stay.
        clustered: whether its clusters shall.
    """
    if clustered:
        # One for each layer: it keeps whether it found zeros.
        quantizer = tfmot.cluster_preserve.ClusterPreserveDefault8BitConvWeightsQuantizer(sparse)
        layer.kernel.trainable = False  # its place is taken by the quantizer's own weights
    else:
        quantizer = tfmot.prune_preserve.PrunePreserveDefault8BitConvWeightsQuantizer()
    return quantizer, _stand_in(tfmot, layer)


def _stand_in(tfmot, layer):
    """A layer of Keras 2 of the same kind with the same kernel, by which tfmot sees what it deals with.

    Clusters are of the whole kernel here, as `cluster` makes them, and those of a Conv2D would be looked for in each
    channel: none is a Conv2D.
    """
    made = tfmot.keras2.layers.Dense(1, name=layer.name)
    made.kernel = layer.kernel.value
    return made
