"""The Keras model as it is taken: its inputs, outputs, samples, floats and the names of its layers."""
