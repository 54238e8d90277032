"""A network learns digits, and to be int8, on several machines; after a crash it goes on where it was.

python examples/several_machines.py                                          two workers, on this machine
python examples/several_machines.py --addresses a:4000,b:4000 --number 0     on machine a; on b with --number 1

Machines share the folder of --backup.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ATTEMPTS = 3


def start_here(count):
    """Starts as many workers on this machine; where one dies all start again, and go on from the backup."""
    for _ in range(ATTEMPTS):
        servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        addresses = ",".join(f"127.0.0.1:{server.getsockname()[1]}" for server in servers)
        for server in servers:
            server.close()
        command = [sys.executable, *sys.argv, "--addresses", addresses, "--number"]
        workers = [subprocess.Popen([*command, str(number)]) for number in range(count)]
        try:
            codes = [worker.wait() for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
        if not any(codes):
            return
        print(f"workers ended with {codes}; once more")
    sys.exit(f"gave up after {ATTEMPTS} attempts")


def train(options):
    backup = Path(options.backup)
    mine, first = backup / str(options.number), options.number == 0
    if not first and (backup / "0").exists():
        # All workers must save, as that takes all of them; which epoch was saved last the first one knows.
        shutil.rmtree(mine, ignore_errors=True)
        shutil.copytree(backup / "0", mine)
    # TensorFlow reads it when it starts.
    task = {"type": "worker", "index": options.number}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": options.addresses.split(",")}, "task": task})
    import keras
    import tensorflow as tf
    from sklearn.datasets import load_digits

    from keraslayers import SqueezeExcite, export
    from keraslayers.export import optimize

    strategy = optimize.multi_worker_strategy()
    keras.utils.set_random_seed(0)
    pixels, y = load_digits(return_X_y=True)
    x = pixels.reshape(-1, 8, 8, 1).astype("float32") / 16
    # A batch is that of all workers together. Each reads the whole and takes its part.
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=0).batch(64, drop_remainder=True)
    read = tf.data.Options()
    read.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA

    def fit(model, rate, epochs, folder):
        with strategy.scope():
            optimizer = keras.optimizers.Adam(rate)
            model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        saves = keras.callbacks.BackupAndRestore(folder, delete_checkpoint=False)
        verbose = 2 if first else 0
        model.fit(data.with_options(read), epochs=epochs, callbacks=[saves], shuffle=False, verbose=verbose)

    with strategy.scope():
        hidden = [keras.layers.Conv2D(32, 3, activation="relu"), SqueezeExcite(), keras.layers.Flatten()]
        model = keras.Sequential([keras.Input((8, 8, 1)), *hidden, keras.layers.Dense(10, activation="softmax")])
    fit(model, 1e-3, options.epochs, mine / "floats")
    with strategy.scope():
        rounding = optimize.quantize_aware(model, samples=x[:64])
    fit(rounding, 1e-4, 1, mine / "int8")
    if first:
        made = export.to_tflite(rounding, precision="int8", samples=x)
        print(made.report)
        made.save(options.out)
        shutil.rmtree(backup)
        print(f"wrote {options.out}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2, help="Workers to start on this machine.")
    parser.add_argument("--addresses", help="host:port of every worker, with commas; this is one of them.")
    parser.add_argument("--number", type=int, help="Which of the addresses is this worker's, from 0.")
    parser.add_argument("--backup", default="backup", help="Folder that all workers see.")
    parser.add_argument("--out", default="digits.tflite")
    options = parser.parse_args()
    if (options.addresses is None) != (options.number is None):
        parser.error("--addresses and --number go together")
    if options.addresses is None:
        start_here(options.workers)
    else:
        train(options)


if __name__ == "__main__":
    main()
