"""What is known of a network before it is built: its paper, and what each published variant costs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class Reference:
    """One published variant of a network, at the `input_shape` of its `Spec` and with the paper's classes.

    Args:
        options: the builder's options that make this variant.
        trainable_parameters: exact.
        parameters: exact, with the moving averages of batch normalization.
        multiply_adds: of convolutions, Dense layers and attention; biases, normalization and pooling count nothing.
            None for networks that take texts of any length.
        top1: accuracy in percent on the ImageNet validation set as published by `source`, for weights that
            are not part of this library; None where nobody published one.
        source: where the variant is defined and `top1` is published.
    """

    options: dict[str, Any]
    trainable_parameters: int
    parameters: int
    multiply_adds: int | None
    top1: float | None
    source: str


@dataclass(frozen=True)
class Spec:
    """One network: how to build it and where it comes from.

    Args:
        name: the name that `create` takes.
        builder: the function that returns the keras.Model.
        paper: authors and title.
        year: year of the paper.
        url: where to read it.
        input_shape: (height, width, channels) of the paper, which `input_shape=None` stands for; (None,) of texts.
        references: one `Reference` a published variant, at least one; the first is what `builder` makes by itself.
    """

    name: str
    builder: Callable[..., keras.Model]
    paper: str
    year: int
    url: str
    input_shape: tuple[int | None, ...]
    references: tuple[Reference, ...]

    @property
    def needed(self) -> tuple[str, ...]:
        """Options that `builder` has no default for."""
        return tuple(
            name
            for name, parameter in inspect.signature(self.builder).parameters.items()
            if parameter.default is parameter.empty
        )
