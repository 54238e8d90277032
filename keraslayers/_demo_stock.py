"""The demo's file that fails: the stock converter's, which the GPU takes whole and gets wrong; and it repaired."""

import contextlib
import io
import warnings

from keraslayers._quiet import quiet

SAMPLES = 100  # for the ranges of its integers, and for the proof
EPOCHS = 4
RATE = 1e-2
BATCH = 32
NAMES = ("stock_int8.tflite", "repaired_int8.tflite")


def build(size):
    """A small network for digits, with squeeze-and-excitation as it is mostly written: Hu et al. 2017, figure 3."""
    import keras
    from keras import layers

    def gated(x):
        gate = layers.Dense(x.shape[-1], activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
        return layers.Multiply()([x, layers.Reshape((1, 1, x.shape[-1]))(gate)])

    image = keras.Input((size, size, 1), name="image")
    x = gated(layers.Conv2D(16, 8, strides=8, activation="relu")(image))
    x = gated(layers.Conv2D(32, 3, activation="relu")(x))
    x = layers.Dense(10, activation="softmax", name="digit")(layers.Flatten()(x))
    model = keras.Model(image, x, name="gated")
    model.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy")
    return model


def convert(model, samples):
    """What `tf.lite.TFLiteConverter` makes of a model in int8, with a batch of one."""
    import keras
    import tensorflow as tf

    one = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="image")
    # It prints what it saves on the way, and warns of ranges that it measures itself.
    with quiet(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(one, model(one)))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([each[None]] for each in samples)
        return converter.convert()


def files(digits):
    """(The Keras model, the stock file and the repaired one, an `Artifact` each)."""
    from keraslayers.export import prove, repair
    from keraslayers.export.artifact import Artifact

    model = build(digits.x_train.shape[1])
    model.fit(digits.x_train, digits.y_train, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    samples = digits.x_train[:SAMPLES]
    blob = convert(model, samples)
    stock = Artifact(blob, prove(blob, runtimes=("cpu", "gpu"), samples=samples, model=model))
    return model, stock, repair(blob, target="gpu-fp32", samples=samples, model=model)
