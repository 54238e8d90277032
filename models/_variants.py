"""What every builder does with its arguments first; and builders that differ in a table only, as VGG11 and VGG19 do."""

from __future__ import annotations

import difflib
import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, Protocol, TypeAlias

import keras

from keraslayers._hints import Activation, Path, Shape
from keraslayers.models import weights

Options = ParamSpec("Options")
# A file, an address or "imagenet", a model, or one of `keraslayers.models.published`.
Weights: TypeAlias = Path | keras.Model | weights.Published


class Builder(Protocol):
    """Builds a network; `options` are those that it alone has."""

    __name__: str

    def __call__(
        self,
        *,
        input_shape: Shape | None = None,
        classes: int = 1000,
        include_top: bool = True,
        weights: Weights | None = None,
        pooling: Literal["avg", "max"] | None = None,
        classifier_activation: Activation | None = "softmax",
        name: str = ...,
        preprocessing: bool = False,
        **options: Any,
    ) -> keras.Model: ...


def builder(build: Callable[Options, keras.Model]) -> Callable[Options, keras.Model]:
    """Refuses options that `build` lacks or needs, in words, and takes whole numbers of any library."""
    who, parameters = build.__name__, inspect.signature(build).parameters

    @functools.wraps(build)
    def checked(*arguments, **options):
        check_options(who, who, parameters, options)
        for name, parameter in list(parameters.items())[len(arguments) :]:
            if parameter.default is parameter.empty and name not in options:
                raise TypeError(f"`{who}`: `{name}` must be given, as in {who}({name}=...).")
        options = weights.given(who, parameters, options)
        return build(*map(_plain, arguments), **{name: _plain(value) for name, value in options.items()})

    return checked


def _plain(value):
    """Keras takes NumPy's whole numbers for no numbers at all."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return value
    try:
        return operator.index(value)
    except TypeError:  # an array of many numbers; the builder refuses it by its name
        return value


def variant(
    build: Callable[..., keras.Model], who: str, *rows: Any, summary: str | None = None, **defaults: Any
) -> Builder:
    """Returns the builder named `who` out of `build(who, *rows, **options)`.

    Args:
        build: builds the keras.Model; its keyword-only arguments are the builder's, its docstring the builder's.
        who: name of the builder.
        rows: what `build` takes by position after `who`.
        summary: first paragraph of the builder's docstring, in place of that of `build`.
        **defaults: defaults that differ from those of `build`.
    """
    parameters = [
        parameter.replace(default=defaults.get(name, parameter.default))
        for name, parameter in inspect.signature(build).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    signature = inspect.Signature(parameters)

    def builder(**options):
        check_options(who, who, signature.parameters, options)
        options = weights.given(who, signature.parameters, options)
        return build(who, *rows, **{**defaults, **{name: _plain(value) for name, value in options.items()}})

    builder.__name__ = builder.__qualname__ = who
    builder.__module__ = build.__module__
    builder.__signature__ = signature
    first, *others = inspect.getdoc(build).split("\n\n")
    builder.__doc__ = "\n\n".join([summary or first, *others])
    return builder


def check_options(who, builder, valid, options):
    """Raises a TypeError that names the nearest option if one is not among `valid`."""
    for option in options:
        if option not in valid:
            near = difflib.get_close_matches(option, valid, n=1, cutoff=0.5)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            listed = ", ".join(f"`{argument}`" for argument in valid)
            raise TypeError(f"`{who}`: {builder!r} has no option `{option}`; its options are {listed}.{hint}")
