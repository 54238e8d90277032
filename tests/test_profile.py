"""Where a file's time goes: its operators are those of the file, their work is counted by hand, the large cost more."""

import json
from pathlib import Path

import numpy as np
import pytest

from keraslayers import export
from keraslayers.__main__ import main
from keraslayers.export import OperatorTime, Peaks, Profile, Verdict, profile, profile_file
from keraslayers.export.file import edit
from keraslayers.export.file.alone import alike, alone, fed
from keraslayers.export.file.edit import Operator, Tensor
from keraslayers.export.file.least_bytes import least_bytes
from keraslayers.export.file.schema import new_table
from keraslayers.export.report import profile_pictures
from keraslayers.export.runtimes import peaks, timed
from keraslayers.export.runtimes.timed import Given
from tests.file_tools import Made, inputs_of, run

FILES = Path(__file__).parent / "files"
# What stands in `net`, with the multiply-adds and the bytes of each, counted by hand: what it reads, its constants and
# what it makes, in floats of 4 bytes. The third reads every other row and column alone.
WORK = [
    ("CONV_2D", 48 * 48 * 9 * 16 * 64, 4 * (48 * 48 * 16 + 9 * 16 * 64 + 64 + 48 * 48 * 64)),
    ("DEPTHWISE_CONV_2D", 24 * 24 * 9 * 64, 4 * (48 * 48 * 64 + 9 * 64 + 64 + 24 * 24 * 64)),
    ("CONV_2D", 12 * 12 * 64 * 8, 4 * (12 * 12 * 64 + 64 * 8 + 8 + 12 * 12 * 8)),
    ("CONV_2D", 12 * 12 * 8 * 8, 4 * (12 * 12 * 8 + 8 * 8 + 8 + 12 * 12 * 8)),
    ("CONV_2D", 12 * 12 * 8 * 8, 4 * (12 * 12 * 8 + 8 * 8 + 8 + 12 * 12 * 8)),
    ("RESHAPE", 0, 0),
    ("FULLY_CONNECTED", 1152 * 10, 4 * (1152 + 1152 * 10 + 10 + 10)),
    ("SLICE", 0, 4 * (4 + 4)),
]
SLIDING = {"dilationHFactor": 1, "dilationWFactor": 1}


def net():
    """A file whose convolutions have names of two layers each, the last of a word that is no markup."""
    made, random = Made(), np.random.default_rng(0)

    def weights(*shape):
        return made.weights((random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype("float32"))

    x = made.input((1, 48, 48, 16))
    kernel = (x, weights(64, 3, 3, 16), weights(64))
    x = made.new("CONV_2D", kernel, (1, 48, 48, 64), strideH=1, strideW=1, **SLIDING)
    kernel = (x, weights(1, 3, 3, 64), weights(64))
    x = made.new("DEPTHWISE_CONV_2D", kernel, (1, 24, 24, 64), strideH=2, strideW=2, depthMultiplier=1, **SLIDING)
    x = made.new("CONV_2D", (x, weights(8, 1, 1, 64), weights(8)), (1, 12, 12, 8), strideH=2, strideW=2, **SLIDING)
    for _ in range(2):
        x = made.new("CONV_2D", (x, weights(8, 1, 1, 8), weights(8)), (1, 12, 12, 8), strideH=1, strideW=1, **SLIDING)
    x = made.new("RESHAPE", (x, made.integers((1, 1152))), (1, 1152), newShape=[1, 1152])
    x = made.new("FULLY_CONNECTED", (x, weights(10, 1152), weights(10)), (1, 10))
    return made.done(made.new("SLICE", (x, made.integers((0, 3)), made.integers((1, 4))), (1, 4)))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.tflite"
    path.write_bytes(net())
    return path


@pytest.fixture(scope="module")
def found(file):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(profile_file, "SECONDS", 1.0)
        return profile(file)


@pytest.fixture
def hurried(monkeypatch):
    """What is not about times needs few of them, and of the machine's peaks the small ones."""
    monkeypatch.setattr(peaks, "MOVED", peaks.MOVED[:2])
    monkeypatch.setattr(peaks, "PRODUCTS", peaks.PRODUCTS[:1])
    monkeypatch.setattr(profile_file, "SECONDS", 0.0)
    monkeypatch.setattr(profile_file, "ROUNDS", 1)


def test_the_operators_are_those_of_the_file_and_their_work_is_counted_by_hand(found):
    assert isinstance(found, Profile)
    assert all(isinstance(row, OperatorTime) for row in found.operators)
    assert [(row.operator, row.multiply_adds, row.moved_bytes) for row in found.operators] == WORK
    assert [row.layer for row in found.operators][:2] == ["conv_2d_0", "depthwise_conv_2d_1"]
    assert found.operators[1].output_shape == (1, 24, 24, 64)
    assert (found.name, found.graph) == ("net.tflite", "main")


def test_the_large_cost_more_and_none_is_without_a_time(found):
    big, small, same = (found.operators[place] for place in (0, 3, 4))
    # 21 million multiply-adds against 9 thousand: however busy the machine is, the processor has more to do.
    assert big.ms > 10 * small.ms
    assert small.ms == same.ms  # alike, so timed once
    assert big is found.costliest[0]
    assert found.latency_ms > big.ms / 10
    assert found.ms == pytest.approx(sum(row.ms for row in found.operators))
    assert found.ratio == pytest.approx(found.latency_ms / found.floor_ms)
    assert big.ratio == pytest.approx(big.ms / big.floor_ms)


def test_floors_are_the_longer_of_products_and_bytes(found):
    best = found.peaks
    assert best.multiply_adds.keys() == {"float32", "int8"}
    assert all(rate > 1e7 for rate in (*best.multiply_adds.values(), *best.bandwidths.values()))
    assert 0 < best.call_ms < 10
    for row in found.operators:
        reached = [size for size in best.bandwidths if size <= row.moved_bytes]
        fastest = max(rate for size, rate in best.bandwidths.items() if size >= max(reached, default=0))
        longest = max(row.multiply_adds / best.multiply_adds["float32"], row.moved_bytes / fastest)
        assert row.floor_ms == pytest.approx(1000 * longest)


def test_what_peaks_tell():
    best = Peaks("a machine", {"float32": 1e9, "int8": 4e9}, {1000: 1e9, 4000: 1e8, 9000: 2e8}, 0.001)
    assert best.floor_ms(10**6, "float32", 0) == 1
    assert best.floor_ms(10**6, "int8", 0) == 0.25
    assert best.floor_ms(0, "float32", 500) == pytest.approx(0.0005)  # as fast as the nearest cache, no faster
    assert best.bandwidth(3999) == 1e9
    assert best.bandwidth(5000) == 2e8  # what more bytes reach, fewer do


def test_each_operator_is_judged(found):
    assert {row.verdict for row in found.operators} == {Verdict.PROVEN}
    # Floats summed in another order.
    assert min(row.snr_db for row in found.operators) > 60, found.operators
    assert not any(row.reason for row in found.operators)
    assert all(row.xnnpack for row in found.operators if row.multiply_adds)


def test_an_operator_that_computes_something_else_is_wrong(file, hurried, monkeypatch):
    def spoilt(files, **options):
        outcomes = real(files, **options)
        (dense,) = [o for o in outcomes if o.outputs and o.outputs[0].shape[1:] == (1, 10)]
        dense.outputs[0][...] += np.float32(3)
        return outcomes

    real = profile_file.run
    monkeypatch.setattr(profile_file, "run", spoilt)
    made = profile(file)
    assert [row.operator for row in made.operators if row.verdict is Verdict.WRONG] == ["FULLY_CONNECTED"]
    (row,) = [row for row in made.operators if row.verdict is Verdict.WRONG]
    assert "is off by 3" in row.reason
    assert row.snr_db < 20
    assert "WRONG, output" in str(made)


@pytest.mark.parametrize("name", ["onnx2tf_direct_involution", "litert_torch_mixer_int8"])
def test_files_of_other_tools(name, hurried):
    """One leaves sizes open, one is of integers; what LiteRT itself lists is what is told."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path = FILES / f"{name}.tflite"
    made = profile(path)
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    nodes = Interpreter(str(path), experimental_op_resolver_type=resolver)._get_ops_details()
    assert [row.operator for row in made.operators] == [node["op_name"] for node in nodes]
    assert {row.verdict for row in made.operators} == {Verdict.PROVEN}
    assert all(row.ms is not None for row in made.operators)
    if name == "onnx2tf_direct_involution":  # the file says 1 where it leaves a size open
        assert (1, 16, 3, 24, 3, 24) in [row.output_shape for row in made.operators]
    else:
        assert not all(row.xnnpack for row in made.operators)
        assert "Left to the built-in kernels: " in str(made)


def test_what_does_not_run_alone_is_told(hurried):
    """Random numbers, and what reads a state that another operator sets, prove nothing alone."""
    made = Made()
    x = made.input((1, 4))
    drawn = made.new("RANDOM_UNIFORM", [made.integers((1, 4))], (1, 4), "float32")
    rows = profile(made.done(made.new("ADD", [x, drawn], (1, 4)))).operators
    assert [(row.operator, row.verdict) for row in rows] == [("RANDOM_UNIFORM", "UNTESTED"), ("ADD", "PROVEN")]
    assert rows[0].reason == "it draws random numbers of its own"
    assert rows[0].snr_db is None


def test_an_operator_alone_is_the_operator():
    blob = net()
    file = edit.read(blob)
    before = file.write()
    (x,) = inputs_of(blob)
    values = {file.main.inputs[0]: x}
    for operator in file.main.operators:
        outputs = run(alone(operator, file.main), *(values[tensor] for tensor in fed(operator)))
        values.update(zip(operator.outputs, outputs, strict=True))
    (wanted,) = run(blob, x)
    assert np.array_equal(values[file.main.outputs[0]], wanted)
    assert file.write() == before  # it is untouched
    keys = [alike(operator) for operator in file.main.operators]
    assert keys[3] == keys[4]  # whatever their weights are
    assert len(set(keys)) == len(keys) - 1


def test_what_nobody_reads_is_not_asked_for():
    """As of a loop some of what it makes, of which LiteRT keeps nothing."""
    made = Made()
    x = made.input((1, 4))
    halves = [Tensor(f"half{i}", (1, 2), "float32") for i in range(2)]
    split = Operator("SPLIT", [made.integers(1), x], halves, new_table("SplitOptions", numSplits=2))
    made.graph.insert(split)
    blob = made.done(made.new("ABS", [halves[1]], (1, 2)))
    graph = edit.read(blob).main
    (half,) = run(alone(graph.operators[0], graph), np.float32([[1, 2, 3, 4]]))
    assert np.array_equal(half, [[3, 4]])


def test_files_of_one_kind_are_timed_once_unless_xnnpack_takes_one_alone():
    """XNNPACK leaves an addition to the built-in kernels where the scales are too far apart."""
    x, files = np.ones((1, 1, 64), "int8"), []
    for scale in (0.1, 0.2, 1e-7):
        made = Made()
        left, right = made.input((1, 64), "int8", "x", scale), made.weights(np.ones((1, 64), "int8"), 0.1)
        files.append(Given(made.done(made.new("ADD", [left, right], (1, 64), scale=0.2)), (x,), kind=0))
    one, same, other = timed.run(files, seconds=0.0, rounds=9)
    assert (one.taken, same.taken, other.taken) == (True, True, False)
    assert np.array_equal(one.times_ms, same.times_ms)
    assert not np.array_equal(one.times_ms, other.times_ms)
    assert len(other.times_ms) == 9


def test_an_operator_of_unknown_cost_is_told_of(hurried):
    made = Made()
    x = made.input((1, 64))
    found = profile(made.done(made.new("CUMSUM", [x, made.integers(1)], (1, 64))))
    (row,) = found.operators
    assert (row.multiply_adds, row.moved_bytes, row.verdict) == (None, 512, "PROVEN")
    assert "Of CUMSUM 1x, " in " ".join(str(found).split())


def test_constants_that_a_file_widens_go_along():
    made = Made()
    x = made.input((1, 8))
    kernel = made.constant(np.ones((4, 8), "float16"))
    wide = made.new("DEQUANTIZE", [kernel], (4, 8), "float32")
    blob = made.done(made.new("FULLY_CONNECTED", [x, wide, None], (1, 4)))
    graph = edit.read(blob).main
    _, dense = graph.operators
    assert np.array_equal(run(alone(dense, graph), np.full((1, 8), 2, "float32"))[0], [[16] * 4])
    assert least_bytes(dense) == 4 * 8 + 2 * 32 + 4 * 4  # of the kernel what the file holds


def test_bytes_that_need_not_be_moved():
    made = Made()
    x = made.input((1, 8, 8, 3), "int8", scale=0.1)
    made.new("MAX_POOL_2D", [x], (1, 2, 2, 3), filterHeight=2, filterWidth=1, strideH=4, strideW=4)
    made.new("RESIZE_NEAREST_NEIGHBOR", [x, made.integers((2, 2))], (1, 2, 2, 3))
    made.new("GATHER", [x, made.integers((1,))], (1, 8, 1, 3), axis=2, batchDims=0)
    made.new("ADD", [x, x], (1, 8, 8, 3))
    made.new("DEQUANTIZE", [x], (1, 8, 8, 3), "float32")
    pooled, resized, gathered, added, widened = map(least_bytes, made.graph.operators)
    assert pooled == 2 * 2 * 2 * 3 + 12
    assert resized == 12 + 12
    assert gathered == 24 + 24
    assert added == 192 + 192  # the same tensor twice is read once
    assert widened == 192 + 4 * 192


def test_what_is_no_file_is_refused(tmp_path, hurried, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"`profile`: `tflite`: there is no file"):
        profile(tmp_path / "x.tflite")
    with pytest.raises(ValueError, match=r"`profile`: `tflite` 'model.tflite' is not a TFLite file"):
        profile(b"PK345678")
    with pytest.raises(ValueError, match="`profile`"):
        profile(net(), np.zeros((1, 3, 3), "float32"))

    def dies(files, **options):
        raise RuntimeError("LiteRT died (SIGSEGV)")

    monkeypatch.setattr(profile_file, "run", dies)
    with pytest.raises(RuntimeError, match=r"`profile`: running 'model.tflite' and each .* alone: LiteRT died"):
        profile(net())


def test_the_page_has_pictures_and_every_operator(found, tmp_path):
    found.to_html(tmp_path / "net.html")
    page = (tmp_path / "net.html").read_text()
    assert page.count("<svg") == 2
    assert page.count('<td class="name">') == len(WORK)
    assert all(f"{products:,}" in page for _, products, _ in WORK)
    assert found.peaks.host in page
    assert "no phone" in page
    bars = profile_pictures.bars(found)
    assert bars.index("of conv_2d_0:") < bars.index("of conv_2d_3:")  # the costliest first
    with pytest.raises(ValueError, match=r"`Profile.to_html`: `path` must end in '.html'"):
        found.to_html(tmp_path / "net.pdf")


def test_node_data_for_model_explorer(found, file, tmp_path):
    """Of each operator by the tensor that it gives: its verdict, decibels, milliseconds, and times its floor."""
    made = [tensor.name for op in edit.read(file.read_bytes()).main.operators for tensor in op.outputs]
    paths = found.save_node_data(tmp_path / "net.json")
    assert [path.name for path in paths] == ["net.verdict.json", "net.dB.json", "net.ms.json", "net.floors.json"]
    verdict, decibels, times, floors = (json.loads(path.read_text())["main"] for path in paths)
    assert list(verdict["results"]) == list(decibels["results"]) == list(times["results"]) == made
    assert {each["value"] for each in verdict["results"].values()} == {"PROVEN"}
    assert all(each["bgColor"].startswith("#") for each in verdict["results"].values())
    assert [each["value"] for each in times["results"].values()] == [row.ms for row in found.operators]
    assert made[5] not in floors["results"]  # a reshape has no floor to be measured by
    assert decibels["results"][made[5]] == {"value": 200.0}  # equal
    # Times are good where they are low, decibels where they are high.
    assert times["gradient"][0]["bgColor"] == decibels["gradient"][2]["bgColor"]
    with pytest.raises(ValueError, match=r"`Profile.save_node_data`: `path` must end in '\.json'"):
        found.save_node_data(tmp_path / "net.txt")


def test_json_holds_everything(found):
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [row["operator"] for row in told["operators"]] == [name for name, _, _ in WORK]
    assert told["operators"][5]["snr_db"] == "inf"
    assert told["ratio"] == found.ratio
    assert told["peaks"]["host"] == found.peaks.host


def test_the_command(file, found, tmp_path, capfd, hurried, monkeypatch):
    words = ["analyze", file, "--profile", "--html", tmp_path / "a.html", "--node-data", tmp_path / "a.json"]
    assert command(*words) == 0
    written = capfd.readouterr()
    table = written.out
    assert table.index("CONV_2D") < table.index("a call on one thread of")
    assert "this host's figure, no phone's" in " ".join(table.split())
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.html", "a.verdict.json", "a.dB.json", "a.ms.json", "a.floors.json"
    }  # fmt: skip
    assert export.profile is profile
    monkeypatch.setattr(export, "profile", lambda *given: found)
    assert command("analyze", file, "--profile", "--json") == 0
    assert len(json.loads(capfd.readouterr().out)["operators"]) == len(WORK)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["lenet5", "--profile"], "`profile` goes with a .tflite file, which can be timed; got 'lenet5'"),
        (["--profile", "--plot", "a.svg"], "`plot` does not go with `profile`; leave one away"),
        (["--profile", "--input-shape", "4,4,1"], "`input_shape` does not go with `profile`"),
        (["--html", "a.html"], "`html` goes with `profile`; give that, too"),
        (["--node-data", "a.json"], "`node_data` goes with `profile`"),
        (["--samples", "x.npy"], "`samples` goes with `profile`"),
        (["--profile", "--node-data", "a.txt"], "`node_data` must end in '.json'"),
        (["--profile", "--html", "a.pdf"], "`html` must end in '.html'"),
    ],
)
def test_bad_use_is_refused_before_anything_is_run(file, more, words, capfd):
    given = more if more[0] == "lenet5" else [file, *more]
    assert command("analyze", *given) == 2
    assert words in " ".join(capfd.readouterr().err.split())


def command(*words):
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    return stopped.value.code
