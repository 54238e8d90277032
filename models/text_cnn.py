"""TextCNN: convolutions of three widths over word vectors, and of each the largest value of the whole text."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from keraslayers import _checks
from keraslayers._hints import Activation
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Weights, builder


@builder
def TextCNN(
    vocabulary: int,
    classes: int = 2,
    *,
    tokens: int | None = None,
    weights: Weights | None = None,
    classifier_activation: Activation | None = "softmax",
    name: str = "text_cnn",
    embedding_dim: int = 300,
    kernel_sizes: Sequence[int] = (3, 4, 5),
    filters: int = 100,
    dropout_rate: float = 0.5,
) -> keras.Model:
    """Builds Kim's convolutional network for sentences. Inputs are whole numbers, one a token.

    What is built is CNN-rand of the paper: one table of word vectors, learned with the rest. For CNN-static and
    CNN-non-static set the vectors: model.get_layer("embedding").set_weights([vectors]). The paper's second table
    (multichannel) is left out, as it brought nothing on four of its seven tasks.

    Args:
        vocabulary: number of tokens known; tokens are numbers from 0 to `vocabulary` - 1. Pad short texts with one
            of them.
        classes: number of classes.
        tokens: length of the texts, at least the largest of `kernel_sizes`: pad shorter ones. None: any; a file has
            the length of the samples it is exported with.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        embedding_dim: length of a word vector.
        kernel_sizes: tokens that a filter sees; one convolution each, no two alike.
        filters: number of filters of each convolution.
        dropout_rate: share of features dropped in training before the output, within [0, 1).

    Returns:
        A keras.Model from (batch, tokens) to (batch, classes).

    Raises:
        TypeError, ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Kim 2014, Convolutional neural networks for sentence classification, arXiv:1408.5882, sections 2 and 3.1.
    """
    who = "TextCNN"
    _checks.positive_int(who, "filters", filters)
    if not isinstance(kernel_sizes, list | tuple) or not kernel_sizes:
        raise TypeError(f"`{who}`: `kernel_sizes` must be a list of whole numbers; got {kernel_sizes!r}.")
    kernel_sizes = [_checks.positive_int(who, "kernel_sizes", size) for size in kernel_sizes]
    if len(set(kernel_sizes)) < len(kernel_sizes):
        raise ValueError(
            f"`{who}`: `kernel_sizes` must differ; got {tuple(kernel_sizes)}. For more filters of one, raise `filters`."
        )
    inputs, x = _blocks.text_input(
        who,
        vocabulary,
        tokens,
        embedding_dim,
        smallest=max(kernel_sizes),
        classes=classes,
        dropout_rate=dropout_rate,
        weights=weights,
    )
    maxima = []
    for size in kernel_sizes:
        maps = layers.Conv1D(filters, size, activation="relu", name=f"conv{size}")(x)
        maxima.append(layers.GlobalMaxPooling1D(name=f"conv{size}_max")(maps))
    x = layers.Concatenate(name="concat")(maxima) if len(maxima) > 1 else maxima[0]
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    # Section 2.1: the weights of a class are scaled back to a length of 3.
    constraint = keras.constraints.MaxNorm(3)
    x = layers.Dense(classes, activation=classifier_activation, kernel_constraint=constraint, name="predictions")(x)
    return _blocks.model(who, inputs, x, weights=weights, name=name)


SPECS = (
    Spec(
        name="text_cnn",
        builder=TextCNN,
        paper="Kim: Convolutional neural networks for sentence classification",
        year=2014,
        url="https://arxiv.org/abs/1408.5882",
        input_shape=(None,),
        # 360,902 and 300 for each word
        references=(Reference({"vocabulary": 20_000}, 6_360_902, 6_360_902, None, None, "section 3.1"),),
    ),
)
