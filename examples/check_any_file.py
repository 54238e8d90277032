"""What a .tflite file from any tool does on the real runtimes: here one that a stock converter made.

python examples/check_any_file.py
"""

import keras
import tensorflow as tf
from keras import layers

from keraslayers import export


def stock_file():
    """Squeeze-and-excitation written with Dense layers, as most people write it, quantized the stock way."""
    image = keras.Input((16, 16, 24), batch_size=1)
    gate = layers.GlobalAveragePooling2D()(image)
    gate = layers.Dense(6, activation="relu", bias_initializer="ones")(gate)
    gate = layers.Dense(24, activation="sigmoid")(gate)
    gate = layers.Reshape((1, 1, 24))(gate)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, image * gate))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in tf.random.normal((32, 16, 16, 24), seed=0))
    return converter.convert()


def main():
    keras.utils.set_random_seed(0)
    report = export.prove(stock_file())
    print(report)
    print("proven" if report.ok else "not proven: the file runs, and nothing but the comparison tells that it is wrong")


if __name__ == "__main__":
    main()
