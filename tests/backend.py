"""What the laws need of a backend beyond Keras: gradients, and functions compiled for it."""

import keras

BACKEND = keras.backend.backend()

if BACKEND == "tensorflow":
    import tensorflow as tf

    def compiled(function):
        """The function as a graph."""
        return tf.function(function, reduce_retracing=True)

    def gradients(function, values):
        """Gradients of a function of several tensors, which returns a number, in NumPy; None where none reaches."""
        values = [tf.convert_to_tensor(value) for value in values]
        with tf.GradientTape() as tape:
            tape.watch(values)
            result = function(*values)
        return [None if gradient is None else gradient.numpy() for gradient in tape.gradient(result, values)]

    def jitted(layer):
        """The layer, compiled by XLA."""
        return tf.function(layer, jit_compile=True)

    def of_any_size(model):
        """The model, traced once for sizes that it does not know."""
        return tf.function(model, input_signature=[tf.TensorSpec(model.input.shape, "float32")])

elif BACKEND == "jax":
    import jax
    import numpy as np

    jax.config.update("jax_enable_x64", True)  # numeric gradients need float64

    def compiled(function):
        return jax.jit(function)

    def gradients(function, values):
        found = jax.grad(function, range(len(values)))(*map(jax.numpy.array, values))
        return [np.asarray(gradient) for gradient in found]

    def jitted(layer):
        trainable = [weight.value for weight in layer.trainable_variables]
        others = [weight.value for weight in layer.non_trainable_variables]
        return jax.jit(lambda x: layer.stateless_call(trainable, others, x)[0])

    def of_any_size(model):
        return model

else:
    import torch

    def compiled(function):
        return function

    def gradients(function, values):
        values = [torch.tensor(value, requires_grad=True) for value in values]
        found = torch.autograd.grad(function(*values), values, allow_unused=True)
        return [None if gradient is None else gradient.numpy() for gradient in found]

    def jitted(layer):
        return layer  # Keras leaves torch models as they are, too

    def of_any_size(model):
        return model


def loss_of(layer, towards):
    """The function sum(layer(x) * towards) of x and the layer's trainable weights."""
    others = [weight.value for weight in layer.non_trainable_variables]

    def loss(x, *weights):
        outputs, _ = layer.stateless_call(list(weights), others, x)
        return keras.ops.sum(outputs * keras.ops.convert_to_tensor(towards, outputs.dtype))

    return loss
