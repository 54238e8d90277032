"""What a .tflite file costs, operator by operator, read from its bytes; nothing is run and Keras is not needed."""

from __future__ import annotations

import math
from pathlib import Path

from keraslayers._hints import File
from keraslayers.analysis.result import Analysis
from keraslayers.analysis.tally import Step, tally
from keraslayers.export.file import operator_costs
from keraslayers.export.file.tables_of_file import read_tables


def analyze_file(file: File) -> Analysis:
    """Counts what a .tflite file costs, by the rules of `keraslayers.analyze`.

    Rows are the file's operators, under the names of the tensors that they make. An operator that is unknown here is
    named in `Analysis.unknown`. Parameters are the constants of the file, of which none is trained; those that only
    say where or how large, as of a reshape, are left out.

    Args:
        file: path of any .tflite file, or its bytes. Sizes that it leaves open count as one.

    Returns:
        A `keraslayers.Analysis`.

    Raises:
        FileNotFoundError: if there is no such file.
        IsADirectoryError: if it is a folder.
        ValueError: if it is no .tflite file, or a damaged one.
    """
    if isinstance(file, bytes | bytearray):
        blob, name = bytes(file), "model.tflite"
    else:
        path = Path(file)
        if path.is_dir():
            raise IsADirectoryError(f"`analyze_file`: `file` must be a file; {str(path)!r} is a folder.")
        if not path.is_file():
            raise FileNotFoundError(f"`analyze_file`: `file`: there is no file {str(path)!r}.")
        blob, name = path.read_bytes(), path.name
    try:
        inputs, operators = read_tables(blob)
    except ValueError as error:
        raise ValueError(f"`analyze_file`: {name!r} is {error}") from error
    shape = inputs[0].shape if inputs else ()
    axes = max(1, len(shape) - 2)
    steps = [_step(name, operator, axes) for operator in operators]
    return tally(name, _shapes(inputs), steps, shape[1:-1] if len(shape) > 2 else shape[1:])


def _step(file, operator, axes):
    try:
        cost = operator_costs.of(operator, axes)
    # What comes of options, shapes and constants that do not fit each other.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"`analyze_file`: {file!r} is a damaged TFLite file: an operator {operator.name} does not fit its tensors."
        ) from error
    return Step(
        name=operator.outputs[0].name if operator.outputs else operator.name,
        kind=operator.name,
        inputs=_shapes(tensor for tensor in operator.inputs if not tensor.constant),
        outputs=_shapes(operator.outputs),
        weights={id(tensor): (math.prod(tensor.shape), False) for tensor in operator.weights},
        cost=cost,
    )


def _shapes(tensors):
    return {id(tensor): tensor.shape for tensor in tensors}
