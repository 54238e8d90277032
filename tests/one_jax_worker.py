"""One of several hosts of a training on JAX: `python -m tests.one_jax_worker NUMBER HOSTS ADDRESS FOLDER`."""

import os
import sys
from pathlib import Path

import numpy as np

DEVICES = 2  # of each host
LAYERS = {"data_parallel": ("DeformableConv2D",), "model_parallel": ("SqueezeExcite",)}


def data_parallel(devices):
    import keras

    return keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)


def model_parallel(devices):
    """Half of the devices share a batch; of what has an even number of outputs the other half holds a half."""
    import keras

    from tests.one_worker import branches

    mesh = keras.distribution.DeviceMesh((len(devices) // 2, 2), ("batch", "model"), devices)
    layout = keras.distribution.LayoutMap(mesh)
    for weight in branches(LAYERS["model_parallel"])[0].weights:
        if weight.path.endswith("kernel") and weight.shape[-1] % 2 == 0:
            layout[weight.path] = (*(None,) * (len(weight.shape) - 1), "model")
    return keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch", auto_shard_dataset=False)


def trained(make, number, hosts):
    """The weights after some steps, of which each host sees its part of every batch; first which lie in parts."""
    import keras
    from jax.experimental import multihost_utils

    from tests.one_worker import branches

    distribution = make(keras.distribution.list_devices()) if hosts > 1 else None
    keras.utils.clear_session()  # names begin anew; forgets the distribution, too
    keras.distribution.set_distribution(distribution)
    keras.utils.set_random_seed(0)
    model, x, y = branches(LAYERS[make.__name__])
    model.compile(keras.optimizers.SGD(0.05), ["mse"] * len(x))
    mine = np.concatenate([np.split(batch, hosts)[number] for batch in np.split(np.arange(16), 2)])
    model.fit([part[mine] for part in x], [part[mine] for part in y], batch_size=8 // hosts, shuffle=False, verbose=0)
    parts = [len(weight.value.addressable_shards[0].data.ravel()) < weight.value.size for weight in model.weights]
    whole = [multihost_utils.process_allgather(weight.value, tiled=True) for weight in model.weights]
    return [np.array(parts), *map(np.asarray, whole)]


def main(number, hosts, address, folder):
    number, hosts = int(number), int(hosts)
    os.environ |= {"KERAS_BACKEND": "jax", "XLA_FLAGS": f"--xla_force_host_platform_device_count={DEVICES}"}
    import jax
    import keras

    if hosts > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        keras.distribution.initialize(address, hosts, number)
    assert len(keras.distribution.list_devices()) == hosts * DEVICES
    for make in (data_parallel, model_parallel):
        np.savez(Path(folder) / f"{make.__name__}_{hosts}_{number}.npz", *trained(make, number, hosts))


if __name__ == "__main__":
    main(*sys.argv[1:])
