"""A Keras model from outside: what goes in, what comes out, under which names."""

import contextlib
import inspect
import math
import os
import re
from dataclasses import dataclass

import keras
import numpy as np

from keraslayers import _keras
from keraslayers._arguments import KERAS_2
from keraslayers._rewrite import graph_of

# Samples on which the size of tensors is measured.
FEW = 4
# As many go through a network at once, or fewer where its tensors are large: Keras holds all of them to the end.
MANY = 8
# Numbers that may be held so: 1 GB of float32.
HELD = 2**28
# What to do about an output whose size depends on the numbers.
FIXED = (
    "a file's outputs have one size: write tf.image.non_max_suppression_padded(..., pad_to_max_output_size=True) in "
    "place of tf.image.non_max_suppression, a product with a mask in place of a boolean_mask."
)


@dataclass(frozen=True)
class Input:
    """An input of a Keras model: its name, its shape with the batch first (None is any), its dtype."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    scale: None = None  # a file's inputs may hold quantized integers, a model's do not


@dataclass(frozen=True)
class Interface:
    """How to call a Keras model with a list of tensors and get a dict of tensors.

    Attributes:
        model: the user's.
        inputs: in the order of the model's own.
        structure: the inputs' structure as the model takes it.
        preprocessing: what comes between the one input and the model; None for nothing.
    """

    model: keras.Model
    inputs: tuple[Input, ...]
    structure: object
    preprocessing: object = None

    def __call__(self, tensors, model=None):
        """Outputs by name, of inputs in order; `model` stands in for the user's where a pass made another."""
        return name_outputs(self.model, (model or self.model)(self._packed(tensors), training=False))

    def _packed(self, tensors):
        """What the model takes, of inputs in order."""
        if self.preprocessing is not None:
            tensors = [self.preprocessing(keras.ops.cast(pixels, "float32")) for pixels in tensors]
        return keras.tree.pack_sequence_as(self.structure, list(tensors))

    def largest(self, samples, model, tensors, most=FEW):
        """The largest absolute values that symbolic tensors of `model` take on samples.

        Args:
            samples: by input name arrays.
            model: the user's, or what a pass made of it.
            tensors: a list.
            most: how many of the first samples count, filled up to whole batches; None for all.

        Returns:
            A list of floats; NaN where a tensor holds one.
        """
        if not tensors:
            return []
        # The model's own last tensors, too: Keras does not take an output that is an input.
        measured = keras.Model(model.input, [tensors, model.output])
        found = [0.0] * len(tensors)
        arrays = [samples[entry.name] for entry in self.inputs]
        count = len(arrays[0][:most])
        batch = self.inputs[0].shape[0] or min(self._at_once(), count)
        with _unchanged(self.model):
            for start in range(0, count, batch):
                part = [keras.ops.convert_to_tensor(x[start : start + batch]) for x in arrays]
                values = measured(self._packed(part), training=False)[0]
                highest = [keras.ops.max(keras.ops.abs(new), initial=0) for new in values]
                largest = keras.ops.stack([keras.ops.cast(value, "float32") for value in highest])
                # NumPy's maximum hands NaN on, Python's may lose it.
                found = np.maximum(found, keras.ops.convert_to_numpy(largest))
        return [float(value) for value in found]

    def few(self, samples):
        """The first few samples as the model takes them."""
        return self._packed([keras.ops.convert_to_tensor(samples[entry.name][:FEW]) for entry in self.inputs])

    def _at_once(self):
        """How many samples the model takes at once; all that it was built for, if it was for some number."""
        return self.inputs[0].shape[0] or max(1, min(MANY, HELD // max(_numbers(self.model), 1)))

    def predict(self, samples, batch=1):
        """The user's model's outputs on samples, by output name, in NumPy.

        Where the samples of a batch influence each other, as where images are compared with texts, or where the batch
        is dropped, as one of a single graph may, they come `batch` at a time: as a file of that batch computes them.
        """

        def outputs(samples, at_once):
            with _unchanged(self.model):
                return self._parts(samples, at_once)

        count, at_once = len(next(iter(samples.values()))), self._at_once()
        parts = outputs(samples, at_once)
        # Beside copies of themselves: alone, Keras takes a sum of columns for that with a bias.
        size = min(at_once, count)
        copies = {name: np.concatenate([x[:batch]] * -(-size // len(x[:batch])))[:size] for name, x in samples.items()}
        among = outputs(copies, size) if parts else []
        if not parts or not among or not _same_of(among[0], parts[0], batch):
            # The last batch is filled up with the last sample, as a file's is.
            whole = {
                name: np.concatenate([x, np.repeat(x[-1:], -count % batch, axis=0)]) for name, x in samples.items()
            }
            parts = outputs(whole, batch)
        return {name: self._joined(name, [part[name] for part in parts])[:count] for name in parts[0]}

    def _joined(self, name, parts):
        """An output of some samples at a time as one array."""
        sizes = list(dict.fromkeys(part.shape[1:] for part in parts))
        if len(sizes) > 1:
            raise ValueError(
                f"`to_tflite`: output `{name}` of model {self.model.name!r} has as many elements as the numbers say, "
                f"{sizes[0]} for one sample and {sizes[1]} for another; {FIXED}"
            )
        return np.concatenate(parts).astype("float64")

    def _parts(self, samples, at_once):
        """Outputs of some samples at a time; none if one does not have them along its first axis."""
        arrays = [samples[entry.name] for entry in self.inputs]
        parts = []
        for start in range(0, len(arrays[0]), at_once):
            given = [keras.ops.convert_to_tensor(x[start : start + at_once]) for x in arrays]
            part = {name: keras.ops.convert_to_numpy(value) for name, value in self(given).items()}
            for name, value in part.items():
                if value.ndim == 0:
                    raise ValueError(
                        f"`to_tflite`: output `{name}` of model {self.model.name!r} is a single number for the whole "
                        "batch; every output must keep the batch as its first axis."
                    )
                if len(value) != len(given[0]):
                    if at_once > 1:
                        return []
                    part[name] = value[None]
            parts.append(part)
        return parts


def _same_of(copies, others, count):
    """Whether the first samples give among copies of themselves what they give among others, but for roundings."""
    for name, value in copies.items():
        value, other = value[:count], others[name][:count]
        least = 1e-3 * np.abs(other[np.isfinite(other)]).max(initial=0)
        if value.shape != other.shape or not np.allclose(value, other, 1e-3, least, True):
            return False
    return True


@contextlib.contextmanager
def _unchanged(model):
    """Within it the model may change its state, as a stateful layer does in every call; it then gets the old one."""
    states = keras.tree.flatten([getattr(layer, "states", None) for layer in _keras.flatten_layers(model)])
    held = [*model.non_trainable_variables, *(state for state in states if isinstance(state, keras.Variable))]
    before = [(variable, variable.numpy()) for variable in held]
    try:
        yield
    finally:
        for variable, values in before:
            variable.assign(values)


def _numbers(model):
    """How many numbers all layers give for a sample; sizes that the model leaves open count once."""
    graph = graph_of(model)
    if graph is None:
        return 0
    found = _elements(graph.inputs)
    for node in _keras.nodes(graph):
        found += _numbers(node.operation) or _elements(node.outputs)
    return found


def _elements(tensors):
    return sum(math.prod(size or 1 for size in tensor.shape[1:]) for tensor in tensors)


def interface_of(who, model, samples=None):
    """Reads the interface of a model.

    Args:
        who: the function to name in errors.
        model: any model.
        samples: as people give them: a subclassed model keeps neither the dtypes of its inputs nor, at times, their
            shapes.

    Raises:
        TypeError: if it is no Keras 3 model.
        ValueError: if it is not built, or its inputs are not known.
    """
    if not isinstance(model, keras.Model):
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        hint = ""
        if kind.startswith("tf_keras"):
            hint = f" It is a Keras 2 model: {KERAS_2}."
        elif isinstance(model, str | os.PathLike):
            hint = " Load it by keras.models.load_model(path, compile=False)."
        raise TypeError(f"`{who}`: `model` must be a `keras.Model`; got {kind}.{hint}")
    graph = graph_of(model)
    if graph is not None:
        structure = graph.input
        flat = keras.tree.flatten_with_path(structure)
        keyed = isinstance(structure, dict)  # then its keys are what the user calls the inputs
        names = ["_".join(map(str, path)) if keyed else _given_name(tensor.name) for path, tensor in flat]
        inputs = [(name, tuple(tensor.shape), tensor.dtype) for name, (_, tensor) in zip(names, flat, strict=True)]
        inputs = _named(inputs)
        return Interface(model, inputs, structure)
    if not model.built:
        remedy = "give it an `Input`, call it on data, or `model.build((None, ...))`"
        raise ValueError(f"`{who}`: `model` {model.name!r} is not built; {remedy} first.")
    # A subclassed model tells no more than the shape it was built with, if that.
    shapes = (model.get_build_config() or {}).get("input_shape")
    told = None if samples is None else _told(samples)
    if _takes_several(model):
        raise ValueError(
            f"`{who}`: `model` {model.name!r} is a subclassed model whose `call` takes several tensors one by one, of "
            "which Keras keeps no shapes. Wrap it: keras.Model([a, b], model(a, b)), a and b being `keras.Input`s."
        )
    if shapes is None and told is not None and not hasattr(samples, "element_spec"):
        shapes = keras.tree.map_structure(lambda each: each.shape, told)
    if shapes is None:
        raise ValueError(
            f"`{who}`: `model` {model.name!r} is a subclassed model of which Keras keeps no input shapes. Give arrays "
            "as `samples`, whose shapes it then takes, or wrap it: keras.Model(inputs, model(inputs))."
        )
    if isinstance(shapes, dict):
        named, structure = sorted(shapes.items()), dict.fromkeys(shapes, 0)
    elif shapes and isinstance(shapes[0], list | tuple):
        named, structure = [(None, shape) for shape in shapes], [0] * len(shapes)
    else:
        named, structure = [(None, shapes)], 0
    if isinstance(told, dict) and isinstance(shapes, dict):
        told = [told.get(name) for name, _ in named]
    dtypes = [getattr(each, "dtype", None) for each in keras.tree.flatten(told)] if told is not None else []
    if len(dtypes) != len(named):
        dtypes = [None] * len(named)
    if None in dtypes:
        counted = _read_as_integers(model, structure, [shape for _, shape in named])
        dtypes = [dtype or ("int32" if counts else None) for dtype, counts in zip(dtypes, counted, strict=True)]
    entries = zip(named, dtypes, strict=True)
    inputs = _named([(name, (None, *shape[1:]), dtype or keras.config.floatx()) for (name, shape), dtype in entries])
    return Interface(model, inputs, structure)


@dataclass(frozen=True)
class _Told:
    """What an array of samples tells of an input: its shape, and its dtype; None of small integers, ids or pixels."""

    shape: tuple
    dtype: str | None


def _told(samples):
    """What samples tell of the inputs of a model that tells nothing of their dtypes, in their structure."""
    if hasattr(samples, "element_spec"):
        spec = samples.element_spec
        samples = spec[0] if isinstance(spec, tuple) and len(spec) in (2, 3) else spec  # without labels
    if isinstance(samples, dict):
        return {name: _told_by(values) for name, values in samples.items()}
    return [_told_by(values) for values in samples] if isinstance(samples, list | tuple) else _told_by(samples)


def _told_by(values):
    values = values if hasattr(values, "dtype") else np.asarray(values)
    name = getattr(values.dtype, "name", str(values.dtype))
    # NumPy counts in 64 bits, phones in 32.
    dtype = {"int32": "int32", "int64": "int32", "bool": "bool"}.get(name)
    return _Told(tuple(values.shape), keras.config.floatx() if "float" in name else dtype)


def _read_as_integers(model, structure, shapes):
    """Of each input of a subclassed model, whether it is one of integers: all that computes with it rounds it first."""
    if keras.backend.backend() != "tensorflow":
        return [False] * len(shapes)
    import tensorflow as tf

    def traced(dtype):
        specs = [tf.TensorSpec((None, *shape[1:]), dtype) for shape in shapes]

        def call(*tensors):
            return model(keras.tree.pack_sequence_as(structure, list(tensors)), training=False)

        return tf.function(call, autograph=False).get_concrete_function(*specs)

    try:
        inputs = traced("float32").inputs[: len(shapes)]
    except Exception:  # of whatever class its code raises; it is asked again where it must work
        try:
            traced("int32")
        except Exception:
            return [False] * len(shapes)
        return [True] * len(shapes)
    # A mask is where an id is not 0.
    readers = [{reader.type for reader in tensor.consumers()} - {"NotEqual"} for tensor in inputs]
    casts = [[reader for reader in tensor.consumers() if reader.type == "Cast"] for tensor in inputs]
    return [
        kinds == {"Cast"} and all(reader.outputs[0].dtype.is_integer for reader in readers)
        for kinds, readers in zip(readers, casts, strict=True)
    ]


def _takes_several(model):
    """Whether `call` wants a second tensor, of which Keras keeps no shape."""
    arguments = list(inspect.signature(model.call).parameters.values())[1:]
    return any(a.default is a.empty and a.kind is a.POSITIONAL_OR_KEYWORD and a.name != "training" for a in arguments)


def _given_name(name):
    """A tensor's name; None if Keras made it up: `keras_tensor_12` counts what else the process has built.

    In a model from a file it is called after its layer, `input_layer_3`.
    """
    return None if re.fullmatch(r"(keras_tensor|input_layer)(_\d+)?", name) else name


def _named(entries):
    names = [name or ("input" if len(entries) == 1 else f"input_{i}") for i, (name, _, _) in enumerate(entries)]
    named = zip(_told_apart(names), entries, strict=True)
    return tuple(Input(name, shape, dtype) for name, (_, shape, dtype) in named)


def name_outputs(model, outputs):
    """Outputs by name: a dict's keys, else the names of the layers that made them, else `output`, `output_0`..."""
    flat = keras.tree.flatten_with_path(outputs)
    if isinstance(outputs, dict):
        names = ["_".join(str(part) for part in path) for path, _ in flat]
    else:
        names = list(getattr(graph_of(model), "output_names", None) or [])
        if len(names) != len(flat):
            names = ["output"] if len(flat) == 1 else [f"output_{i}" for i in range(len(flat))]
    # A layer that is called twice gives two outputs one name.
    return dict(zip(_told_apart(names), (value for _, value in flat), strict=True))


def _told_apart(names):
    """Names of which no two are equal: one that is there already gets its place as a number."""
    apart = {}
    for place, name in enumerate(names):
        new = name
        while new in apart or (new != name and new in names):
            place, new = place + 1, f"{name}_{place}"
        apart[new] = None
    return list(apart)
