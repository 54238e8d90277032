"""int8 where it costs nothing: layers go back to floats, the worst first, until accuracy is within bounds."""

from dataclasses import dataclass

import numpy as np

from keraslayers.export.proof.run_file import runner
from keraslayers.export.source.samples import name_samples


@dataclass(frozen=True)
class Trial:
    """A file that was tried on the way.

    Attributes:
        floats: names of the layers that it left in floats.
        score: what `evaluate` said of it.
        size: in bytes.
        precision: of the other layers.
        latency_ms: what a call takes on the target's first runtime, in milliseconds, where that was measured.
    """

    floats: tuple[str, ...]
    score: float
    size: int
    precision: str = "int8"
    latency_ms: float | None = None


def search(who, calibrated, evaluate, max_drop, float_score):
    """Finds the fewest layers in floats with which a file scores within `max_drop` of the Keras model.

    Layers are ranked by the error that each adds in int8. Their number is doubled until the score is within bounds,
    then halved between the last two: a dozen files for a network of a thousand layers.

    Args:
        who: function to name in errors.
        calibrated: a `mixed.Calibrated`.
        evaluate: called as evaluate(predict), where predict(x) computes what the file does; more is better.
        max_drop: how far the score may fall.
        float_score: the Keras model's.

    Returns:
        (bytes of the file, names of its float layers, a tuple of `Trial` in the order in which they were made).

    Raises:
        RuntimeError: if not even the file with all layers in floats is within bounds.
    """
    ranked = [error.layer for error in calibrated.errors]
    trials, blobs = [], {}

    def fits(count):
        blobs[count] = calibrated.file(set(ranked[:count]))
        score = score_of(who, evaluate, predictor(who, blobs[count]))
        trials.append(Trial(tuple(ranked[:count]), score, len(blobs[count])))
        return score >= float_score - max_drop

    count = fewest(fits, len(ranked))
    if count is None:
        raise RuntimeError(
            f"`{who}`: the Keras model scores {float_score:.6g} in `evaluate`, and the file with all layers in "
            f"floats {trials[-1].score:.6g}, which is not within `max_drop`={max_drop:g} of it. Both must be "
            "evaluated on the same inputs, prepared in the same way."
        )
    return blobs[count], tuple(ranked[:count]), tuple(trials)


def fewest(fits, most, least=0):
    """The least number that fits, by doubling and halving, as if all beyond it fitted, too.

    Args:
        fits: a function of a number.
        most, least: to look between.

    Returns:
        The number; None if not even the most fits.
    """
    if most < least:
        return None
    low, high = least - 1, least  # the most that is known to be too few, the one that is tried
    while not fits(high):
        if high == most:
            return None
        low, high = high, min(max(1, 2 * high), most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def predictor(who, blob):
    """A function that computes what a file does, on LiteRT's CPU runtime, by output name; of one output the array."""
    run = runner(who, blob, "cpu")
    return lambda x: _as_predicted(run(x))


def model_predictor(who, interface, pixels):
    """The same of the Keras model behind an `Interface`."""

    def predict(x):
        return _as_predicted(interface.predict(name_samples(who, x, interface.inputs, pixels)))

    return predict


def _as_predicted(values):
    values = {name: array.astype("float32") for name, array in values.items()}
    return values if len(values) > 1 else next(iter(values.values()))


def score_of(who, evaluate, predict):
    """What `evaluate` says.

    Raises:
        TypeError: if it is no number.
    """
    score = evaluate(predict)
    try:
        score = float(score)
    except (TypeError, ValueError):
        raise TypeError(f"`{who}`: `evaluate` must return a number; got {type(score).__name__}.") from None
    if not np.isfinite(score):
        raise ValueError(f"`{who}`: `evaluate` must return a finite number; got {score}.")
    return score
