"""Files read to be changed: written unchanged they are what they were, whatever they hold."""

import io
import tracemalloc
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from keraslayers.export import PRECISIONS, to_tflite
from keraslayers.export.file import edit
from keraslayers.export.file.build import Builder
from keraslayers.export.file.edit import Buffer, File, Graph, Operator, Signature, Tensor
from keraslayers.export.file.graph import read_graph
from keraslayers.export.file.schema import new_table, schema
from tests.export_models import cnn, samples
from tests.file_tools import Made, inputs_of, run


def same(before, after):
    given = inputs_of(before)
    wanted, got = run(before, *given), run(after, *given)
    assert all(np.array_equal(a, b) for a, b in zip(wanted, got, strict=True))
    for side in ("inputs", "outputs"):
        tensors = [[replace(t, index=0) for t in getattr(read_graph(blob), side)] for blob in (before, after)]
        assert tensors[0] == tensors[1]
    assert read_graph(before).computed == read_graph(after).computed


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_file_of_every_precision_stays(precision):
    model = cnn()
    before = to_tflite(model, precision=precision, samples=samples(16, model.input_shape[1:])).tflite
    after = edit.read(before).write()
    same(before, after)
    assert edit.read(after).write() == after


def doubled(name="x"):
    f = Made()
    x = f.input((1, 4), name=name)
    return f, x, f.new("ADD", (x, x), (1, 4))


def test_signatures_metadata_and_attached_files_stay():
    f, x, y = doubled()
    z = f.new("MUL", (y, y), (1, 4))
    f.file.signatures.append(Signature("square", f.graph, {"in": x}, {"out": z}))
    f.file.metadata["NOTE"] = Buffer(np.frombuffer(b"some words", "uint8"))
    info = zipfile.ZipInfo("labels.txt")
    f.file.files.append((info, b"cat\ndog\n"))
    file = edit.read(edit.read(f.done(y, z)).write())
    assert [s.key for s in file.signatures] == ["square", "serving_default"]
    assert file.signatures[0].outputs["out"] is file.main.outputs[1]
    assert bytes(file.metadata["NOTE"].data) == b"some words"
    with zipfile.ZipFile(io.BytesIO(file.write())) as archive:
        assert archive.read("labels.txt") == b"cat\ndog\n"


def test_shared_constants_stay_shared():
    f = Made()
    x = f.input((1, 4))
    weights = f.weights(np.arange(16, dtype="float32").reshape(4, 4))
    other = f.weights(np.zeros((4, 4), "float32"))
    other.buffer = weights.buffer
    y = f.new("FULLY_CONNECTED", (x, weights, None), (1, 4))
    blob = f.done(f.new("FULLY_CONNECTED", (y, other, None), (1, 4)))
    first, second = edit.read(blob).main.operators
    assert first.inputs[1] is not second.inputs[1]
    assert first.inputs[1].buffer is second.inputs[1].buffer
    assert first.inputs[2] is None
    # What is there once is counted once: with the operator that reads it first.
    assert read_graph(blob).constants == {first.output.name: 64}


def counting():
    """A loop of three steps that doubles, whose graphs stand behind the main one; an unused graph, too."""
    f = Made()
    x = f.input((1, 4))
    i = f.constant(np.zeros((), "int32"))

    def graph(name, make):
        inside = Made()
        inputs = [inside.input((), "int32", "i"), inside.input((1, 4), name="x")]
        inside.graph.inputs, inside.graph.outputs, inside.graph.name = inputs, make(inside, *inputs), name
        return inside.graph

    condition = graph("cond", lambda m, i, x: [m.new("LESS", (i, m.integers(3)), (), "bool")])
    body = graph("body", lambda m, i, x: [m.new("ADD", (i, m.integers(1)), ()), m.new("ADD", (x, x), (1, 4))])
    unused = graph("unused", lambda m, i, x: [i, x])
    f.file.graphs += [unused, condition, body]
    options = new_table("WhileOptions", condSubgraphIndex=condition, bodySubgraphIndex=body)
    outputs = [Tensor("i", (), "int32"), Tensor("y", (1, 4), "float32")]
    f.graph.insert(Operator("WHILE", (i, x), outputs, options))
    return f, outputs[1]


def test_what_a_newer_schema_says_is_not_lost(monkeypatch):
    """An old LiteRT's schema has fewer fields: what it would not read it would not write."""
    made = Made()
    x = made.input((1, 4))
    made.graph.outputs = [made.new("RELU", (x,), (1, 4))]
    blob = File([made.graph], [Signature("main", made.graph, {"x": x}, {"y": made.graph.outputs[0]})]).write()

    class Older(schema().ModelT):
        @classmethod
        def InitFromPackedBuf(cls, buf, pos=0):  # noqa: N802
            model = super().InitFromPackedBuf(buf, pos)
            for name in list(vars(model))[list(vars(model)).index("signatureDefs") :]:
                delattr(model, name)
            return model

    edit.read(blob)
    monkeypatch.setattr(schema(), "ModelT", Older)
    with pytest.raises(ValueError, match=r"says more than the installed LiteRT knows.*upgrade ai-edge-litert"):
        edit.read(blob)


def test_graphs_that_are_called_stay_and_others_go():
    f, y = counting()
    blob = f.done(y)
    x = np.ones((1, 4), "float32")
    assert run(blob, x)[0].tolist() == [[8, 8, 8, 8]]
    file = edit.read(blob)
    file.sweep()
    assert [graph.name for graph in file.graphs] == [b"main", b"cond", b"body"]
    assert run(file.write(), x)[0].tolist() == [[8, 8, 8, 8]]


def test_custom_operators_stay():
    f, _, y = doubled()
    made = Operator("ADD", (y,), (Tensor("z", (1, 4), "float32"),))
    made.name, made.custom = "MyOperator", True
    made._table.customOptions = np.frombuffer(b"\x01\x02\x03", "uint8")
    f.graph.insert(made)
    file = edit.read(edit.read(f.done(made.output)).write())
    _, custom = file.main.operators
    assert (custom.name, custom.custom, bytes(custom._table.customOptions)) == ("MyOperator", True, b"\x01\x02\x03")
    assert read_graph(file.write()).operators == {"ADD": 1, "MyOperator": 1}


def test_a_state_stays_a_state():
    image = keras.Input((4, 3))
    blob = to_tflite(keras.Model(image, layers.LSTM(2)(image))).tflite
    variables = [t for op in edit.read(blob).main.operators for t in op.inputs if t is not None and t.variable]
    again = edit.read(edit.read(blob).write())
    assert len(variables) == len([t for op in again.main.operators for t in op.inputs if t is not None and t.variable])
    same(blob, again.write())


def test_labels_are_those_of_each_operator():
    """One STRIDED_SLICE of five axes stamps all of them with a version that a runtime may not have."""
    f = Made()
    x = f.input((1, 2, 3, 2, 4))

    def sliced(x, size):
        begin = [0] * len(size)
        ends = [f.integers(begin), f.integers(size), f.integers([1] * len(size))]
        return f.new("STRIDED_SLICE", (x, *ends), tuple(size))

    y = f.reshape(sliced(x, [1, 1, 3, 2, 4]), (1, 3, 2, 4))
    first, _, second = (f.graph, sliced(y, [1, 2, 2, 4]))[0].operators
    assert (first.version, second.version) == (4, 1)
    first.version = second.version = 4
    first, _, second = edit.read(f.done(second.output)).main.operators
    assert (first.version, second.version) == (4, 1)


def test_an_activation_that_is_always_zero_is_told_by_its_scale():
    f = Made()
    x = f.input((1, 4), "int8", scale=0.1)
    dead = f.new("RELU", (x,), (1, 4), scale=1e-8)
    blob = f.done(f.new("ADD", (x, dead), (1, 4), scale=1e-6))
    assert read_graph(blob).flat == (dead.name,)


def test_constants_are_copied_once():
    f = Made()
    x = f.input((1, 1000))
    weights = f.weights(np.ones((5000, 1000), "float32"))
    blob = f.done(f.new("FULLY_CONNECTED", (x, weights, None), (1, 5000)))
    tracemalloc.start()
    try:
        edit.read(blob).write()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * len(blob)


def test_constants_lie_where_kernels_may_read_them_in_place():
    f = Made()
    x = f.input((1, 3))
    y = f.new("ADD", (x, f.weights(np.ones((1, 3), "float32"))), (1, 3))
    blob = f.done(f.new("MUL", (y, f.weights(np.ones((1, 3), "float32"))), (1, 3)))
    places = [op.inputs[1].buffer.data.__array_interface__["data"][0] for op in edit.read(blob).main.operators]
    start = np.frombuffer(blob, "uint8").__array_interface__["data"][0]
    assert [(place - start) % 16 for place in places] == [0, 0]


def test_files_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="bytes 4 to 8 must be b'TFL3'"):
        edit.read(b"no such file")
    blob = doubled()[0].done()
    with pytest.raises(ValueError, match="tables point outside"):
        edit.read(blob[: len(blob) // 2])
    # 3 GB that take no memory.
    huge = np.broadcast_to(np.zeros(1, "uint8"), 3 * 2**30)
    file = File([Graph("main", [], [], [])], metadata={"HUGE": Buffer(huge)})
    with pytest.raises(ValueError, match=r"of 3.0 GB: the format holds 2 GB"):
        file.write()


def test_a_builder_leaves_out_what_changes_nothing():
    f, _, y = doubled()
    build = Builder(f.graph)
    assert build.reshape(y, (1, 4)) is y
    four = build.reshape(y, (2, 2))
    assert build.reshape(build.reshape(four, (4,)), (1, 4)) is y
    assert build.reshape(y, (2, 2)) is four, "one that is there is taken again"
    assert build.transpose(y, (0, 1)) is y
    assert build.slice(y, (0, 0), (1, 4)) is y
    constant = build.constant(np.arange(6, dtype="float32").reshape(2, 3))
    turned = build.transpose(constant, (1, 0))
    assert turned.values.tolist() == [[0, 3], [1, 4], [2, 5]], "constants are computed at once"
    assert build.concatenate([turned, turned], -1).shape == (3, 4)
    assert [op.output.shape for op in f.graph.operators] == [(1, 4), (2, 2), (4,)]
