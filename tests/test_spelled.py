"""Operations of Keras that the converter refuses, or that mean something else in a batch of one, in other spellings."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keraslayers.export import to_tflite
from keraslayers.export.convert.spelled import MOST_AXES, spelled


def _traced(function, *arrays):
    """(What it computes where it was traced with the spellings, the operations of TensorFlow in it.)"""
    with spelled():
        specs = [tf.TensorSpec(x.shape, x.dtype) for x in arrays]
        traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    outputs = keras.tree.flatten(traced(*map(tf.constant, arrays)))
    return [np.array(x) for x in outputs], {operation.type for operation in traced.graph.get_operations()}


def _numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_a_column_is_added_to_each_column():
    square, column = _numbers(1, 9, 9), _numbers(1, 9, 1)
    (got,), kinds = _traced(ops.add, square, column)
    np.testing.assert_allclose(got, square + column)
    assert "BiasAdd" not in kinds
    (got,), kinds = _traced(ops.add, column, column)
    np.testing.assert_allclose(got, 2 * column)
    assert "BiasAdd" not in kinds


@pytest.mark.parametrize("bias", [(9,), (1, 1, 9)], ids=str)
def test_a_bias_stays_one(bias):
    _, kinds = _traced(ops.add, _numbers(1, 9, 9), _numbers(*bias))
    assert "BiasAdd" in kinds


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_of_the_largest_and_smallest(name, axis, keepdims):
    x = _numbers(3, 5, 4)
    (got,), kinds = _traced(lambda x: getattr(ops, name)(x, axis=axis, keepdims=keepdims), x)
    np.testing.assert_array_equal(got, getattr(np, name)(x, axis=axis, keepdims=keepdims))
    assert "BitwiseAnd" not in kinds


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((1, 2, 3, 2, 2, 3, 2, 2), (0, 2, 4, 6, 1, 3, 5, 7)),
        ((2, 3, 2, 2, 2, 3, 2, 2), (5, 0, 1, 3, 6, 2, 4, 7)),
        ((2, 1, 3, 2, 2, 3, 2), (-1, -2, -3, -4, -5, -6, -7)),
        ((1, 1, 1, 1, 1, 1, 1), (6, 5, 4, 3, 2, 1, 0)),
    ],
)
def test_axes_beyond_six(shape, axes):
    x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    with spelled():
        traced = tf.function(lambda x: ops.transpose(x, axes)).get_concrete_function(tf.TensorSpec(shape))
    np.testing.assert_array_equal(traced(tf.constant(x)), x.transpose(axes))
    ranks = [op.inputs[0].shape.rank for op in traced.graph.get_operations() if op.type == "Transpose"]
    assert max(ranks) <= MOST_AXES


def test_fourier_transforms():
    x = _numbers(2, 6, 10)
    (real, imaginary), kinds = _traced(lambda x: ops.fft2((x, 2 * x)), x)
    np.testing.assert_allclose(real + 1j * imaginary, np.fft.fft2(x + 2j * x), atol=1e-4)
    assert "FFT2D" not in kinds
    (real, imaginary), _ = _traced(lambda x: ops.fft((x, 2 * x)), x)
    np.testing.assert_allclose(real + 1j * imaginary, np.fft.fft(x + 2j * x), atol=1e-4)


@pytest.mark.parametrize("length", [None, 8, 9, 16], ids=str)
def test_real_numbers_of_a_spectrum(length):
    x = _numbers(2, 6)
    (got,), kinds = _traced(lambda x: ops.irfft((x, 2 * x), length), x)
    np.testing.assert_allclose(got, np.fft.irfft(x + 2j * x, length), atol=1e-5)
    assert "IRFFT" not in kinds


def test_keras_is_as_it_was():
    before = keras.src.backend.tensorflow.numpy.add
    with pytest.raises(ZeroDivisionError), spelled():
        raise ZeroDivisionError
    assert keras.src.backend.tensorflow.numpy.add is before


def test_a_model_of_all_of_them_is_proven():
    x = inputs = keras.Input((8, 8))
    real, _ = ops.fft2((x, ops.zeros_like(x)))
    column = layers.Dense(1)(real)
    model = keras.Model(inputs, [ops.argmax(x + column, axis=-1), column + column])
    to_tflite(model, samples=_numbers(8, 8, 8)).report.require()
