"""TensorFlow does not outlive a fork: its threads stay behind, and what waits for them waits for ever."""

import os
import sys

_forked = False


def _mark():
    """Remembers, in the child of a fork, whether TensorFlow had begun to compute."""
    global _forked
    # It is asked below its public interface, which does not tell.
    context = sys.modules.get("tensorflow.python.eager.context")
    begun = context is not None and context.context_safe() is not None and context.context_safe()._initialized
    _forked = _forked or begun


os.register_at_fork(after_in_child=_mark)


def check_fork(who):
    """Raises in a fork of a process in which TensorFlow had begun to compute.

    Raises:
        RuntimeError: with what to do instead.
    """
    if _forked:
        raise RuntimeError(
            f"`{who}`: this process was forked from one that computes with TensorFlow, whose threads a fork has not: "
            "it would wait for ever. Start processes by multiprocessing.get_context('spawn'), or build the model in "
            "the fork alone."
        )
