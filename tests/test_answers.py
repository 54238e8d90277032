"""Whatever a model holds: a file with its proof, or words that say what to do."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from keraslayers.export import to_tflite
from tests.export_models import enliven, samples


def by_number(tflite, *arrays):
    """What a program computes that takes inputs and outputs by their numbers, sample by sample."""
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    rows = []
    for parts in zip(*arrays, strict=True):
        for entry, part in zip(interpreter.get_input_details(), parts, strict=True):
            interpreter.set_tensor(entry["index"], part[None])
        interpreter.invoke()
        rows.append([interpreter.get_tensor(entry["index"])[0] for entry in interpreter.get_output_details()])
    return [np.stack(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_inputs_and_outputs_stand_in_the_models_order(precision):
    y, b = keras.Input((4,), name="y"), keras.Input((3,), name="b")
    zz = layers.Dense(2, name="zz")(layers.Concatenate()([y, b]))
    model = enliven(keras.Model([y, b], [zz, layers.Dense(5, name="aa")(b)]))
    x = [samples(16, (4,)), samples(16, (3,))]
    got = by_number(to_tflite(model, precision=precision, samples=x).tflite, *x)
    for part, wanted in zip(got, model(x), strict=True):
        # 8 bits of outputs that spread over less than 16: a step of 0.06, and a few of them.
        np.testing.assert_allclose(part, wanted, atol=1e-5 if precision == "float32" else 0.4)
