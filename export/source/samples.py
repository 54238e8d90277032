"""What people give as samples to one form: a dict of arrays by input name, the first axis being the sample."""

import math
from itertools import islice

import numpy as np

from keraslayers._printable import printable

# A dataset may repeat for ever; calibration gains nothing beyond some hundred samples.
MOST_FROM_DATASET = 512
# What is said of a file with open sizes.
OPEN = (
    "The file leaves sizes open, and is run at those that stand in their place: make it for the sizes that it has "
    "to have, as to_tflite(model, samples=x) does."
)


def name_samples(who, samples, inputs, pixels=False):
    """Checks samples and names them.

    Args:
        who: function to name in errors.
        samples: an array, a list or tuple of arrays (several inputs, in order), a dict by input name, or a
            `tf.data.Dataset` of batches or of single samples, labels beside them being left out.
        inputs: what they must fit, each with `name`, `shape` with the batch first (None is any), `dtype`, and
            `scale` where it holds quantized integers.
        pixels: whether they must be pixels of 0 to 255, of any dtype.

    Returns:
        A dict of arrays by input name, in the order of `inputs`.

    Raises:
        TypeError, ValueError: which say what was expected.
    """
    if hasattr(samples, "element_spec"):
        samples = _from_dataset(who, samples, inputs)
    if isinstance(samples, dict):
        samples = _in_order(who, samples, inputs)
    elif len(inputs) == 1:
        listed = isinstance(samples, list | tuple) and len(samples) == 1
        if not (listed and np.ndim(samples[0]) == len(inputs[0].shape)):
            samples = [samples]
    elif not isinstance(samples, list | tuple) or len(samples) != len(inputs):
        names = [tensor.name for tensor in inputs]
        raise ValueError(
            f"`{who}`: `samples` must hold one array for each of the {len(inputs)} inputs {names}, the first axis "
            f"being the sample; got {_what(samples)}."
        )
    named = {t.name: _check(who, t, values, pixels) for t, values in zip(inputs, samples, strict=True)}
    if len({len(values) for values in named.values()}) > 1:
        counts = {name: len(values) for name, values in named.items()}
        raise ValueError(f"`{who}`: `samples` must hold equally many samples for every input; got {counts}.")
    return named


def _in_order(who, by_name, inputs):
    """A dict's values in the order of the inputs."""
    wanted = [tensor.name for tensor in inputs]
    if set(by_name) != set(wanted):
        raise ValueError(f"`{who}`: `samples` must have the keys {wanted}; got {list(by_name)}.")
    return [by_name[name] for name in wanted]


def _what(samples):
    count = f" of {len(samples)}" if isinstance(samples, list | tuple) else ""
    shape = f" of shape {samples.shape}" if hasattr(samples, "shape") else ""
    return f"a {type(samples).__name__}{count}{shape}"


def _check(who, tensor, values, pixels):
    where = f"`{who}`: `samples` for input `{printable(tensor.name)}`"
    wanted = f"(samples, {', '.join('any' if size is None else str(size) for size in tensor.shape[1:])})"
    try:
        values = np.asarray(values)
    except ValueError as error:  # a list of arrays of several shapes
        raise ValueError(f"{where} must be one array of shape {wanted}: {error}") from None
    if values.dtype.kind not in "fiub" and values.dtype.name != "bfloat16":
        raise TypeError(f"{where} must be numbers of dtype {tensor.dtype}; got dtype {values.dtype}.")
    fits = values.ndim == len(tensor.shape) and all(
        want is None or have == want for have, want in zip(values.shape[1:], tensor.shape[1:], strict=True)
    )
    if not fits:
        hint = ""
        if values.ndim == len(tensor.shape) - 1:
            hint = " A single sample needs an axis in front: samples[None]."
        elif getattr(tensor, "open", False) and values.ndim == len(tensor.shape):
            hint = f" {OPEN}"
        raise ValueError(f"{where} must have the shape {wanted}; got {values.shape}.{hint}")
    if len(values) == 0:
        raise ValueError(f"{where} are empty; give some dozens of typical inputs.")
    kind = values.dtype.kind
    if not pixels and not (tensor.scale is not None and kind == "f"):  # real values are quantized later
        wants = np.dtype(tensor.dtype).kind
        if wants != kind and {wants, kind} != {"i", "u"}:
            # Integers for floats are nearly always pixels that training has scaled and these have not.
            raise TypeError(
                f"{where} must be of dtype {tensor.dtype}, as the model was trained; got {values.dtype}. "
                f"If that is meant: samples.astype({str(tensor.dtype)!r})."
            )
        with np.errstate(over="ignore"):  # too large for float32: infinity, which is told below
            cast = values.astype(tensor.dtype)
        if wants in "iu" and not np.array_equal(cast, values):
            raise ValueError(
                f"{where} must fit dtype {tensor.dtype}; got values from {values.min()} to {values.max()}."
            )
        values = cast
    if kind == "f" and not np.all(np.isfinite(values)):
        bad = int(np.sum(~np.all(np.isfinite(values.reshape(len(values), -1)), axis=1)))
        raise ValueError(f"{where} hold NaN or infinity in {bad} of {len(values)} samples.")
    return _pixels(where, tensor, values) if pixels else values


def _pixels(where, tensor, values):
    """Pixels of 0 to 255 in the input's dtype."""
    low, high = values.min(), values.max()
    # Most scalings end at 1 or below; floats of real images do not.
    if low < 0 or high > 255 or (values.dtype.kind not in "iu" and high <= 1):
        raise ValueError(
            f"{where} must be pixels of 0 to 255, which `preprocessing` scales inside the file; got values from {low} "
            f"to {high}."
        )
    return (np.round(values) if np.dtype(tensor.dtype).kind == "u" else values).astype(tensor.dtype)


def _from_dataset(who, dataset, inputs):
    spec = dataset.element_spec
    labelled = isinstance(spec, tuple) and len(spec) in (2, 3)
    first = spec[0] if labelled else spec
    if isinstance(first, dict):
        parts = _in_order(who, first, inputs)
    else:
        parts = list(first) if isinstance(first, tuple) else [first]
    known = all(part.shape.rank is not None for part in parts)
    ranks = {part.shape.rank - len(tensor.shape) for part, tensor in zip(parts, inputs, strict=False)} if known else ()
    batched = ranks == {0}
    if not batched and ranks != {-1}:
        shapes = [tuple(part.shape) if part.shape.rank is not None else "of any rank" for part in parts]
        raise ValueError(
            f"`{who}`: `samples`: the dataset must give batches or single samples for the inputs "
            f"{[(t.name, t.shape) for t in inputs]}; its elements are {shapes}."
        )
    if batched:
        dataset = dataset.unbatch()
    taken = []
    for element in islice(dataset.as_numpy_iterator(), MOST_FROM_DATASET):
        values = element[0] if labelled else element
        taken.append(values if isinstance(values, dict | tuple) else (values,))
    if not taken:
        raise ValueError(f"`{who}`: `samples`: the dataset is empty.")
    if isinstance(taken[0], dict):
        return {name: np.stack([values[name] for values in taken]) for name in taken[0]}
    return [np.stack(column) for column in zip(*taken, strict=True)]


def make_up(inputs, count=8, seed=0, pixels=False):
    """Samples from a fixed seed, for files of which nothing is known: floats within [-1, 1), small whole numbers.

    Each sample of several axes has a brightness of its own, as plain noise looks all the same to a network. What reads
    an input may tell what it is made for, its `domain`: the range of its integers, rows of a table, numbers above zero.
    Quantized inputs get integers over their whole range, `pixels` are whole numbers of 0 to 255.
    """
    rng = np.random.default_rng(seed)
    made = {}
    for tensor in inputs:
        shape = [1 if size is None else size for size in tensor.shape]
        # In a batch of several, as many calls as make up the count.
        shape = [math.ceil(count / max(1, shape[0])) * shape[0], *shape[1:]] if shape else [1]
        kind = np.dtype(tensor.dtype)
        low, high = getattr(tensor, "domain", None) or (None, None)
        if pixels:
            made[tensor.name] = rng.integers(0, 256, shape).astype(kind)
        elif kind.kind == "f":
            values = rng.uniform(-1, 1, shape)
            if len(shape) > 2:
                values = (values + rng.uniform(-1, 1, (shape[0], *(1 for _ in shape[1:])))) / 2
            if low is not None:
                values = low + (high - low) * (values + 1) / 2
            made[tensor.name] = values.astype(kind)
        elif tensor.scale is not None:
            limits = np.iinfo(kind)
            made[tensor.name] = rng.integers(limits.min, limits.max, shape, kind, endpoint=True)
        elif low is not None:
            made[tensor.name] = rng.integers(low, high, shape, endpoint=True).astype(kind)
        else:
            made[tensor.name] = rng.integers(0, 256 if kind == "uint8" else 2, shape).astype(kind)
    return made
