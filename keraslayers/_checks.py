"""Error messages that say who, which argument, what was expected, what came, and the remedy."""

from __future__ import annotations

import difflib
import math
import numbers
import operator
from collections.abc import Iterable
from typing import Any, TypeVar

from keraslayers._hints import DataFormat, Shape, Tensor

Class = TypeVar("Class", bound=type)
Value = TypeVar("Value")


def register(cls: Class) -> Class:
    """Registers a class for saving under the package name `keraslayers`."""
    import keras  # here, as the command line checks its arguments before it waits for Keras

    return keras.saving.register_keras_serializable(package="keraslayers")(cls)


def tensor(x: Any) -> Tensor:
    """Returns `x` as a tensor, a list or an array too; a symbolic one as it is."""
    import keras

    return x if isinstance(x, keras.KerasTensor) else keras.ops.convert_to_tensor(x)


def choice(who: str, argument: str, value: Value, choices: Iterable[Any]) -> Value:
    """Returns `value` if it is one of `choices`, else raises a ValueError that names the nearest ones.

    One alike but for capitals, hyphens and underscores is named alone. Of very many, such as a model's layers, only the
    nearest are named where there are such.
    """
    choices = tuple(choices)
    if value in choices:
        return value
    names = {_folded(name): str(name) for name in choices}
    given = _folded(value)
    near = [given] if given in names else difflib.get_close_matches(given, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(names[name]) for name in near)}?" if near else ""
    many = near and len(choices) > 100
    listed = f"{len(choices)} names" if many else ", ".join(repr(name) for name in choices)
    raise ValueError(f"`{who}`: `{argument}` must be one of {listed}; got {value!r}.{hint}")


def _folded(name):
    return str(name).casefold().replace("-", "").replace("_", "")


def whole_number(who: str, argument: str, value: Any, least: int) -> int:
    """Returns `value` as an int if it is a whole number of `least` or more, else raises."""
    message = f"`{who}`: `{argument}` must be a whole number; got {value!r}."
    if isinstance(value, bool):
        raise TypeError(message)
    try:
        number = operator.index(value)
    except TypeError:  # an array has an __index__ too, which refuses all but a single whole number
        raise TypeError(message) from None
    if number < least:
        raise ValueError(f"`{who}`: `{argument}` must be at least {least}; got {number}.")
    return number


def positive_int(who: str, argument: str, value: Any) -> int:
    """Returns `value` as an int if it is a whole number above zero, else raises."""
    return whole_number(who, argument, value, least=1)


def positive_pair(who: str, argument: str, value: Any) -> tuple[int, int]:
    """Returns (height, width) as ints above zero; a single whole number stands for both."""
    pair = value if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2:
        raise TypeError(f"`{who}`: `{argument}` must be a whole number or two, (height, width); got {value!r}.")
    height, width = (positive_int(who, argument, number) for number in pair)
    return height, width


def strides_or_dilation(who: str, strides: tuple[int, int], dilation_rate: tuple[int, int]) -> None:
    """Raises if a convolution has both: backends have none such, and Keras's own layers refuse it."""
    if max(strides) > 1 and max(dilation_rate) > 1:
        raise ValueError(
            f"`{who}`: `strides` above 1 go without dilation only; got strides={strides} and "
            f"dilation_rate={dilation_rate}."
        )


def number(who: str, argument: str, value: Any, least: float | None = None, above: float | None = None) -> float:
    """Returns `value` as a float if it is a finite number, at least `least` and above `above`, else raises."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{who}`: `{argument}` must be a number; got {value!r}.")
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"`{who}`: `{argument}` must be finite; got {value!r}.")
    if least is not None and value < least:
        raise ValueError(f"`{who}`: `{argument}` must be at least {least}; got {value!r}.")
    if above is not None and value <= above:
        raise ValueError(f"`{who}`: `{argument}` must be above {above}; got {value!r}.")
    return value


def fraction(who: str, argument: str, value: Any) -> float:
    """Returns `value` as a float if it is a number within (0, 1], else raises."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{who}`: `{argument}` must be a number within (0, 1]; got {value!r}.")
    if not 0 < value <= 1:
        raise ValueError(f"`{who}`: `{argument}` must be within (0, 1]; got {value!r}.")
    return float(value)


def rate(who: str, argument: str, value: Any) -> float:
    """Returns `value` as a float if it is a number within [0, 1), else raises."""
    value = number(who, argument, value, least=0)
    if value >= 1:
        raise ValueError(f"`{who}`: `{argument}` must be below 1; got {value!r}.")
    return value


def data_format(who: str, value: DataFormat | None) -> DataFormat:
    """Returns `"channels_last"` or `"channels_first"`; None stands for Keras's own setting."""
    import keras

    if value is None:
        return keras.config.image_data_format()
    return choice(who, "data_format", value, ("channels_last", "channels_first"))


def axes(who: str, shape: Shape, count: int) -> tuple[int | None, ...]:
    """Returns `shape` as a tuple if it has `count` axes, else raises."""
    shape = tuple(shape)
    if len(shape) != count:
        raise ValueError(f"`{who}`: the input must have {count} axes, the batch included; got the shape {shape}.")
    return shape


def channels(who: str, shape: Shape, data_format: DataFormat, rank: int | None = None) -> int:
    """Returns the channels of an input of `shape`, which must be known.

    The rank must be `rank`, or 2 at least where none is given.
    """
    shape = tuple(shape)
    if len(shape) != rank if rank else len(shape) < 2:
        axes = rank or "2 or more"
        raise ValueError(f"`{who}`: the input must have {axes} axes, the batch included; got the shape {shape}.")
    axis = -1 if data_format == "channels_last" else 1
    if shape[axis] is None:
        raise ValueError(
            f"`{who}`: the channels must be known, which are axis {axis} with data_format={data_format!r}; "
            f"got the shape {shape}."
        )
    return shape[axis]
