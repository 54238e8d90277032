"""What all mobile networks take, in words and in layers: their common arguments, the way in and the way out."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import keras

from keraslayers import _checks
from keraslayers.models import _blocks, _tokens


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What stands around a mobile network. The fields behind `who` are arguments of every builder.

    Args:
        who: name of the builder.
        input_shape: (height, width, channels); height and width may be None. Default: (224, 224, 3).
        classes: number of classes.
        include_top: whether the classifier follows the last convolution.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        pooling: for `include_top=False`: None (feature maps), `"avg"` or `"max"` (one value a map).
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        preprocessing: whether the model takes pixels of 0 to 255 and scales them to [-1, 1]; else they are expected so.
        padding: of strided layers: `"same"` as TensorFlow, or `"symmetric"` as PyTorch.
        bn_epsilon: of batch normalization: 1e-3 in TensorFlow's networks, 1e-5 in PyTorch's.
    """

    who: str
    input_shape: tuple | None = None
    classes: int = 1000
    include_top: bool = True
    weights: str | None = None
    pooling: str | None = None
    classifier_activation: object = "softmax"
    name: str
    preprocessing: bool = False
    padding: str = "same"
    bn_epsilon: float = 1e-3

    def enter(self, shape, convention, *, smallest=1, open_size=True):
        """Returns (the input tensor, what the first layer takes).

        Args:
            shape: what `input_shape=None` stands for.
            convention: see `_blocks.preprocess`.
            smallest: height and width below which too little is left.
            open_size: whether height and width may be None.
        """
        shape = shape if self.input_shape is None else self.input_shape
        options = {"classes": self.classes, "pooling": self.pooling, "weights": self.weights}
        made = _blocks.image_input if open_size else _tokens.image_of_maps
        inputs = made(self.who, shape, smallest=smallest, **options)
        return inputs, _blocks.preprocess(self.who, inputs, self.preprocessing, convention)

    def common(self, momentum):
        """What every convolution with batch normalization is told."""
        return {
            "norm": _blocks.norm(self.who, self.bn_epsilon, momentum),
            "padding": _checks.choice(self.who, "padding", self.padding, _blocks.PADDINGS),
        }

    def stages(self, least=1, **given):
        """Returns arguments of a number for each stage as tuples: of `least` or more each, and as many of each."""
        return _tokens.paired(self.who, least, **given)

    def leave(self, inputs, x, dropout_rate=0.0):
        """The usual way out, and the keras.Model."""
        x = _blocks.top(
            x,
            include_top=self.include_top,
            classes=self.classes,
            classifier_activation=self.classifier_activation,
            pooling=self.pooling,
            dropout_rate=dropout_rate,
        )
        return self.model(inputs, x)

    def model(self, inputs, outputs):
        """The keras.Model."""
        return _blocks.model(self.who, inputs, outputs, weights=self.weights, name=self.name)


def thinned(rows, depth):
    """Returns a share of the units of a stage, spread over it, the first among them."""
    kept = math.ceil(len(rows) * depth)
    return [rows[unit * len(rows) // kept] for unit in range(kept)]


def framed(build: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    """Makes the build(who, *rows, **options) that `variant` takes out of a build(frame, *rows, **options of its own).

    Its signature has the options of `Frame`, then its own. So has its docstring; where both have words for an option,
    those of `build` stand.
    """
    rows, own = [], []
    for parameter in list(inspect.signature(build).parameters.values())[1:]:
        (own if parameter.kind is parameter.KEYWORD_ONLY else rows).append(parameter)
    _, *shared = (one.replace(annotation=one.empty) for one in inspect.signature(Frame).parameters.values())

    @functools.wraps(build)
    def whole(who, *rows, **options):
        rest = {parameter.name: options.pop(parameter.name) for parameter in own if parameter.name in options}
        return build(Frame(who=who, **options), *rows, **rest)

    first = inspect.Parameter("who", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    whole.__signature__ = inspect.Signature([first, *rows, *shared, *own])
    whole.__doc__ = _document(inspect.getdoc(build), [parameter.name for parameter in (*shared, *own)])
    return whole


def _document(text, options):
    head, arguments, source = re.fullmatch(r"(.*)\n\nArgs:\n(.*)\n\n(Source: .*)", text, re.DOTALL).groups()
    shared = re.search(r"Args:\n(.*)", inspect.getdoc(Frame), re.DOTALL)[1]
    words = _words(shared) | _words(arguments)
    return "\n".join([head, "", "Args:", *(words[option] for option in options), "", _ENDS, "", source])


def _words(arguments):
    """The lines of each argument by its name."""
    return {lines.split(":")[0].strip(): lines for lines in re.split(r"\n(?=    \w)", arguments)}


_ENDS = """\
Returns:
    A keras.Model.

Raises:
    TypeError: if a number is none.
    ValueError: if an argument is not one of the values above.
    FileNotFoundError: if `weights` names no file."""
