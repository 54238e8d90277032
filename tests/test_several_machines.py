"""Training on several machines: two processes that only the network connects learn what one learns."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keraslayers.export import optimize
from tests import one_worker

ROOT = Path(__file__).parent.parent
# Sums over workers are added in another order.
CLOSE = {"rtol": 2e-4, "atol": 2e-6}
SECONDS = 400


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def start(module, *arguments):
    command = [sys.executable, "-m", f"tests.{module}", *map(str, arguments)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=environment, **pipes)


def workers(folder, what):
    addresses = ",".join(free_addresses(2))
    return [start("one_worker", number, addresses, folder, what) for number in range(2)]


def finish(processes):
    try:
        for process in processes:
            said = process.communicate(timeout=SECONDS)[1]
            assert process.returncode == 0, said[-3000:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def arrays(path):
    with np.load(path) as held:
        return [held[name] for name in held.files]


@pytest.fixture(scope="module")
def alone():
    keras.utils.set_random_seed(0)
    return one_worker.trained()


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    finish(workers(folder, "laws"))
    return folder


@pytest.mark.parametrize("what", ["layers", "quantize_aware", "prune", "cluster"])
def test_two_workers_learn_what_one_learns(what, alone, together):
    for number in range(2):
        for theirs, ours in zip(arrays(together / f"{what}{number}.npz"), alone[what], strict=True):
            np.testing.assert_allclose(theirs, ours, **CLOSE)


def test_killed_workers_go_on_where_they_were(tmp_path):
    killed = workers(tmp_path, "backup")
    assert killed[1].wait(SECONDS) == -signal.SIGKILL
    killed[0].kill()  # it waits for the other, or found out that there is none
    for process in killed:
        process.communicate()
    assert not list(tmp_path.glob("*.npz"))
    finish(workers(tmp_path, "backup"))

    keras.utils.set_random_seed(2)
    model = one_worker.network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    one_worker.fit(model, *one_worker.images(alike=True), loss, epochs=one_worker.EPOCHS)
    for number in range(2):
        epochs, *weights = arrays(tmp_path / f"backup{number}.npz")
        assert epochs.tolist() == list(range(one_worker.DEADLY, one_worker.EPOCHS))
        for theirs, ours in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_allclose(theirs, ours, **CLOSE)
    assert not list(tmp_path.glob("backup?"))


def test_on_jax_two_hosts_learn_what_one_learns(tmp_path):
    (address,) = free_addresses(1)
    finish([start("one_jax_worker", 0, 1, address, tmp_path)])
    finish([start("one_jax_worker", number, 2, address, tmp_path) for number in range(2)])
    for way in ("data_parallel", "model_parallel"):
        _, *wanted = arrays(tmp_path / f"{way}_1_0.npz")
        for number in range(2):
            parts, *found = arrays(tmp_path / f"{way}_2_{number}.npz")
            assert parts.any() == (way == "model_parallel")
            for theirs, ours in zip(found, wanted, strict=True):
                np.testing.assert_allclose(theirs, ours, **CLOSE)


def test_a_model_learns_from_a_tf_data_service():
    import tensorflow as tf

    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    address = dispatcher.target.split("://")[1]
    worker = service.WorkerServer(service.WorkerConfig(dispatcher_address=address))
    x, y = one_worker.images(alike=False)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    read = service.distribute(service.ShardingPolicy.OFF, dispatcher.target)
    count = tf.data.experimental.assert_cardinality(len(data))
    loss, weights = keras.losses.SparseCategoricalCrossentropy(from_logits=True), []
    for batches in (data, data.apply(read).apply(count)):
        keras.utils.set_random_seed(0)
        model = optimize.quantize_aware(one_worker.network(), samples=x)
        model.compile("sgd", loss, jit_compile=False)
        model.fit(batches, verbose=0, shuffle=False)
        weights.append(model.get_weights())
    for theirs, ours in zip(*weights, strict=True):
        np.testing.assert_array_equal(theirs, ours)
    worker.stop()
    dispatcher.stop()


def test_other_backends_are_told_of_their_own_way(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"runs on 'jax'.*keras\.distribution\.DataParallel"):
        optimize.multi_worker_strategy()
