"""What to do where quantization lost the numbers."""


def advice(precision, worst=None):
    """What to do about a file whose numbers are lost, and right in float32, in words.

    Args:
        precision: of the file.
        worst: name of the layer that loses most, where that is known.
    """
    which = f"Layer `{worst}` loses most, `layer_errors=True` ranks them all. " if worst else ""
    skip = f"Leave it in floats by `skip=[{worst!r}]`, " if worst else "Leave layers in floats by `skip`, "
    return (
        which
        + {
            "int8": f"{skip}let `precision='auto'` find which to leave there, or train with rounding: "
            "`optimize.quantize_aware`",
            "int16x8": "Take precision='dynamic' or 'float16', whose activations are floats",
            "float16": "Take precision='float32'",
            "dynamic": "Take precision='float16', or 'int8' with samples, on which it measures ranges",
            "int4": "Take precision='dynamic' or 'int8', whose weights have 8 bits",
        }[precision]
    )
