"""DPCNN: pairs of convolutions over a text that is halved before each pair, so that depth costs little."""

from __future__ import annotations

import keras
from keras import layers

from keraslayers import _checks
from keraslayers._hints import Activation
from keraslayers.models import _blocks
from keraslayers.models._spec import Reference, Spec
from keraslayers.models._variants import Weights, builder


@builder
def DPCNN(
    vocabulary: int,
    classes: int = 2,
    *,
    tokens: int | None = None,
    weights: Weights | None = None,
    classifier_activation: Activation | None = "softmax",
    name: str = "dpcnn",
    embedding_dim: int = 300,
    filters: int = 250,
    blocks: int = 7,
    dropout_rate: float = 0.5,
) -> keras.Model:
    """Builds the deep pyramid network for documents. Inputs are whole numbers, one a token.

    The paper's region embedding adds vectors of regions that were trained without labels (tv-embeddings); what is
    built has its simplest form, a convolution over the vectors of three words.

    Args:
        vocabulary: number of tokens known; tokens are numbers from 0 to `vocabulary` - 1. Pad short texts with one
            of them.
        classes: number of classes.
        tokens: length of the texts. None: any; a file has the length of the samples it is exported with.
        weights: None, or a file of weights, from Keras or PyTorch: see `keraslayers.models.weights`.
        classifier_activation: activation of the output; None for logits.
        name: name of the model.
        embedding_dim: length of a word vector.
        filters: number of filters of every convolution.
        blocks: pairs of convolutions; 7 are the paper's depth of 15. The text is halved before each but the first.
        dropout_rate: share of features dropped in training before the output, within [0, 1).

    Returns:
        A keras.Model from (batch, tokens) to (batch, classes).

    Raises:
        TypeError, ValueError: if an argument is not one of the values above.
        FileNotFoundError: if `weights` names no file.

    Source: Johnson, Zhang 2017, Deep pyramid convolutional neural networks for text categorization, ACL, doi:10.18653/
    v1/P17-1052, figure 1 (a) and section 2.
    """
    who = "DPCNN"
    _checks.positive_int(who, "filters", filters)
    _checks.positive_int(who, "blocks", blocks)
    inputs, x = _blocks.text_input(
        who, vocabulary, tokens, embedding_dim, classes=classes, dropout_rate=dropout_rate, weights=weights
    )
    x = layers.Conv1D(filters, 3, padding="same", name="region")(x)
    for block in range(1, blocks + 1):
        if block > 1:
            x = layers.MaxPooling1D(3, strides=2, padding="same", name=f"stage{block}_pool")(x)
        x = _block(x, filters, f"stage{block}")
    x = layers.GlobalMaxPooling1D(name="max_pool")(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    return _blocks.model(who, inputs, x, weights=weights, name=name)


def _block(x, filters, name):
    """Section 2.2: the activation comes before each convolution, so that the shortcut passes untouched."""
    shortcut = x
    for step in (1, 2):
        x = layers.Activation("relu", name=f"{name}_act{step}")(x)
        x = layers.Conv1D(filters, 3, padding="same", name=f"{name}_conv{step}")(x)
    return layers.Add(name=f"{name}_add")([shortcut, x])


SPECS = (
    Spec(
        name="dpcnn",
        builder=DPCNN,
        paper="Johnson, Zhang: Deep pyramid convolutional neural networks for text categorization",
        year=2017,
        url="https://doi.org/10.18653/v1/P17-1052",
        input_shape=(None,),
        # 2,854,252 and 300 for each word
        references=(Reference({"vocabulary": 30_000}, 11_854_252, 11_854_252, None, None, "section 2, figure 1 (a)"),),
    ),
)
