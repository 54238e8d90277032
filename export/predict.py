"""What a file gives of as many inputs as there are, and how far that is from the Keras model on a whole data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from keraslayers._hints import Array, Model
from keraslayers.export.measures import ROUNDING, signal
from keraslayers.export.progress import each
from keraslayers.export.proof.run_file import AT_ONCE, runner
from keraslayers.export.source.samples import name_samples

MISSING = "the file was not made of a Keras model by `to_tflite` here, so that there is nothing to compare with"


@dataclass(frozen=True)
class Evaluation:
    """A file beside its Keras model on a data set.

    Attributes:
        samples: how many.
        runtime: what ran the file.
        keras: by name the loss and the metrics that the model was compiled with; empty without labels, without
            `compile`, or where the file lacks outputs that it was compiled with.
        file: the same of the file.
        agreement: part of the samples whose largest class is the model's; None without class scores.
        snr_db: signal over error against the model in decibels, of the worst output. None if exact.
    """

    samples: int
    runtime: str
    keras: dict[str, float]
    file: dict[str, float]
    agreement: float | None
    snr_db: float | None

    def __str__(self) -> str:
        from keraslayers.export.report import tables

        return tables.to_text(tables.of_evaluation(self))


def predicted(who, blob, x, runtime="cpu"):
    """What a file gives, by output name; of one output the array.

    Args:
        who: function to name in errors.
        blob: the file.
        x: arrays as for `name_samples`, or batches of them: a `tf.data.Dataset`, a `keras.utils.PyDataset`.
        runtime: the name of one that is on this machine.
    """
    run = runner(who, blob, runtime)
    parts = [run(batch) for batch, _, _ in _batches(who, x)]
    if not parts:
        raise ValueError(f"`{who}`: `x` is empty.")
    values = {name: np.concatenate([part[name] for part in parts]).astype("float32") for name in parts[0]}
    return values if len(values) > 1 else next(iter(values.values()))


def evaluated(who, blob, source, x, y=None, runtime="cpu"):
    """An `Evaluation` of a file.

    Args:
        who, blob, x, runtime: as above; what `x` gives in batches may have labels, and weights, beside inputs.
        source: a `Source`; None raises.
        y: the labels, where `x` is arrays.
    """
    if source is None:
        raise ValueError(f"`{who}`: {MISSING}.")
    run, interface = runner(who, blob, runtime), source.interface
    scores, sums, count, same = None, {}, 0, []
    for batch, labels, weights in _batches(who, x, y):
        samples = name_samples(who, batch, interface.inputs, source.pixels)
        wanted, got = interface.predict(samples, source.batch), run(samples)
        size = len(next(iter(samples.values())))
        count += size
        for name in got:
            sums.setdefault(name, _Sums()).add(wanted[name].reshape(got[name].shape), got[name])
        if len(got) == 1 and next(iter(got.values())).ndim == 2:
            (key,) = got
            if got[key].shape[1] > 1:
                same.append(np.argmax(got[key], -1) == np.argmax(wanted[key], -1))
        if scores is None:
            scored = labels is not None and source.scores(set(got))
            scores = (_Score(source.user), _Score(source.user)) if scored else ()
        for score, values in zip(scores, (wanted, got), strict=False):
            score.add(labels, source.packed(values), weights, size)
    if not count:
        raise ValueError(f"`{who}`: `x` is empty.")
    found = [each_sum.snr_db() for each_sum in sums.values()]
    return Evaluation(
        samples=count,
        runtime=runtime,
        keras=scores[0].results if scores else {},
        file=scores[1].results if scores else {},
        agreement=float(np.mean(np.concatenate(same))) if same else None,
        snr_db=min((snr for snr in found if snr is not None), default=None),
    )


@dataclass(frozen=True)
class Source:
    """The Keras model that a file was made of.

    Attributes:
        user: the user's model, with what it was compiled with.
        interface: an `Interface` of what was exported.
        pixels: whether the file takes pixels of 0 to 255.
        batch: of the file.
    """

    user: Model
    interface: object
    pixels: bool
    batch: int

    def scores(self, outputs: set[str]) -> bool:
        """Whether a file of these outputs has all that the model was compiled for."""
        return bool(self.user.compiled) and self._names() is not None and set(self._names()) == outputs

    def packed(self, values: dict[str, Array]) -> Any:
        """Outputs by name as the model gives them."""
        import keras

        from keraslayers._rewrite import graph_of

        graph = graph_of(self.user)
        flat = [values[name] for name in self._names()]
        arrays = [value.astype(tensor.dtype) for value, tensor in zip(flat, graph.outputs, strict=True)]
        return keras.tree.pack_sequence_as(graph.output, arrays)

    def _names(self):
        """Names of the outputs in their order; None of a subclassed model, which does not tell."""
        from keraslayers._rewrite import graph_of
        from keraslayers.export.source.interface import name_outputs

        graph = graph_of(self.user)
        return None if graph is None else list(name_outputs(graph, graph.output))


class _Score:
    """One of two that share the metrics of a compiled model: their state is put back before every batch."""

    def __init__(self, model):
        self.model, self.state, self.loss, self.weight, self.results = model, None, 0.0, 0, {}

    def add(self, y, values, weights, size):
        import keras

        self.model.reset_metrics()
        if self.state is not None:
            for variable, value in zip(self._variables(), self.state, strict=True):
                variable.assign(value)
        y, values, weights = (
            keras.tree.map_structure(lambda a: None if a is None else keras.ops.convert_to_tensor(a), part)
            for part in (y, values, weights)
        )
        loss = self.model.compute_loss(x=None, y=y, y_pred=values, sample_weight=weights, training=False)
        self.loss, self.weight = self.loss + float(loss) * size, self.weight + size
        found = self.model.compute_metrics(x=None, y=y, y_pred=values, sample_weight=weights)
        self.results = {name: float(value) for name, value in found.items()} | {"loss": self.loss / self.weight}
        self.state = [np.array(variable) for variable in self._variables()]
        self.model.reset_metrics()

    def _variables(self):
        return [variable for metric in self.model.metrics for variable in metric.variables]


class _Sums:
    """The sums of which the signal over error of an output is made, batch by batch."""

    def __init__(self):
        self.count, self.total, self.squares, self.noise = 0, 0.0, 0.0, 0.0

    def add(self, wanted, got):
        self.count += len(wanted)
        self.total = self.total + np.sum(wanted, axis=0)
        self.squares += float(np.sum(np.square(wanted)))
        self.noise += float(np.sum(np.square(got - wanted)))

    def snr_db(self):
        differing = max(self.squares - float(np.sum(np.square(self.total))) / self.count, 0.0)
        if self.noise <= max(ROUNDING**2 * self.squares, 1e-60):
            return None
        return 10 * float(np.log10(max(signal(differing, self.squares), 1e-60) / self.noise))


def _batches(who, x, y=None):
    """Yields (inputs, labels, weights) in batches that memory holds, with a bar; None for what is not there."""
    import keras

    if hasattr(x, "element_spec") or isinstance(x, keras.utils.PyDataset):
        if y is not None:
            raise ValueError(f"`{who}`: `y` goes with arrays; a data set gives the labels beside the inputs.")
        whole = isinstance(x, keras.utils.PyDataset)
        for batch in each(range(len(x)) if whole else x, "running the file"):
            inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(x[batch] if whole else batch)
            yield tuple(
                keras.tree.map_structure(lambda a: None if a is None else np.asarray(a), part)
                for part in (inputs, labels, weights)
            )
        return
    arrays = keras.tree.map_structure(np.asarray, x)
    count = len(keras.tree.flatten(arrays)[0])
    for start in each(range(0, count, AT_ONCE), "running the file"):

        def part(array, start=start):
            return array[start : start + AT_ONCE]

        labels = None if y is None else keras.tree.map_structure(lambda a: part(np.asarray(a)), y)
        yield keras.tree.map_structure(part, arrays), labels, None
