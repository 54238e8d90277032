"""Auxiliary outputs: trained as any other, and left out of the exported file."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

import keraslayers
from keraslayers import models
from keraslayers.export import to_tflite
from keraslayers.export.source.auxiliary import drop_auxiliary
from tests.export_models import dense, enliven, samples


def heads(arrange, name="heads"):
    """A model of four outputs, the second and the last auxiliary, in the structure that `arrange` makes of them."""
    x = keras.Input((4,), name="x")
    shared = layers.Dense(6, activation="relu", name="shared")(x)
    made = {head: layers.Dense(3, name=f"{head}_dense")(shared) for head in ("one", "aux1", "two", "aux2")}
    made["one"] = layers.Activation("softmax", name="one")(made["one"])
    made["two"] = layers.Activation("tanh", name="two")(made["two"])
    for head in ("aux1", "aux2"):
        made[head] = keraslayers.AuxiliaryOutput(name=head)(made[head])
    return enliven(keras.Model(x, arrange(**made), name=name))


ARRANGEMENTS = {
    "list": (
        lambda one, aux1, two, aux2: [one, aux1, two, aux2],
        lambda one, aux1, two, aux2: [one, two],
        {"one", "two"},
    ),
    "a list of which one is left": (
        lambda one, aux1, two, aux2: [aux1, one, aux2],
        lambda aux1, one, aux2: one,
        {"one"},
    ),
    "dict": (
        lambda one, aux1, two, aux2: {"a": aux1, "first": one, "second": two, "z": aux2},
        lambda a, first, second, z: {"first": first, "second": second},
        {"first", "second"},
    ),
    "dict of lists": (
        lambda one, aux1, two, aux2: {"main": [one, two], "side": [aux1, aux2]},
        lambda main, side: {"main": main},
        {"main_0", "main_1"},
    ),
}


@pytest.mark.parametrize(("arrange", "keep", "names"), ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_they_are_dropped_and_the_others_stay(arrange, keep, names):
    model = heads(arrange)
    x = samples(shape=(4,))
    before = model(x)
    made, count = drop_auxiliary("to_tflite", model)
    assert count == 2
    expected = keep(**before) if isinstance(before, dict) else keep(*before)
    keras.tree.assert_same_structure(made(x), expected)
    for got, wanted in zip(keras.tree.flatten(made(x)), keras.tree.flatten(expected), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert not {"aux1", "aux2", "aux1_dense", "aux2_dense"} & {layer.name for layer in made.layers}
    # A second run changes nothing, and the user's model is as it was.
    assert drop_auxiliary("to_tflite", made) == (made, 0)
    keras.tree.assert_same_structure(model(x), before)

    report = to_tflite(model, samples=x).report.require()
    assert report.passes == {"drop_auxiliary": 2}
    assert {output["name"] for output in report.outputs} == names
    assert report.parameters == made.count_params() < model.count_params()


def test_they_are_dropped_in_a_nested_model():
    inner = heads(lambda one, aux1, two, aux2: [one, aux1])
    x = keras.Input((4,), name="x")
    outer = keras.Model(x, inner(x), name="outer")
    made, count = drop_auxiliary("to_tflite", outer)
    assert count == 1
    np.testing.assert_array_equal(made(samples(shape=(4,))), inner(samples(shape=(4,)))[0])


def test_auxiliary_outputs_only_are_refused():
    x = keras.Input((4,), name="x")
    y = keraslayers.AuxiliaryOutput(name="aux")(layers.Dense(3, name="y")(x))
    for outputs in (y, [y, y], {"y": y}):
        model = keras.Model(x, outputs, name="only")
        with pytest.raises(ValueError, match=r"`to_tflite`: `model` 'only' has auxiliary outputs only; nothing is"):
            to_tflite(model)


def test_other_models_pass_through():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    for model in (dense(), Subclassed()):
        assert drop_auxiliary("to_tflite", model) == (model, 0)
    assert "drop_auxiliary" not in to_tflite(dense()).report.passes


def test_a_network_loses_its_heads():
    options = {"input_shape": (79, 79, 1), "classes": 3}
    made = to_tflite(models.GoogLeNet(**options, aux_heads=True))
    report = made.report.require()
    assert report.passes == {"drop_auxiliary": 2}
    assert [output["name"] for output in report.outputs] == ["predictions"]
    assert report.parameters == models.GoogLeNet(**options).count_params()
    tensors = Interpreter(model_content=made.tflite).get_tensor_details()
    assert "stage4_unit4_concat" in " ".join(tensor["name"] for tensor in tensors)
    assert "aux" not in " ".join(tensor["name"] for tensor in tensors)
