"""What a file's operators tell of its borders: which numbers an input is made for, of what an output is made."""

# What only moves, names or converts numbers.
MOVING = (
    "BROADCAST_TO", "CAST", "DEQUANTIZE", "EXPAND_DIMS", "MIRROR_PAD", "PACK", "PAD", "PADV2", "QUANTIZE", "RESHAPE",
    "REVERSE_V2", "SLICE", "SPLIT", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK",
)  # fmt: skip
# What computes each number of one tensor with a constant.
SCALING = ("ADD", "DIV", "MUL", "SUB")
# What takes numbers above zero alone.
ABOVE_ZERO = ("LOG", "RSQRT", "SQRT")
# Where in the inputs of an operator the indices and the table stand.
INDEXED = {"EMBEDDING_LOOKUP": (0, 1), "GATHER": (1, 0)}
POSITIVE = (0.05, 1.0)


def domain(index, operators, dtype, table, interval):
    """From where to where the numbers go that an input is made for; None if nothing tells.

    Args:
        index: of the input's tensor.
        operators: of the graph, each (name, inputs, outputs) with indices of tensors.
        dtype: of the input.
        table: a function of (operator number, input place): the size of the table that is indexed there.
        interval: a function of a tensor's index: what its integers can show, (lowest, highest); None for floats.
    """
    reached = {index}
    for number, (name, inputs, outputs) in enumerate(operators):
        places = [place for place, tensor in enumerate(inputs) if tensor in reached]
        if not places:
            continue
        if dtype.startswith("float"):
            if name == "QUANTIZE" and (shown := interval(outputs[0])):
                return shown
            if name in ABOVE_ZERO:
                return POSITIVE
        elif name in INDEXED and INDEXED[name][0] in places:
            return 0, max(0, table(number, INDEXED[name][1]) - 1)
        if name in MOVING:
            reached.update(outputs)
    return None


def joined(index, operators, activations):
    """Whether an output is put together of several tensors, and no more than moved and scaled after that."""
    makers = {tensor: (name, inputs) for name, inputs, outputs in operators for tensor in outputs}
    for _ in operators:
        name, inputs = makers.get(index, ("", ()))
        computed = [tensor for tensor in inputs if tensor in activations]
        if name == "CONCATENATION":
            return len(set(computed)) > 1
        if not computed or not (name in MOVING or (name in SCALING and len(computed) == 1)):
            return False
        index = computed[0]
    return False
