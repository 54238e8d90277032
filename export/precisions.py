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


def check_kernels(who, graph, precision, floats=(), layer_of=None):
    """Refuses a file that is not what was asked for: tools leave operators in floats without a word.

    Args:
        who: function to name in errors.
        graph: what `read_graph` says of the file.
        precision: of the file.
        floats: names of the layers that were to stay in floats.
        layer_of: where there are some, a function of a tensor's name: its layer's, or None.

    Raises:
        RuntimeError: which names the operator, or the layers.
    """
    if precision not in KERNELS:
        return
    if floats:
        others = {layer for tensor in graph.float_kernels if (layer := layer_of(tensor))} - set(floats)
        if others:
            raise RuntimeError(
                f"`{who}`: the converter left the kernels of {', '.join(sorted(others))} in floats, though only "
                f"{', '.join(floats)} should be. Skip these, too, or give them another form."
            )
        return
    for operator, dtypes in graph.kernels.items():
        wanted = KERNELS[precision].get(operator, "int8")
        if dtypes != (wanted,):
            raise RuntimeError(
                f"`{who}`: in precision {precision!r} the kernels of {operator} must be {wanted}; the converter made "
                f"them {' and '.join(dtypes)}. Give this layer another form, or choose another precision."
            )
