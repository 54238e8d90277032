"""The precisions of a file: which inputs and outputs it may have, and how its kernels must be stored."""

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8", "int4")
# Integer all through: ranges are measured on samples.
INTEGER = ("int8", "int16x8")
# dtype of inputs and outputs -> the precision it goes with; float32 goes with all.
IO = {"float32": None, "int8": "int8", "uint8": "int8", "int16": "int16x8"}
# How the kernels of convolutions and dense layers must be stored, by operator where it depends on that.
KERNELS = {
    "int8": {},
    "int16x8": {},
    "int4": {"CONV_2D": "int4", "FULLY_CONNECTED": "int4"},
}


def precision_of(graph):
    """The precision of a file from elsewhere, whose limits its numbers must keep, by what `read_graph` says of it."""
    if graph.integer:
        inner = {dtype for made in graph.computed if made.inner for dtype in made.dtypes}
        return "int16x8" if "int16" in inner else "int8"
    if "int4" in graph.weight_dtypes:
        return "int4"
    return "dynamic" if graph.hybrid else "float16" if "float16" in graph.weight_dtypes else "float32"


def check_kernels(who, graph, precision, floats, layer_of):
    """Refuses a file that is not what was asked for: tools leave operators in floats without a word.

    Args:
        who: function to name in errors.
        graph: what `read_graph` says of the file.
        precision: of the file.
        floats: names of the layers that were to stay in floats.
        layer_of: a function of a tensor's name: its layer's, or None.

    Raises:
        RuntimeError: which names the layer and the operator.
    """
    if precision not in KERNELS:
        return
    for made in graph.computed:
        wanted = KERNELS[precision].get(made.operator, "int8")
        layer = layer_of(made.tensor)
        # Where some layers may be in floats, one that nobody knows the layer of may be theirs.
        if made.kernel in (None, wanted) or (floats and (layer is None or layer in floats)):
            continue
        raise RuntimeError(
            f"`{who}`: in precision {precision!r} the kernel of layer {layer or made.tensor!r} ({made.operator}) must "
            f"be {wanted}; the converter made it {made.kernel}. Give this layer another form, `skip` it in int8, or "
            "choose another precision."
        )
