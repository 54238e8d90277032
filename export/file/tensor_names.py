"""What a file tells of its layers without the Keras model: the names of its tensors."""

from collections import Counter


def place(tensor):
    """The part of a tensor's name that tells of a layer, the whole name where none does.

    Converters call tensors `model/layer/operation`, and several with a semicolon where they made one operator of them;
    the first is the last one computed. A traced Keras model says `model_1/layer_1/step/operation`; of outputs nothing.
    """
    if tensor.startswith(("StatefulPartitionedCall:", "PartitionedCall:")):
        return "the output"
    model, *parts = tensor.split(";")[0].split("/")
    if len(parts) < 2:
        return tensor
    traced = [part.removesuffix("_1") for part in parts[:-1] if part.endswith("_1")]
    return "/".join(dict.fromkeys(traced if model.endswith("_1") and traced else parts[:-1]))


def layers_along(graph, layer_of):
    """The layers of a file in the order in which it computes them, with the bytes of their weights.

    Args:
        graph: what `read_graph` says of the file.
        layer_of: called with a tensor's name; returns the layer's, or None.

    Returns:
        A dict by the layer's name; `""` stands for tensors that tell of no layer.
    """
    sizes = Counter()
    for made in graph.computed:
        sizes[layer_of(made.tensor) or ""] += 0
    for tensor, size in graph.constants.items():
        sizes[layer_of(tensor) or ""] += size
    return dict(sizes)
