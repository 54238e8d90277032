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
cases, random = list(first.values()), np.random.default_rng(0)
# Branches of one model, as one training function is traced in a fraction of the time of forty.
with strategy.scope():
    inputs = [keras.Input(case.input_shape) for case in cases]
    before = [layers.Dense(case.input_shape[-1]) for case in cases]
    judged = [case.make()(dense(x)) for case, dense, x in zip(cases, before, inputs)]
    outputs = [layers.Dense(1, name=f"branch{i}")(layers.Flatten()(x)) for i, x in enumerate(judged)]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", ["mse"] * len(cases), jit_compile=False)
kernels = [dense.kernel.numpy().copy() for dense in before]
x = [random.normal(size=(8, *case.input_shape)).astype("float32") for case in cases]
history = model.fit(x, [np.ones((8, 1), "float32")] * len(cases), batch_size=4, verbose=0).history
for i, case in enumerate(cases):
    assert np.isfinite(history[f"branch{i}_loss"]).all(), case.name
    # The layer before the judged one learns only through it.
    assert not np.array_equal(kernels[i], before[i].kernel.numpy()), case.name
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
