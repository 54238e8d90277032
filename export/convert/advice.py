"""What to do where quantization lost the numbers."""


def advice(precision, errors=()):
    """What to do about a file whose numbers are lost, and right in float32, in words.

    Args:
        precision: of the file.
        errors: what each layer loses, the worst first.
    """
    worst = f"Layer `{errors[0].layer}` loses most, `layer_errors=True` ranks them all. " if errors else ""
    skip = f"Leave it in floats by `skip=[{errors[0].layer!r}]`, " if errors else "Leave layers in floats by `skip`, "
    return (
        worst
        + {
            "int8": f"{skip}let `precision='auto'` find which to leave there, or train with rounding: "
            "`optimize.quantize_aware`",
            "int16x8": "Take precision='dynamic' or 'float16', whose activations are floats",
            "float16": "Take precision='float32'",
            "dynamic": "Take precision='float16', or 'int8' with samples, on which it measures ranges",
            "int4": "Take precision='dynamic' or 'int8', whose weights have 8 bits",
        }[precision]
    )
