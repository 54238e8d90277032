"""What 16-bit floats cannot hold where a file is wrong in them, and how an app asks for 32."""

import numpy as np

# The largest number of a 16-bit float, and half of the smallest above zero, below which all is zero.
LARGEST, ZERO = 65504.0, 2.0**-25
# LiteRT's GPU computes in 16-bit floats on Android unless it is asked for others; Metal's older delegate, if it may.
RIGHT = ". In 32-bit floats it is PROVEN"
ASK = {
    "gpu": ". An app gets these by "
    "`options.gpuOptions = CompiledModel.GpuOptions(precision = CompiledModel.GpuOptions.Precision.FP32)` in Kotlin, "
    "`options.isPrecisionLossAllowed = false` of `MetalDelegate.Options` in Swift; target='gpu-fp32' is for such apps"
}


def beyond(arrays):
    """What of an operator's numbers 16-bit floats cannot hold, in words; empty if they hold them.

    Args:
        arrays: its constants, and what it computes in 32 bits; of integers nothing is said.
    """
    sizes = [np.abs(values[np.isfinite(values) & (values != 0)]) for values in _floats(arrays)]
    sizes = [each for each in sizes if each.size]
    largest = max((float(np.max(each)) for each in sizes), default=0.0)
    # Of many numbers some are next to zero by chance.
    smallest = min((float(np.median(each)) for each in sizes), default=1.0)
    if largest > LARGEST:
        return f"numbers of up to {largest:.3g} stand there, and 16-bit floats end at 65504"
    if smallest < ZERO:
        return f"numbers of {smallest:.2g} stand there, and 16-bit floats have none between zero and 6e-08"
    return ""


def rounding(arrays):
    """How coarse 16-bit floats are where such numbers stand, in words; empty where none do."""
    largest = max((float(np.max(np.abs(values), initial=0.0)) for values in _floats(arrays)), default=0.0)
    if not 0 < largest <= LARGEST:
        return ""
    step = float(np.spacing(np.float16(largest)))
    return f"numbers of up to {largest:.3g} stand there, where 16-bit floats are {step:.2g} apart"


def _floats(arrays):
    return [values for values in map(np.asarray, arrays) if values.dtype.kind == "f"]
