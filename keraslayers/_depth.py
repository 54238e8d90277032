"""Room on Python's stack for models of many layers: Keras goes through a graph by a call for each layer of a chain."""

import sys

# Calls of a program before it goes through a model, and those for a layer.
OTHERS, EACH = 1000, 2


def make_room(layers, most=None):
    """Raises Python's limit of nested calls to what a model needs; it is of the whole process, and stays.

    Args:
        layers: how many the model has.
        most: the highest limit, where nobody knows who made the model.
    """
    wanted = OTHERS + EACH * layers
    wanted = wanted if most is None else min(wanted, most)
    if wanted > sys.getrecursionlimit():
        sys.setrecursionlimit(wanted)
