"""Numbers that stand in the file, as they are or in 16 bits."""


def stored(tensor):
    """Whether a tensor is a constant, or one that is widened when the file is loaded."""
    return tensor.constant or (_widened(tensor) and tensor.maker.inputs[0].constant)


def _widened(tensor):
    return tensor.maker is not None and tensor.maker.name == "DEQUANTIZE" and tensor.maker.inputs[0].dtype == "float16"


def moved(build, tensor, move):
    """A stored tensor whose array is moved by a function of it; what is stored in 16 bits stays so."""
    if tensor.constant:
        return build.constant(move(tensor.values), like=tensor)
    values = build.constant(move(tensor.maker.inputs[0].values))
    return build.computed("DEQUANTIZE", (values,), values.shape, dtype=tensor.dtype)
