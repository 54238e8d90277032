"""Files from strangers that are small and take gigabytes, or hours, to read: refused in a second."""

import io
import time
import tracemalloc
import zipfile

import flatbuffers
import h5py
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from keraslayers.export import analyze_file, find_culprit, prove, repair
from keraslayers.export.file import edit, strange
from keraslayers.export.file.evaluate import evaluate
from tests.file_tools import Made
from tests.test_command_line import refused
from tests.test_outputs import relu

MANY = 20_000


def aliased(kind):
    """A file in which much is one and the same: what it lists, or the lists and names of what it lists."""
    b = flatbuffers.Builder(2**20)

    def vector(places):
        b.StartVector(4, len(places), 4)
        for place in reversed(places):
            b.PrependUOffsetTRelative(place)
        return b.EndVector()

    b.StartVector(4, MANY, 4)
    for _ in range(MANY):
        b.PrependInt32(0)
    numbers = b.EndVector()
    name = b.CreateString("x" * MANY)

    def operator():
        schema.OperatorStart(b)
        if kind == "inputs":
            schema.OperatorAddInputs(b, numbers)
        return schema.OperatorEnd(b)

    def tensor():
        schema.TensorStart(b)
        if kind == "shapes":
            schema.TensorAddShape(b, numbers)
        if kind == "names":
            schema.TensorAddName(b, name)
        return schema.TensorEnd(b)

    schema.OperatorCodeStart(b)
    codes = vector([schema.OperatorCodeEnd(b)])
    one = operator()
    operators = vector([one] * MANY if kind == "operators" else [operator() for _ in range(MANY // 10)])
    one = tensor()
    tensors = vector([one] * MANY if kind == "tensors" else [tensor() for _ in range(MANY // 10)])
    schema.SubGraphStart(b)
    schema.SubGraphAddOperators(b, operators)
    schema.SubGraphAddTensors(b, tensors)
    graph = schema.SubGraphEnd(b)
    graphs = vector([graph] * (MANY if kind == "graphs" else 1))
    schema.BufferStart(b)
    if kind == "buffers":
        schema.BufferAddData(b, name)
    buffer = schema.BufferEnd(b)
    buffers = vector([buffer] * MANY)
    schema.ModelStart(b)
    schema.ModelAddVersion(b, 3)
    schema.ModelAddOperatorCodes(b, codes)
    schema.ModelAddSubgraphs(b, graphs)
    schema.ModelAddBuffers(b, buffers)
    b.Finish(schema.ModelEnd(b), b"TFL3")
    return bytes(b.Output())


@pytest.mark.parametrize("kind", ["inputs", "shapes", "names", "operators", "tensors", "graphs", "buffers"])
def test_aliased_tables_are_refused_in_a_second(kind):
    blob = aliased(kind)
    assert len(blob) < 2**20
    began = time.process_time()
    for reads in (analyze_file, prove, repair):
        with pytest.raises(
            ValueError, match=r"is a (damaged )?TFLite file .*: its lists have more|one of its tables|of 20,000 axes"
        ):
            reads(blob)
    with pytest.raises(ValueError, match=r"a (damaged )?TFLite file"):
        find_culprit(blob, "cpu")
    assert time.process_time() - began < 4


def test_a_buffer_that_stands_for_none_may_be_one():
    # As MLIR's converter writes it.
    blob = aliased("none")
    strange.check(blob)


def test_sizes_that_overflow_are_refused():
    for shape in ((2**16, 2**16), (2**31 - 1,) * 4, (2**16,) * 4):
        f = Made()
        x = f.input((1, 1))
        blob = f.done(f.new("RELU", (f.new("RELU", (x,), shape),), (1, 1)))
        for reads in (analyze_file, prove, repair):
            with pytest.raises(ValueError, match=r"with a tensor of shape .*, whose elements no kernel can count"):
                reads(blob)


def test_inputs_that_are_too_many_are_refused():
    f = Made()
    inputs = [f.input((1, 2**20), name=f"x{i}") for i in range(32)]
    blob = f.done(*(f.new("RELU", (x,), (1, 2**20)) for x in inputs))
    with pytest.raises(ValueError, match=r"input `x16` of shape .* is too large to run"):
        prove(blob)


def packed(size):
    """A zip archive of a file of so many zeros."""
    page = io.BytesIO()
    with zipfile.ZipFile(page, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("x", "w") as file:
        for _ in range(size >> 20):
            file.write(bytes(2**20))
    return page.getvalue()


@pytest.fixture(scope="module")
def bomb():
    return packed(2**28 + 2**20)


def test_an_archive_behind_a_file_that_unpacks_to_gigabytes(bomb):
    blob = relu() + bomb
    assert len(blob) < 2**21
    began = time.process_time()
    for reads in (analyze_file, prove, repair):
        with pytest.raises(ValueError, match="is a TFLite file with an archive behind it that unpacks to 269,484,032"):
            reads(blob)
    assert time.process_time() - began < 2
    assert edit.read(relu() + packed(2**20)).files[0][1] == bytes(2**20)


def test_an_archive_that_cannot_be_read():
    archive = bytearray(packed(2**20))
    archive[100:140] = b"\xff" * 40
    with pytest.raises(ValueError, match="with an archive behind it that cannot be read"):
        edit.read(relu() + archive)


@pytest.mark.parametrize("name", ["net.keras", "x.npz"])
def test_the_command_unpacks_no_gigabytes(bomb, tmp_path, capfd, name):
    (tmp_path / name).write_bytes(bomb)
    (tmp_path / "net.tflite").write_bytes(relu())
    option = "--model" if name == "net.keras" else "--samples"
    line = refused(capfd, "check", tmp_path / "net.tflite", option, tmp_path / name)
    assert "to 269,484,032, as no weights and samples do" in line


def test_weights_that_are_packed_in_their_own_file(tmp_path, capfd):
    """The archive stores them as they are; it is HDF5 that leaves the zeros out."""
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)]).save(tmp_path / "right.keras")
    page = io.BytesIO()
    with h5py.File(page, "w") as file:
        for part in ("a", "b"):  # together
            file.create_dataset(f"layers/{part}/vars/0", (2**25 + 2**20,), "float32", compression="gzip")
    with zipfile.ZipFile(tmp_path / "right.keras") as right, zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        for name in right.namelist():
            archive.writestr(name, page.getvalue() if name.endswith(".h5") else right.read(name))
    (tmp_path / "net.tflite").write_bytes(relu())
    assert (tmp_path / "net.keras").stat().st_size < 2**20
    line = refused(capfd, "check", tmp_path / "net.tflite", "--model", tmp_path / "net.keras")
    assert "to 276,824,064, as no weights and samples do" in line


def test_samples_of_more_bytes_than_there_is_memory(tmp_path, capfd):
    (tmp_path / "net.tflite").write_bytes(relu())
    header = {"descr": "<f4", "fortran_order": False, "shape": (2**44,)}
    with open(tmp_path / "x.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    line = refused(capfd, "check", tmp_path / "net.tflite", "--samples", tmp_path / "x.npy")
    assert "holds no plain arrays" in line


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("FILL", ([2**13, 2**13], 7)),
        ("BROADCAST_TO", ([7], [2**13, 2**13])),
        ("TILE", ([7, 8], [2**25])),
        ("RANGE", (0, 2**26, 1)),
        ("GATHER", (np.zeros((1, 2**13)), np.zeros(2**13))),
        ("ADD", (np.zeros((2**13, 1)), np.zeros(2**13))),
        ("SELECT_V2", (np.zeros((2**13, 1), bool), np.zeros(2**13), 0)),
    ],
)
def test_constants_that_would_be_huge_are_not_computed(kind, inputs):
    f = Made()
    inputs = [f.constant(x if np.asarray(x).dtype == bool else np.asarray(x, "int32")) for x in inputs]
    maker = f.new(kind, inputs, (1,), "int32").maker
    assert peak(lambda: evaluate(maker, [tensor.values for tensor in inputs])) < 2**20


def peak(work):
    """The most memory that something takes while it works."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
