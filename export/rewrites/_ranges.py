"""What 16-bit floats hold, and whether the numbers of a file come near its ends."""

# Above this a number may become infinite in 16-bit floats, whose largest is 65504, and with it what is added to it.
HIGH = 2.0**14
# The smallest that has all 11 bits; below it they get fewer, and some GPUs make zero of it.
LOW = 2.0**-14
LARGEST = 65504.0


def range_of(build, tensor):
    """The (lowest, highest) number of a tensor on the samples; None where there are none, or it is a new one."""
    ranges = build.graph.file.ranges
    return None if ranges is None else ranges(tensor)


def stays_below(build, tensor, limit=HIGH):
    """Whether the samples show that a tensor's numbers stay so small; None where they show nothing."""
    found = range_of(build, tensor)
    return None if found is None else max(abs(found[0]), abs(found[1])) < limit


def numbers_of(tensor):
    """The array of a constant of floats, in files of float16, too; None of what is computed of inputs."""
    if tensor is None or tensor.dtype != "float32":
        return None
    if tensor.maker is not None and tensor.maker.name == "DEQUANTIZE" and tensor.maker.inputs[0].dtype == "float16":
        values = tensor.maker.inputs[0].values
        return None if values is None else values.astype("float32")
    return tensor.values


def scalar(tensor):
    """The number of a constant that is one number; None of others."""
    values = numbers_of(tensor)
    return float(values.reshape(())) if values is not None and values.size == 1 else None


def with_scalar(operator):
    """(The computed input, the number) of an operator of two inputs of which one is a single number; else Nones."""
    for x, other in (operator.inputs, operator.inputs[::-1]):
        if numbers_of(x) is None and (number := scalar(other)) is not None:
            return x, number
    return None, None


def with_constant(operator):
    """(The computed input, the constant) of an operator of two inputs of which one stands in the file; else Nones."""
    for x, other in (operator.inputs, operator.inputs[::-1]):
        if not x.constant and other.values is not None:
            return x, other
    return None, None
