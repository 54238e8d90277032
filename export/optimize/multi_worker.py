"""Training on several machines by TensorFlow's strategy, with `model.fit` of Keras 3."""

from __future__ import annotations

from typing import Any

import keras


def multi_worker_strategy(cluster_resolver: Any = None, communication_options: Any = None) -> Any:
    """Returns a `tf.distribute.MultiWorkerMirroredStrategy` with which `model.fit` of Keras 3 works.

    Every worker runs the same program; the environment variable TF_CONFIG tells it the addresses of all, and which of
    them it is. The model is made, and compiled, within `strategy.scope()`; the rest is as on one machine. A batch of
    the data set is that of all workers together.

    Keras takes the mean of whole batches, structures of tensors, and of single numbers along their first axis.
    TensorFlow's strategy does neither, so that `fit` raises with it (keras-team/keras, issue 20585). This one takes a
    structure tensor by tensor, and what has no axis over the workers alone.

    Args:
        cluster_resolver: a `tf.distribute.cluster_resolver.ClusterResolver`. Default: what TF_CONFIG tells.
        communication_options: a `tf.distribute.experimental.CommunicationOptions`, such as of NCCL.

    Returns:
        A strategy with a replica on each device of each worker.

    Raises:
        RuntimeError: if Keras computes with another backend, for which there is `keras.distribution`; of TensorFlow, if
            it has computed before and so cannot join other workers.

    Source: "Multi-worker training with Keras" of tensorflow.org, which is for Keras 2.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"`multi_worker_strategy`: is of the TensorFlow backend, Keras runs on {keras.backend.backend()!r}. There "
            "keras.distribution.initialize and keras.distribution.DataParallel train on several machines."
        )
    import tensorflow as tf

    class MultiWorkerMirroredStrategy(tf.distribute.MultiWorkerMirroredStrategy):
        def reduce(self, reduce_op, value, axis):
            def one(tensor):
                rank = self.experimental_local_results(tensor)[0].shape.rank
                return super(MultiWorkerMirroredStrategy, self).reduce(reduce_op, tensor, axis if rank else None)

            return tf.nest.map_structure(one, value)

    return MultiWorkerMirroredStrategy(cluster_resolver, communication_options)
