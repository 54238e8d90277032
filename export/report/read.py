"""A report out of the JSON that it was written as, and other records out of JSON: their types are checked."""

import dataclasses
import json
import types
import typing

from keraslayers.export.proof.proof import Proof, Verdict
from keraslayers.export.report.latency import Latency
from keraslayers.export.report.report import MOST_BYTES, Report


def read_report(who, path):
    """The `Report` in a file.

    Args:
        who: for messages.
        path: a `pathlib.Path` of a `.json`.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it holds no report, or one of another version.
    """
    from keraslayers.export.convert.auto import Trial
    from keraslayers.export.convert.largest import Largest
    from keraslayers.export.convert.layer_errors import LayerError

    told = parsed(who, path, MOST_BYTES)
    try:
        told["proofs"] = tuple(record(Proof, {**each, "verdict": Verdict(each["verdict"])}) for each in told["proofs"])
        told["latencies"] = tuple(record(Latency, each) for each in told.get("latencies", ()))
        told["trials"] = tuple(record(Trial, each) for each in told.get("trials", ()))
        told["layer_errors"] = tuple(record(LayerError, each) for each in told.get("layer_errors", ()))
        told["largest"] = record(Largest, told["largest"]) if told.get("largest") else None
        told.pop("ok", None)
        return record(Report, told, Trial=Trial, LayerError=LayerError, Largest=Largest)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"`{who}`: {str(path)!r} is no report that this version reads: {error}") from None


def parsed(who, path, most):
    """The object of JSON in a file of so many bytes at most.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: which says what else it is.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`{who}`: there is no file {str(path)!r}.")
    with path.open("rb") as file:
        content = file.read(most + 1)
    try:
        return parsed_bytes(content, most)
    except ValueError as error:
        raise ValueError(f"`{who}`: {str(path)!r} {error}") from None


def parsed_bytes(content, most):
    """The object of JSON in bytes; raises a ValueError that says why there is none."""
    if len(content) > most:
        raise ValueError(f"is larger than {most:,} bytes")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("holds no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("holds no object of JSON")
    return found


def record(cls, told, **guarded):
    """A dataclass out of an object of JSON, whose lists become tuples where it wants these.

    Args:
        cls: the dataclass.
        told: the object.
        **guarded: classes that its hints name and its file imports for type checkers alone.

    Raises:
        TypeError: which names the field that is of another type, missing or unknown.
    """
    kinds, fields = typing.get_type_hints(cls, localns=guarded), {field.name for field in dataclasses.fields(cls)}
    values = {}
    for name, value in told.items():
        if name not in fields:
            raise TypeError(f"{name!r} is not known")
        kind = kinds[name]
        if isinstance(value, list):
            value = tuple(tuple(each) if isinstance(each, list) else each for each in value)
        if not any(_fits(value, each) for each in _kinds(kind)):
            raise TypeError(
                f"{name!r} must be {kind.__name__ if isinstance(kind, type) else kind}; it is {value!r:.80}"
            )
        values[name] = value
    return cls(**values)


def _kinds(kind):
    """The types that an annotation lets through."""
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def _fits(value, kind):
    kind = typing.get_origin(kind) or kind
    if kind is float and type(value) is int:
        return True
    return (
        type(value) is bool if kind is bool else isinstance(value, kind) and (type(value) is not bool or kind is object)
    )
