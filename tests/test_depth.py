"""Models of many layers: Keras goes through a chain of them by a call each, for which Python has to have room."""

import sys

import keras
import pytest
from keras import layers

from keraslayers import _arguments, _depth
from keraslayers.export import to_tflite

DEEP = 150


@pytest.fixture
def limit():
    """Sets Python's limit as far above what is called now as is wanted; a chain of 2,000 would take minutes."""
    before = sys.getrecursionlimit()
    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    yield lambda room: sys.setrecursionlimit(depth + room)
    sys.setrecursionlimit(before)


@pytest.fixture(scope="module")
def chain():
    image = x = keras.Input((2,))
    for _ in range(DEEP):
        x = layers.Identity()(x)
    return keras.Model(image, keras.ops.relu(x))


def test_room_is_made_and_never_taken(limit):
    limit(300)
    low = sys.getrecursionlimit()
    _depth.make_room(2000)
    assert sys.getrecursionlimit() == _depth.OTHERS + 2000 * _depth.EACH > low
    _depth.make_room(10)
    assert sys.getrecursionlimit() == _depth.OTHERS + 2000 * _depth.EACH
    _depth.make_room(10**9, most=9000)
    assert sys.getrecursionlimit() == 9000


def test_an_export_makes_room_for_its_model(limit, chain, monkeypatch):
    monkeypatch.setattr(_depth, "OTHERS", 5 * DEEP)  # else there is room by chance
    before = sys.getrecursionlimit()

    def stop():
        raise KeyboardInterrupt  # once all is planned

    monkeypatch.setattr("keraslayers.export.convert.converter.start", stop)
    limit(250)
    with pytest.raises(KeyboardInterrupt):
        to_tflite(chain)
    assert before != sys.getrecursionlimit() >= 5 * DEEP + _depth.EACH * DEEP


def test_the_command_loads_models_of_many_layers(limit, chain, tmp_path, monkeypatch):
    monkeypatch.setattr(_depth, "OTHERS", 5 * DEEP)
    chain.save(tmp_path / "net.keras")
    keras.utils.clear_session()
    limit(DEEP)
    assert len(_arguments.load_model("export", tmp_path / "net.keras").layers) == DEEP + 1
