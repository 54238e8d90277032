"""Inputs and outputs of a file in the order of the model that it was made of."""

from keraslayers.export.file import edit


def arranged(blob, inputs, outputs):
    """The file with its inputs and outputs in an order; apps that go by their numbers find what they expect.

    The converter sorts them by name.

    Given:   signature (b, a) -> (zz, aa) as the graph (a, b) -> (aa, zz)
    Result:  the graph (b, a) -> (zz, aa), under the same names

    Args:
        blob: bytes of a file of one signature.
        inputs, outputs: names of the signature, in the order that they shall have.
    """
    if len(inputs) == len(outputs) == 1:
        return blob
    file = edit.read(blob)
    (signature,) = file.signatures
    for side, names in (("inputs", inputs), ("outputs", outputs)):
        named = {name: getattr(signature, side)[name] for name in names}
        place = {tensor: i for i, tensor in reversed(list(enumerate(named.values())))}
        setattr(signature, side, named)
        setattr(file.main, side, sorted(getattr(file.main, side), key=place.__getitem__))
    return file.write()
