"""Addresses of weights: their forms, the table, and downloads from a server on this machine that errs in every way."""

import hashlib
import http.server
import inspect
import re
import threading
import time
from unittest import mock

import keras
import numpy as np
import pytest

from keraslayers import models
from keraslayers.models.weights import download, published
from tests.model_tools import image, outputs, randomize

# requests leaves the socket of an error to the collector, in whichever test that runs.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

OPTIONS = {"input_shape": (32, 32, 3), "classes": 2, "alpha": 0.25}


@pytest.fixture(scope="module")
def trained():
    model = models.MobileNet(**OPTIONS)
    randomize(model)
    return model


@pytest.fixture(scope="module")
def weights(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "x.weights.h5"
    trained.save_weights(path)
    return path.read_bytes()


@pytest.fixture
def server(weights, tmp_path, monkeypatch):
    """The address of a server; a request for /cut, /slow, /gone, /moved or /broken ends so. The cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            kind = self.path.split("/")[1]
            if kind == "moved":
                self.send_response(302)
                self.send_header("Location", "/whole/x.weights.h5")
                self.end_headers()
                return
            if kind in ("gone", "broken"):
                self.send_error(404 if kind == "gone" else 503)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(weights)))
            self.end_headers()
            if kind == "slow":
                self.wfile.write(weights[:100])
                self.wfile.flush()
                time.sleep(2)
            elif kind == "cut":
                self.wfile.write(weights[: len(weights) // 2])
            else:
                self.wfile.write(weights)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            """Who is slow finds nobody there."""

    with Server(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        made.asked = asked
        made.address = f"http://127.0.0.1:{made.server_address[1]}"
        yield made
        made.shutdown()


def kept():
    return sorted(path.name for path in download.folder().rglob("*"))


@pytest.mark.parametrize("kind", ["whole", "moved"])
@pytest.mark.parametrize("algorithm", ["sha256", "md5", None])
def test_files_are_downloaded_once(kind, algorithm, server, weights, trained):
    address = f"{server.address}/{kind}/x.weights.h5"
    if algorithm:
        address += f"#{algorithm}={hashlib.new(algorithm, weights).hexdigest()}"
    x = image((32, 32, 3))
    for _ in range(2):
        np.testing.assert_array_equal(outputs(models.MobileNet(weights=address, **OPTIONS), x), outputs(trained, x))
    assert len(server.asked) == (2 if kind == "moved" else 1)
    assert len(kept()) == 1
    assert kept()[0].endswith("-x.weights.h5")


def test_the_beginning_of_a_hash(server, weights):
    begins = hashlib.sha256(weights).hexdigest()[:8]
    download.fetch("me", f"{server.address}/whole/x.h5", f"sha256:{begins}")
    assert len(kept()) == 1


@pytest.mark.parametrize(
    ("kind", "digest", "error", "message"),
    [
        (
            "whole",
            "sha256:" + "0" * 64,
            ValueError,
            r"must have the sha256 0{64}; that at http.* has .* nothing of it is",
        ),
        ("whole", "md5:12345678", ValueError, r"must have the md5 12345678"),
        ("cut", None, ConnectionError, r"could not be downloaded from .*bring the file from elsewhere.* lay it at"),
        ("gone", None, ConnectionError, r"404"),
        ("broken", None, ConnectionError, r"503"),
        ("slow", None, ConnectionError, r"timed out|Timeout"),
    ],
)
def test_nothing_stays_of_what_fails(kind, digest, error, message, server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    url = f"{server.address}/{kind}/x.h5"
    with pytest.raises(error, match=message) as raised:
        download.fetch("MobileNet", url, digest)
    assert str(raised.value).startswith("`MobileNet`: ")
    assert url in str(raised.value)
    assert kept() == []
    # The next try begins anew.
    server.asked.clear()
    with pytest.raises(error):
        download.fetch("MobileNet", url, digest)
    assert len(server.asked) == 1


def test_without_a_server(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(
        ConnectionError, match=r"`LeNet5`: `weights` could not be downloaded from http://127\.0\.0\.1:9/x"
    ):
        models.LeNet5(weights="http://127.0.0.1:9/x.keras")
    assert kept() == []


# Forms


@pytest.mark.parametrize(
    ("address", "url", "digest"),
    [
        ("https://a.b/c.pth", "https://a.b/c.pth", None),
        ("https://a.b/c.pth#sha256=0123456789ab", "https://a.b/c.pth", "sha256:0123456789ab"),
        ("hf://timm/x.in1k", "https://huggingface.co/timm/x.in1k/resolve/main/model.safetensors", None),
        ("hf://timm/x@v2#md5=01234567", "https://huggingface.co/timm/x/resolve/v2/model.safetensors", "md5:01234567"),
        ("hf://a/b@c0ffee/d/e.pth", "https://huggingface.co/a/b/resolve/c0ffee/d/e.pth", None),
    ],
)
def test_forms_of_addresses(address, url, digest):
    assert download.parse("me", address) == (url, digest)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hf://timm", r"must be hf://owner/name"),
        ("https://a.b/c.pth#sha256=xyz", r"must be sha256=\.\.\. or md5=\.\.\., of 8 digits or more; got 'sha256=xyz'"),
        ("http://a.b/c.pth", r"must be an address of https"),
        ("https://a.b/c.onnx", r"of a file that ends in \.weights\.h5, .*\.pth"),
    ],
)
def test_addresses_that_are_none(address, message):
    with pytest.raises(ValueError, match=rf"`LeNet5`: .*{message}"):
        models.LeNet5(weights=address)


# The table


@pytest.mark.parametrize("one", published.table(), ids=lambda one: f"{one.builder}-{one.source}-{one.name}")
def test_entries(one):
    url, digest = download.parse(one.builder, one.url)
    assert url.startswith("https://")
    assert url.endswith((".pth", ".safetensors", ".h5"))
    assert digest is None
    assert one.hash is None or re.fullmatch(r"md5:[0-9a-f]{32}|sha256:([0-9a-f]{64}|[0-9a-f]{8,10})", one.hash)
    if one.hash and len(one.hash) < len("sha256:") + 64 and one.source != "keras":
        assert one.hash.removeprefix("sha256:") in url  # as PyTorch's hub has it
    assert one.megabytes is None or 1 < one.megabytes < 1300
    assert one.licence
    assert one.pixels in published.PIXELS_NAMES
    assert 100 < one.side < 700
    assert 0.8 <= one.crop <= 1
    assert one.interpolation in ("bilinear", "bicubic")
    assert one.top1 is None or 50 < one.top1 < 90
    builder = getattr(models, one.builder)

    assert set(one.options) <= set(inspect.signature(builder).parameters)


def test_a_set_is_chosen_by_the_options():
    def name(builder, **options):
        return published.chosen(builder.__name__, {**_defaults(builder), **options}).name

    def _defaults(builder):

        return {key: parameter.default for key, parameter in inspect.signature(builder).parameters.items()}

    assert name(models.MobileNetV2) == "MobileNetV2"
    assert name(models.MobileNetV2, padding="symmetric", bn_epsilon=1e-5) == "MobileNet_V2:IMAGENET1K_V1"
    assert name(models.ResNet50) == "ResNet50:IMAGENET1K_V1"
    assert name(models.ResNet50, version="2-keras", bn_epsilon=1.001e-5) == "ResNet50V2"
    assert name(models.VGG16, batch_norm=True) == "VGG16_BN:IMAGENET1K_V1"
    assert [one.name for one in models.published("resnet50")][:2] == [
        "ResNet50:IMAGENET1K_V1",
        "ResNet50:IMAGENET1K_V2",
    ]
    message = (
        r"`MobileNetV2`: weights='imagenet' must be .*padding='symmetric', bn_epsilon=1e-05, alpha=1\.0 \(torchvision's"
    )
    with pytest.raises(ValueError, match=message):
        models.MobileNetV2(weights="imagenet", alpha=0.6)
    with pytest.raises(ValueError, match=r"`LeNet5`: .*no published weights of ImageNet are known"):
        models.LeNet5(weights="imagenet")
    with pytest.raises(ValueError, match=r"`VGG16`: `weights` must be of this network; got those of VGG19"):
        models.VGG16(weights=models.published("vgg19")[0])


def test_what_keras_would_download():
    """The address and hash of the table are those of the installed keras.applications."""

    def asked(fname=None, origin=None, *_, file_hash=None, **__):
        raise ConnectionError(origin, file_hash)

    ours = next(one for one in models.published("mobilenet_v3_small") if one.source == "keras")
    with mock.patch("keras.src.utils.file_utils.get_file", asked), pytest.raises(ConnectionError) as raised:
        keras.applications.MobileNetV3Small(weights="imagenet", input_shape=(224, 224, 3))
    assert raised.value.args == (ours.url, ours.hash.partition(":")[2])


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ("[-1, 1]", lambda x: keras.applications.mobilenet.preprocess_input(x)),
        ("[0, 1]", lambda x: x / 255),
        ("imagenet", lambda x: keras.applications.densenet.preprocess_input(x)),
        ("caffe", lambda x: keras.applications.resnet.preprocess_input(x)),
        ("[-127/128, 1]", lambda x: (x - 127) / 128),
        ("[-1, 127/128]", lambda x: (x - 128) / 128),
    ],
)
def test_preprocessing(pixels, expected):
    one = next((one for one in published.table() if one.pixels == pixels), None)
    one = one or mock.Mock(pixels=pixels, preprocess=lambda: published.Published.preprocess(one))
    x = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3)).astype("float32")
    np.testing.assert_allclose(one.preprocess()(x), expected(x.copy()), rtol=1e-4, atol=1e-4)


def test_preprocessing_goes_with_the_weights(trained, tmp_path, monkeypatch):
    """Keras's weights of ResNet want blue first; the model takes pixels, and stays so where it is saved and loaded."""
    (one,) = (one for one in models.published("resnet50") if one.name == "ResNet50")
    options = {"input_shape": (32, 32, 3), "classes": 2, **one.options}
    model = models.ResNet50(**options)
    model.save_weights(tmp_path / "x.weights.h5")
    monkeypatch.setattr(download, "fetch", lambda *_: str(tmp_path / "x.weights.h5"))
    whole = models.ResNet50(weights="imagenet", preprocessing=True, **options)
    x = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    scaled = keras.applications.resnet.preprocess_input(x.copy())
    np.testing.assert_allclose(outputs(whole, x), outputs(model, scaled), rtol=1e-4, atol=1e-5)
