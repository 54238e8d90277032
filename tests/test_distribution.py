"""Training on several devices at once: tf.distribute.MirroredStrategy over two logical CPU devices."""

import subprocess
import sys
from pathlib import Path

# Logical devices are set before TensorFlow starts, so this runs in a process of its own.
CODE = """
import sys
import keras, numpy as np, tensorflow as tf
from keras import layers

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.cases import CASES

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
first = {}
for case in CASES:  # one row a layer: the laws hold every row
    if case.channel_axis in (None, -1):
        first.setdefault(case.layer, case)
for case in first.values():
    keras.utils.set_random_seed(0)
    with strategy.scope():
        inputs = keras.Input(case.input_shape)
        x = layers.Dense(case.input_shape[-1])(inputs)
        x = layers.Dense(1)(layers.Flatten()(case.make()(x)))
        model = keras.Model(inputs, x)
        model.compile("sgd", "mse", jit_compile=False)
    before = [weight.copy() for weight in model.get_weights()]
    x = np.random.default_rng(0).normal(size=(8, *case.input_shape)).astype("float32")
    loss = model.fit(x, np.ones((8, 1), "float32"), batch_size=4, verbose=0).history["loss"][0]
    assert np.isfinite(loss), case.name
    # The layer before the judged one learns only through it.
    assert not np.array_equal(before[0], model.get_weights()[0]), case.name
    print("trained", case.name)
"""


def test_every_layer_trains_under_mirrored_strategy():
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    from tests.cases import CASES

    layers = {case.layer for case in CASES if case.channel_axis in (None, -1)}
    assert done.stdout.count("trained") == len(layers)
