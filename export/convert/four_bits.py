"""Weights of 4 bits, which the TFLite converter cannot make: litert-quantizer makes them of a file in floats."""

import contextlib
import importlib.util
import io
import threading

from keraslayers._quiet import quiet

# Python's streams are of the whole process: one thread at a time leads them elsewhere.
_printing = threading.Lock()


def available():
    """Returns "" where files of 4 bits can be made, else what to install."""
    if importlib.util.find_spec("litert_quantizer"):
        return ""
    return "litert-quantizer, which is not installed: pip install 'keraslayers[quantizer]'"


def four_bits(blob):
    """Gives convolutions and dense layers weights of 4 bits, a scale for each channel; activations stay floats.

    Depthwise and transposed convolutions get 8 bits: no runtime has kernels for fewer.

    Args:
        blob: bytes of a .tflite file in floats.

    Returns:
        The bytes of the other file.
    """
    from litert_quantizer import qtyping, quantizer, recipe_manager

    operations = qtyping.TFLOperationName
    recipe = recipe_manager.RecipeManager()
    # Where several fit, the last one holds.
    for operation, bits in (
        (operations.ALL_SUPPORTED, 8),
        (operations.CONV_2D, 4),
        (operations.FULLY_CONNECTED, 4),
    ):
        recipe.add_dynamic_config(regex=".*", operation_name=operation, num_bits=bits)
    # It prints, and shows its progress; in a notebook that does not pass through the process's own streams.
    nothing = io.StringIO()
    with _printing, quiet(), contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        maker = quantizer.Quantizer(bytearray(blob))
        maker.load_quantization_recipe(recipe.get_quantization_recipe())
        return bytes(maker.quantize().quantized_model)
