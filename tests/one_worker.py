"""One of several workers of a training, on one machine: `python -m tests.one_worker NUMBER ADDRESSES FOLDER WHAT`.

What: "laws" trains some steps of everything; "backup" a network, and worker 1 dies of it the first time.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

# Under MirroredStrategy every layer is tested.
HELD = ("DeformableConv2D", "DynamicConv2D", "SpatialSeparableConv2D", "SqueezeExcite", "WindowAttention")
EPOCHS = 3
DEADLY = 2  # the epoch that worker 1 does not survive


def branches(names=HELD):
    """A network of layers that hold weights, each behind one that learns through it alone; inputs; targets."""
    from tests.cases import CASES

    random, inputs, outputs = np.random.default_rng(0), [], []
    for number, name in enumerate(names):
        case = next(case for case in CASES if case.layer.__name__ == name and case.channel_axis in (None, -1))
        inputs.append(keras.Input(case.input_shape))
        x = case.make()(layers.Dense(case.input_shape[-1])(inputs[-1]))
        outputs.append(layers.Dense(1, name=f"branch{number}")(layers.Flatten()(x)))
    x = [random.normal(size=(16, *image.shape[1:])).astype("float32") for image in inputs]
    return keras.Model(inputs, outputs), x, [np.ones((16, 1), "float32")] * len(x)


def network():
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def images(alike):
    """Sixteen images in two batches; where `alike`, the halves of a batch, so that both workers see the same.

    What looks at a batch, as normalization and the ranges of quantization do, looks at that of a worker.
    """
    random = np.random.default_rng(0)
    x, y = random.normal(size=(16, 8, 8, 1)).astype("float32"), random.integers(0, 3, 16)
    if alike:
        x, y = (np.concatenate([part[:4], part[:4], part[4:8], part[4:8]]) for part in (x, y))
    return x, y


def fit(model, x, y, loss, **options):
    import tensorflow as tf

    model.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
    x, y = (tuple(part) if isinstance(part, list) else part for part in (x, y))
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    read = tf.data.Options()
    read.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    model.fit(data.with_options(read), verbose=0, shuffle=False, **options)


def trained():
    """By name what a training gives: the weights of all that can be trained."""
    from keraslayers.export import optimize

    found = {}
    model, x, y = branches()
    fit(model, x, y, ["mse"] * len(x))
    found["layers"] = model.get_weights()
    x, y = images(alike=True)
    makers = {
        "quantize_aware": lambda model: optimize.quantize_aware(model, samples=x),
        "prune": lambda model: optimize.prune(model, sparsity=0.5),
        "cluster": lambda model: optimize.cluster(model, clusters=4),
    }
    for name, make in makers.items():
        keras.utils.set_random_seed(1)
        model = make(network())
        fit(model, x, y, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        found[name] = [np.asarray(weight) for weight in model.trainable_variables]
    return found


def backed_up(folder, number):
    """Weights of a training that goes on where it stopped, and the epochs that it saw."""
    keras.utils.set_random_seed(2)
    model = network()
    calls = [keras.callbacks.BackupAndRestore(folder / f"backup{number}")]
    seen = []
    calls.append(keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch)))
    if number == 1 and not (folder / "died").exists():

        def die(epoch, logs):
            if epoch == DEADLY:
                (folder / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)

        calls.append(keras.callbacks.LambdaCallback(on_epoch_begin=die))
    x, y = images(alike=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fit(model, x, y, loss, epochs=EPOCHS, callbacks=calls)
    return model.get_weights(), seen


def main(number, addresses, folder, what):
    from keraslayers.export import optimize

    number, folder = int(number), Path(folder)
    if number and (folder / "backup0").exists():
        # All must save, as that takes all; which epoch was saved last the first one knows.
        shutil.rmtree(folder / f"backup{number}", ignore_errors=True)
        shutil.copytree(folder / "backup0", folder / f"backup{number}")
    task = {"type": "worker", "index": number}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses.split(",")}, "task": task})
    strategy = optimize.multi_worker_strategy()
    assert strategy.num_replicas_in_sync == len(addresses.split(","))
    keras.utils.set_random_seed(0)
    with strategy.scope():
        if what == "laws":
            for name, weights in trained().items():
                np.savez(folder / f"{name}{number}.npz", *weights)
        else:
            weights, seen = backed_up(folder, number)
            np.savez(folder / f"backup{number}.npz", np.array(seen), *weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
