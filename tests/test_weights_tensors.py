"""Files of tensors are read without torch, and without running what a pickle names."""

import builtins
import json
import os
import zipfile

import numpy as np
import pytest

from keraslayers import models
from keraslayers.models.weights import errors, tensors
from tests import torch_files

ARRAYS = {
    "conv.weight": np.arange(24, dtype="float32").reshape(2, 3, 2, 2),
    "bn.running_var": np.array([0.5, 1.5]),
    "half": np.array([1, 2, 3], "float16"),
    "bn.num_batches_tracked": np.array(7, "int64"),
}


def same(found, expected=ARRAYS):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "in a row"])
def test_files_of_torch(zipped, tmp_path):
    torch_files.save(tmp_path / "x.pth", *torch_files.contiguous(ARRAYS), zipped=zipped)
    same(tensors.read(tmp_path / "x.pth"))


def test_views_and_what_training_scripts_put_around(tmp_path):
    numbers = torch_files.Numbers("0", np.arange(12, dtype="float32"))
    turned = torch_files.Tensor(numbers, (3, 2), (1, 4), offset=1)
    value = {"epoch": 3, "state_dict": {"module.a": turned, "module.b": turned}, "lr": 0.1}
    torch_files.save(tmp_path / "x.pth", value, [numbers])
    expected = np.arange(12, dtype="float32").reshape(3, 4)[:2].T[1:]
    same(tensors.read(tmp_path / "x.pth"), {"a": expected, "b": expected})


def write_safetensors(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_safetensors(tmp_path):
    array = np.array([[1.5, -2.0, 3.25]], "float32")
    upper = (array.view("uint32") >> 16).astype("uint16")  # bfloat16 is the upper half
    header = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "BF16", "shape": [1, 3], "data_offsets": [12, 18]},
        "a": {"dtype": "F32", "shape": [1, 3], "data_offsets": [0, 12]},
    }
    write_safetensors(tmp_path / "x.safetensors", header, array.tobytes() + upper.tobytes())
    found = tensors.read(tmp_path / "x.safetensors")
    for name in "ab":
        np.testing.assert_array_equal(found[name].astype("float32"), array)


# Errors


class Calls:
    """What a pickle would have done when it is read."""

    def __init__(self, function, *arguments):
        self.made = function, arguments

    def __reduce__(self):
        return self.made


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "in a row"])
@pytest.mark.parametrize(
    ("function", "name"), [(os.system, "system"), (builtins.eval, "eval"), (np.dtype, "dtype"), (exec, "exec")]
)
def test_programs_are_not_run(zipped, function, name, tmp_path):
    gone = tmp_path / "touched"
    torch_files.save(tmp_path / "x.pth", {"a": Calls(function, f"touch {gone}")}, [], zipped=zipped)
    with pytest.raises(errors.Unreadable, match=rf"it has \w+\.{name} made, which is no tensor.*torch.save\(model"):
        tensors.read(tmp_path / "x.pth")
    assert not gone.exists()


def test_functions_keep_their_attributes(tmp_path):
    """A pickle may set attributes of what it got; of the functions that it may call it can set none."""
    # torch._utils._rebuild_tensor_v2, then BUILD with (None, {"_make": 1})
    program = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x05\x00\x00\x00_makeK\x01s\x86b."
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("x/data.pkl", program)
    with pytest.raises(errors.Unreadable, match="sets attributes of a function"):
        tensors.read(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("strides", "offset"),
    [((4, 1), 1), ((4, 1), -1), ((-4, 1), 0), ((5, 1), 0)],
    ids=["behind", "before", "back", "far"],
)
def test_views_stay_in_their_storage(strides, offset, tmp_path):
    numbers = torch_files.Numbers("0", np.arange(12, dtype="float32"))
    torch_files.save(tmp_path / "x.pth", {"a": torch_files.Tensor(numbers, (3, 4), strides, offset)}, [numbers])
    with pytest.raises(errors.Unreadable, match=r"shape \(3, 4\) reaches beyond the 12 numbers"):
        tensors.read(tmp_path / "x.pth")


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "in a row"])
def test_files_cut_short(zipped, tmp_path):
    path = tmp_path / "x.pth"
    torch_files.save(path, *torch_files.contiguous(ARRAYS), zipped=zipped)
    whole = path.read_bytes()
    for length in (0, 1, 10, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(errors.Unreadable):
            tensors.read(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 12]}}, r"'a' of the shape \[4\] would lie at"),
        ({"a": {"dtype": "F32", "shape": [3], "data_offsets": [4, 16]}}, r"bytes 4 to 16 of 12"),
        ({"a": {"dtype": "F5", "shape": [3], "data_offsets": [0, 12]}}, r"KeyError: 'F5'"),
        ({"a": 3}, "none of safetensors"),
        ([], "none of safetensors"),
        ({}, "has no tensors by name"),
    ],
)
def test_headers_of_safetensors(header, message, tmp_path):
    write_safetensors(tmp_path / "x.safetensors", header, bytes(12))
    with pytest.raises(errors.Unreadable, match=message):
        tensors.read(tmp_path / "x.safetensors")


def test_a_safetensors_file_that_is_none(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"<html>not found")
    with pytest.raises(
        ValueError, match=r"`LeNet5`: `weights` must be a file that torch.save or safetensors wrote; .*hea"
    ):
        models.LeNet5(weights=path)


def test_what_is_no_state_dict(tmp_path):
    torch_files.save(tmp_path / "x.pth", [1, 2], [])
    with pytest.raises(errors.Unreadable, match="it holds a list, no dict of tensors"):
        tensors.read(tmp_path / "x.pth")
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(errors.Unreadable, match=r"has no data\.pkl"):
        tensors.read(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("build", "name", "message"),
    [
        (
            lambda path: models.MobileNetV2(input_shape=(32, 32, 3), weights=path),
            "features.1.conv.0.0.weight",
            r"`MobileNetV2`: `weights` of torchvision give their outputs with padding='symmetric', bn_epsilon=1e-05; "
            r"the model has padding='same', bn_epsilon=0\.001, got .*Build it with these options",
        ),
        (
            lambda path: models.EfficientNetLite0(input_shape=(32, 32, 3), bn_epsilon=1e-5, weights=path),
            "conv_stem.weight",
            r"of timm give .* with padding='symmetric', bn_epsilon=1e-05 or padding='same', bn_epsilon=0\.001; the",
        ),
        (
            lambda path: models.ResNet50(input_shape=(32, 32, 3), version="1", weights=path),
            "layer1.0.conv1.weight",
            r"`ResNet50`: `weights` of torchvision give their outputs with version='1\.5', which",
        ),
        (
            lambda path: models.ResNet18(input_shape=(32, 32, 3), weights=path),
            "layer1.0.conv1.weight",
            r"where the file has no 'conv1\.weight' for 'stem'; .*; and \d+ more\. Build the network whose",
        ),
    ],
)
def test_of_networks_with_other_options(build, name, message, tmp_path):
    torch_files.save(tmp_path / "x.pth", *torch_files.contiguous({name: np.zeros((1, 1, 1, 1), "float32")}))
    with pytest.raises(ValueError, match=message):
        build(tmp_path / "x.pth")


def test_of_other_networks(tmp_path):
    torch_files.save(tmp_path / "x.pth", *torch_files.contiguous(ARRAYS))
    with pytest.raises(
        ValueError, match=r"must be torchvision's, with 'layer1\.0\.conv1'; got .*, with 'conv\.weight'"
    ):
        models.ResNet18(input_shape=(32, 32, 3), weights=tmp_path / "x.pth")
    with pytest.raises(ValueError, match=r"as nobody else publishes this network; got"):
        models.LeNet5(weights=tmp_path / "x.pth")
