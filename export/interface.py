"""A Keras model from outside: what goes in, what comes out, under which names."""

import re
from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True)
class Input:
    """An input of a Keras model: its name, its shape with the batch first (None is any), its dtype."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Interface:
    """How to call a Keras model with a list of tensors and get a dict of tensors.

    Attributes:
        model: the user's.
        inputs: in the order of the model's own.
        structure: the inputs' structure as the model takes it.
    """

    model: keras.Model
    inputs: tuple[Input, ...]
    structure: object

    def __call__(self, tensors, model=None):
        """Outputs by name, of inputs in order; `model` stands in for the user's where a pass made another."""
        packed = keras.tree.pack_sequence_as(self.structure, list(tensors))
        return name_outputs(self.model, (model or self.model)(packed, training=False))

    def predict(self, samples, batch_size=8):
        """The user's model's outputs on samples, by output name, in NumPy."""
        arrays = [samples[entry.name] for entry in self.inputs]
        parts = []
        for start in range(0, len(arrays[0]), batch_size):
            outputs = self([keras.ops.convert_to_tensor(x[start : start + batch_size]) for x in arrays])
            parts.append({name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()})
        return {name: np.concatenate([part[name] for part in parts]).astype("float64") for name in parts[0]}


def interface_of(who, model):
    """Reads the interface of a model.

    Raises:
        TypeError: if it is no Keras 3 model.
        ValueError: if it is not built, or its inputs are not known.
    """
    if not isinstance(model, keras.Model):
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        hint = " It is a Keras 2 model: build it with Keras 3." if kind.startswith("tf_keras") else ""
        raise TypeError(f"`{who}`: `model` must be a `keras.Model`; got {kind}.{hint}")
    if getattr(model, "inputs", None):
        tensors = model.inputs
        structure = model.input if isinstance(model, keras.Sequential) else model._inputs_struct
        inputs = _named([(_given_name(t.name), tuple(t.shape), t.dtype) for t in tensors])
        return Interface(model, inputs, structure)
    if not model.built:
        remedy = "give it an `Input`, call it on data, or `model.build((None, ...))`"
        raise ValueError(f"`{who}`: `model` {model.name!r} is not built; {remedy} first.")
    # A subclassed model tells no more than the shape it was built with.
    config = model.get_build_config() or {}
    shapes = config.get("input_shape", config.get("shapes_dict"))
    if shapes is None:
        raise ValueError(
            f"`{who}`: `model` {model.name!r} is a subclassed model whose input shape is not known. Call it once on "
            "data of the shape to export, or wrap it: keras.Model(inputs, model(inputs))."
        )
    named = shapes.items() if isinstance(shapes, dict) else [(None, shapes)]
    dtype = model.input_dtype if isinstance(getattr(model, "input_dtype", None), str) else keras.config.floatx()
    inputs = _named([(name, (None, *shape[1:]), dtype) for name, shape in named])
    structure = {name: 0 for name, _ in named} if isinstance(shapes, dict) else 0
    return Interface(model, inputs, structure)


def _given_name(name):
    """A tensor's name; None if Keras made it up: `keras_tensor_12` counts what else the process has built."""
    return None if re.fullmatch(r"keras_tensor(_\d+)?", name) else name


def _named(entries):
    names = [name or ("input" if len(entries) == 1 else f"input_{i}") for i, (name, _, _) in enumerate(entries)]
    return tuple(Input(name, shape, dtype) for name, (_, shape, dtype) in zip(names, entries, strict=True))


def name_outputs(model, outputs):
    """Outputs by name: a dict's keys, else the names of the layers that made them, else `output`, `output_0`..."""
    flat = keras.tree.flatten_with_path(outputs)
    if isinstance(outputs, dict):
        names = ["_".join(str(part) for part in path) for path, _ in flat]
    else:
        names = list(getattr(model, "output_names", None) or [])
        if len(names) != len(flat):
            names = ["output"] if len(flat) == 1 else [f"output_{i}" for i in range(len(flat))]
    seen = {}
    for name, (_, value) in zip(names, flat, strict=True):
        # A layer that is called twice gives two outputs one name.
        seen[name if name not in seen else f"{name}_{len(seen)}"] = value
    return seen
