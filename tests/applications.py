"""Networks of keras.applications, their weights in each kind of file, and ours built of these."""

import keras
import numpy as np

from keraslayers import models
from tests.model_tools import assert_close, image, outputs, randomize


def compare(
    builder, theirs, folder, *, side, options=None, of_theirs=None, kinds=("model", "h5", "weights.h5", "keras")
):
    """Ours gives the outputs of theirs, from each kind of file.

    Args:
        options, of_theirs: arguments of ours and of theirs.
    """
    shape = (side, side, 3)
    common = {"input_shape": shape, "classes": 5, "classifier_activation": None}
    network = getattr(keras.applications, theirs)(weights=None, **common, **(of_theirs or {}))
    randomize(network)
    x = given = image(shape)
    if theirs.startswith("EfficientNetB"):  # what scales images is in front there
        front = next(layer for layer in network.layers if layer.name == "stem_conv_pad")
        given = outputs(keras.Model(network.input, front.input), x)
    expected = outputs(network, x)
    for kind in kinds:
        weights = network if kind == "model" else folder / f"x.{kind}"
        if kind == "weights.h5":
            network.save_weights(weights)
        elif kind != "model":
            network.save(weights)
        model = getattr(models, builder)(weights=weights, **common, **(options or {}))
        assert_close(outputs(model, given), expected)
        assert np.all(np.isfinite(expected))
