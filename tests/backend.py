"""What the laws need of a backend beyond Keras: gradients, compiled functions, and 64 bits."""

import contextlib
from unittest import mock

import keras
from keras.src.backend.common import dtypes

BACKEND = keras.backend.backend()
# How `Model.compile` trains fastest: JAX compiles or computes step by step, TensorFlow makes a graph without XLA, too.
JIT = BACKEND == "jax"

if BACKEND == "tensorflow":
    import tensorflow as tf

    float64 = contextlib.nullcontext
    # With what the backend says that it has no kernel of a kind on this machine.
    UNIMPLEMENTED = (tf.errors.UnimplementedError,)

    def compiled(function):
        """The function as a graph."""
        return tf.function(function, reduce_retracing=True)

    def gradients(function, values):
        """Gradients of a function of several tensors, which returns a number, in NumPy; None where none reaches."""
        values = [tf.convert_to_tensor(value) for value in values]
        with tf.GradientTape() as tape:
            tape.watch(values)
            result = function(*values)
        found = tape.gradient(result, values)  # of a table rows with their numbers
        return [None if gradient is None else tf.convert_to_tensor(gradient).numpy() for gradient in found]

    def slope(function):
        """The gradient of function(x, other), a number, with respect to x: a function of both.

        As a graph, which leaves out the gradients of kernels. Those of convolutions on a CPU, computed step by step,
        now and then write beyond their memory (TensorFlow 2.21), and the process dies later.
        """

        @tf.function
        def compute(x, other):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                result = function(x, other)
            return tape.gradient(result, x)

        return lambda *values: compute(*map(tf.convert_to_tensor, values)).numpy()

    def jitted(function):
        """The function or layer, compiled by XLA."""
        return tf.function(function, jit_compile=True)

    def of_any_size(model):
        """The model, traced once for sizes that it does not know."""
        return tf.function(model, input_signature=[tf.TensorSpec(model.input.shape, "float32")])

elif BACKEND == "jax":
    import jax
    import numpy as np

    UNIMPLEMENTED = ()

    @contextlib.contextmanager
    def float64():
        """Lets 64 bits be 64 bits: JAX makes 32 of them, and so does Keras, but for TensorFlow, wherever two meet."""
        with jax.enable_x64(True), mock.patch.dict(dtypes.BIT64_TO_BIT32_DTYPE, float64="float64"):
            yield

    compiled = jitted = jax.jit

    def gradients(function, values):
        found = jax.jit(jax.grad(function, tuple(range(len(values)))))(*values)
        return [np.asarray(gradient) for gradient in found]

    def of_any_size(model):
        return model

else:
    import torch

    UNIMPLEMENTED = ()

    # NumPy reads the tensors of the other backends as they are; torch wants those with a gradient detached first.
    _array = torch.Tensor.__array__
    torch.Tensor.__array__ = lambda self, *args, **kwargs: _array(self.detach(), *args, **kwargs)

    def float64():
        return mock.patch.dict(dtypes.BIT64_TO_BIT32_DTYPE, float64="float64")

    def compiled(function):
        return function

    jitted = compiled  # Keras leaves torch models as they are, too

    def gradients(function, values):
        values = [torch.tensor(value, requires_grad=True) for value in values]
        found = torch.autograd.grad(function(*values), values, allow_unused=True)
        return [None if gradient is None else gradient.numpy() for gradient in found]

    def of_any_size(model):
        return model


def loss_of(layer, towards, **options):
    """The function sum(layer(x, **options) * towards) of x and the layer's trainable weights."""
    others = [weight.value for weight in layer.non_trainable_variables]

    def loss(x, *weights):
        outputs, _ = layer.stateless_call(list(weights), others, keras.ops.convert_to_tensor(x), **options)
        return keras.ops.sum(outputs * keras.ops.convert_to_tensor(towards, outputs.dtype))

    return loss


def gradients_of(layer, x, towards, **options):
    """Gradients of sum(layer(x, **options) * towards) with respect to x and to the layer's trainable weights."""
    weights = [keras.ops.convert_to_numpy(weight) for weight in layer.trainable_variables]
    return gradients(loss_of(layer, towards, **options), [x, *weights])
