"""What a model costs and what its layers see, before anything is trained."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence

import keras

from keraslayers import _checks, _keras
from keraslayers._hints import Shape
from keraslayers._rewrite import check_graph, first, graph_of, owner
from keraslayers.analysis import operation_costs, stock_costs
from keraslayers.analysis.cost import Cost, places
from keraslayers.analysis.input_shapes import input_shapes, known_shapes
from keraslayers.analysis.result import Analysis
from keraslayers.analysis.tally import Step, tally


def analyze(model: keras.Model, input_shape: Shape | Sequence[Shape] | Mapping[str, Shape] | None = None) -> Analysis:
    """Counts what a model costs, call by call and in total, and what its layers see.

    Rules, for an input of H x W x M, an output of H' x W' x N and a kernel of K x K:

    - multiply-adds of a convolution `K*K*M*H'*W'*N`, its FLOPs `(2*K*K*M - 1)*H'*W'*N`. With groups, M is the channels
      a filter sees: M / groups, and 1 of a depthwise one. A transposed convolution takes the places of its input,
      `K*K*M*H*W*N`. Separable ones are two convolutions. In one and three dimensions the same;
    - of Dense, `Ci*Co` and `(2*Ci - 1)*Co`;
    - biases, normalizations, activations, pooling and interpolation count none;
    - memory access `H*W*M + H'*W'*N + K*K*M*N`: input, output and weights, once each. What a layer keeps between
      steps of its own is not counted, and Dropout, Identity and Reshape move nothing;
    - parameters are all weights, trainable ones those that training may change: of batch normalization 2 a channel;
    - depth counts convolutions, no Dense layers: 13 in VGG-16.

    Layers of this library, and any layer of yours, tell their cost by a method `call_cost`: see `keraslayers.Cost`. A
    layer that does not, and is none of Keras's, is named in `Analysis.unknown`, and its row has no figures.

    Args:
        model: a Functional or Sequential model, nested models and shared layers included.
        input_shape: shape of the input without the batch, where the model leaves sizes open; a list or dict of shapes
            for several inputs, as the model takes these.

    Returns:
        An `Analysis`, of one call with a batch of one, or of the batch that the model is made for.

    Raises:
        TypeError: if `model` is no Keras model, or `call_cost` of a layer returns no Cost.
        ValueError: if `model` is subclassed, not built, or leaves sizes open that `input_shape` does not tell; or if
            `input_shape` is not one that the model takes.

    Source: multiply-adds as in Howard et al. 2017, arXiv:1704.04861, section 3.2; FLOPs: Molchanov et al. 2017,
    arXiv:1611.06440, appendix A.1; memory access: Ma et al. 2018, arXiv:1807.11164, section 2, G1; receptive fields:
    Araujo, Norris and Sim 2019, doi:10.23915/distill.00021; arithmetic intensity: Williams et al. 2009,
    doi:10.1145/1498765.1498785.
    """
    check_graph("analyze", model)
    return _analyze(model, input_shapes("analyze", model, input_shape))


def receptive_field(model: keras.Model, layer: str | keras.Operation) -> tuple[float, ...] | None:
    """The pixels of a model's input that a place of a layer's output sees.

    It is what the arithmetic of kernels, strides and paddings gives: at the border a part of it lies in the padding,
    and weights may make less of it. A layer behind a mean of all pixels, squeeze-and-excitation too, sees the image.

    Args:
        model: a Functional or Sequential model.
        layer: one of its layers, or the name of one, with the names of nested models before it: "encoder/conv1".

    Returns:
        Pixels, a number an axis of the input: (height, width) of images. None where a layer on the way is unknown.

    Raises:
        TypeError: if `model` is no Keras model, or `layer` neither a layer nor a name.
        ValueError: if `model` is subclassed or not built, or has no such layer, or calls it more than once.

    Source: Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks",
    doi:10.23915/distill.00021.
    """
    who = "receptive_field"
    check_graph(who, model)
    if not isinstance(layer, str | keras.Operation):
        raise TypeError(f"`{who}`: `layer` must be a layer of the model or its name; got {layer!r}.")
    rows, called = rows_of_any_size(model)
    names = [row.name for row in rows]
    if isinstance(layer, str):
        name = _checks.choice(who, "layer", layer, dict.fromkeys(names))
        found = [row for row in rows if row.name == name]
    else:
        found = [row for row, other in zip(rows, called, strict=True) if other is layer]
    if not found:
        raise ValueError(f"`{who}`: `layer` must be one of the model {model.name!r}; got {layer.name!r}, which is not.")
    if len(found) > 1:
        raise ValueError(
            f"`{who}`: `layer` {found[0].name!r} is called {len(found)} times, and sees as much each time as what is "
            "before it. `analyze(model).layers` has a row for each call."
        )
    return found[0].receptive_field


# Fields do not depend on the size, but for those of layers that look at all of it.
_ANY_SIZE = 256


def rows_of_any_size(model, endless=False):
    """The rows of a model whose sizes may be open, and the layers they are of.

    With `endless` what pools all places of an axis of no size has an endless stride.
    """
    shapes = [tuple(size or _ANY_SIZE for size in shape) for shape in known_shapes(model)]
    called = []
    return _analyze(model, shapes, called, endless).layers, called


def _analyze(model, shapes, called=None, endless=False):
    """The Analysis of a model for inputs of `shapes`.

    Args:
        called: a list that collects the layers of the rows.
        endless: whether what sees the whole image is told as seeing without end.
    """
    graph, steps, formats, axes = graph_of(model), [], [], max(1, len(shapes[0]) - 2)
    called = [] if called is None else called
    inputs = [
        keras.KerasTensor(shape, tensor.dtype, name=tensor.name)
        for shape, tensor in zip(shapes, graph.inputs, strict=True)
    ]
    keep = list(inputs)  # tensors are told apart by their ids, so that none may be thrown away on the way

    def visit(path):
        def call(layer, *args, **kwargs):
            layer = owner(layer)
            inner = graph_of(layer)
            if inner is not None and _own_cost(layer) is None:
                return _keras.run(inner, first(args, kwargs), visit(f"{path}{layer.name}/"))
            made = layer.compute_output_spec(*args, **kwargs)
            outputs = _tensors(made)
            if any(None in t.shape for t in outputs):  # `compute_output_shape` may tell less than is known here
                made = keras.Operation.compute_output_spec(layer, *args, **kwargs)
                outputs = _tensors(made)
            keep.extend(outputs)
            called.append(layer)
            formats.append(getattr(layer, "data_format", None))
            # Layers that have no format of their own take that of the layers before them.
            known = next(filter(None, reversed(formats)), keras.config.image_data_format())
            steps.append(_step(layer, path + layer.name, args, kwargs, outputs, axes, known))
            return made

        return call

    packed = keras.tree.pack_sequence_as(graph.input, inputs)
    _keras.run(graph, packed, visit(""))
    data_format = next(filter(None, formats), keras.config.image_data_format())
    sizes = places(shapes[0], data_format) if len(shapes[0]) > 2 else shapes[0][1:]
    if endless:
        sizes = (math.inf,) * len(sizes)
    return tally(model.name, {id(t): tuple(t.shape) for t in inputs}, steps, sizes)


def _tensors(values):
    return [t for t in keras.tree.flatten(values) if keras.backend.is_keras_tensor(t)]


def _step(layer, name, args, kwargs, outputs, axes, data_format):
    names = list(inspect.signature(layer.call).parameters)
    named = sorted(kwargs.items(), key=lambda item: names.index(item[0]) if item[0] in names else len(names))
    tensors = _tensors((args, [value for _, value in named]))
    inputs, made = ([tuple(t.shape) for t in group] for group in (tensors, outputs))
    is_layer = isinstance(layer, keras.layers.Layer)
    trained = {id(weight) for weight in layer.trainable_weights} if is_layer else ()
    return Step(
        name=name,
        kind=type(layer).__name__,
        inputs={id(t): tuple(t.shape) for t in tensors},
        outputs={id(t): tuple(t.shape) for t in outputs},
        weights={id(w): (math.prod(w.shape), id(w) in trained) for w in layer.weights} if is_layer else {},
        cost=_cost(layer, args, inputs, made, axes, data_format),
        channel_axis=1 if is_layer and data_format == "channels_first" else -1,
    )


def _own_cost(layer):
    return getattr(layer, "call_cost", None)


def _cost(layer, args, inputs, outputs, axes, data_format):
    """The Cost of one call; None for a layer that nobody knows, or whose sizes hang on values."""
    if any(None in shape for shape in (*inputs, *outputs)):
        return None
    own = _own_cost(layer)
    if own is None:
        if isinstance(layer, keras.layers.Layer):
            return stock_costs.of(layer, inputs, outputs, axes, data_format)
        return operation_costs.of(layer, args, inputs, outputs, axes)
    told = own(*(shapes[0] if len(shapes) == 1 else shapes for shapes in (inputs, outputs)))
    if not isinstance(told, Cost):
        raise TypeError(
            f"`analyze`: `call_cost` of the layer {layer.name!r} ({type(layer).__name__}) must return a "
            f"keraslayers.Cost; got {told!r}."
        )
    return told
